import Discovery
import Wire

@testable import Routing

/// Reads all of a router's records and says what does not agree: sums that are kept against what
/// they are sums of, links against their ends, and work that could be done and is not.
struct RouterAudit {
  let router: Router

  func run() throws(Violation) {
    try checkCalls()
    try checkConnections()
    try checkSessions()
    try checkReplicas()
    try checkLines()
    try checkTimers()
    try checkCredit()
    try checkTopics()
    try checkSignals()
    try checkRuns()
    try checkSplices()
  }

  var connectionCount: Int { router.connections.count }
  var callCount: Int { router.calls.count }

  /// All that waits for a connection, in bytes.
  func waitingBytes(_ connection: ConnectionIndex) -> Int {
    router.connections.at(connection).pointee.waitingBytes
  }

  var calls: [Int32] { router.calls.indices() }
  func call(_ index: Int32) -> UnsafeMutablePointer<Call> { router.calls.at(index) }

  private func checkCalls() throws(Violation) {
    for index in calls {
      let call = call(index)
      let state = call.pointee.state
      if call.pointee.caller >= 0 {
        let entry = router.connections.at(call.pointee.caller).pointee.ids.find(
          call.pointee.callerID)
        try require(entry?.index == index && entry?.kind == .made, "call \(index): its caller's id")
      } else {
        try require(
          call.pointee.isOneway || call.pointee.isUnread || call.pointee.isAwaited
            || state == .abandoned, "call \(index) has nobody and is \(state)")
      }
      let isAtHost = state == .running || state == .abandoned
      try require(
        isAtHost == (call.pointee.host >= 0),
        "call \(index) is \(state), its host \(call.pointee.host)")
      try require(isAtHost == (call.pointee.replica >= 0), "call \(index) is \(state), its replica")
      if isAtHost {
        let entry = router.connections.at(call.pointee.host).pointee.ids.find(call.pointee.hostID)
        try require(entry?.index == index && entry?.kind == .hosted, "call \(index): its host's id")
        try require(call.pointee.opening == nil, "call \(index) was started and keeps its opening")
      }
      try require(
        (state == .waiting || state == .lazy) == (call.pointee.opening != nil),
        "call \(index) is \(state), its opening")
      if state != .waiting && state != .lazy {
        try require(call.pointee.waitingBytes == 0, "call \(index) is \(state) and charged")
      }
      try checkDirection(call.pointee.replies, "replies of \(index)")
      try checkDirection(call.pointee.input, "input of \(index)")
      if call.pointee.parent >= 0 {
        try require(
          router.calls.isUsed(call.pointee.parent), "call \(index) has a parent that is gone")
        try require(
          self.call(call.pointee.parent).pointee.state == .running || call.pointee.isSpliced,
          "call \(index) has a parent that does not run")
      }
    }
  }

  func checkDirection(_ direction: Direction, _ what: String) throws(Violation) {
    var bytes = 0
    var cost = 0
    var frame = direction.first
    var last: UnsafeMutablePointer<HeldFrame>?
    while let held = frame {
      bytes += held.pointee.size
      cost += held.pointee.cost
      last = held
      frame = held.pointee.next
    }
    try require(
      bytes == direction.heldBytes, "\(what): \(direction.heldBytes) held, really \(bytes)")
    try require(cost == direction.heldCost, "\(what): cost \(direction.heldCost), really \(cost)")
    try require(last == direction.last, "\(what): its last frame")
  }

  private func checkConnections() throws(Violation) {
    for connection in router.connections.indices() {
      let state = router.connections.at(connection)
      var held = heldForSubscriptions(connection)
      var mailboxes = 0
      var given = 0
      for index in calls {
        let call = call(index).pointee
        if router.account(of: index) == connection {
          held += call.replies.heldBytes + laneBytes(of: index)
        }
        if call.host == connection { held += call.input.heldBytes }
        if call.origin == connection, call.originSerial == state.pointee.serial {
          mailboxes += call.waitingBytes
        }
      }
      for entry in state.pointee.ids.all() {
        switch entry.kind {
        case .made:
          try require(
            call(entry.index).pointee.caller == connection, "id \(entry.id) made by another")
        case .hosted:
          given += 1
          try require(
            call(entry.index).pointee.host == connection, "id \(entry.id) hosted by another")
        case .closing:
          given += 1
          let session = router.sessions.at(entry.index)
          try require(session.pointee.closeID == entry.id, "id \(entry.id) closes another session")
        case .registration:
          let replica = router.replicas.at(entry.index)
          try require(
            replica.pointee.registrationID == entry.id, "id \(entry.id) of another replica")
        case .signal: try checkSignal(entry, of: connection)
        case .givenSignal:
          given += 1
          try checkGivenSignal(entry, of: connection)
        case .subscription: try checkSubscription(entry, of: connection)
        }
      }
      try require(
        held == state.pointee.heldBytes,
        "connection \(connection): \(state.pointee.heldBytes) held, really \(held)")
      try require(
        mailboxes == state.pointee.mailboxBytes,
        "connection \(connection): \(state.pointee.mailboxBytes) in mailboxes, really \(mailboxes)")
      try checkTurns(connection, state)
      try require(
        given == Int(state.pointee.givenIDs),
        "connection \(connection): \(state.pointee.givenIDs) ids given, really \(given)")
    }
  }

