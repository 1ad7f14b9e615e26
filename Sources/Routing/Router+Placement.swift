internal import Discovery
internal import Wire

/// Who handles a call, and where it waits until then.
extension Router {
  /// Starts a call, or lets it wait in its mailbox or line. Returns why it can do neither.
  func admit(_ call: CallIndex, _ opening: Opening) -> Failure? {
    let record = calls.at(call)
    if record.pointee.session >= 0 {
      return admitToSession(call, record.pointee.session, opening)
    }
    let agent = record.pointee.agent
    if let replica = pickReplica(agent, for: call) {
      start(call, on: replica, opening)
      return nil
    }
    if registry.replicaCount(of: agent) == 0 { return noReplica(agent) }
    if let failure = wait(call, opening, agents[Int(agent)].line) { return failure }
    append(call, to: &agents[Int(agent)].line)
    return nil
  }

  private func admitToSession(
    _ call: CallIndex, _ index: SessionIndex, _ opening: Opening
  ) -> Failure? {
    let session = sessions.at(index)
    session.pointee.lastUsed = now
    if session.pointee.state == .unplaced, session.pointee.mailbox.count == 0 {
      guard place(index, isInFlight: calls.at(call).pointee.parent >= 0) else {
        let failure = noReplica(session.pointee.agent)
        freeIfUnused(index)
        return failure
      }
    }
    if session.pointee.mailbox.count == 0, canRun(session, call) {
      start(call, on: session.pointee.replica, opening)
      return nil
    }
    if session.pointee.state != .live, registry.replicaCount(of: session.pointee.agent) == 0 {
      return noReplica(session.pointee.agent)
    }
    if let failure = wait(call, opening, session.pointee.mailbox) { return failure }
    append(call, to: &session.pointee.mailbox)
    if session.pointee.replica >= 0 {
      replicas.at(session.pointee.replica).pointee.waiting += 1
      if session.pointee.running < sessionConcurrency(session) { block(index) }
    }
    return nil
  }

  func noReplica(_ agent: AgentIndex) -> Failure {
    Failure(
      .noReplica, "no replica of \"\(registry.name(of: agent).text)\" is connected", mayRetry: true)
  }

  // MARK: Choice

  /// A replica that can take a stateless call now: the less loaded of two taken at random.
  private func pickReplica(_ agent: AgentIndex, for call: CallIndex) -> ReplicaIndex? {
    let count = registry.replicaCount(of: agent)
    if count == 1 {
      let only = registry.replica(of: agent, at: 0)
      return canTake(only, call) ? only : nil
    }
    if count == 0 {
      // What belongs to calls in flight may still go to a host that is leaving.
      guard calls.at(call).pointee.parent >= 0 else { return nil }
      return agents[Int(agent)].leaving.first { canTake($0, call) }
    }
    let first = registry.replica(of: agent, at: Int.random(in: 0..<count, using: &random))
    let second = registry.replica(of: agent, at: Int.random(in: 0..<count, using: &random))
    let better = load(second) < load(first) ? second : first
    if canTake(better, call) { return better }
    // Two may be full while another is not.
    var best: ReplicaIndex?
    for place in 0..<count {
      let replica = registry.replica(of: agent, at: place)
      if canTake(replica, call), best.map({ load(replica) < load($0) }) ?? true { best = replica }
    }
    return best
  }

  /// Work in hand. One that failed its last calls counts as loaded, or it would get them all.
  private func load(_ replica: ReplicaIndex) -> Int {
    let record = replicas.at(replica)
    let work = Int(record.pointee.running + record.pointee.waiting)
    return record.pointee.failures >= 3 ? work + 1_000 : work
  }

  private func canTake(_ replica: ReplicaIndex, _ call: CallIndex) -> Bool {
    let record = replicas.at(replica)
    guard !isCongested(record.pointee.connection) else { return false }
    return record.pointee.running < record.pointee.concurrency || isExempt(call)
  }

  func isCongested(_ connection: ConnectionIndex) -> Bool {
    connections.at(connection).pointee.waitingBytes >= limits.connectionHighMarkBytes
  }

