internal import Discovery
internal import Wire

/// What receivers permit, and what their senders are permitted for it.
extension Router {
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
    let credit = Int(min(bytes, UInt64(Limits.windowBytesMax)))
    switch entry.kind {
    case .made: readerGrants(entry.index, credit)
    case .hosted:
      widen(entry.index, .input, by: credit)
      pump(entry.index, .input)
      grant(entry.index, .input)
    case .subscription: subscriberGrants(entry.index, credit)
    case .registration, .closing, .signal, .givenSignal: break
    }
    return nil
  }

  private func widen(_ call: CallIndex, _ way: Way, by credit: Int) {
    let direction = direction(call, way)
    direction.pointee.window = min(direction.pointee.window + credit, Limits.windowBytesMax)
  }

  private func readerGrants(_ call: CallIndex, _ credit: Int) {
    widen(call, .reply, by: credit)
    calls.at(call).pointee.isHeldBack = false
    if calls.at(call).pointee.reading >= 0 { return readerOfRunGrants(call) }
    if calls.at(call).pointee.state == .lazy { return startLazy(call) }
    pump(call, .reply)
    if calls.isUsed(call) { grant(call, .reply) }
  }

  /// The first credit starts a lazy call: it joins mailbox or line now [CAL-12].
  func startLazy(_ call: CallIndex) {
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

  /// What waits for a direction's receiver, by what it will cost it.
  @inline(__always)
  private func heldCost(_ call: CallIndex, _ way: Way) -> Int {
    let record = calls.at(call)
    guard way == .reply else { return record.pointee.input.heldCost }
    var cost = record.pointee.replies.heldCost
    if record.pointee.lane >= 0 {
      cost += lanes.at(record.pointee.lane).pointee.messages.heldCost
    }
    if record.pointee.run >= 0 {
      cost += behind(record.pointee.run)
    } else if record.pointee.isSpliced, isAtFront(call) {
      let run = calls.at(root(of: call)).pointee.run
      if run >= 0 { cost += behind(run) }
    }
    return cost
  }

  /// Permits the sender of a direction what its receiver's window leaves room for, once that is
  /// worth a frame [CRD-7].
  ///
  /// A spliced call that the reader has come to is never kept without credit: what congests the
  /// reader's connection may stand behind it.
  func grant(_ call: CallIndex, _ way: Way) {
    let record = calls.at(call)
    let direction = direction(call, way)
    var sender = receiver(call, way == .reply ? .input : .reply)
    if way == .input, record.pointee.run >= 0 { sender = inputSource(of: record.pointee.run) }
    guard sender.connection >= 0, record.pointee.state != .delivering else { return }
    if way == .input, !record.pointee.acceptsInput || record.pointee.inputEnded { return }
    let isSpliced = way == .reply && record.pointee.isSpliced
    let window = isSpliced ? readerWindow(call) : direction.pointee.window
    let reach = max(min(window, Limits.windowBytesDefault), direction.pointee.floor)
    let room = reach - heldCost(call, way) - direction.pointee.allowance
    guard room > 0, room >= direction.pointee.step || direction.pointee.allowance <= 0 else {
      return
    }
    var receiver = receiver(call, way).connection
    if way == .reply, record.pointee.run >= 0 { receiver = pacingConnection(record.pointee.run) }
    if receiver >= 0, isCongested(receiver), !(isSpliced && window != .min) {
      return starve(receiver, call, way)
    }
    direction.pointee.allowance += room
    var writer = HeaderWriter(
      connections.at(sender.connection).pointee.out, "credit", id: sender.id)
    writer.integer("bytes", UInt64(room))
    writer.finish()
    markDirty(sender.connection)
  }
}
