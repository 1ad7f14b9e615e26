internal import Wire

/// Replies that do not go straight from a host to the caller: of calls that are spliced or have
/// others spliced in, of messages that are not bound to their place, and those that nobody reads.
///
/// Who has the turn is found from the root downwards: what is unordered first, then the queue, and
/// where that has the place of an inner call, the same there. A message that the reader has begun
/// is finished before anything else.
extension Router {
  func receiveIndirect(_ call: CallIndex, _ header: Header, _ content: Content, cost: Int) {
    let record = calls.at(call)
    let isLast = header[.end]
    guard record.pointee.isAwaited else {
      // A send's, or a call's that has ended for its caller: dropped, and granted again [CRD-11].
      if isLast { return hostEnded(call, .answered) }
      record.pointee.replies.allowance -= cost
      if !header[.unordered] { record.pointee.isInMessage = header[.part] }
      grant(call, .reply)
      return
    }
    if cost > 0, record.pointee.replies.allowance <= 0 {
      if isLast { releaseHost(call, .failed) }
      fail(call, Failure(.windowExceeded, "its host sent more than it was permitted"))
      return
    }
    record.pointee.replies.allowance -= cost
    if !header[.unordered] { record.pointee.isInMessage = header[.part] }
    if isLast { releaseHost(call, .answered) }
    if !record.pointee.isSpliced, !record.pointee.isWoven, !header[.unordered] {
      // The call of a run, which keeps what comes.
      let outcome = pass(call, .reply, header, content, cost: cost, isLast: isLast)
      return settle(call, .reply, outcome, isLast)
    }
    weave(call, header, content, cost: cost, isLast: isLast)
  }

  /// Writes a frame to the reader, if it is its turn, or puts it where it waits for that.
  func weave(
    _ call: CallIndex, _ header: Header, _ content: Content, cost: Int, isLast: Bool
  ) {
    let isUnordered = header[.unordered] && cost > 0 && header.operation == .data
    calls.at(call).pointee.isWoven = true
    if !isLast, passAtOnce(call, header, content, cost: cost, isUnordered: isUnordered) {
      return grant(call, .reply)
    }
    let isKept = calls.at(root(of: call)).pointee.run >= 0
    let frame = heldFrame(
      .reply, header, isKept ? Self.shared(content) : content, cost: cost,
      isLast: isLast && !isUnordered)
    guard put(frame, call, isUnordered: isUnordered) else { return fail(call, overrun()) }
    if isLast {
      // Only the message goes before its turn, not the end.
      if isUnordered { _ = put(HeldFrame.bare(isLast: true), call) }
      calls.at(call).pointee.state = .delivering
    }
    pump(root(of: call), .reply)
    // What is not over stays here for its host's next frame, and that is due what it may send.
    if !isLast { grant(call, .reply) }
  }

  /// Most frames of what is at the front need not be held.
  private func passAtOnce(
    _ call: CallIndex, _ header: Header, _ content: Content, cost: Int, isUnordered: Bool
  ) -> Bool {
    let record = calls.at(call)
    guard isUnordered || record.pointee.replies.isEmpty, let root = rootInTurn(call) else {
      return false
    }
    let reader = calls.at(root)
    let isOpen = reader.pointee.openSource >= 0
    guard reader.pointee.caller >= 0, mayPass(root, .reply, cost),
      !isOpen || (reader.pointee.openSource == call && !isUnordered),
      record.pointee.lane < 0 || lanes.at(record.pointee.lane).pointee.messages.isEmpty
    else { return false }
    let out = connections.at(reader.pointee.caller).pointee.out
    guard out.pending < Self.bufferedMax else { return false }
    let isError = header.operation == .error
    var writer = HeaderWriter(out, isError ? "error" : "data", id: reader.pointee.callerID)
    Self.writeFields(&writer, header, isError: isError)
    Self.writeEnd(&writer, isError: isError, isLast: false, mayRetry: false)
    writer.finish(content)
    markDirty(reader.pointee.caller)
    reader.pointee.replies.window -= cost
    reader.pointee.openSource = header[.part] ? call : -1
    // Others may have waited for the end of the message.
    if isOpen, !header[.part] { pump(root, .reply) }
    return true
  }

  /// The root, if what a call sends next is the reader's next.
  private func rootInTurn(_ call: CallIndex) -> CallIndex? {
    var at = call
    while calls.at(at).pointee.isSpliced {
      guard calls.at(at).pointee.isUnordered || isFirst(at) else { return nil }
      at = calls.at(at).pointee.parent
    }
    return at
  }

  // MARK: Holding

  /// Holds a frame of a call's for the reader. False when more waits for that than may: the frame
  /// is gone then.
  func put(
    _ frame: UnsafeMutablePointer<HeldFrame>, _ call: CallIndex, isUnordered: Bool = false
  ) -> Bool {
    let reader = account(of: call)
    if frame.pointee.cost > 0,
      waitingBytes(reader) + frame.pointee.size
        > limits.connectionHardMarkBytes
    {
      HeldFrame.free(frame)
      return false
    }
    charge(reader, frame.pointee.size)
    if isUnordered {
      lanes.at(lane(of: call)).pointee.messages.append(frame)
    } else {
      direction(call, .reply).pointee.append(frame)
    }
    markReady(call)
    return true
  }

