internal import Discovery
internal import Wire

/// Messages of a call on their way: windows on both sides, and what is held between them.
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
    if header[.ext].count > Limits.extBytesMax {
      return refuseField(connection, header, .badField, "ext")
    }
    switch entry.kind {
    case .hosted: receiveReply(entry.index, header, content)
    case .made: receiveInput(entry.index, header, content)
    case .registration, .closing: break
    }
    return nil
  }

  private func receiveReply(_ call: CallIndex, _ header: Header, _ content: Content) {
    let record = calls.at(call)
    let isLast = header[.end]
    if record.pointee.caller < 0 {
      // A send's, or a call's that has ended for its caller: dropped, and granted again.
      if isLast {
        hostEnded(call, .answered)
      } else {
        record.pointee.replies.allowance -= cost(header, content)
        grant(call, .reply)
      }
      return
    }
    let cost = cost(header, content)
    if cost > 0, record.pointee.replies.allowance <= 0 {
      // What ends the call at its host ends it there also when it comes too early [CRD-3, CAL-14].
      if isLast { releaseHost(call, .failed) }
      fail(call, Failure(.windowExceeded, "its host sent more than it was permitted"))
      return
    }
    record.pointee.replies.allowance -= cost
    if isLast { releaseHost(call, .answered) }
    let outcome = pass(call, .reply, cost: cost, isLast: isLast) { writer in
      Self.writeData(&writer, header)
    } content: {
      content
    }
    settle(call, .reply, outcome, isLast)
  }

  private func receiveInput(_ call: CallIndex, _ header: Header, _ content: Content) {
    let record = calls.at(call)
    guard record.pointee.acceptsInput, !record.pointee.inputEnded else {
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
    let outcome = pass(call, .input, cost: cost, isLast: false) { writer in
      Self.writeData(&writer, header)
    } content: {
      content
    }
    settle(call, .input, outcome, false)
  }

  /// An `error … more` of a host's: an error at a position, which takes its turn like a message.
  func passError(_ call: CallIndex, _ header: Header, isLast: Bool) {
    let record = calls.at(call)
    let cost = isLast ? 0 : Limits.frameCostBytes
    if cost > 0 {
      guard record.pointee.replies.allowance > 0 else {
        fail(call, Failure(.windowExceeded, "its host sent more than it was permitted"))
        return
      }
      record.pointee.replies.allowance -= cost
    }
    if isLast {
      record.pointee.failure = ErrorCode(rawValue: header[.code].text) ?? .internal
      releaseHost(call, .failed)
    }
    let outcome = pass(call, .reply, cost: cost, isLast: isLast, isError: true) { writer in
      Self.writeError(&writer, header, isLast: isLast)
    } content: {
      .none
    }
    settle(call, .reply, outcome, isLast)
  }

  /// What a frame takes from a window.
  @inline(__always)
  private func cost(_ header: Header, _ content: Content) -> Int {
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

  /// Writes a frame to its receiver, or holds it.
  @inline(__always)
  private func pass(
    _ call: CallIndex, _ way: Way, cost: Int, isLast: Bool,
    isError: Bool = false, _ write: (inout HeaderWriter) -> Void, content: () -> Content
  ) -> Outcome {
    let record = calls.at(call)
    let (receiver, id) = receiver(record, way)
    if receiver >= 0, isClear(record, way, cost) {
      let out = connections.at(receiver).pointee.out
      if out.pending < Self.bufferedMax {
        var writer = HeaderWriter(out, isError ? "error" : "data", id: id)
        write(&writer)
        writer.finish(content())
        spend(record, way, cost)
        markDirty(receiver)
        return .passed
      }
    }
    var writer = HeaderWriter(tailInto: scratch)
    write(&writer)
    writer.finishTail()
    let held = HeldFrame.make(
      fields: scratch.takeAll(), content: content(), cost: cost, isError: isError, isLast: isLast)
    return hold(call, way, held)
  }

  private func hold(
    _ call: CallIndex, _ way: Way, _ frame: UnsafeMutablePointer<HeldFrame>
  ) -> Outcome {
    let record = calls.at(call)
    let (receiver, _) = receiver(record, way)
    let size = frame.pointee.size
    if receiver < 0 {
      guard addWaiting(call, size) else {
        HeldFrame.free(frame)
        return .mailboxFull
      }
    } else {
      let waiting = connections.at(receiver).pointee.waitingBytes
      if frame.pointee.cost > 0, waiting + size > limits.connectionHardMarkBytes {
        HeldFrame.free(frame)
        return .overrun
      }
      connections.at(receiver).pointee.heldBytes += size
    }
    switch way {
    case .reply: record.pointee.replies.append(frame)
    case .input: record.pointee.input.append(frame)
    }
    if receiver >= 0 { pump(call, way) }
    return .held
  }

  /// What follows once a frame is on its way.
  private func settle(_ call: CallIndex, _ way: Way, _ outcome: Outcome, _ isLast: Bool) {
    switch outcome {
    case .mailboxFull:
      fail(call, mailboxesFull())
    case .overrun:
      fail(
        call,
        Failure(
          .readerOverrun,
          "more than \(limits.connectionHardMarkBytes) bytes wait for the receiver"))
    case .passed:
      if isLast { finish(call) } else { grant(call, way) }
    case .held:
      if isLast, calls.isUsed(call), calls.at(call).pointee.caller >= 0 {
        calls.at(call).pointee.state = .delivering
      }
    }
  }

  @inline(__always)
  private func receiver(
    _ record: UnsafeMutablePointer<Call>, _ way: Way
  ) -> (ConnectionIndex, UInt64) {
    switch way {
    case .reply: (record.pointee.caller, record.pointee.callerID)
    case .input: (record.pointee.host, record.pointee.hostID)
    }
  }

  @inline(__always)
  private func isClear(_ record: UnsafeMutablePointer<Call>, _ way: Way, _ cost: Int) -> Bool {
    switch way {
    case .reply:
      record.pointee.replies.isEmpty && !record.pointee.isHeldBack
        && (cost == 0 || record.pointee.replies.window > 0)
    case .input:
      record.pointee.input.isEmpty && (cost == 0 || record.pointee.input.window > 0)
    }
  }

  @inline(__always)
  private func spend(_ record: UnsafeMutablePointer<Call>, _ way: Way, _ cost: Int) {
    switch way {
    case .reply: record.pointee.replies.window -= cost
    case .input: record.pointee.input.window -= cost
    }
  }

  /// Writes what is held for a direction as far as its window and the receiver's buffer allow.
  /// Returns true when the receiver's buffer is what stopped it.
  @discardableResult
  func pump(_ call: CallIndex, _ way: Way, atMost budget: Int = .max) -> Bool {
    let record = calls.at(call)
    let (receiver, id) = receiver(record, way)
    guard receiver >= 0, !(way == .reply && record.pointee.isHeldBack) else { return false }
    let state = connections.at(receiver)
    var left = budget
    while let frame = way == .reply ? record.pointee.replies.first : record.pointee.input.first {
      let window = way == .reply ? record.pointee.replies.window : record.pointee.input.window
      guard frame.pointee.cost == 0 || window > 0 else { break }
      guard state.pointee.out.pending < Self.bufferedMax, left > 0 else {
        joinLine(receiver, call, way)
        return true
      }
      _ = way == .reply ? record.pointee.replies.removeFirst() : record.pointee.input.removeFirst()
      state.pointee.heldBytes -= frame.pointee.size
      left -= frame.pointee.size + Limits.frameCostBytes
      var writer = HeaderWriter(state.pointee.out, frame.pointee.isError ? "error" : "data", id: id)
      writer.fields(frame.pointee.fields)
      writer.finish(frame.pointee.content)
      spend(record, way, frame.pointee.cost)
      markDirty(receiver)
      let isLast = frame.pointee.isLast
      HeldFrame.free(frame)
      if isLast {
        finish(call)
        return false
      }
    }
    return false
  }

  // MARK: Room in a connection's buffer

  /// A direction waits for its turn to write to a connection.
  private func joinLine(_ connection: ConnectionIndex, _ call: CallIndex, _ way: Way) {
    let record = calls.at(call)
    switch way {
    case .reply:
      guard !record.pointee.replies.isInLine else { return }
      record.pointee.replies.isInLine = true
      record.pointee.replies.nextInLine = -1
    case .input:
      guard !record.pointee.input.isInLine else { return }
      record.pointee.input.isInLine = true
      record.pointee.input.nextInLine = -1
    }
    let state = connections.at(connection)
    let token = call * 2 + way.rawValue
    if state.pointee.lastInLine >= 0 {
      setNextInLine(state.pointee.lastInLine, token)
    } else {
      state.pointee.firstInLine = token
    }
    state.pointee.lastInLine = token
  }

  private func setNextInLine(_ token: Int32, _ next: Int32) {
    if token & 1 == 0 {
      calls.at(token >> 1).pointee.replies.nextInLine = next
    } else {
      calls.at(token >> 1).pointee.input.nextInLine = next
    }
  }

  private func nextInLine(_ token: Int32) -> Int32 {
    token & 1 == 0
      ? calls.at(token >> 1).pointee.replies.nextInLine
      : calls.at(token >> 1).pointee.input.nextInLine
  }

  /// A direction whose receiver or call has gone leaves the line.
  func leaveLine(_ connection: ConnectionIndex, _ call: CallIndex, _ way: Way) {
    let record = calls.at(call)
    let isInLine =
      way == .reply ? record.pointee.replies.isInLine : record.pointee.input.isInLine
    guard isInLine else { return }
    let state = connections.at(connection)
    let token = call * 2 + way.rawValue
    var previous: Int32 = -1
    var at = state.pointee.firstInLine
    while at != token {
      previous = at
      at = nextInLine(at)
    }
    let next = nextInLine(token)
    if previous >= 0 {
      setNextInLine(previous, next)
    } else {
      state.pointee.firstInLine = next
    }
    if next < 0 { state.pointee.lastInLine = previous }
    switch way {
    case .reply: record.pointee.replies.isInLine = false
    case .input: record.pointee.input.isInLine = false
    }
  }

  /// The socket has taken bytes of a connection: what waited for room goes on, each in its turn.
  public func drained(_ connection: ConnectionIndex) {
    let state = connections.at(connection)
    while state.pointee.out.pending < Self.bufferedMax, state.pointee.firstInLine >= 0 {
      let token = state.pointee.firstInLine
      let call = token >> 1
      let way = Way(rawValue: token & 1)!
      leaveLine(connection, call, way)
      pump(call, way, atMost: Self.turnBytes)
      if calls.isUsed(call) { grant(call, way) }
    }
    guard !isCongested(connection) else { return }
    if !state.pointee.starved.isEmpty {
      let starved = state.pointee.starved
      state.pointee.starved = []
      for token in starved where calls.isUsed(token >> 1) {
        let record = calls.at(token >> 1)
        if token & 1 == 0 {
          record.pointee.replies.isStarved = false
        } else {
          record.pointee.input.isStarved = false
        }
        grant(token >> 1, Way(rawValue: token & 1)!)
      }
    }
    for replica in state.pointee.replicas { serveReplica(replica) }
  }

  // MARK: Credit

  func receiveCredit(_ connection: ConnectionIndex, _ header: Header) -> ConnectionFault? {
    guard let id = header[.id] else {
      return refuseField(connection, header, .missingField, "id")
    }
    guard let entry = connections.at(connection).pointee.ids.find(id) else {
      return checkOpened(connection, id)
    }
    guard let bytes = header[.bytes] else {
      return refuseField(connection, header, .missingField, "bytes")
    }
    guard bytes > 0 else { return nil }
    let call = entry.index
    let credit = Int(min(bytes, UInt64(Limits.windowBytesMax)))
    switch entry.kind {
    case .made:
      let record = calls.at(call)
      record.pointee.replies.window = min(
        record.pointee.replies.window + credit, Limits.windowBytesMax)
      record.pointee.isHeldBack = false
      if record.pointee.state == .lazy {
        startLazy(call)
      } else {
        pump(call, .reply)
        if calls.isUsed(call) { grant(call, .reply) }
      }
    case .hosted:
      let record = calls.at(call)
      record.pointee.input.window = min(
        record.pointee.input.window + credit, Limits.windowBytesMax)
      pump(call, .input)
      grant(call, .input)
    case .registration, .closing:
      break
    }
    return nil
  }

  private func startLazy(_ call: CallIndex) {
    uncharge(call)
    if let failure = admit(call, .held) { return fail(call, failure) }
    let session = calls.at(call).pointee.session
    if session >= 0 { sessions.at(session).pointee.lazyCalls -= 1 }
  }

  /// Input that came while the call waited is now its host's.
  func inputReachedHost(_ call: CallIndex) {
    let record = calls.at(call)
    connections.at(record.pointee.host).pointee.heldBytes += record.pointee.input.heldBytes
    pump(call, .input)
    grant(call, .input)
  }

  /// Permits the sender of a direction what its receiver's window leaves room for.
  func grant(_ call: CallIndex, _ way: Way) {
    let record = calls.at(call)
    let direction = way == .reply ? record.pointee.replies : record.pointee.input
    let (receiver, _) = receiver(record, way)
    let (sender, id) = self.receiver(record, way == .reply ? .input : .reply)
    guard sender >= 0,
      record.pointee.state == .running || record.pointee.state == .waiting
        || record.pointee.state == .abandoned
    else { return }
    if way == .input, !record.pointee.acceptsInput || record.pointee.inputEnded { return }
    let reach = max(min(direction.window, Limits.windowBytesDefault), direction.floor)
    let room = reach - direction.heldCost - direction.allowance
    guard room > 0, room >= direction.step || direction.allowance <= 0 else { return }
    if receiver >= 0, isCongested(receiver) {
      starve(call, way, receiver)
      return
    }
    switch way {
    case .reply: record.pointee.replies.allowance += room
    case .input: record.pointee.input.allowance += room
    }
    var writer = HeaderWriter(connections.at(sender).pointee.out, "credit", id: id)
    writer.integer("bytes", UInt64(room))
    writer.finish()
    markDirty(sender)
  }

  private func starve(_ call: CallIndex, _ way: Way, _ receiver: ConnectionIndex) {
    let record = calls.at(call)
    switch way {
    case .reply:
      guard !record.pointee.replies.isStarved else { return }
      record.pointee.replies.isStarved = true
    case .input:
      guard !record.pointee.input.isStarved else { return }
      record.pointee.input.isStarved = true
    }
    connections.at(receiver).pointee.starved.append(call * 2 + way.rawValue)
  }

  // MARK: Fields

  @inline(__always)
  private static func writeData(_ writer: inout HeaderWriter, _ header: Header) {
    if header.has(.type) { writer.string("type", header[.type]) }
    if header[.part] { writer.truth("part") }
    if header[.end] { writer.truth("end") }
    if header.has(.ext) { writer.object("ext", header[.ext]) }
    if header.has(.contentType) { writer.string("content_type", header[.contentType]) }
  }

  private static func writeError(_ writer: inout HeaderWriter, _ header: Header, isLast: Bool) {
    let code = ErrorCode(rawValue: header[.code].text) ?? .internal
    writer.string("code", code.rawValue)
    if header.has(.reason) { writer.string("reason", header[.reason]) }
    if header.has(.message) {
      writer.string("message", header[.message].prefix(utf8: Limits.errorMessageBytesMax))
    }
    if header.has(.details), header[.details].count <= Limits.detailsBytesMax {
      writer.object("details", header[.details])
    }
    if !isLast { writer.truth("more") }
    if isLast, header[.retry] { writer.truth("retry") }
  }

  /// Data goes into a connection's buffer while less than this waits there.
  static let bufferedMax = 256 << 10
  /// How much one direction writes before the next has its turn.
  private static let turnBytes = 64 << 10
}