  /// The lists of those that wait for a connection.
  private func checkTurns(
    _ connection: ConnectionIndex, _ state: UnsafeMutablePointer<ConnectionState>
  ) throws(Violation) {
    var inLine: Set<Int32> = []
    var at = state.pointee.firstInLine
    while at != -1 {
      try require(inLine.insert(at).inserted, "connection \(connection): its line is a ring")
      at = direction(at).nextInLine
    }
    try checkReaders(of: connection, inLine)
    for index in calls {
      for (way, receiver) in [(0, reader(of: index)), (1, call(index).pointee.host)] {
        let token = index * 2 + Int32(way)
        let direction = direction(token)
        guard receiver == connection else {
          if receiver < 0 {
            try require(
              !direction.isInLine && direction.starvedPlace < 0, "\(token) waits for nobody")
          }
          continue
        }
        try require(direction.isInLine == inLine.contains(token), "\(token) in the line")
        guard direction.starvedPlace >= 0 else { continue }
        let place = Int(direction.starvedPlace)
        try require(
          place < state.pointee.starved.count && state.pointee.starved[place] == token,
          "\(token) among the starved")
      }
    }
    try require(
      state.pointee.starved.allSatisfy { direction($0).starvedPlace >= 0 },
      "a starved one that is not")
    try require(
      state.pointee.starved.isEmpty || router.isCongested(connection),
      "connection \(connection) is not congested and starves others")
  }

  /// Whose room the replies of a call wait for: its caller's, that of the call that it is spliced
  /// into, or who paces its run.
  func reader(of index: Int32) -> ConnectionIndex {
    let run = call(index).pointee.run
    return run < 0
      ? call(router.root(of: index)).pointee.caller : router.pacingConnection(run)
  }

  private func direction(_ token: Int32) -> Direction {
    if token < -1 { return router.subscriptions.at(-2 - token).pointee.messages }
    return token & 1 == 0 ? call(token >> 1).pointee.replies : call(token >> 1).pointee.input
  }

  private func checkSessions() throws(Violation) {
    for index in router.sessions.indices() {
      let session = router.sessions.at(index).pointee
      let name = session.address.text
      try require(router.sessionTable.find(session.address) == index, "\(name) is not in the table")
      try require(
        (session.state == .unplaced) == (session.replica < 0), "\(name): \(session.state)")
      let running = calls.filter {
        call($0).pointee.session == index
          && (call($0).pointee.state == .running || call($0).pointee.state == .abandoned)
      }
      try require(
        running.count == Int(session.running),
        "\(name): \(session.running) run, really \(running.count)")
      let lazy = calls.filter {
        call($0).pointee.session == index && call($0).pointee.state == .lazy
      }
      try require(
        lazy.count == Int(session.lazyCalls),
        "\(name): \(session.lazyCalls) lazy, really \(lazy.count)")
      let waiting = calls.filter {
        call($0).pointee.session == index && call($0).pointee.state == .waiting
      }
      try checkLine(session.mailbox, waiting, name)
      if session.replica >= 0 {
        let replica = router.replicas.at(session.replica).pointee
        try require(
          session.running <= replica.sessionConcurrency, "\(name): \(session.running) run at once")
        try require(
          running.allSatisfy { call($0).pointee.replica == session.replica },
          "\(name) is on two hosts")
      } else {
        try require(session.running == 0, "\(name) runs without a host")
        try require(
          session.mailbox.count > 0 || session.lazyCalls > 0, "\(name) is kept for nothing")
        try require(session.mailbox.count == 0, "\(name) waits for no host")
      }
      let isIdle = session.running == 0 && session.mailbox.count == 0
      try require(
        !(session.state == .live && session.isNew && isIdle), "\(name) was never made and stays")
    }
  }

