public import Wire

/// What a client signals: the fields of `signal`.
public struct OutgoingSignal: Sendable {
  /// Whom it concerns.
  public enum Target: Sendable {
    /// An agent, or a session of one.
    case address(String)
    case run(String)
    /// A call of this connection's own, by its id.
    case call(UInt64)
  }

  public var target: Target
  public var name: String
  /// The payload; nil for none.
  public var payload: Piece?
  /// Who signals, if it is an agent registered on this connection.
  public var from = ""
  /// The incoming call that this one serves.
  public var parent: UInt64?

  public init(_ target: Target, name: String, payload: Piece?) {
    self.target = target
    self.name = name
    self.payload = payload
  }
}

/// A signal that an agent of this connection is given.
public struct IncomingSignal: Sendable {
  public let id: UInt64
  /// The call that it is about, which is being handled here; nil: an agent or a session.
  public let call: UInt64?
  /// The agent or session; empty where it is about a call.
  public let to: String
  public let name: String
  /// The agent that signals; empty for none.
  public let from: String
  /// Nil where there is no payload.
  public let payload: Piece?

  init(id: UInt64, _ header: Header, _ content: Content) {
    self.id = id
    call = header[.call]
    to = header[.to].text
    name = header[.name].text
    from = header[.from].text
    payload = content.isEmpty && !header.has(.contentType) ? nil : Piece(header, content)
  }
}

/// Signals, as a client sends them and is given them.
extension ClientConnection {
  /// Writes a signal; also while the sidecar drains. With `acknowledged`, an id that `accepted` or
  /// `ended` answers.
  public func signal(
    _ signal: OutgoingSignal, acknowledged: Bool
  ) throws(ClientFailure) -> UInt64? {
    try mayOpen(hasParent: true)
    guard features.contains(.signals) else {
      throw ClientFailure(.noSignals, "the sidecar takes no signals")
    }
    if case .call(let call) = signal.target, own[call]?.request != .call {
      throw ClientFailure(.notRunning, "the call has ended")
    }
    let payload = signal.payload ?? Piece([])
    try mayCarry(payload, beside: signal.name, signal.from)
    let id = acknowledged ? nextID() : nil
    var writer = HeaderWriter(out, "signal", id: id)
    switch signal.target {
    case .address(let to): writer.string("to", to)
    case .run(let run): writer.string("run", run)
    case .call(let call): writer.integer("call", call)
    }
    writer.string("name", signal.name)
    if !payload.contentType.isEmpty { writer.string("content_type", payload.contentType) }
    if !signal.from.isEmpty { writer.string("from", signal.from) }
    if let parent = signal.parent { writer.integer("parent", parent) }
    writer.finish(bytes: payload.content)
    if let id {
      own[id] = OwnCall(
        request: .send, inputIsOpen: false, flow: Flow(sendBytes: 0, receiveBytes: 0))
    }
    return id
  }

  func receivedSignal(
    _ id: UInt64, _ header: Header, _ content: Content, into events: inout [ClientEvent]
  ) {
    let signal = IncomingSignal(id: id, header, content)
    if let call = signal.call {
      guard call % 2 == 0, call < id else {
        refuse(.badID, "a signal about the call \(call), never made", into: &events)
        return
      }
      // It has crossed the call's end.
      guard let hosted = hosted[call], !hosted.isCancelled else {
        HeaderWriter.write(out, "ok", id: id)
        return
      }
    }
    signalled.insert(id)
    events.append(.signalled(signal))
  }

  /// Answers a signal that an agent here was given: nil for `ok`, or why it was not taken.
  public func answer(signal id: UInt64, _ failure: ClientFailure?) {
    guard signalled.remove(id) != nil else { return }
    if let failure {
      writeError(id: id, failure, isPosition: false)
    } else {
      HeaderWriter.write(out, "ok", id: id)
    }
  }
}
