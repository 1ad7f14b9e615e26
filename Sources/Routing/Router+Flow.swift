internal import Discovery
internal import Wire

/// Messages of a call on their way: passed on while the receiver's window and buffer allow, and
/// held otherwise. Credit is in `Router+Credit`, whose turn it is in `Router+Turns`.
extension Router {
  /// Which way a frame goes.
  enum Way: Int32 {
    case reply = 0
    case input = 1
  }

  func receiveData(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content
  ) -> ConnectionFault? {
    guard let id = header[.id] else {
      return refuseField(connection, header, .missingField, "id")
    }
    guard let entry = connections.at(connection).pointee.ids.find(id) else {
      return checkOpened(connection, id)
    }
    if header[.part], header[.end] {
      return refuseField(connection, header, .badField, "part")
    }
    if header[.unordered], header[.part], entry.kind == .hosted {
      return refuseField(connection, header, .badField, "unordered")
    }
    if header[.ext].count > Limits.extBytesMax {
      return refuseField(connection, header, .badField, "ext")
    }
    switch entry.kind {
    case .hosted: receiveReply(entry.index, header, content)
    case .made: receiveInput(entry.index, header, content)
    case .registration, .closing, .subscription, .signal, .givenSignal: break
    }
    return nil
  }

  private func receiveReply(_ call: CallIndex, _ header: Header, _ content: Content) {
    let record = calls.at(call)
    let isLast = header[.end]
    let cost = cost(header, content)
    if record.pointee.caller < 0 || record.pointee.isWoven || header[.unordered] {
      return receiveIndirect(call, header, content, cost: cost)
    }
    if cost > 0, record.pointee.replies.allowance <= 0 {
      // What ends the call at its host ends it there also when it comes too early [CRD-3, CAL-14].
      if isLast { releaseHost(call, .failed) }
      fail(call, Failure(.windowExceeded, "its host sent more than it was permitted"))
      return
    }
    record.pointee.replies.allowance -= cost
    record.pointee.isInMessage = header[.part]
    if isLast { releaseHost(call, .answered) }
    let outcome = pass(call, .reply, header, content, cost: cost, isLast: isLast)
    settle(call, .reply, outcome, isLast)
  }

  func receiveInput(_ call: CallIndex, _ header: Header, _ content: Content) {
    let record = calls.at(call)
    guard record.pointee.acceptsInput, !record.pointee.inputEnded else {
      if record.pointee.reading >= 0 { return receiveReaderInput(call, header, content) }
      fail(call, Failure(.noInput, "the call takes no input, or its input has ended"))
      return
    }
    let cost = cost(header, content)
    if cost > 0, record.pointee.input.allowance <= 0 {
      fail(call, Failure(.windowExceeded, "more input than was permitted"))
      return
    }
    record.pointee.input.allowance -= cost
    if header[.end] { record.pointee.inputEnded = true }
    // The host has ended the call: what comes now has crossed that.
    guard record.pointee.state != .delivering else { return }
    let outcome = pass(call, .input, header, content, cost: cost, isLast: false)
    settle(call, .input, outcome, false)
  }

  /// An `error` of a host's: the end of the call, or with `more` one at a position, which takes its
  /// turn like a message [ERR-6].
  func passError(_ call: CallIndex, _ header: Header, isLast: Bool) {
    let record = calls.at(call)
    let cost = isLast ? 0 : Limits.frameCostBytes
    if cost > 0, record.pointee.replies.allowance <= 0 {
      fail(call, Failure(.windowExceeded, "its host sent more than it was permitted"))
      return
    }
    record.pointee.replies.allowance -= cost
    record.pointee.isInMessage = false
    if isLast {
      record.pointee.failure = ErrorCode(rawValue: header[.code].text) ?? .internal
      releaseHost(call, .failed)
    }
    if record.pointee.isSpliced || record.pointee.isWoven {
      return weave(call, header, .none, cost: cost, isLast: isLast)
    }
    let outcome = pass(call, .reply, header, .none, cost: cost, isLast: isLast)
    settle(call, .reply, outcome, isLast)
  }

  /// What a frame takes from a window [CRD-1].
  @inline(__always)
  func cost(_ header: Header, _ content: Content) -> Int {
    if header[.end], content.isEmpty, !header.has(.type), !header.has(.contentType) { return 0 }
    return content.count + Limits.frameCostBytes
  }

  // MARK: Passing on

  enum Outcome {
    case passed
    case held
    /// More waits for the receiver than may.
    case overrun
    /// Too much of this connection's input waits for calls that have not started.
    case mailboxFull
  }

