internal import Discovery
internal import Wire

/// How calls end: exactly one terminal frame to the caller [CAL-3], and one place freed at the host
/// [CAL-14].
extension Router {
  /// How a host's part of a call ended.
  enum HostOutcome {
    case answered
    case failed
    /// What it says of a call that was cancelled tells nothing of the host.
    case released
    /// Its connection is gone.
    case lost
  }

  // MARK: The host's side

  func receiveError(_ connection: ConnectionIndex, _ header: Header) -> ConnectionFault? {
    // Without an id it is a remark about the connection, for the log [CON-17].
    guard let id = header[.id] else { return nil }
    guard let entry = connections.at(connection).pointee.ids.find(id) else {
      return checkOpened(connection, id)
    }
    guard header.has(.code) else {
      return refuseField(connection, header, .missingField, "code")
    }
    switch entry.kind {
    case .hosted where !calls.at(entry.index).pointee.isAwaited:
      guard !header[.more] else {
        calls.at(entry.index).pointee.isInMessage = false
        break
      }
      let isAbandoned = calls.at(entry.index).pointee.state == .abandoned
      hostEnded(entry.index, isAbandoned ? .released : .failed)
    case .hosted: passError(entry.index, header, isLast: !header[.more])
    case .closing: sessionClosed(entry.index)
    case .givenSignal: signalAnswered(entry.index, .error(header))
    case .made, .registration, .subscription, .signal: break
    }
    return nil
  }

  func receiveOk(_ connection: ConnectionIndex, _ header: Header) -> ConnectionFault? {
    guard let id = header[.id] else {
      return refuseField(connection, header, .missingField, "id")
    }
    guard let entry = connections.at(connection).pointee.ids.find(id) else {
      return checkOpened(connection, id)
    }
    switch entry.kind {
    case .closing: sessionClosed(entry.index)
    case .givenSignal: signalAnswered(entry.index, .ok)
    case .made, .hosted, .registration, .subscription, .signal: break
    }
    return nil
  }

  /// The host has ended a call that nobody waits for any more.
  func hostEnded(_ call: CallIndex, _ outcome: HostOutcome) {
    releaseHost(call, outcome)
    free(call)
  }

  /// Frees a call's place at its host and gives it to the next.
  func releaseHost(_ call: CallIndex, _ outcome: HostOutcome) {
    let record = calls.at(call)
    let host = record.pointee.host
    guard host >= 0 else { return }
    let state = connections.at(host)
    if !state.pointee.givenSignals.isEmpty { signalsMetEnd(of: call, at: host) }
    if state.pointee.ids.find(record.pointee.hostID)?.index == call {
      state.pointee.ids.remove(record.pointee.hostID)
      state.pointee.givenIDs -= 1
    }
    drop(call, .input)
    record.pointee.host = -1
    orphanChildren(call)

    let index = record.pointee.replica
    let replica = replicas.at(index)
    record.pointee.replica = -1
    replica.pointee.running -= 1
    switch outcome {
    case .answered: replica.pointee.failures = 0
    case .failed: replica.pointee.failures += 1
    case .released: break
    case .lost: return leaveSession(call)
    }
    let session = record.pointee.session
    leaveSession(call)
    if session >= 0 { queueUp(session) }
    serveReplica(index)
    if replica.pointee.isLeaving { leaveFurther(index, session) }
  }

  private func leaveSession(_ call: CallIndex) {
    let record = calls.at(call)
    guard record.pointee.session >= 0 else { return }
    let session = sessions.at(record.pointee.session)
    session.pointee.running -= 1
    session.pointee.lastUsed = now
    record.pointee.session = -1
  }

  // MARK: The caller's side

  func receiveCancel(_ connection: ConnectionIndex, _ header: Header) -> ConnectionFault? {
    guard let id = header[.id] else {
      return refuseField(connection, header, .missingField, "id")
    }
    guard let entry = connections.at(connection).pointee.ids.find(id) else {
      return checkOpened(connection, id)
    }
    let cancelled = Failure(.cancelled, "cancelled by its opener")
    switch entry.kind {
    case .made: cancelMade(entry.index, word: header[.reason].text)
    case .registration:
      refuse(connection, id, cancelled)
      withdrawReplica(entry.index)
    case .subscription: endSubscription(entry.index, cancelled)
    case .signal: endSignal(entry.index, cancelled)
    case .hosted, .closing, .givenSignal: break
    }
    return nil
  }

  /// The opener of a call wants no more of it, or only the error that is held for it; of a run,
  /// perhaps nobody does [CAN-1, RUN-6, SPL-8].
  func cancelMade(_ call: CallIndex, word: String = "") {
    let cancelled = Failure(.cancelled, "cancelled by its opener")
    guard calls.at(call).pointee.reading < 0 else {
      return cancelReader(call, cancelled, word: word)
    }
    if calls.at(call).pointee.hasOwnError { return giveError(call) }
    end(call, cancelled, word: word)
  }

