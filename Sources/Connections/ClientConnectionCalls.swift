public import Wire

/// The two windows of a call, as this side sees them. In bytes, C + 256 a frame.
struct Flow {
  /// What may still be sent; a frame may be sent while it is above zero.
  var sendBytes: Int
  /// What the peer may still send.
  var receiveBytes: Int
  /// Consumed here and not granted anew yet.
  private var owedBytes = 0
  private let thresholdBytes: Int

  init(sendBytes: Int, receiveBytes: Int) {
    self.sendBytes = sendBytes
    self.receiveBytes = receiveBytes
    thresholdBytes = ClientConnection.grantBytes(window: receiveBytes)
  }

  /// Whether the peer was allowed this frame.
  mutating func received(_ cost: Int) -> Bool {
    guard receiveBytes > 0 else { return false }
    receiveBytes -= cost
    return true
  }

  /// What to grant now, if it is worth a frame.
  mutating func consumed(_ bytes: Int) -> Int? {
    owedBytes += bytes
    guard owedBytes >= thresholdBytes else { return nil }
    defer { owedBytes = 0 }
    receiveBytes += owedBytes
    return owedBytes
  }
}

extension ClientConnection {
  /// Credit is granted when this much of a window has been consumed: half of it, so that the sender
  /// is not stopped while the grant travels, and a window of 1 is granted frame by frame.
  public static func grantBytes(window: Int) -> Int { max(window / 2, 1) }

  // MARK: - Asking

  /// Writes a call and returns its id.
  public func open(_ call: OutgoingCall) throws(ClientFailure) -> UInt64 {
    try mayOpen(hasParent: call.parent != nil)
    try mayCarry(call.carried, beside: call.to, call.from, call.trace)
    let id = nextID()
    var writer = HeaderWriter(out, "call", id: id)
    call.write(into: &writer)
    let windowBytes = call.isLazy || call.isHeld ? 0 : call.windowBytes
    if let windowBytes { writer.integer("window", UInt64(max(windowBytes, 0))) }
    if !call.run.isEmpty { writer.string("run", call.run) }
    if call.hasInput { writer.truth("input") }
    if call.isLazy { writer.truth("lazy") }
    if call.isDetached { writer.truth("detach") }
    writer.finish(bytes: call.first?.content ?? [])
    let flow = Flow(
      sendBytes: Limits.windowBytesDefault - call.costBytes,
      receiveBytes: windowBytes ?? Limits.windowBytesDefault)
    own[id] = OwnCall(request: .call, inputIsOpen: call.hasInput, flow: flow)
    return id
  }

  /// Writes a one-way message. With `acknowledged`, an id that `accepted` or `ended` answers.
  public func send(
    _ call: OutgoingCall, acknowledged: Bool
  ) throws(ClientFailure) -> UInt64? {
    try mayOpen(hasParent: call.parent != nil)
    try mayCarry(call.carried, beside: call.to, call.from, call.trace)
    let id = acknowledged ? nextID() : nil
    var writer = HeaderWriter(out, "send", id: id)
    call.write(into: &writer)
    if call.observes { writer.truth("observe") }
    writer.finish(bytes: call.first?.content ?? [])
    if let id {
      own[id] = OwnCall(
        request: .send, inputIsOpen: false, flow: Flow(sendBytes: 0, receiveBytes: 0))
    }
    return id
  }

  /// Writes a registration. `registered` says when it took effect, `ended` when it is over.
  public func register(_ registration: Registration) throws(ClientFailure) -> UInt64 {
    try mayOpen(hasParent: false)
    let labels = Piece(registration.operations, ext: registration.labels)
    try mayCarry(labels, beside: registration.name, registration.description, registration.version)
    let id = nextID()
    var writer = HeaderWriter(out, "register", id: id)
    registration.write(into: &writer)
    writer.finish(bytes: registration.operations)
    own[id] = OwnCall(
      request: .register, inputIsOpen: false, flow: Flow(sendBytes: 0, receiveBytes: 0))
    return id
  }

  /// Ends what an own id opened. Its `ended` still comes, from the sidecar.
  public func cancel(_ id: UInt64) {
    guard own[id] != nil else { return }
    own[id]?.inputIsOpen = false
    HeaderWriter.write(out, "cancel", id: id)
  }

  /// Writes a frame of the input of an own call, or of the replies of a hosted one. `end`: the
  /// last.
  ///
  /// False when the direction has ended meanwhile. To write without credit is the owner's mistake.
  @discardableResult
  public func write(_ piece: Piece, on id: UInt64, end: Bool = false) -> Bool {
    if id % 2 == 0 {
      guard let call = hosted[id] else { return false }
      precondition(call.flow.sendBytes > 0, "a reply was written without credit")
      hosted[id]!.flow.sendBytes -= piece.cost
      if end { hosted[id] = nil }
    } else {
      guard let call = own[id], call.inputIsOpen else { return false }
      precondition(call.flow.sendBytes > 0, "input was written without credit")
      own[id]!.flow.sendBytes -= piece.cost
      if end { own[id]!.inputIsOpen = false }
    }
    var writer = HeaderWriter(out, "data", id: id)
    piece.write(into: &writer)
    if piece.isPart && !end { writer.truth("part") }
    if piece.isUnordered { writer.truth("unordered") }
    if end { writer.truth("end") }
    writer.finish(bytes: piece.content)
    return true
  }