  /// One direction of a call, in place: records do not move while they live.
  @inline(__always)
  func direction(_ call: CallIndex, _ way: Way) -> UnsafeMutablePointer<Direction> {
    switch way {
    case .reply: withUnsafeMutablePointer(to: &calls.at(call).pointee.replies) { $0 }
    case .input: withUnsafeMutablePointer(to: &calls.at(call).pointee.input) { $0 }
    }
  }

  /// Where a direction's frames go, and under which id; -1 while, or since, that is nowhere.
  @inline(__always)
  func receiver(_ call: CallIndex, _ way: Way) -> (connection: ConnectionIndex, id: UInt64) {
    let record = calls.at(call)
    return switch way {
    case .reply where record.pointee.isSpliced: reader(of: call)
    case .reply: (record.pointee.caller, record.pointee.callerID)
    case .input: (record.pointee.host, record.pointee.hostID)
    }
  }

  /// Writes a frame to its receiver, or holds it [CRD-7].
  @inline(__always)
  func pass(
    _ call: CallIndex, _ way: Way, _ header: Header, _ content: Content, cost: Int, isLast: Bool
  ) -> Outcome {
    let direction = direction(call, way)
    let receiver = receiver(call, way)
    let isError = header.operation == .error
    if receiver.connection >= 0, direction.pointee.isEmpty, mayPass(call, way, cost) {
      let out = connections.at(receiver.connection).pointee.out
      if out.pending < Self.bufferedMax {
        var writer = HeaderWriter(out, isError ? "error" : "data", id: receiver.id)
        Self.writeFields(&writer, header, isError: isError)
        Self.writeEnd(
          &writer, isError: isError, isLast: isError ? isLast : header[.end],
          mayRetry: header[.retry])
        writer.finish(content)
        direction.pointee.window -= cost
        if way == .reply { calls.at(call).pointee.openSource = header[.part] ? call : -1 }
        markDirty(receiver.connection)
        return .passed
      }
    }
    guard way == .reply, receiver.connection < 0 else {
      return hold(call, way, heldFrame(way, header, content, cost: cost, isLast: isLast))
    }
    calls.at(call).pointee.openSource = header[.part] ? call : -1
    let kept = Self.shared(content)
    keep(call, heldFrame(way, header, kept, cost: cost, isLast: isLast))
    return .passed
  }

  /// A frame as it waits.
  func heldFrame(
    _ way: Way, _ header: Header, _ content: Content, cost: Int, isLast: Bool
  ) -> UnsafeMutablePointer<HeldFrame> {
    let isError = header.operation == .error
    var writer = HeaderWriter(tailInto: scratch)
    Self.writeFields(&writer, header, isError: isError)
    // The end of the input is not the end of the call.
    if way == .input, header[.end] { writer.truth("end") }
    writer.finishTail()
    let held = HeldFrame.make(
      fields: scratch.takeAll(), content: content, cost: cost, isError: isError, isLast: isLast,
      isPart: !isError && header[.part])
    held.pointee.mayRetry = header[.retry]
    return held
  }

  /// Content that many will refer to is copied once.
  static func shared(_ content: Content) -> Content {
    guard content.block == nil, content.count > OutBuffer.copiedMax else { return content }
    return Content(ContentBlock(copying: content.bytes))
  }

  /// Ends a call's input where nobody gives it any more.
  func endInput(_ call: CallIndex) {
    let record = calls.at(call)
    guard record.pointee.acceptsInput, !record.pointee.inputEnded else { return }
    record.pointee.inputEnded = true
    guard record.pointee.state != .delivering else { return }
    var writer = HeaderWriter(tailInto: scratch)
    writer.truth("end")
    writer.finishTail()
    let frame = HeldFrame.make(
      fields: scratch.takeAll(), content: .none, cost: 0, isError: false, isLast: false)
    record.pointee.input.append(frame)
    guard record.pointee.host >= 0 else { return }
    connections.at(record.pointee.host).pointee.heldBytes += frame.pointee.size
    pump(call, .input)
  }

  /// Whether the receiver's window lets a frame through. Without cost it only has to wait for what
  /// is before it [CRD-10].
  @inline(__always)
  func mayPass(_ call: CallIndex, _ way: Way, _ cost: Int) -> Bool {
    if way == .reply, calls.at(call).pointee.isHeldBack { return false }
    return cost == 0 || direction(call, way).pointee.window > 0
  }