  private func checkLine(
    _ line: WaitingLine, _ waiting: [Int32], _ name: String
  ) throws(Violation) {
    var found: [Int32] = []
    var at = line.first
    var previous: Int32 = -1
    while at >= 0 {
      found.append(at)
      try require(call(at).pointee.previousWaiting == previous, "\(name): links of its line")
      previous = at
      at = call(at).pointee.nextWaiting
    }
    try require(previous == line.last, "\(name): the last of its line")
    try require(found.sorted() == waiting, "\(name): \(found) wait, really \(waiting)")
    try require(found.count == line.count, "\(name): \(line.count) wait, really \(found.count)")
    let bytes = found.reduce(0) { $0 + call($1).pointee.waitingBytes }
    try require(bytes == line.bytes, "\(name): \(line.bytes) bytes wait, really \(bytes)")
    let urgent = found.count { call($0).pointee.isUrgent }
    try require(urgent == line.urgent, "\(name): \(line.urgent) are urgent, really \(urgent)")
  }

  private func checkReplicas() throws(Violation) {
    for index in router.replicas.indices() {
      let replica = router.replicas.at(index).pointee
      let running = calls.count { call($0).pointee.replica == index }
      try require(
        running == Int(replica.running),
        "replica \(index): \(replica.running) run, really \(running)")
      let sessions = router.sessions.indices().filter {
        router.sessions.at($0).pointee.replica == index
      }
      try require(
        sessions.count == Int(replica.sessions),
        "replica \(index): \(replica.sessions) sessions, really \(sessions.count)")
      let waiting = sessions.reduce(0) { $0 + router.sessions.at($1).pointee.mailbox.count }
      try require(
        waiting == Int(replica.waiting),
        "replica \(index): \(replica.waiting) wait, really \(waiting)")
      if replica.isLeaving {
        try require(running > 0 || !sessions.isEmpty, "replica \(index) leaves and is done")
      }
      try checkQueue(index, replica, sessions)
    }
  }

  /// Sessions that could be served are in the queue, and it is not left standing.
  private func checkQueue(
    _ index: Int32, _ replica: Replica, _ sessions: [Int32]
  ) throws(Violation) {
    var queued: [Int32] = []
    var at = replica.firstQueued
    while at >= 0 {
      queued.append(at)
      at = router.sessions.at(at).pointee.nextQueued
    }
    try require(queued.last ?? -1 == replica.lastQueued, "replica \(index): the last of its queue")
    let marked = sessions.filter { router.sessions.at($0).pointee.isQueued }
    try require(queued.sorted() == marked, "replica \(index): its queue")
    let isCongested = router.isCongested(replica.connection)
    for session in sessions {
      let record = router.sessions.at(session).pointee
      let next = record.mailbox.first
      try require(
        !record.isPaused || !record.isQueued, "\(record.address.text) waits though paused")
      guard record.state == .live, !record.isPaused, next >= 0,
        record.running < replica.sessionConcurrency,
        !replica.isLeaving || call(next).pointee.hasParent
      else { continue }
      try require(record.isQueued, "\(record.address.text) could be served and is not in the queue")
      let hasPlace = replica.running < replica.concurrency || record.mailbox.urgent > 0
      try require(isCongested || !hasPlace, "\(record.address.text) stands still")
    }
  }

  private func checkLines() throws(Violation) {
    for (agent, state) in router.agents.enumerated() {
      let waiting = calls.filter {
        call($0).pointee.agent == agent && call($0).pointee.session < 0
          && call($0).pointee.state == .waiting
      }
      try checkLine(state.line, waiting, "line of \(agent)")
      guard state.line.first >= 0 else { continue }
      let count = router.registry.replicaCount(of: Int32(agent))
      try require(count > 0, "the line of \(agent) waits for nobody")
      for place in 0..<count {
        let replica = router.replicas.at(router.registry.replica(of: Int32(agent), at: place))
          .pointee
        let hasPlace =
          replica.running < replica.concurrency || call(state.line.first).pointee.isUrgent
        try require(
          router.isCongested(replica.connection) || !hasPlace, "the line of \(agent) stands still")
      }
    }
  }
}
