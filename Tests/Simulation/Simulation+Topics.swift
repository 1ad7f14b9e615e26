import Wire

@testable import Auditing

/// What peers do with topics.
extension Simulation {
  private static let topics = ["t", "t.a", "t.b", "t.a.x", "u"]
  private static let patterns = topics + ["*", ">", "t.*", "t.>", "*.a", "t.*.x", "*.*.>"]

  func subscribe(_ peer: SimulatedPeer) throws(Violation) {
    let id = peer.newID(gap: UInt64(number(0...1)))
    let own = peer.registrations.values.filter { $0.isActive && $0.isConfirmed }.map(\.name)
    let agent = chance(50) ? pick(own.sorted()) ?? "" : ""
    tally.count(agent.isEmpty ? "subscriptions read" : "subscriptions fed")
    let window = chance(50) ? 1 << 20 : [0, 1, 300, 5_000, 100_000][number(0...4)]
    let pattern = pick(Self.patterns)!
    let subscription = SimulatedSubscription(pattern: pattern, agent: agent, window: window)
    var fields = #""topic":"\#(pattern)""#
    if !agent.isEmpty { fields += #","agent":"\#(agent)""# }
    if window != 1 << 20 { fields += #","window":\#(window)"# }
    try say(peer, #"{"op":"subscribe","id":\#(id),\#(fields)}"#) {
      subscription.isActive = !peer.hasSaidGoodbye
      peer.subscriptions[id] = subscription
    }
  }

  func publish(_ peer: SimulatedPeer) throws(Violation) {
    callCount += 1
    tally.count("publishes")
    let number = callCount
    let (topic, source) = (pick(Self.topics)!, session())
    var fields = #""topic":"\#(topic)","source":"\#(source)","type":"p\#(number)""#
    var from = ""
    let parent = chance(30) ? parent(at: peer) : nil
    if let parent {
      fields += #","parent":\#(parent)"#
      from = peer.hosted[parent]?.to ?? ""
    } else if chance(20), let own = ownName(peer) {
      from = "\(own):\(session())"
      fields += #","from":"\#(from)""#
    }
    let timeoutMs = chance(15) ? [20, 200, 3_000][self.number(0...2)] : 0
    if timeoutMs > 0 { fields += #","timeout_ms":\#(timeoutMs)"# }
    let content = message("m\(number)", size() + 1)
    let publication = SimulatedPublication(
      number, topic: topic, source: source, from: from, length: content.count,
      timeoutMs: UInt64(timeoutMs), publisher: peer)
    publication.hasParent = parent != nil
    // Without an answer only what is sure to be taken, so that the ledger knows.
    var id: UInt64?
    if !from.isEmpty || parent != nil || peer.saysGoodbye || chance(50) {
      id = peer.newID(gap: 0)
      fields = #""id":\#(id!),"# + fields
    }
    try say(peer, #"{"op":"publish",\#(fields)}"#, content) { [ledger, audit] in
      if let id {
        peer.sent.insert(id)
        peer.published[id] = publication
      }
      ledger.published(publication) { audit.waitingBytes($0.index) }
    }
  }

  func unsubscribe(_ peer: SimulatedPeer) throws(Violation) {
    let open = peer.subscriptions.filter { $0.value.isActive && $0.value.isConfirmed }
    guard let id = pick(open.keys.sorted()) else { return }
    tally.count("subscriptions ended")
    try say(peer, #"{"op":"cancel","id":\#(id)}"#) { [ledger] in ledger.ended([open[id]!]) }
  }

  /// A reader permits more.
  func grantSubscription(_ peer: SimulatedPeer, all: Bool = false) throws(Violation) {
    let reading = peer.subscriptions.filter {
      $0.value.isActive && $0.value.isConfirmed && $0.value.agent.isEmpty
    }
    guard let id = pick(reading.keys.sorted()) else { return }
    try grant(reading[id]!, id, peer, all ? 1 << 24 : 0)
  }

  private func grant(
    _ subscription: SimulatedSubscription, _ id: UInt64, _ peer: SimulatedPeer, _ more: Int
  ) throws(Violation) {
    let bytes =
      more > 0 ? more : subscription.unread > 0 ? subscription.unread : number(1...5_000)
    subscription.unread = 0
    try say(peer, #"{"op":"credit","id":\#(id),"bytes":\#(bytes)}"#) {
      subscription.window = min(subscription.window + bytes, Limits.windowBytesMax)
    }
  }

  /// Readers get all that is held for them; returns whether there was any.
  func finishSubscriptions(_ peer: SimulatedPeer) throws(Violation) -> Bool {
    var isBusy = false
    for id in peer.subscriptions.keys.sorted() {
      guard let subscription = peer.subscriptions[id], subscription.isActive,
        subscription.isConfirmed, !subscription.expected.isEmpty, subscription.window < 1 << 20
      else { continue }
      try grant(subscription, id, peer, 1 << 24)
      isBusy = true
    }
    return isBusy
  }

  /// At rest nobody waits for what was not dropped; then everyone stops reading.
  func endSubscriptions() throws(Violation) {
    for peer in alive {
      for id in peer.subscriptions.keys.sorted() {
        guard let subscription = peer.subscriptions[id], !subscription.hasEnded,
          subscription.isConfirmed, subscription.isActive
        else { continue }
        try require(
          subscription.expected.isEmpty || subscription.mayDrop,
          "p\(peer.number) still waits for \(subscription.expected.count) messages of \(id)")
        try say(peer, #"{"op":"cancel","id":\#(id)}"#) { [ledger] in
          ledger.ended([subscription])
        }
      }
    }
  }
}
