internal import Discovery
internal import Wire

/// Which host a call goes to.
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
    if record.pointee.isUrgent {
      insertUrgent(call, into: &agents[Int(agent)].line)
    } else {
      append(call, to: &agents[Int(agent)].line)
    }
    return nil
  }

  private func admitToSession(
    _ call: CallIndex, _ index: SessionIndex, _ opening: Opening
  ) -> Failure? {
    let session = sessions.at(index)
    session.pointee.lastUsed = now
    if session.pointee.state == .unplaced, session.pointee.mailbox.count == 0 {
      guard place(index, isInFlight: calls.at(call).pointee.hasParent) else {
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
    guard session.pointee.replica >= 0 else { return nil }
    replicas.at(session.pointee.replica).pointee.waiting += 1
    queueUp(index)
    // What waits before a call that needs no place needs none either.
    if calls.at(call).pointee.isUrgent { serveReplica(session.pointee.replica) }
    return nil
  }

  /// Nobody hosts the agent, and not long ago somebody did [CAL-5, FAI-4].
  func noReplica(_ agent: AgentIndex) -> Failure {
    Failure(
      .noReplica, "no replica of \"\(registry.name(of: agent).text)\" is connected", mayRetry: true)
  }

  // MARK: Choice

  /// A replica that can take a stateless call now: the less loaded of two taken at random [CAL-4].
  func pickReplica(_ agent: AgentIndex, for call: CallIndex) -> ReplicaIndex? {
    let count = registry.replicaCount(of: agent)
    if count == 1 {
      let only = registry.replica(of: agent, at: 0)
      return canTake(only, call) ? only : nil
    }
    if count == 0 {
      // What belongs to calls in flight may still go to a host that is leaving.
      guard calls.at(call).pointee.hasParent else { return nil }
      return agents[Int(agent)].leaving.first { canTake($0, call) }
    }
    let first = registry.replica(of: agent, at: dice.roll(count))
    let second = registry.replica(of: agent, at: dice.roll(count))
    let better = load(second) < load(first) ? second : first
    if canTake(better, call) { return better }
    // Two may be full while another is not; but who waits already has looked at them all.
    guard agents[Int(agent)].line.first < 0 || isExempt(call) else { return nil }
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

  func canTake(_ replica: ReplicaIndex, _ call: CallIndex) -> Bool {
    let record = replicas.at(replica)
    let isCongested = isCongested(record.pointee.connection)
    if !isCongested, record.pointee.running < record.pointee.concurrency { return true }
    return isExempt(call) && !(isCongested && isSwamped(record.pointee.connection))
  }

  /// Whether so much lies in a connection's buffer that it gets not even what others wait for. What
  /// is held for it may be held because of that very call.
  func isSwamped(_ connection: ConnectionIndex) -> Bool {
    connections.at(connection).pointee.out.pending >= limits.connectionHighMarkBytes
  }

  /// Whether as much waits for a connection as makes it get no new calls, and its senders no credit
  /// [CRD-13].
  func isCongested(_ connection: ConnectionIndex) -> Bool {
    connections.at(connection).pointee.waitingBytes >= limits.connectionHighMarkBytes
  }

  /// A call to an agent that runs one of its ancestors goes beyond `concurrency`: it would wait for
  /// its own parent [PAR-9]. Nobody waits for a send.
  func isExempt(_ call: CallIndex) -> Bool {
    guard !calls.at(call).pointee.isOneway else { return false }
    if calls.at(call).pointee.isSpliced, isAtFront(call) { return true }
    let agent = calls.at(call).pointee.agent
    var ancestor = calls.at(call).pointee.parent
    while ancestor >= 0 {
      // One that was handed over runs here no more.
      let other = calls.at(ancestor)
      if other.pointee.agent == agent, other.pointee.state == .running { return true }
      ancestor = calls.at(ancestor).pointee.parent
    }
    return false
  }

  /// Gives a session a host: one that has room, the least loaded of those, and of equals the one
  /// with fewer sessions [SES-1].
  func place(_ index: SessionIndex, isInFlight: Bool = false) -> Bool {
    let session = sessions.at(index)
    let agent = session.pointee.agent
    var best: ReplicaIndex = -1
    for place in 0..<registry.replicaCount(of: agent) {
      let replica = registry.replica(of: agent, at: place)
      if best < 0 || isBetter(replica, than: best) { best = replica }
    }
    if best < 0, isInFlight {
      for replica in agents[Int(agent)].leaving where best < 0 || isBetter(replica, than: best) {
        best = replica
      }
    }
    guard best >= 0 else { return false }
    session.pointee.state = .live
    session.pointee.isNew = true
    linkSession(index, to: best)
    return true
  }

  private func isBetter(_ a: ReplicaIndex, than b: ReplicaIndex) -> Bool {
    let room = (canServe(replicas.at(a)), canServe(replicas.at(b)))
    guard room.0 == room.1 else { return room.0 }
    let loads = (load(a), load(b))
    guard loads.0 == loads.1 else { return loads.0 < loads.1 }
    return replicas.at(a).pointee.sessions < replicas.at(b).pointee.sessions
  }
}
