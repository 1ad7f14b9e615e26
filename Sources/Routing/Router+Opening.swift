internal import Discovery
internal import Wire

/// Opening a call: `call` and `send`.
extension Router {
  /// Where a message goes: an agent, and a session of it or none.
  struct Target {
    var agent: AgentIndex
    var session: SessionIndex = -1
    /// The address of a session that is not there yet.
    var newSession: UnsafeRawBufferPointer?
  }

  func receiveCall(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content
  ) -> ConnectionFault? {
    guard let id = header[.id] else {
      return refuseField(connection, header, .missingField, "id")
    }
    if let fault = claim(connection, id) { return fault }
    let total = metrics.calls.total
    if let failure = open(connection, id, header, content) {
      // What was refused before it became a call has failed all the same.
      if metrics.calls.total == total { countRefused(failure) }
      refuseCall(connection, id, header, failure)
    }
    return nil
  }

  /// A `send` becomes a call without a caller; its `ok` says that it is in the mailbox
  /// [SND-2, SND-3].
  func receiveSend(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content
  ) -> ConnectionFault? {
    let id = header[.id]
    if let id, let fault = claim(connection, id) { return fault }
    metrics.sends &+= 1
    if let failure = open(connection, nil, header, content) {
      metrics.sendsLost &+= 1
      // Without an id only what is malformed is answered, to nobody in particular.
      if id != nil || failure.reason == .missingField || failure.reason == .badField {
        refuse(connection, id, failure)
      }
    } else if let id {
      var writer = HeaderWriter(connections.at(connection).pointee.out, "ok", id: id)
      writer.finish()
      markDirty(connection)
    }
    return nil
  }

  /// Opens a call for `connection`, or, without an id, a send. Returns why it cannot be.
  private func open(
    _ connection: ConnectionIndex, _ id: UInt64?, _ header: Header, _ content: Content
  ) -> Failure? {
    if id != nil, let failure = tooManyIDs(connection) { return failure }
    if let failure = checkFields(header) { return failure }
    let parent: CallIndex
    switch origin(connection, header) {
    case .success(let found): parent = found
    case .failure(let failure): return failure.failure
    }
    let isRun = id != nil && header.has(.run)
    if isRun, let id, let run = findRun(connection, header) {
      return repeatRun(run, connection, id, header, content, parent)
    }
    var target: Target
    switch resolve(header[.to]) {
    case .success(let found): target = found
    case .failure(let failure): return failure.failure
    }
    if isRun, let failure = checkNewRun(target) { return failure }
    if parent >= 0, id != nil, let failure = checkCycle(target, parent) { return failure }
    if let failure = makeSession(&target) { return failure }

    let call = makeCall(connection, id, header, content, target, parent)
    let failure: Failure?
    if header[.lazy], id != nil {
      calls.at(call).pointee.state = .lazy
      calls.at(call).pointee.opening = holdOpening(call, header, content)
      if target.session >= 0 { sessions.at(target.session).pointee.lazyCalls += 1 }
      failure = addWaiting(call, content.count) ? nil : mailboxesFull()
    } else {
      failure = admit(call, .header(header, content))
    }
    if let failure {
      discard(call, failure)
      return failure
    }
    if isRun { becomeRun(call, header, content) }
    // Its `from` is written; from here on nothing ties it to its parent [PAR-4, PAR-10].
    if header[.detach] || (id == nil && parent >= 0) { orphan(call) }
    return nil
  }

  func tooManyIDs(_ connection: ConnectionIndex) -> Failure? {
    let state = connections.at(connection)
    guard state.pointee.ids.count - Int(state.pointee.givenIDs) >= limits.openIDsMax else {
      return nil
    }
    return Failure(
      .tooManyIDs, "\(limits.openIDsMax) ids are open on this connection", mayRetry: true)
  }

  /// The call that a new message serves, -1 for none; or why it may not be sent, or not under that
  /// name [CAL-8, CON-13, DRN-2, SIG-15, PAR-5 to PAR-7].
  func origin(
    _ connection: ConnectionIndex, _ header: Header
  ) -> Result<CallIndex, FailureError> {
    func refused(_ failure: Failure) -> Result<CallIndex, FailureError> {
      .failure(FailureError(failure: failure))
    }
    var parent: CallIndex = -1
    if let parentID = header[.parent] {
      switch findParent(connection, parentID) {
      case .success(let found): parent = found
      case .failure(let failure): return .failure(failure)
      }
    } else if header.operation != .signal, let failure = takesNothing(from: connection) {
      return refused(failure)
    }
    let from = header[.from]
    if from.count > 0, Address(from) == nil {
      return refused(
        Failure(.badAddress, "\"\(from.text)\" is no address", detail: ("field", .text("from"))))
    }
    if parent < 0, from.count > 0, !isRegistered(from, on: connection) {
      return refused(
        Failure(
          .fromNotRegistered, "\"\(from.text)\" is not registered on this connection",
          detail: ("field", .text("from"))))
    }
    return .success(parent)
  }

