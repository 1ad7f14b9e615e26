internal import Discovery
internal import Wire

/// Sessions: made by their first message, closed when idle, deleted, or gone with their host.
extension Router {
  /// Gives a target that names a new session its record [SES-1, SES-6].
  func makeSession(_ target: inout Target) -> Failure? {
    guard let address = target.newSession else { return nil }
    guard sessions.count < limits.sessionsMax else {
      return Failure(.tooManySessions, "\(limits.sessionsMax) sessions are open", mayRetry: true)
    }
    let index = sessions.insert(
      Session(agent: target.agent, address: address, lastUsed: now, created: now))
    sessions.at(index).pointee.address = sessionTable.insert(address, index)
    target.session = index
    target.newSession = nil
    return nil
  }

  func linkSession(_ index: SessionIndex, to replica: ReplicaIndex) {
    let session = sessions.at(index)
    let record = replicas.at(replica)
    session.pointee.replica = replica
    session.pointee.previousOnReplica = -1
    session.pointee.nextOnReplica = record.pointee.firstSession
    if record.pointee.firstSession >= 0 {
      sessions.at(record.pointee.firstSession).pointee.previousOnReplica = index
    }
    record.pointee.firstSession = index
    record.pointee.sessions += 1
    record.pointee.waiting += Int32(session.pointee.mailbox.count)
    if record.pointee.idleMs > 0 {
      session.pointee.timer = timers.set(.idle, index, due: now + record.pointee.idleMs)
    }
  }

  private func unlinkSession(_ index: SessionIndex) {
    let session = sessions.at(index)
    guard session.pointee.replica >= 0 else { return }
    leaveQueue(index)
    let record = replicas.at(session.pointee.replica)
    let (previous, next) = (session.pointee.previousOnReplica, session.pointee.nextOnReplica)
    if previous >= 0 {
      sessions.at(previous).pointee.nextOnReplica = next
    } else {
      record.pointee.firstSession = next
    }
    if next >= 0 { sessions.at(next).pointee.previousOnReplica = previous }
    record.pointee.sessions -= 1
    record.pointee.waiting -= Int32(session.pointee.mailbox.count)
    session.pointee.replica = -1
    stopTimer(session)
  }

  private func stopTimer(_ session: UnsafeMutablePointer<Session>) {
    guard session.pointee.timer >= 0 else { return }
    timers.cancel(session.pointee.timer)
    session.pointee.timer = -1
  }

  /// Forgets a session that has no instance and nothing to do.
  func freeIfUnused(_ index: SessionIndex) {
    guard sessions.isUsed(index) else { return }
    let session = sessions.at(index)
    guard session.pointee.mailbox.count == 0, session.pointee.running == 0 else { return }
    if session.pointee.state == .live, session.pointee.isNew { leaveUnborn(index) }
    guard session.pointee.state == .unplaced, session.pointee.lazyCalls == 0 else { return }
    stopTimer(session)
    sessionTable.remove(session.pointee.address)
    sessions.remove(index)
  }

  /// A session leaves a host that was never told of it.
  private func leaveUnborn(_ index: SessionIndex) {
    let replica = sessions.at(index).pointee.replica
    unlinkSession(index)
    sessions.at(index).pointee.state = .unplaced
    freeReplicaIfDone(replica)
  }

  // MARK: Pausing

  /// Nothing that waits for a session goes to its host until it is resumed [SIG-7].
  func pause(_ index: SessionIndex) {
    sessions.at(index).pointee.isPaused = true
    leaveQueue(index)
  }

  func resume(_ index: SessionIndex) {
    let session = sessions.at(index)
    guard session.pointee.isPaused else { return }
    session.pointee.isPaused = false
    // Its idle time begins now.
    session.pointee.lastUsed = now
    guard session.pointee.state == .live else { return }
    queueUp(index)
    serveReplica(session.pointee.replica)
  }

  // MARK: Closing

  /// An idle timer has fired [SES-8]. It is not moved with each message, so it may find the session
  /// used.
  func idlePassed(_ index: SessionIndex) {
    let session = sessions.at(index)
    session.pointee.timer = -1
    guard session.pointee.state == .live else { return }
    let idleMs = replicas.at(session.pointee.replica).pointee.idleMs
    let isIdle =
      session.pointee.running == 0 && session.pointee.mailbox.count == 0
      && !session.pointee.isPaused
    let due = isIdle ? session.pointee.lastUsed + idleMs : now + idleMs
    if isIdle, due <= now {
      closeSession(index, "idle")
    } else {
      session.pointee.timer = timers.set(.idle, index, due: due)
    }
  }