  /// What an id stands for ends because of what its own frame said [HDR-10, IDS-13].
  func failID(_ connection: ConnectionIndex, _ id: UInt64, _ failure: Failure) {
    guard let entry = connections.at(connection).pointee.ids.find(id) else { return }
    switch entry.kind {
    case .made: end(entry.index, failure)
    case .hosted:
      refuse(connection, id, failure)
      let call = entry.index
      releaseHost(call, .failed)
      if calls.at(call).pointee.isAwaited {
        fail(call, Failure(.internal, "its host sent what cannot be read: \(failure.message)"))
      } else {
        free(call)
      }
    case .registration:
      refuse(connection, id, failure)
      withdrawReplica(entry.index)
    case .subscription: endSubscription(entry.index, failure)
    case .closing: sessionClosed(entry.index)
    case .signal: endSignal(entry.index, failure)
    case .givenSignal:
      let unread = "its host sent what cannot be read: \(failure.message)"
      refuse(connection, id, failure)
      signalAnswered(entry.index, .failed(Failure(.internal, unread)))
    }
  }

  /// Something has gone wrong with a call: it ends, here and now or in its place.
  func fail(_ call: CallIndex, _ failure: Failure, word: String = "") {
    if endsInPlace(call) {
      failInPlace(call, failure, word: word)
    } else {
      end(call, failure, word: word)
    }
  }

  /// Ends a call for its caller, whatever it is doing, and everything below it. A host that has it
  /// is told to stop, with `word` or the failure's reason, and keeps its place until it has
  /// [CAN-1 to CAN-5, PAR-3].
  ///
  /// - Parameter isTold: whether there is a caller to be told.
  func end(_ call: CallIndex, _ failure: Failure, word: String = "", isTold: Bool = true) {
    let record = calls.at(call)
    let caller = record.pointee.caller
    let children = takeChildren(call)
    if caller >= 0 {
      if isTold { refuse(caller, record.pointee.callerID, failure) }
      count(call, failed: failure.reason.code)
      releaseCaller(call)
    } else if record.pointee.run >= 0 {
      record.pointee.failure = failure.reason.code
      failRun(call, failure)
      count(call, failed: failure.reason.code)
      releaseCaller(call)
    } else if record.pointee.state != .abandoned {
      if record.pointee.isOneway {
        metrics.sendsLost &+= 1
      } else {
        count(call, failed: failure.reason.code)
      }
      releaseCaller(call)
    }
    switch record.pointee.state {
    case .waiting:
      let session = record.pointee.session
      withdraw(call)
      free(call)
      if session >= 0, sessions.isUsed(session) { messageLeft(session) }
    case .lazy:
      uncharge(call)
      free(call)
    case .delivering, .reading:
      free(call)
    case .running where record.pointee.host < 0:
      free(call)
    case .running: abandon(call, word.isEmpty ? failure.reason.rawValue : word)
    case .abandoned: break
    }
    let ended = Failure(.parentEnded, "the call that this one served has ended")
    for child in children where calls.isUsed(child) { end(child, ended) }
  }

  /// Tells a host to stop. Nobody waits for the call any more, but its place is taken until the
  /// host has ended it [CAN-5].
  func abandon(_ call: CallIndex, _ word: String) {
    let record = calls.at(call)
    record.pointee.state = .abandoned
    // Whatever it still sends is dropped; it must not wait for credit to get it out [CRD-11].
    record.pointee.replies.window = Limits.windowBytesMax
    drop(call, .input)
    let host = record.pointee.host
    var writer = HeaderWriter(
      connections.at(host).pointee.out, "cancel", id: record.pointee.hostID)
    writer.string("reason", word)
    writer.finish()
    markDirty(host)
    if record.pointee.session < 0 {
      record.pointee.timer = timers.set(
        .cancelGrace, call, due: now + UInt64(limits.cancelGraceMs))
    }
    grant(call, .reply)
  }

  /// The caller has its terminal frame.
  func finish(_ call: CallIndex) {
    count(call, failed: calls.at(call).pointee.failure)
    releaseCaller(call)
    free(call)
  }

  /// The caller's id is ended and what was held for it dropped.
  func releaseCaller(_ call: CallIndex) {
    let record = calls.at(call)
    drop(call, .reply)
    if record.pointee.reading >= 0 { stopReading(call) }
    if record.pointee.caller >= 0 {
      connections.at(record.pointee.caller).pointee.ids.remove(record.pointee.callerID)
      record.pointee.caller = -1
    }
    stopTimer(record)
    orphan(call)
  }