  /// A failure where Swift wants an `Error`.
  struct FailureError: Error {
    let failure: Failure
  }

  private func checkFields(_ header: Header) -> Failure? {
    guard header.has(.to) else {
      return Failure(
        .missingField, "\(header[.op].text): field \"to\" is missing",
        detail: ("field", .text("to")))
    }
    if header.has(.run), header.operation == .call, let failure = checkRun(header) {
      return failure
    }
    if header[.ext].count > Limits.extBytesMax {
      return Failure(
        .badField, "ext of \(header[.ext].count) bytes exceeds \(Limits.extBytesMax)",
        detail: ("field", .text("ext")))
    }
    return nil
  }

  /// The call that `connection` handles under `id` [PAR-1, PAR-5, PAR-6, PAR-7].
  private func findParent(
    _ connection: ConnectionIndex, _ id: UInt64
  ) -> Result<CallIndex, FailureError> {
    func refused(_ reason: Reason, _ message: String) -> Result<CallIndex, FailureError> {
      .failure(FailureError(failure: Failure(reason, message)))
    }
    let state = connections.at(connection)
    guard id & 1 == 0, id != 0, id <= state.pointee.lastGiven else {
      return .failure(
        FailureError(
          failure: Failure(
            .badField, "parent \(id) is no call that this connection handles",
            detail: ("field", .text("parent")))))
    }
    guard let entry = state.pointee.ids.find(id), entry.kind == .hosted,
      calls.at(entry.index).pointee.state == .running
    else {
      return refused(.parentEnded, "the call \(id) that this serves has ended")
    }
    guard calls.at(entry.index).pointee.depth < limits.callDepthMax else {
      return .failure(FailureError(failure: tooDeep(entry.index)))
    }
    return .success(entry.index)
  }

  /// Who has called whom, for him who has to find out why nobody ends it [PAR-7, SPL-12].
  private func tooDeep(_ call: CallIndex) -> Failure {
    var path: [String] = []
    var ancestor = call
    while ancestor >= 0, path.count < 8 {
      path.append(registry.name(of: calls.at(ancestor).pointee.agent).text)
      ancestor = calls.at(ancestor).pointee.parent
    }
    return Failure(
      .callDepth, "calls are nested deeper than \(limits.callDepthMax)",
      detail: ("path", .text(path.reversed().joined(separator: " "))))
  }

  /// Whether a client may call itself that [CAL-8].
  private func isRegistered(
    _ address: UnsafeRawBufferPointer, on connection: ConnectionIndex
  ) -> Bool {
    guard let parsed = Address(address), let agent = registry.find(parsed.name) else {
      return false
    }
    return connections.at(connection).pointee.replicas.contains {
      replicas.at($0).pointee.agent == agent
    }
  }

  /// Who is meant by an address [ADR-1, ADR-4, CAL-5, CAL-13].
  private func resolve(_ to: UnsafeRawBufferPointer) -> Result<Target, FailureError> {
    // Most addresses are known, and what is known has been checked before.
    if let agent = registry.find(to) { return .success(Target(agent: agent)) }
    if let session = sessionTable.find(to) {
      return .success(Target(agent: sessions.at(session).pointee.agent, session: session))
    }
    guard let address = Address(to) else {
      return .failure(
        FailureError(
          failure: Failure(
            .badAddress, "\"\(to.text)\" is no address: name or name:session",
            detail: ("field", .text("to")))))
    }
    guard let agent = registry.find(address.name) else {
      return .failure(
        FailureError(failure: Failure(.unknownAgent, "no agent \"\(address.name.text)\"")))
    }
    // The sidecar's own agents have no sessions.
    if agents[Int(agent)].isSystem { return .success(Target(agent: agent)) }
    return .success(Target(agent: agent, newSession: to))
  }

  /// A call may not wait for a session that one of its own ancestors holds [PAR-8].
  private func checkCycle(_ target: Target, _ parent: CallIndex) -> Failure? {
    guard target.session >= 0 else { return nil }
    let session = sessions.at(target.session)
    guard session.pointee.replica >= 0,
      session.pointee.running >= replicas.at(session.pointee.replica).pointee.sessionConcurrency
    else { return nil }
    var ancestor = parent
    while ancestor >= 0 {
      if calls.at(ancestor).pointee.session == target.session {
        return Failure(
          .callCycle, "\"\(session.pointee.address.text)\" is held by a call that this one serves")
      }
      ancestor = calls.at(ancestor).pointee.parent
    }
    return nil
  }

