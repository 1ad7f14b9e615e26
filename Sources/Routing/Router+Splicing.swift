internal import Wire

/// Splices: an agent puts the replies of a call that it made, the *inner*, into those of one that
/// it handles, the *outer*, and never sees them.
///
/// The inner stays a child of the outer and has no caller of its own any more. In the outer's queue
/// a frame without content keeps its place. What both reply is for the *reader*: the caller of the
/// *root*, the outermost call. A child is always younger than its parent, so nothing can be spliced
/// into itself.
extension Router {
  func receiveSplice(_ connection: ConnectionIndex, _ header: Header) -> ConnectionFault? {
    guard let id = header[.id] else {
      return refuseField(connection, header, .missingField, "id")
    }
    let state = connections.at(connection)
    guard let entry = state.pointee.ids.find(id) else { return checkOpened(connection, id) }
    guard entry.kind == .hosted else { return nil }
    guard let innerID = header[.call] else {
      return refuseField(connection, header, .missingField, "call")
    }
    if header[.unordered], header[.end] {
      return refuseField(connection, header, .badField, "unordered")
    }
    let made = state.pointee.ids.find(innerID)
    if made == nil, let fault = checkOpened(connection, innerID) { return fault }
    let outer = entry.index
    // It was cancelled, and with it what was made for it [SPL-10].
    if calls.at(outer).pointee.state == .abandoned {
      if header[.end] { hostEnded(outer, .released) }
      return nil
    }
    if let fault = spliceFault(outer, innerID, made) {
      failID(connection, id, Failure(.badSplice, fault))
    } else if let inner = made?.index {
      splice(inner, into: outer, isEnd: header[.end], isUnordered: header[.unordered])
    } else if header[.end] {
      endEmpty(outer)
    }
    return nil
  }

  /// Why that cannot be spliced into the replies of `outer` now [SPL-9].
  private func spliceFault(
    _ outer: CallIndex, _ innerID: UInt64, _ made: IDTable.Entry?
  ) -> String? {
    if calls.at(outer).pointee.isInMessage { return "a splice inside an open message" }
    guard let made else {
      return innerID & 1 == 1 ? nil : "\(innerID) is no call that this connection made"
    }
    guard made.kind == .made, calls.at(made.index).pointee.parent == outer,
      calls.at(made.index).pointee.reading < 0
    else {
      return "\(innerID) is no call that was made for the one it is spliced into"
    }
    return calls.at(made.index).pointee.isHeldBack
      ? nil : "the call \(innerID) was permitted to reply to its opener"
  }

  private func splice(
    _ inner: CallIndex, into outer: CallIndex, isEnd: Bool, isUnordered: Bool
  ) {
    let record = calls.at(inner)
    let opener = record.pointee.caller
    endInput(inner)
    let isRead = calls.at(outer).pointee.isAwaited
    let reader = isRead ? account(of: outer) : -1
    var starved: [CallIndex] = []
    let held = moveHeld(inner, from: opener, to: reader, &starved)
    connections.at(opener).pointee.ids.remove(record.pointee.callerID)
    record.pointee.caller = -1
    record.pointee.isHeldBack = false
    guard isRead else {
      spliceUnread(inner)
      if isEnd { hostEnded(outer, .answered) }
      return
    }
    record.pointee.isSpliced = true
    record.pointee.isHandedOver = isEnd
    record.pointee.isUnordered = isUnordered
    calls.at(outer).pointee.isWoven = true
    if isUnordered {
      lanes.at(lane(of: outer)).pointee.inners += 1
    } else {
      direction(outer, .reply).pointee.append(HeldFrame.place(of: inner))
    }
    markReady(inner)
    if isEnd {
      releaseHost(outer, .answered)
      calls.at(outer).pointee.state = .delivering
    }
    if held > 0, waitingBytes(reader) > limits.connectionHardMarkBytes {
      failInPlace(inner, overrun(), isComplete: false)
    } else if record.pointee.state == .lazy {
      startLazy(inner)
    }
    // Either may have been the end of all.
    if calls.isUsed(inner) { pump(root(of: inner), .reply) }
    for call in starved where calls.isUsed(call) { grant(call, .reply) }
  }

  /// What was to be spliced has ended for its opener long ago: there is nothing of it but the end
  /// of the reply [SPL-9].
  private func endEmpty(_ outer: CallIndex) {
    guard calls.at(outer).pointee.isAwaited else { return hostEnded(outer, .answered) }
    calls.at(outer).pointee.isWoven = true
    releaseHost(outer, .answered)
    calls.at(outer).pointee.state = .delivering
    _ = put(HeldFrame.bare(isLast: true), outer)
    pump(root(of: outer), .reply)
  }

  // MARK: Below a send

  /// Nobody reads what replies to a send: the inner call runs to its end, and what it replies, and
  /// what was spliced into that, is dropped [SPL-10].
  private func spliceUnread(_ call: CallIndex) {
    let record = calls.at(call)
    record.pointee.isUnread = true
    // Its end is nobody's but its own from now on.
    record.pointee.isSpliced = false
    record.pointee.isHandedOver = false
    record.pointee.isUnordered = false
    record.pointee.isReady = false
    drop(call, .reply)
    record.pointee.replies.window = Limits.windowBytesMax
    var child = record.pointee.firstChild
    while child >= 0 {
      let next = calls.at(child).pointee.nextSibling
      if calls.at(child).pointee.isSpliced { spliceUnread(child) }
      child = next
    }
    switch record.pointee.state {
    case .lazy: startLazy(call)
    case .running: grant(call, .reply)
    case .delivering: finish(call)
    case .waiting, .abandoned, .reading: break
    }
  }

