internal import Wire

/// Ends that keep their place.
///
/// What is spliced ends where its replies stand, after those that came before; so does what may
/// still be spliced: a call with a parent and `window:0`, which has been permitted nothing. An
/// error of the sidecar's own is held for its reader like a host's, then, and a refusal too
/// [SPL-8].
extension Router {
  /// Whether the end of a call is one of its replies, to be shown in its turn.
  func endsInPlace(_ call: CallIndex) -> Bool {
    let record = calls.at(call)
    return record.pointee.isSpliced
      || (record.pointee.parent >= 0 && record.pointee.isHeldBack && record.pointee.reading < 0)
  }

  /// Ends a call as `end` does, but what it has replied stays, with the error behind it.
  ///
  /// - Parameter isComplete: whether a reply that has come to its end is left alone; else all of it
  ///   is dropped.
  func failInPlace(
    _ call: CallIndex, _ failure: Failure, word: String = "", isComplete: Bool = true
  ) {
    let record = calls.at(call)
    if record.pointee.state == .delivering, isComplete { return }
    let root = root(of: call)
    let isBegun = isBegun(below: call, calls.at(root).pointee.openSource)
    let children = takeChildren(call)
    cut(call, keepsFirst: isComplete)
    stop(call, failure, word)
    record.pointee.state = .delivering
    record.pointee.failure = failure.reason.code
    record.pointee.hasOwnError = true
    if isBegun {
      // A message that came from below cannot go on.
      calls.at(root).pointee.openSource = call
      if !record.pointee.replies.isEmpty {
        let end = Failure(.unfinishedMessage, "a spliced reply ended inside a message")
        holdError(call, end, isLast: false)
      }
    }
    holdError(call, failure, isLast: true)
    if record.pointee.isSpliced { pump(root, .reply) }
    let ended = Failure(.parentEnded, "the call that this one served has ended")
    for child in children where calls.isUsed(child) { end(child, ended) }
  }

  /// Whether the reader has begun a message of a call that is spliced into this one.
  private func isBegun(below call: CallIndex, _ openSource: CallIndex) -> Bool {
    guard openSource >= 0, openSource != call else { return false }
    var at = openSource
    while calls.at(at).pointee.isSpliced {
      at = calls.at(at).pointee.parent
      if at == call { return true }
    }
    return false
  }

  /// Drops what stands behind the first inner call in a queue, and that call's place; all of it if
  /// nothing shall be kept.
  private func cut(_ call: CallIndex, keepsFirst: Bool) {
    let queue = direction(call, .reply)
    let before = queue.pointee.heldBytes
    var kept: [UnsafeMutablePointer<HeldFrame>] = []
    var isBehind = !keepsFirst
    while let frame = queue.pointee.removeFirst() {
      if frame.pointee.inner >= 0 { isBehind = true }
      frame.pointee.next = nil
      if isBehind { HeldFrame.free(frame) } else { kept.append(frame) }
    }
    for frame in kept { queue.pointee.append(frame) }
    charge(account(of: call), queue.pointee.heldBytes - before)
    guard calls.at(call).pointee.lane >= 0 else { return }
    if keepsFirst {
      lanes.at(calls.at(call).pointee.lane).pointee.forgetInners()
    } else {
      dropLane(call)
    }
  }

  private func holdError(_ call: CallIndex, _ failure: Failure, isLast: Bool) {
    let frame = makeError(failure)
    if !isLast {
      frame.pointee.isLast = false
      frame.pointee.cost = Limits.frameCostBytes
    }
    // It counts, but is never too much: without it the reply would have no end.
    charge(account(of: call), frame.pointee.size)
    if isLast {
      direction(call, .reply).pointee.append(frame)
    } else {
      direction(call, .reply).pointee.prepend(frame)
    }
    markReady(call)
  }

  // MARK: The host's side