  /// A call may have something for the reader: so may those that it is spliced into, and where one
  /// of them is unordered its outer has to look at it.
  func markReady(_ call: CallIndex) {
    var at = call
    while calls.at(at).pointee.isSpliced {
      let outer = calls.at(at).pointee.parent
      if calls.at(at).pointee.isUnordered, !calls.at(at).pointee.isReady {
        calls.at(at).pointee.isReady = true
        lanes.at(lane(of: outer)).pointee.addReady(at)
      }
      at = outer
    }
  }

  /// The lane of a call, made when it is needed first.
  func lane(of call: CallIndex) -> LaneIndex {
    let record = calls.at(call)
    if record.pointee.lane < 0 { record.pointee.lane = lanes.insert(Lane()) }
    return record.pointee.lane
  }

  /// A call's replies have lost their reader, or the call has ended.
  func dropLane(_ call: CallIndex) {
    let index = calls.at(call).pointee.lane
    let lane = lanes.at(index)
    charge(account(of: call), -lane.pointee.messages.heldBytes)
    while let frame = lane.pointee.messages.removeFirst() { HeldFrame.free(frame) }
    lanes.remove(index)
    calls.at(call).pointee.lane = -1
  }

  // MARK: Whose turn it is

  /// The call whose frame is next, and whether it is one that goes before its turn.
  private struct Turn {
    var source: CallIndex
    var isUnordered = false
  }

  private func nextTurn(_ root: CallIndex) -> Turn? {
    let open = calls.at(root).pointee.openSource
    guard open >= 0 else { return turn(in: root) }
    return calls.at(open).pointee.replies.isEmpty ? nil : Turn(source: open)
  }

  /// Whether anything below a root could go to the reader, but for its window and buffer.
  func hasTurn(_ root: CallIndex) -> Bool {
    nextTurn(root) != nil
  }

  private func turn(in call: CallIndex) -> Turn? {
    let record = calls.at(call)
    if record.pointee.lane >= 0 {
      let lane = lanes.at(record.pointee.lane)
      if !lane.pointee.messages.isEmpty { return Turn(source: call, isUnordered: true) }
      while let inner = lane.pointee.firstReady {
        if let turn = turn(in: inner) { return turn }
        calls.at(inner).pointee.isReady = false
        lane.pointee.removeFirstReady()
      }
    }
    guard let frame = record.pointee.replies.first else { return nil }
    if frame.pointee.inner >= 0 { return turn(in: frame.pointee.inner) }
    let isMessage = frame.pointee.cost > 0
    return isMessage || !frame.pointee.isLast || !mustWaitToEnd(call) ? Turn(source: call) : nil
  }

  /// Whether unordered calls are still under way, so that what a call's end ends cannot end yet.
  private func mustWaitToEnd(_ call: CallIndex) -> Bool {
    var at = call
    while true {
      let record = calls.at(at)
      if record.pointee.lane >= 0, lanes.at(record.pointee.lane).pointee.inners > 0 { return true }
      guard record.pointee.isHandedOver else { return false }
      at = record.pointee.parent
    }
  }

  // MARK: Delivering

  /// How a held frame is delivered.
  private enum Delivery {
    /// As it is.
    case whole
    /// Without the word that it is the last.
    case unended
    /// The same, but the end has still to come.
    case message
    /// An end inside a message: an error instead, which ends the message.
    case unfinished
    /// It says only that this is the end, and that is nobody's business.
    case silent
  }

  private func delivery(
    of frame: UnsafeMutablePointer<HeldFrame>, _ source: CallIndex, _ root: CallIndex
  ) -> Delivery {
    guard frame.pointee.isLast else { return .whole }
    let isMessage = frame.pointee.cost > 0
    let isOpen = calls.at(root).pointee.openSource == source
    if mustWaitToEnd(source) { return isMessage ? .message : .unfinished }
    var ended = source
    while calls.at(ended).pointee.isHandedOver { ended = calls.at(ended).pointee.parent }
    if ended == root { return .whole }
    if isMessage || frame.pointee.isError { return .unended }
    return isOpen ? .unfinished : .silent
  }

  /// What a frame takes from the reader's window: an error that was the end has become a message.
  private func cost(of frame: UnsafeMutablePointer<HeldFrame>, _ delivery: Delivery) -> Int {
    switch delivery {
    case .whole, .message: frame.pointee.cost
    case .unended: max(frame.pointee.cost, Limits.frameCostBytes)
    case .unfinished: Limits.frameCostBytes
    case .silent: 0
    }
  }