  /// A call to an agent that runs one of its ancestors goes beyond `concurrency`: it would wait for
  /// its own parent.
  func isExempt(_ call: CallIndex) -> Bool {
    let agent = calls.at(call).pointee.agent
    var ancestor = calls.at(call).pointee.parent
    while ancestor >= 0 {
      if calls.at(ancestor).pointee.agent == agent { return true }
      ancestor = calls.at(ancestor).pointee.parent
    }
    return false
  }

  /// Gives a session a host: the least loaded of its agent's, then the one with fewer sessions.
  func place(_ index: SessionIndex, isInFlight: Bool = false) -> Bool {
    let session = sessions.at(index)
    let agent = session.pointee.agent
    var candidates = (0..<registry.replicaCount(of: agent)).map {
      registry.replica(of: agent, at: $0)
    }
    if candidates.isEmpty, isInFlight { candidates = agents[Int(agent)].leaving }
    var best: ReplicaIndex = -1
    for replica in candidates {
      if best < 0 || isLess(replica, best) { best = replica }
    }
    guard best >= 0 else { return false }
    session.pointee.state = .live
    session.pointee.isNew = true
    linkSession(index, to: best)
    return true
  }

  private func isLess(_ a: ReplicaIndex, _ b: ReplicaIndex) -> Bool {
    let loads = (load(a), load(b))
    guard loads.0 == loads.1 else { return loads.0 < loads.1 }
    return replicas.at(a).pointee.sessions < replicas.at(b).pointee.sessions
  }

  // MARK: Waiting

  /// Whether the next call of a session can go to its host now.
  private func canRun(_ session: UnsafeMutablePointer<Session>, _ call: CallIndex) -> Bool {
    guard session.pointee.state == .live,
      session.pointee.running < sessionConcurrency(session)
    else { return false }
    // A host that is leaving gets only what belongs to calls in flight.
    if replicas.at(session.pointee.replica).pointee.isLeaving,
      calls.at(call).pointee.parent < 0
    {
      return false
    }
    return canTake(session.pointee.replica, call)
  }

  func sessionConcurrency(_ session: UnsafeMutablePointer<Session>) -> Int32 {
    session.pointee.replica < 0
      ? 0 : replicas.at(session.pointee.replica).pointee.sessionConcurrency
  }

  /// Keeps a call's opening frame, unless the mailbox or the connection has enough waiting.
  private func wait(_ call: CallIndex, _ opening: Opening, _ line: WaitingLine) -> Failure? {
    let size: Int
    switch opening {
    case .header(let header, let content):
      size = content.count
      if let failure = checkRoom(call, size, line) { return failure }
      calls.at(call).pointee.opening = holdOpening(call, header, content)
    case .held:
      size = calls.at(call).pointee.opening!.pointee.contentLength + calls.at(call).pointee.input.heldBytes
      if let failure = checkRoom(call, size, line) { return failure }
    }
    calls.at(call).pointee.state = .waiting
    calls.at(call).pointee.waitingBytes = size
    return nil
  }

  private func checkRoom(_ call: CallIndex, _ size: Int, _ line: WaitingLine) -> Failure? {
    let isFull =
      line.count >= limits.mailboxMessagesMax
      || (line.count > 0 && line.bytes + size > limits.mailboxBytesMax)
    let origin = calls.at(call).pointee.origin
    let inMailboxes = connections.at(origin).pointee.mailboxBytes
    let isGreedy = inMailboxes > 0 && inMailboxes + size > limits.mailboxBytesPerConnectionMax
    guard isFull || isGreedy else { return nil }
    let what =
      isFull
      ? "\(line.count) messages of \(line.bytes) bytes wait already"
      : "\(inMailboxes) bytes of this connection wait already"
    return Failure(
      .mailboxFull, "\(address(of: call).text): \(what)", mayRetry: true,
      detail: ("retry_after_ms", .integer(100)))
  }