  func makeCall(
    _ connection: ConnectionIndex, _ id: UInt64?, _ header: Header, _ content: Content,
    _ target: Target, _ parent: CallIndex
  ) -> CallIndex {
    let state = connections.at(connection)
    let isSend = id == nil
    let window = isSend ? Int(Limits.windowBytesMax) : requestedWindow(header)
    let input = !isSend && header[.input]
    // The content of the call is the first input message; without `input` it is the only one
    // [CAL-2, CRD-1].
    let firstCost = input && content.isEmpty ? 0 : content.count + Limits.frameCostBytes
    let inputRoom = Limits.windowBytesDefault - firstCost
    var call = Call(
      state: .waiting, caller: isSend ? -1 : connection, callerID: id ?? 0, agent: target.agent,
      session: target.session, origin: connection, originSerial: state.pointee.serial,
      opened: nowMicros,
      replies: Direction(
        window: window,
        allowance: window == 0
          ? Limits.heldWindowBytes : min(window, Limits.windowBytesDefault)),
      input: Direction(window: inputRoom, allowance: inputRoom))
    call.isOneway = isSend
    call.isObserve = isSend && header[.observe] && header.operation == .send
    call.isHeldBack = window == 0
    call.acceptsInput = input
    call.inputEnded = !input
    call.type = words.number(header[.type])
    if parent < 0 { call.from = words.number(header[.from]) }
    // What is detached, and a send, may outlive its parent.
    call.deadline = deadline(header, isSend || header[.detach] ? -1 : parent)
    let index = calls.insert(call)
    if let id { state.pointee.ids.insert(id, .made, index) }
    startTimer(index)
    if parent >= 0 { adopt(index, parent) }
    countOpened(target.agent)
    return index
  }

  /// Sets the timer of a call that has a deadline.
  func startTimer(_ call: CallIndex) {
    let record = calls.at(call)
    guard record.pointee.deadline > 0 else { return }
    record.pointee.timer = timers.set(.deadline, call, due: record.pointee.deadline)
  }

  func requestedWindow(_ header: Header) -> Int {
    guard let window = header[.window] else { return Limits.windowBytesDefault }
    return Int(min(window, UInt64(Limits.windowBytesMax)))
  }

  /// The time by which a call must end: its own, and at most its parent's [DLN-1, PAR-2]. 0: none.
  func deadline(_ header: Header, _ parent: CallIndex) -> UInt64 {
    var deadline: UInt64 = 0
    if let timeout = header[.timeoutMs], timeout > 0 { deadline = now + timeout }
    guard parent >= 0 else { return deadline }
    let inherited = calls.at(parent).pointee.deadline
    guard inherited > 0 else { return deadline }
    return deadline == 0 ? inherited : min(deadline, inherited)
  }

  func adopt(_ child: CallIndex, _ parent: CallIndex) {
    calls.at(child).pointee.depth = calls.at(parent).pointee.depth + 1
    calls.at(child).pointee.parent = parent
    calls.at(child).pointee.hasParent = true
    let sibling = calls.at(parent).pointee.firstChild
    calls.at(child).pointee.nextSibling = sibling
    if sibling >= 0 { calls.at(sibling).pointee.previousSibling = child }
    calls.at(parent).pointee.firstChild = child
  }
}

extension Router {
  /// Where the opening frame of a call is: just read, or held since.
  enum Opening {
    case header(Header, Content)
    case held
  }

  /// Keeps the opening frame of a call that cannot start yet.
  func holdOpening(
    _ call: CallIndex, _ header: Header, _ content: Content
  ) -> UnsafeMutablePointer<HeldFrame> {
    var writer = HeaderWriter(tailInto: scratch)
    writeOpening(&writer, call, header)
    writer.finishTail()
    let fields = scratch.takeAll()
    return HeldFrame.make(
      fields: fields, content: content, cost: 0, isError: false, isLast: false)
  }

  /// The fields of a call that are the same whenever it starts [CAL-6, CAL-8].
  func writeOpening(_ writer: inout HeaderWriter, _ call: CallIndex, _ header: Header) {
    let isPublished = header.operation == .publish
    writer.string("to", isPublished ? address(of: call) : header[.to])
    let parent = calls.at(call).pointee.parent
    if parent >= 0 {
      writer.string("from", address(of: parent))
    } else if header.has(.from), !header.has(.parent) {
      writer.string("from", header[.from])
    }
    if isPublished {
      writer.string("topic", header[.topic])
      writer.string("source", header[.source])
    }
    if header.has(.type) { writer.string("type", header[.type]) }
    if header.has(.trace) { writer.string("trace", header[.trace]) }
    if header.has(.ext) { writer.object("ext", header[.ext]) }
    if header.has(.contentType) { writer.string("content_type", header[.contentType]) }
    if calls.at(call).pointee.acceptsInput { writer.truth("input") }
  }

  /// The address that a call was made to; empty for what stands for no call of its own: a refusal
  /// that is held, a reader of a run.
  func address(of call: CallIndex) -> UnsafeRawBufferPointer {
    let record = calls.at(call)
    guard record.pointee.agent >= 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return record.pointee.session >= 0
      ? sessions.at(record.pointee.session).pointee.address
      : registry.name(of: record.pointee.agent)
  }
}