  /// Tells the host that a session is gone [SES-9]. New messages wait for its answer [SES-10].
  func closeSession(_ index: SessionIndex, _ reason: StaticString) {
    let session = sessions.at(index)
    guard session.pointee.state == .live else { return }
    if session.pointee.isNew {
      leaveUnborn(index)
      return placeAgain(index)
    }
    leaveQueue(index)
    stopTimer(session)
    session.pointee.state = .closing
    let connection = replicas.at(session.pointee.replica).pointee.connection
    session.pointee.closeID = giveID(connection)
    connections.at(connection).pointee.ids.insert(session.pointee.closeID, .closing, index)
    connections.at(connection).pointee.givenIDs += 1
    var writer = HeaderWriter(
      connections.at(connection).pointee.out, "close", id: session.pointee.closeID)
    writer.string("to", session.pointee.address)
    writer.word("reason", reason)
    writer.finish()
    markDirty(connection)
    session.pointee.timer = timers.set(
      .closeGrace, index, due: now + UInt64(limits.closeGraceMs))
  }

  func closeGracePassed(_ index: SessionIndex) {
    sessions.at(index).pointee.timer = -1
    sessionClosed(index)
  }

  /// The host has freed the instance, or has had its time to.
  func sessionClosed(_ index: SessionIndex) {
    let session = sessions.at(index)
    stopTimer(session)
    let replica = session.pointee.replica
    let connection = replicas.at(replica).pointee.connection
    connections.at(connection).pointee.ids.remove(session.pointee.closeID)
    connections.at(connection).pointee.givenIDs -= 1
    unlinkSession(index)
    session.pointee.state = .unplaced
    placeAgain(index)
    freeReplicaIfDone(replica)
  }

  /// What waits for a session without an instance makes a new one, or learns that it cannot
  /// [SES-10, SES-11, REG-14].
  func placeAgain(_ index: SessionIndex) {
    let session = sessions.at(index)
    guard session.pointee.mailbox.count > 0 else { return freeIfUnused(index) }
    if place(index) {
      queueUp(index)
      return serveReplica(session.pointee.replica)
    }
    let failure = noReplica(session.pointee.agent)
    while sessions.isUsed(index), session.pointee.mailbox.first >= 0 {
      fail(session.pointee.mailbox.first, failure)
    }
  }

  /// Ends a session and all its calls, by an operator's word [SYS-6]. False when it is not there.
  public func deleteSession(_ address: UnsafeRawBufferPointer) -> Bool {
    guard let index = sessionTable.find(address) else { return false }
    deleteSession(index)
    relieve()
    return true
  }

  func deleteSession(_ index: SessionIndex) {
    let session = sessions.at(index)
    session.pointee.isPaused = false
    let cancelled = Failure(.cancelled, "the session was deleted")
    while sessions.isUsed(index), session.pointee.mailbox.first >= 0 {
      fail(session.pointee.mailbox.first, cancelled)
    }
    guard sessions.isUsed(index), session.pointee.state == .live else { return }
    let connection = replicas.at(session.pointee.replica).pointee.connection
    for entry in connections.at(connection).pointee.ids.all()
    where entry.kind == .hosted && calls.isUsed(entry.index)
      && calls.at(entry.index).pointee.session == index
    {
      fail(entry.index, cancelled)
      // Who has its place now is not always the call that had it.
      if let held = connections.at(connection).pointee.ids.find(entry.id) {
        releasePlace(held.index, index)
      }
    }
    closeSession(index, "cancelled")
  }

  /// A deleted session's running call no longer keeps the session's place [SYS-7].
  private func releasePlace(_ call: CallIndex, _ index: SessionIndex) {
    guard calls.isUsed(call), calls.at(call).pointee.session == index else { return }
    calls.at(call).pointee.session = -1
    sessions.at(index).pointee.running -= 1
    if calls.at(call).pointee.timer < 0 {
      calls.at(call).pointee.timer = timers.set(
        .cancelGrace, call, due: now + UInt64(limits.cancelGraceMs))
    }
  }

  /// A replica has gone: its sessions have no instance any more [SES-13].
  func dropSessions(of replica: ReplicaIndex) -> [SessionIndex] {
    var dropped: [SessionIndex] = []
    while replicas.at(replica).pointee.firstSession >= 0 {
      let index = replicas.at(replica).pointee.firstSession
      unlinkSession(index)
      sessions.at(index).pointee.state = .unplaced
      dropped.append(index)
    }
    return dropped
  }
}