  private func append(_ call: CallIndex, to line: inout WaitingLine) {
    let record = calls.at(call)
    record.pointee.previousWaiting = line.last
    record.pointee.nextWaiting = -1
    if line.last >= 0 { calls.at(line.last).pointee.nextWaiting = call } else { line.first = call }
    line.last = call
    line.count += 1
    line.bytes += record.pointee.waitingBytes
    countWaiting(record, record.pointee.waitingBytes)
  }

  private func remove(_ call: CallIndex, from line: inout WaitingLine) {
    let record = calls.at(call)
    let (previous, next) = (record.pointee.previousWaiting, record.pointee.nextWaiting)
    if previous >= 0 { calls.at(previous).pointee.nextWaiting = next } else { line.first = next }
    if next >= 0 { calls.at(next).pointee.previousWaiting = previous } else { line.last = previous }
    record.pointee.previousWaiting = -1
    record.pointee.nextWaiting = -1
    line.count -= 1
    line.bytes -= record.pointee.waitingBytes
    countWaiting(record, -record.pointee.waitingBytes)
    record.pointee.waitingBytes = 0
  }

  /// Charges what waits to the connection that it came from, as long as that is there.
  private func countWaiting(_ record: UnsafeMutablePointer<Call>, _ bytes: Int) {
    let origin = record.pointee.origin
    guard origin >= 0, connections.isUsed(origin),
      connections.at(origin).pointee.serial == record.pointee.originSerial
    else { return }
    connections.at(origin).pointee.mailboxBytes += bytes
  }

  /// More has come for a call that has not started: it counts as waiting. False when too much does.
  func addWaiting(_ call: CallIndex, _ bytes: Int) -> Bool {
    let record = calls.at(call)
    if connections.at(record.pointee.caller).pointee.mailboxBytes + bytes
      > limits.mailboxBytesPerConnectionMax
    {
      return false
    }
    record.pointee.waitingBytes += bytes
    countWaiting(record, bytes)
    guard record.pointee.state == .waiting else { return true }
    if record.pointee.session >= 0 {
      sessions.at(record.pointee.session).pointee.mailbox.bytes += bytes
    } else {
      agents[Int(record.pointee.agent)].line.bytes += bytes
    }
    return true
  }

  /// What a lazy call brought no longer counts as waiting.
  func uncharge(_ call: CallIndex) {
    let record = calls.at(call)
    countWaiting(record, -record.pointee.waitingBytes)
    record.pointee.waitingBytes = 0
  }

  /// Takes a waiting call out of its mailbox or line.
  func withdraw(_ call: CallIndex) {
    let index = calls.at(call).pointee.session
    if index >= 0 {
      let session = sessions.at(index)
      remove(call, from: &session.pointee.mailbox)
      session.pointee.lastUsed = now
      if session.pointee.replica >= 0 {
        replicas.at(session.pointee.replica).pointee.waiting -= 1
      }
    } else {
      remove(call, from: &agents[Int(calls.at(call).pointee.agent)].line)
    }
  }

  // MARK: Serving

  /// Gives a session's host the messages it may have now.
  func serveSession(_ index: SessionIndex) {
    let session = sessions.at(index)
    while session.pointee.state == .live, session.pointee.mailbox.first >= 0,
      session.pointee.running < sessionConcurrency(session)
    {
      let call = session.pointee.mailbox.first
      guard canRun(session, call) else {
        if !replicas.at(session.pointee.replica).pointee.isLeaving { block(index) }
        return
      }
      let replica = session.pointee.replica
      withdraw(call)
      start(call, on: replica, .held)
    }
  }

  /// Uses the free places of a replica: for sessions that wait for one, and for its agent's line, in
  /// turn.
  func serveReplica(_ index: ReplicaIndex) {
    let replica = replicas.at(index)
    while true {
      var progress = false
      if replica.pointee.firstBlocked >= 0, canServe(replica) {
        serveSession(unblock(replica))
        progress = true
      }
      let agent = Int(replica.pointee.agent)
      if !replica.pointee.isLeaving, agents[agent].line.first >= 0, canServe(replica) {
        let call = agents[agent].line.first
        withdraw(call)
        start(call, on: index, .held)
        progress = true
      }
      guard progress else { return }
    }
  }

