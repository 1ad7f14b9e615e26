internal import Discovery
internal import Wire

/// Who is next when a replica has a place, and how a call is given to its host.
extension Router {
  // MARK: Serving

  /// Whether the next call of a session can go to its host now.
  func canRun(_ session: UnsafeMutablePointer<Session>, _ call: CallIndex) -> Bool {
    session.pointee.state == .live && !session.pointee.isPaused
      && session.pointee.running < sessionConcurrency(session)
      && mayReceive(session.pointee.replica, call) && canTake(session.pointee.replica, call)
  }

  /// A host that is leaving gets only what belongs to calls in flight [REG-13].
  func mayReceive(_ replica: ReplicaIndex, _ call: CallIndex) -> Bool {
    !replicas.at(replica).pointee.isLeaving || calls.at(call).pointee.hasParent
  }

  private func sessionConcurrency(_ session: UnsafeMutablePointer<Session>) -> Int32 {
    session.pointee.replica < 0
      ? 0 : replicas.at(session.pointee.replica).pointee.sessionConcurrency
  }

  /// Uses the places of a replica: for sessions that wait for one, each in turn, and for its
  /// agent's line, in turn with them [CAL-9].
  func serveReplica(_ index: ReplicaIndex) {
    let replica = replicas.at(index)
    let agent = Int(replica.pointee.agent)
    while !isSwamped(replica.pointee.connection) {
      let hasPlace = canServe(replica)
      let session = replica.pointee.firstQueued
      let call = replica.pointee.isLeaving ? -1 : agents[agent].line.first
      // What is urgent goes beyond `concurrency`, and what waits before it does too.
      let sessionMay =
        session >= 0 && (hasPlace || sessions.at(session).pointee.mailbox.urgent > 0)
      let callMay = call >= 0 && (hasPlace || calls.at(call).pointee.isUrgent)
      if callMay, replica.pointee.isLineNext || !sessionMay {
        replica.pointee.isLineNext = false
        withdraw(call)
        start(call, on: index, .held)
      } else if sessionMay {
        replica.pointee.isLineNext = true
        leaveQueue(session)
        serveSession(session)
      } else {
        return
      }
    }
  }

  func canServe(_ replica: UnsafeMutablePointer<Replica>) -> Bool {
    replica.pointee.running < replica.pointee.concurrency
      && !isCongested(replica.pointee.connection)
  }

  /// Gives a session's host its next message; if there are more, the session queues up again.
  private func serveSession(_ index: SessionIndex) {
    let session = sessions.at(index)
    let call = session.pointee.mailbox.first
    guard session.pointee.state == .live, !session.pointee.isPaused, call >= 0,
      session.pointee.running < sessionConcurrency(session),
      mayReceive(session.pointee.replica, call)
    else { return }
    withdraw(call)
    start(call, on: session.pointee.replica, .held)
    queueUp(index)
  }

  // MARK: The queue of sessions

  /// Puts a session that has a message for its host into the queue of those that wait for a place
  /// there: behind the others, or before them when one of its messages is urgent.
  func queueUp(_ index: SessionIndex) {
    let session = sessions.at(index)
    let call = session.pointee.mailbox.first
    guard session.pointee.state == .live, !session.pointee.isPaused, call >= 0,
      session.pointee.running < sessionConcurrency(session),
      mayReceive(session.pointee.replica, call)
    else { return }
    let isUrgent = session.pointee.mailbox.urgent > 0
    if session.pointee.isQueued {
      guard isUrgent else { return }
      leaveQueue(index)
    }
    let replica = replicas.at(session.pointee.replica)
    let next = isUrgent ? replica.pointee.firstQueued : -1
    let previous = isUrgent ? -1 : replica.pointee.lastQueued
    session.pointee.isQueued = true
    session.pointee.nextQueued = next
    session.pointee.previousQueued = previous
    if next >= 0 {
      sessions.at(next).pointee.previousQueued = index
    } else {
      replica.pointee.lastQueued = index
    }
    if previous >= 0 {
      sessions.at(previous).pointee.nextQueued = index
    } else {
      replica.pointee.firstQueued = index
    }
  }

  func leaveQueue(_ index: SessionIndex) {
    let session = sessions.at(index)
    guard session.pointee.isQueued else { return }
    session.pointee.isQueued = false
    let replica = replicas.at(session.pointee.replica)
    let (previous, next) = (session.pointee.previousQueued, session.pointee.nextQueued)
    if previous >= 0 {
      sessions.at(previous).pointee.nextQueued = next
    } else {
      replica.pointee.firstQueued = next
    }
    if next >= 0 {
      sessions.at(next).pointee.previousQueued = previous
    } else {
      replica.pointee.lastQueued = previous
    }
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
      writer.integer(
        "timeout_ms", max(1, record.pointee.deadline &- min(now, record.pointee.deadline)))
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
    if record.pointee.isSpliced { grant(call, .reply) }
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