  // MARK: What is held moves

  /// Who pays for what is held: a connection, or, below -1, a run's log, which has no connection;
  /// -1: nobody.
  func account(of call: CallIndex) -> Int32 {
    let root = calls.at(root(of: call))
    if root.pointee.caller >= 0 { return root.pointee.caller }
    return root.pointee.run >= 0 ? -2 - root.pointee.run : -1
  }

  func charge(_ account: Int32, _ bytes: Int) {
    if account >= 0 {
      let wasCongested = bytes < 0 && isCongested(account)
      connections.at(account).pointee.heldBytes += bytes
      if wasCongested, !isCongested(account) { relieved.append(account) }
    } else if account < -1 {
      runs.at(-2 - account).pointee.heldBytes += bytes
    }
  }

  func waitingBytes(_ account: Int32) -> Int {
    if account >= 0 { return connections.at(account).pointee.waitingBytes }
    return account < -1 ? runs.at(-2 - account).pointee.heldBytes : 0
  }

  /// What is held for a call, and for all that is spliced into it, is another account's from now
  /// on. Returns how many bytes that is, and in `starved` the calls that stood still for the old
  /// one.
  @discardableResult
  func moveHeld(
    _ call: CallIndex, from old: Int32, to new: Int32, _ starved: inout [CallIndex]
  ) -> Int {
    let bytes = collectHeld(call, of: old, &starved)
    charge(old, -bytes)
    charge(new, bytes)
    return bytes
  }

  private func collectHeld(
    _ call: CallIndex, of reader: Int32, _ starved: inout [CallIndex]
  ) -> Int {
    let record = calls.at(call)
    var bytes = record.pointee.replies.heldBytes
    if record.pointee.lane >= 0 {
      bytes += lanes.at(record.pointee.lane).pointee.messages.heldBytes
    }
    if reader >= 0 {
      leaveLine(reader, token(call, .reply))
      if record.pointee.replies.starvedPlace >= 0 {
        leaveStarved(reader, call, .reply)
        starved.append(call)
      }
    }
    var child = record.pointee.firstChild
    while child >= 0 {
      if calls.at(child).pointee.isSpliced { bytes += collectHeld(child, of: reader, &starved) }
      child = calls.at(child).pointee.nextSibling
    }
    return bytes
  }

  // MARK: Where the reader is

  /// The outermost of the calls that a call is spliced into, one in the other.
  func root(of call: CallIndex) -> CallIndex {
    var root = call
    while calls.at(root).pointee.isSpliced { root = calls.at(root).pointee.parent }
    return root
  }

  /// Who reads what a spliced call replies, and under which id.
  func reader(of call: CallIndex) -> (connection: ConnectionIndex, id: UInt64) {
    let root = calls.at(root(of: call))
    return (root.pointee.caller, root.pointee.callerID)
  }

  /// Whether nothing but what a call itself sends stands between the reader and it, if it keeps its
  /// place.
  func isAtFront(_ call: CallIndex) -> Bool {
    var at = call
    while calls.at(at).pointee.isSpliced {
      guard !calls.at(at).pointee.isUnordered, isFirst(at) else { return false }
      at = calls.at(at).pointee.parent
    }
    return true
  }

  /// Whether an inner call's place is the first in the queue of the outer.
  @inline(__always)
  func isFirst(_ inner: CallIndex) -> Bool {
    calls.at(calls.at(inner).pointee.parent).pointee.replies.first?.pointee.inner == inner
  }

  /// The window of the reader for a call that it has come to; none for others [SPL-5].
  func readerWindow(_ call: CallIndex) -> Int {
    isAtFront(call) ? calls.at(root(of: call)).pointee.replies.window : .min
  }

  /// Who works on a call: its own host's, or the one that it was handed over to, and so on.
  func worker(of call: CallIndex) -> CallIndex {
    var at = call
    while let last = calls.at(at).pointee.replies.last?.pointee.inner, last >= 0,
      calls.at(last).pointee.isHandedOver
    {
      at = last
    }
    return at
  }

  // MARK: The reader waits for it

  /// Starts, if it can be, what waits and is at the front now: it goes beyond `concurrency`
  /// [SPL-6].
  func hastenAll() {
    while let call = hastened.popLast() {
      if calls.isUsed(call), calls.at(call).pointee.isSpliced { hasten(call) }
    }
  }

  private func hasten(_ call: CallIndex) {
    let record = calls.at(call)
    guard record.pointee.state == .waiting, !record.pointee.isUrgent, isAtFront(call) else {
      return
    }
    if record.pointee.session >= 0 {
      let session = sessions.at(record.pointee.session)
      record.pointee.isUrgent = true
      session.pointee.mailbox.urgent += 1
      guard session.pointee.replica >= 0 else { return }
      queueUp(record.pointee.session)
      return serveReplica(session.pointee.replica)
    }
    let agent = Int(record.pointee.agent)
    let bytes = record.pointee.waitingBytes
    remove(call, from: &agents[agent].line)
    record.pointee.waitingBytes = bytes
    record.pointee.isUrgent = true
    insertUrgent(call, into: &agents[agent].line)
    if let replica = pickReplica(record.pointee.agent, for: call) {
      withdraw(call)
      start(call, on: replica, .held)
    }
  }
}