  /// Takes a call away from wherever it waits or runs. What a host still says of it is somebody
  /// else's from now on: a record of its own, that nobody waits for.
  private func stop(_ call: CallIndex, _ failure: Failure, _ word: String) {
    let record = calls.at(call)
    let session = record.pointee.session
    switch record.pointee.state {
    case .waiting: withdraw(call)
    case .lazy:
      uncharge(call)
      if session >= 0 { sessions.at(session).pointee.lazyCalls -= 1 }
    case .running where record.pointee.host >= 0: return separateHost(call, failure, word)
    case .running, .delivering, .abandoned, .reading: return
    }
    drop(call, .input)
    if let opening = record.pointee.opening { HeldFrame.free(opening) }
    record.pointee.opening = nil
    guard session >= 0 else { return }
    record.pointee.session = -1
    freeIfUnused(session)
    if sessions.isUsed(session) { messageLeft(session) }
  }

  private func separateHost(_ call: CallIndex, _ failure: Failure, _ word: String) {
    let record = calls.at(call)
    drop(call, .input)
    let state = connections.at(record.pointee.host)
    var rest = Call(
      state: .running, caller: -1, callerID: 0, agent: record.pointee.agent,
      origin: record.pointee.origin, originSerial: record.pointee.originSerial,
      opened: record.pointee.opened,
      replies: Direction(window: 0, allowance: record.pointee.replies.allowance),
      input: Direction(window: 0, allowance: 0))
    rest.replies.step = record.pointee.replies.step
    rest.isCounted = true
    rest.type = record.pointee.type
    (rest.host, rest.hostID) = (record.pointee.host, record.pointee.hostID)
    (rest.replica, rest.session) = (record.pointee.replica, record.pointee.session)
    let index = calls.insert(rest)
    state.pointee.ids.remove(rest.hostID)
    state.pointee.ids.insert(rest.hostID, .hosted, index)
    // The host has not ended it: its signals are still the host's to answer [SIG-11].
    for given in state.pointee.givenSignals where givenSignals.at(given).pointee.call == call {
      givenSignals.at(given).pointee.call = index
    }
    record.pointee.host = -1
    record.pointee.replica = -1
    record.pointee.session = -1
    abandon(index, word.isEmpty ? failure.reason.rawValue : word)
  }

  // MARK: Before the splice

  /// Refuses a call that its opener has asked for. One that may be spliced is held, as if it had
  /// failed a moment later: the splice may be on its way.
  func refuseCall(
    _ connection: ConnectionIndex, _ id: UInt64, _ header: Header, _ failure: Failure
  ) {
    let state = connections.at(connection)
    // Beyond the limit of open ids there is nothing to hold it with.
    guard header[.window] == 0, let parentID = header[.parent], !header[.detach],
      failure.reason != .tooManyIDs,
      let parent = state.pointee.ids.find(parentID), parent.kind == .hosted,
      calls.at(parent.index).pointee.state == .running
    else { return refuse(connection, id, failure) }
    var call = Call(
      state: .delivering, caller: connection, callerID: id, agent: -1, origin: connection,
      originSerial: state.pointee.serial, opened: nowMicros,
      replies: Direction(window: 0, allowance: 0), input: Direction(window: 0, allowance: 0))
    call.isHeldBack = true
    call.hasOwnError = true
    call.isCounted = true
    call.failure = failure.reason.code
    let index = calls.insert(call)
    state.pointee.ids.insert(id, .made, index)
    adopt(index, parent.index)
    holdError(index, failure, isLast: true)
  }

  /// The parent of a call has ended, and it will not be spliced any more: what is wrong with it
  /// need not wait for credit.
  func parentEnded(_ call: CallIndex) {
    let record = calls.at(call)
    guard record.pointee.state == .delivering, record.pointee.isHeldBack else { return }
    if record.pointee.hasOwnError { return giveError(call) }
    let deadline = record.pointee.deadline
    if deadline > 0, deadline <= now { deadlinePassed(call) }
  }

  /// Gives the opener of a call the error that is held for it, and nothing else of it.
  func giveError(_ call: CallIndex) {
    let record = calls.at(call)
    guard let error = record.pointee.replies.last else { return }
    let opener = (connection: record.pointee.caller, id: record.pointee.callerID)
    write(error, to: opener, isLast: true, mayRetry: error.pointee.mayRetry)
    finish(call)
  }
}