  private func stopTimer(_ record: UnsafeMutablePointer<Call>) {
    guard record.pointee.timer >= 0 else { return }
    timers.cancel(record.pointee.timer)
    record.pointee.timer = -1
  }

  /// A call that was never admitted.
  func discard(_ call: CallIndex, _ failure: Failure) {
    let record = calls.at(call)
    uncharge(call)
    count(call, failed: failure.reason.code)
    if record.pointee.caller >= 0 {
      connections.at(record.pointee.caller).pointee.ids.remove(record.pointee.callerID)
      record.pointee.caller = -1
    }
    free(call)
  }

  /// Forgets a call that has ended on both sides.
  func free(_ call: CallIndex) {
    let record = calls.at(call)
    stopTimer(record)
    orphan(call)
    orphanChildren(call)
    drop(call, .input)
    if let opening = record.pointee.opening { HeldFrame.free(opening) }
    count(call, failed: nil)
    if record.pointee.isAside { asideCalls -= 1 }
    let session = record.pointee.session
    if session >= 0, record.pointee.state == .lazy { sessions.at(session).pointee.lazyCalls -= 1 }
    calls.remove(call)
    if session >= 0 { freeIfUnused(session) }
  }

  // MARK: The tree

  /// Takes a call out of its parent's children.
  func orphan(_ call: CallIndex) {
    let record = calls.at(call)
    let parent = record.pointee.parent
    guard parent >= 0 else { return }
    let (previous, next) = (record.pointee.previousSibling, record.pointee.nextSibling)
    if previous >= 0 {
      calls.at(previous).pointee.nextSibling = next
    } else {
      calls.at(parent).pointee.firstChild = next
    }
    if next >= 0 { calls.at(next).pointee.previousSibling = previous }
    record.pointee.parent = -1
    record.pointee.previousSibling = -1
    record.pointee.nextSibling = -1
  }

  /// A parent that its host has ended leaves its children alone [PAR-3], but for those that are
  /// part of its reply.
  private func orphanChildren(_ call: CallIndex) {
    var child = calls.at(call).pointee.firstChild
    while child >= 0 {
      let next = calls.at(child).pointee.nextSibling
      if !calls.at(child).pointee.isSpliced {
        orphan(child)
        parentEnded(child)
      }
      child = next
    }
  }

  /// The calls that were made for this one, which now end with it. What they replied is for nobody.
  func takeChildren(_ call: CallIndex) -> [CallIndex] {
    guard calls.at(call).pointee.firstChild >= 0 else { return [] }
    let reader = account(of: call)
    var children: [CallIndex] = []
    while calls.at(call).pointee.firstChild >= 0 {
      let child = calls.at(call).pointee.firstChild
      if calls.at(child).pointee.isSpliced {
        var starved: [CallIndex] = []
        moveHeld(child, from: reader, to: -1, &starved)
        calls.at(child).pointee.isSpliced = false
        calls.at(child).pointee.isHandedOver = false
        calls.at(child).pointee.isUnordered = false
        calls.at(child).pointee.isReady = false
      }
      orphan(child)
      children.append(child)
    }
    return children
  }

  // MARK: Time

  /// A call's time is over, or a send's [DLN-2, DLN-4].
  func deadlinePassed(_ call: CallIndex) {
    calls.at(call).pointee.timer = -1
    fail(call, Failure(.deadline, "not finished in the time it was given"))
  }

  /// A host has not ended a cancelled call in time: its place is free again [CAN-5].
  func cancelGracePassed(_ call: CallIndex) {
    calls.at(call).pointee.timer = -1
    releaseHost(call, .failed)
    free(call)
  }

  // MARK: Counting

  func countOpened(_ agent: AgentIndex) {
    metrics.calls.total &+= 1
    metrics.calls.open += 1
    agents[Int(agent)].metrics.total &+= 1
    agents[Int(agent)].metrics.open += 1
  }

  /// A call that never was: to nobody, or with fields that make no sense.
  func countRefused(_ failure: Failure) {
    metrics.calls.total &+= 1
    metrics.calls.failed &+= 1
    metrics.failedByCode[failure.reason.code.ordinal] &+= 1
  }

  /// Counts a call's end, once.
  func count(_ call: CallIndex, failed code: ErrorCode?) {
    let record = calls.at(call)
    guard !record.pointee.isCounted else { return }
    record.pointee.isCounted = true
    let agent = Int(record.pointee.agent)
    metrics.calls.open -= 1
    agents[agent].metrics.open -= 1
    if let code {
      metrics.calls.failed &+= 1
      agents[agent].metrics.failed &+= 1
      metrics.failedByCode[code.ordinal] &+= 1
    } else if !record.pointee.isOneway {
      let time = nowMicros &- min(record.pointee.opened, nowMicros)
      metrics.calls.latency.record(time)
      agents[agent].metrics.latency.record(time)
    }
  }
}