  /// Delivers what is held below a root, in its order: to its caller as far as the window and the
  /// buffer allow, or to the log of its run.
  func pumpWoven(_ root: CallIndex, atMost budget: Int) {
    let reader = calls.at(root).pointee.caller
    guard account(of: root) != -1 else { return }
    var left = budget
    var served: CallIndex = -1
    while let turn = nextTurn(root) {
      let frame = queue(of: turn).pointee.first!
      let delivery = delivery(of: frame, turn.source, root)
      let cost = cost(of: frame, delivery)
      if reader >= 0 {
        guard mayPass(root, .reply, cost) else { break }
        let hasRoom = connections.at(reader).pointee.out.pending < Self.bufferedMax && left > 0
        guard hasRoom || delivery == .silent else {
          joinLine(reader, token(root, .reply))
          break
        }
      }
      if served != turn.source {
        if served >= 0 { grant(served, .reply) }
        served = turn.source
      }
      left -= frame.pointee.size + Limits.frameCostBytes
      guard deliver(turn, frame, delivery, cost, root) else { continue }
      served = -1
      if sourceEnded(turn.source, root) { return }
    }
    if served >= 0 { grant(served, .reply) }
    goOnAtFront(root)
  }

  private func queue(of turn: Turn) -> UnsafeMutablePointer<Direction> {
    guard turn.isUnordered else { return direction(turn.source, .reply) }
    return withUnsafeMutablePointer(
      to: &lanes.at(calls.at(turn.source).pointee.lane).pointee.messages
    ) { $0 }
  }

  /// Delivers the frame whose turn it is. Returns whether its call has nothing more to come.
  private func deliver(
    _ turn: Turn, _ frame: UnsafeMutablePointer<HeldFrame>, _ delivery: Delivery, _ cost: Int,
    _ root: CallIndex
  ) -> Bool {
    let record = calls.at(root)
    let isOver = frame.pointee.isLast && delivery != .message
    if delivery == .unfinished, mustWaitToEnd(turn.source) {
      record.pointee.openSource = -1
      give(root, unfinished(cost))
      return false
    }
    let isPart = frame.pointee.isPart && delivery == .whole
    record.pointee.openSource = isPart ? turn.source : -1
    let queue = queue(of: turn)
    _ = queue.pointee.removeFirst()
    charge(account(of: root), -frame.pointee.size)
    switch delivery {
    case .whole:
      if turn.source != root {
        // An agent has seen a call that it handed over [ERR-7].
        frame.pointee.mayRetry = false
        if isOver { record.pointee.failure = calls.at(turn.source).pointee.failure }
      }
      give(root, frame)
    case .unended, .message:
      if delivery == .message { queue.pointee.prepend(HeldFrame.bare(isLast: true)) }
      frame.pointee.isLast = false
      frame.pointee.cost = cost
      give(root, frame)
    case .unfinished:
      HeldFrame.free(frame)
      give(root, unfinished(cost))
    case .silent: HeldFrame.free(frame)
    }
    return isOver
  }

  private func unfinished(_ cost: Int) -> UnsafeMutablePointer<HeldFrame> {
    let error = makeError(
      Failure(.unfinishedMessage, "a spliced reply ended inside a message"))
    error.pointee.isLast = false
    error.pointee.cost = cost
    return error
  }

  /// Gives a frame to who reads a root's replies, or to the log of its run.
  private func give(_ root: CallIndex, _ frame: UnsafeMutablePointer<HeldFrame>) {
    let record = calls.at(root)
    guard record.pointee.caller >= 0 else { return keep(root, frame) }
    record.pointee.replies.window -= frame.pointee.cost
    write(
      frame, to: (record.pointee.caller, record.pointee.callerID), isLast: frame.pointee.isLast,
      mayRetry: frame.pointee.mayRetry)
    HeldFrame.free(frame)
  }

  /// All that a call had to say has been delivered. Returns whether that was the end of the root.
  private func sourceEnded(_ source: CallIndex, _ root: CallIndex) -> Bool {
    var call = source
    while call != root {
      let record = calls.at(call)
      let outer = record.pointee.parent
      let isHandedOver = record.pointee.isHandedOver
      if record.pointee.isUnordered {
        let lane = lanes.at(calls.at(outer).pointee.lane)
        lane.pointee.inners -= 1
        if record.pointee.isReady { lane.pointee.removeReady(call) }
      } else if let place = direction(outer, .reply).pointee.removeFirst() {
        HeldFrame.free(place)
      }
      if isHandedOver { calls.at(outer).pointee.failure = record.pointee.failure }
      finish(call)
      guard isHandedOver else { return false }
      call = outer
    }
    finish(root)
    return true
  }

  /// Those that the reader has come to are permitted what its window leaves room for, and started
  /// if they wait.
  func goOnAtFront(_ root: CallIndex) {
    var call = root
    while true {
      grant(call, .reply)
      let inner = calls.at(call).pointee.replies.first?.pointee.inner ?? -1
      guard inner >= 0 else { break }
      call = inner
    }
    let record = calls.at(call)
    if record.pointee.state == .waiting, !record.pointee.isUrgent { hastened.append(call) }
  }
}
