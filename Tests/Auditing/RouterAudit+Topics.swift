import Discovery
import Wire

@testable import Routing

/// Topics and subscriptions against each other, and against the connections that have them.
extension RouterAudit {
  func checkTopics() throws(Violation) {
    var listed = 0
    for topic in router.topics.entries.indices() {
      let entry = router.topics.entries.at(topic).pointee
      let name = entry.name.text
      try require(!entry.subscriptions.isEmpty, "\(name) is kept for nobody")
      try require(router.topics.find(entry.name) == topic, "\(name) is not found")
      listed += entry.subscriptions.count
      for (place, index) in entry.subscriptions.enumerated() {
        let subscription = router.subscriptions.at(index).pointee
        try require(
          subscription.topic == topic && subscription.place == place,
          "subscription \(index) is not at its place of \(name)")
      }
    }
    try require(
      listed == router.subscriptions.count,
      "\(router.subscriptions.count) subscriptions, of which \(listed) are listed")
    for index in router.replicas.indices() { try checkFed(by: index) }
  }

  /// The subscriptions that feed a replica's agent.
  private func checkFed(by replica: Int32) throws(Violation) {
    var linked: Set<Int32> = []
    var at = router.replicas.at(replica).pointee.firstSubscription
    var previous: Int32 = -1
    while at >= 0 {
      try require(linked.insert(at).inserted, "replica \(replica): its subscriptions are a ring")
      let subscription = router.subscriptions.at(at).pointee
      try require(
        subscription.previousOnReplica == previous && subscription.replica == replica,
        "subscription \(at) is linked to another replica")
      try require(
        subscription.agent == router.replicas.at(replica).pointee.agent
          && subscription.connection == router.replicas.at(replica).pointee.connection,
        "subscription \(at) feeds an agent of another connection")
      previous = at
      at = subscription.nextOnReplica
    }
    let fed = router.subscriptions.indices().filter {
      router.subscriptions.at($0).pointee.replica == replica
    }
    try require(Set(fed) == linked, "replica \(replica): \(linked) feed it, really \(fed)")
    try require(
      fed.isEmpty || !router.replicas.at(replica).pointee.isLeaving,
      "replica \(replica) leaves and is fed")
  }

  func checkSubscription(
    _ entry: IDTable.Entry, of connection: ConnectionIndex
  ) throws(Violation) {
    let subscription = router.subscriptions.at(entry.index).pointee
    try require(
      subscription.id == entry.id && subscription.connection == connection,
      "id \(entry.id) of another subscription")
    try checkDirection(subscription.messages, "messages of \(entry.index)")
    let isOne = subscription.messages.first == subscription.messages.last
    try require(
      subscription.messages.heldCost <= subscription.heldCostMax || isOne,
      "subscription \(entry.index) holds \(subscription.messages.heldCost)")
    try require(
      subscription.agent < 0 || subscription.messages.isEmpty, "an agent's messages are held")
  }

  func heldForSubscriptions(_ connection: ConnectionIndex) -> Int {
    subscriptions(of: connection).reduce(0) {
      $0 + router.subscriptions.at($1).pointee.messages.heldBytes
    }
  }

  private func subscriptions(of connection: ConnectionIndex) -> [Int32] {
    router.subscriptions.indices().filter {
      router.subscriptions.at($0).pointee.connection == connection
    }
  }

  /// What may be passed on waits for nothing but its turn.
  func checkReaders(of connection: ConnectionIndex, _ inLine: Set<Int32>) throws(Violation) {
    let own = subscriptions(of: connection)
    let count = router.connections.at(connection).pointee.subscriptions
    try require(own.count == count, "connection \(connection): \(count), really \(own.count)")
    for index in own {
      let messages = router.subscriptions.at(index).pointee.messages
      let isInLine = inLine.contains(router.token(ofSubscription: index))
      try require(messages.isInLine == isInLine, "subscription \(index) in the line")
      try require(
        messages.isEmpty || messages.window <= 0 || isInLine, "subscription \(index) stands still")
    }
  }

  func checkNoTopics() throws(Violation) {
    try require(
      router.subscriptions.count == 0, "\(router.subscriptions.count) subscriptions are left")
    try require(
      router.topics.entries.count == 0, "\(router.topics.entries.count) topics are left")
    try require(
      router.topics.nodeCount == 0, "\(router.topics.nodeCount) segments of patterns are left")
  }
}