  func hold(
    _ call: CallIndex, _ way: Way, _ frame: UnsafeMutablePointer<HeldFrame>
  ) -> Outcome {
    let receiver = receiver(call, way).connection
    let size = frame.pointee.size
    guard receiver >= 0 else {
      guard addWaiting(call, size) else {
        HeldFrame.free(frame)
        return .mailboxFull
      }
      direction(call, way).pointee.append(frame)
      return .held
    }
    let waiting = connections.at(receiver).pointee.waitingBytes
    if frame.pointee.cost > 0, waiting + size > limits.connectionHardMarkBytes {
      HeldFrame.free(frame)
      return .overrun
    }
    connections.at(receiver).pointee.heldBytes += size
    direction(call, way).pointee.append(frame)
    pump(call, way)
    return .held
  }

  /// What follows once a frame is on its way.
  func settle(_ call: CallIndex, _ way: Way, _ outcome: Outcome, _ isLast: Bool) {
    switch outcome {
    case .mailboxFull:
      fail(call, mailboxesFull())
    case .overrun:
      fail(call, overrun())
    case .passed:
      if isLast { finish(call) } else { grant(call, way) }
    case .held where isLast:
      if calls.isUsed(call) { calls.at(call).pointee.state = .delivering }
    case .held:
      // Its sender may stand still now, and be due what was too little before.
      grant(call, way)
    }
  }

  func overrun() -> Failure {
    let mark = limits.connectionHardMarkBytes
    return Failure(.readerOverrun, "more than \(mark) bytes wait for the receiver")
  }

  /// Writes what is held for a direction as far as its window and the receiver's buffer allow; what
  /// the buffer has no room for waits for its turn.
  func pump(_ call: CallIndex, _ way: Way, atMost budget: Int = .max) {
    if way == .reply, calls.at(call).pointee.isWoven { return pumpWoven(call, atMost: budget) }
    let receiver = receiver(call, way)
    guard receiver.connection >= 0 else { return }
    let direction = direction(call, way)
    let state = connections.at(receiver.connection)
    var left = budget
    while let frame = direction.pointee.first, mayPass(call, way, frame.pointee.cost) {
      guard state.pointee.out.pending < Self.bufferedMax, left > 0 else {
        return joinLine(receiver.connection, token(call, way))
      }
      _ = direction.pointee.removeFirst()
      state.pointee.heldBytes -= frame.pointee.size
      left -= frame.pointee.size + Limits.frameCostBytes
      write(frame, to: receiver, isLast: frame.pointee.isLast, mayRetry: frame.pointee.mayRetry)
      direction.pointee.window -= frame.pointee.cost
      if way == .reply { calls.at(call).pointee.openSource = frame.pointee.isPart ? call : -1 }
      let isLast = frame.pointee.isLast
      HeldFrame.free(frame)
      if isLast { return finish(call) }
    }
  }

  /// Writes a held frame to whom it is for.
  func write(
    _ frame: UnsafeMutablePointer<HeldFrame>,
    to receiver: (connection: ConnectionIndex, id: UInt64), isLast: Bool, mayRetry: Bool
  ) {
    let isError = frame.pointee.isError
    var writer = HeaderWriter(
      connections.at(receiver.connection).pointee.out, isError ? "error" : "data", id: receiver.id)
    writer.fields(frame.pointee.fields)
    Self.writeEnd(&writer, isError: isError, isLast: isLast, mayRetry: mayRetry)
    writer.finish(frame.pointee.content)
    markDirty(receiver.connection)
  }

  // MARK: Fields

  /// What a frame says wherever it stands; where it ends is in `writeEnd`.
  @inline(__always)
  static func writeFields(_ writer: inout HeaderWriter, _ header: Header, isError: Bool) {
    if isError { return writeError(&writer, header) }
    if header.has(.type) { writer.string("type", header[.type]) }
    if header[.part] { writer.truth("part") }
    if header.has(.ext) { writer.object("ext", header[.ext]) }
    if header.has(.contentType) { writer.string("content_type", header[.contentType]) }
  }

  @inline(__always)
  static func writeEnd(
    _ writer: inout HeaderWriter, isError: Bool, isLast: Bool, mayRetry: Bool
  ) {
    if !isError {
      if isLast { writer.truth("end") }
    } else if !isLast {
      writer.truth("more")
    } else if mayRetry {
      writer.truth("retry")
    }
  }

  static func writeError(_ writer: inout HeaderWriter, _ header: Header) {
    let code = ErrorCode(rawValue: header[.code].text) ?? .internal
    writer.string("code", code.rawValue)
    if header.has(.reason) { writer.string("reason", header[.reason]) }
    if header.has(.message) {
      writer.string("message", header[.message].prefix(utf8: Limits.errorMessageBytesMax))
    }
    if header.has(.details), header[.details].count <= Limits.detailsBytesMax {
      writer.object("details", header[.details])
    }
  }

  /// Data goes into a connection's buffer while less than this waits there.
  static let bufferedMax = 256 << 10
}