  private func canServe(_ replica: UnsafeMutablePointer<Replica>) -> Bool {
    replica.pointee.running < replica.pointee.concurrency
      && !isCongested(replica.pointee.connection)
  }

  /// Puts a session into its replica's queue of those that wait for a place.
  private func block(_ index: SessionIndex) {
    let session = sessions.at(index)
    guard !session.pointee.isBlocked else { return }
    session.pointee.isBlocked = true
    session.pointee.nextBlocked = -1
    let replica = replicas.at(session.pointee.replica)
    if replica.pointee.lastBlocked >= 0 {
      sessions.at(replica.pointee.lastBlocked).pointee.nextBlocked = index
    } else {
      replica.pointee.firstBlocked = index
    }
    replica.pointee.lastBlocked = index
  }

  private func unblock(_ replica: UnsafeMutablePointer<Replica>) -> SessionIndex {
    let index = replica.pointee.firstBlocked
    let session = sessions.at(index)
    replica.pointee.firstBlocked = session.pointee.nextBlocked
    if replica.pointee.firstBlocked < 0 { replica.pointee.lastBlocked = -1 }
    session.pointee.isBlocked = false
    return index
  }

  /// Takes a session out of the queue when it leaves its replica.
  func removeBlocked(_ index: SessionIndex) {
    let session = sessions.at(index)
    guard session.pointee.isBlocked else { return }
    session.pointee.isBlocked = false
    let replica = replicas.at(session.pointee.replica)
    var previous: SessionIndex = -1
    var at = replica.pointee.firstBlocked
    while at != index {
      previous = at
      at = sessions.at(at).pointee.nextBlocked
    }
    let next = session.pointee.nextBlocked
    if previous >= 0 {
      sessions.at(previous).pointee.nextBlocked = next
    } else {
      replica.pointee.firstBlocked = next
    }
    if next < 0 { replica.pointee.lastBlocked = previous }
  }

  // MARK: Starting

  /// Writes a call to its host.
  func start(_ call: CallIndex, on index: ReplicaIndex, _ opening: Opening) {
    let record = calls.at(call)
    let replica = replicas.at(index)
    let connection = replica.pointee.connection
    let id = giveID(connection)
    record.pointee.state = .running
    record.pointee.replica = index
    record.pointee.host = connection
    record.pointee.hostID = id
    connections.at(connection).pointee.ids.insert(id, .hosted, call)
    connections.at(connection).pointee.givenIDs += 1
    replica.pointee.running += 1

    var writer = HeaderWriter(connections.at(connection).pointee.out, "call", id: id)
    if record.pointee.session >= 0 {
      let session = sessions.at(record.pointee.session)
      session.pointee.running += 1
      if session.pointee.isNew {
        session.pointee.isNew = false
        writer.truth("new")
      }
    }
    if record.pointee.isOneway { writer.truth("oneway") }
    if record.pointee.isObserve { writer.truth("observe") }
    if record.pointee.deadline > 0 {
      writer.integer("timeout_ms", max(1, record.pointee.deadline &- min(now, record.pointee.deadline)))
    }
    writer.integer("window", UInt64(openReplies(record)))
    switch opening {
    case .header(let header, let content):
      writeOpening(&writer, call, header)
      writer.finish(content)
    case .held:
      let held = record.pointee.opening!
      record.pointee.opening = nil
      writer.fields(held.pointee.fields)
      writer.finish(held.pointee.content)
      HeldFrame.free(held)
    }
    markDirty(connection)
    if !record.pointee.input.isEmpty { inputReachedHost(call) }
  }

  /// The window for replies that a host is given.
  private func openReplies(_ record: UnsafeMutablePointer<Call>) -> Int {
    let window = record.pointee.replies.window
    let isHeld = window <= 0
    let given = isHeld ? Limits.heldWindowBytes : min(window, Limits.windowBytesDefault)
    record.pointee.replies.allowance = given
    record.pointee.replies.step = max(1, given / 2)
    record.pointee.replies.floor = isHeld ? Limits.heldWindowBytes : .min
    return given
  }
}