  /// Ends the input of an own call, or a hosted call as a whole, with no further message.
  public func end(_ id: UInt64) {
    if id % 2 == 0 {
      guard hosted.removeValue(forKey: id) != nil else { return }
    } else {
      guard own[id]?.inputIsOpen == true else { return }
      own[id]!.inputIsOpen = false
    }
    var writer = HeaderWriter(out, "data", id: id)
    writer.truth("end")
    writer.finish()
  }

  /// What has been received on the id was consumed: it may be replaced.
  public func consumed(_ bytes: Int, on id: UInt64) {
    let grant =
      id % 2 == 0 ? hosted[id]?.flow.consumed(bytes) : own[id]?.flow.consumed(bytes)
    guard let grant else { return }
    if id % 2 == 0, hosted[id]?.inputIsOpen == false { return }
    var writer = HeaderWriter(out, "credit", id: id)
    writer.integer("bytes", UInt64(grant))
    writer.finish()
  }

  func nextID() -> UInt64 {
    lastOwnID = lastOwnID == 0 ? 1 : lastOwnID + 2
    return lastOwnID
  }

  func mayOpen(hasParent: Bool) throws(ClientFailure) {
    switch phase {
    case .open: break
    case .leaving:
      if !hasParent {
        var failure = ClientFailure(.draining, "the connection takes nothing new")
        failure.retry = true
        throw failure
      }
    case .greeting, .down: throw ClientFailure(.connectionLost, "there is no connection")
    }
  }

  /// The sidecar ends a connection that sends a longer header or content, so neither is written.
  func mayCarry(_ piece: Piece, beside texts: String...) throws(ClientFailure) {
    let contentBytes = piece.content.count
    if contentBytes > maxContent {
      throw ClientFailure(.tooLarge, "content of \(contentBytes) bytes exceeds \(maxContent)")
    }
    let extBytes = piece.ext.count
    if extBytes > Limits.extBytesMax {
      throw ClientFailure(.tooLarge, "ext of \(extBytes) bytes exceeds \(Limits.extBytesMax)")
    }
    let headerBytes = texts.reduce(piece.headerBytes) { $0 + $1.escapedBytes }
    if headerBytes > Self.fieldBytesMax {
      let message = "header fields of \(headerBytes) bytes exceed \(Self.fieldBytesMax)"
      throw ClientFailure(.tooLarge, message)
    }
  }

  /// What is left of a header for texts when keys and integers have had their share.
  static let fieldBytesMax = Limits.headerBytesMaxClient - 1024

  // MARK: - Being answered

  func receivedForOwn(
    _ id: UInt64, _ header: Header, _ content: Content, into events: inout [ClientEvent]
  ) {
    let request = own[id]!.request
    switch header.operation {
    case .ok:
      switch request {
      case .register, .subscribe: events.append(.registered(id))
      case .send:
        own[id] = nil
        events.append(.accepted(id))
      case .call: break
      }
    case .error:
      if header[.more] {
        if takes(id, Limits.frameCostBytes, into: &events) {
          events.append(.failedAt(id, ClientFailure(header)))
        }
      } else {
        own[id] = nil
        events.append(.ended(id, ClientFailure(header)))
      }
    case .data:
      if request == .subscribe { return receivedMessage(id, header, content, into: &events) }
      guard request == .call else { return }
      if !isBareEnd(header, content) {
        let piece = Piece(header, content)
        guard takes(id, piece.cost, into: &events) else { return }
        events.append(.piece(id, piece))
      }
      if header[.end] {
        own[id] = nil
        events.append(.ended(id, nil))
      }
    case .credit:
      let bytes = Int(header[.bytes] ?? 0)
      own[id]!.flow.sendBytes += bytes
      events.append(.credit(id, bytes))
    default: break
    }
  }

  /// Takes a frame out of the window; a sender that ignores the window loses the call.
  func takes(_ id: UInt64, _ cost: Int, into events: inout [ClientEvent]) -> Bool {
    if own[id]!.flow.received(cost) { return true }
    own[id] = nil
    HeaderWriter.write(out, "cancel", id: id)
    let failure = ClientFailure(.windowExceeded, "more replies came than the window allows")
    events.append(.ended(id, failure))
    return false
  }

  /// `end` alone: it is no message of its own.
  func isBareEnd(_ header: Header, _ content: Content) -> Bool {
    header[.end] && content.isEmpty && !header.has(.type) && !header.has(.contentType)
  }
}

extension OutgoingCall {
  /// What counts against the limits of a frame.
  fileprivate var carried: Piece {
    var piece = first ?? Piece([])
    if !ext.isEmpty { piece.ext = ext }
    return piece
  }
}

extension HeaderWriter {
  mutating func finish(bytes: [UInt8]) {
    bytes.withUnsafeBytes { finish(Content($0)) }
  }
}
