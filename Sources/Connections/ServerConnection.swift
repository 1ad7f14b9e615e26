public import Wire

/// The sidecar's side of one connection: greeting, heartbeats, goodbye. What the frames between
/// them say is the router's.
///
/// It has no socket and no clock; every event brings the time, in milliseconds.
public struct ServerConnection: Sendable {
  public enum Kind: Sendable {
    case unix, tcp
  }

  /// What a frame asks for.
  public enum Reception {
    /// The hello was good: answer `welcome`.
    case greeted(Greeting)
    /// A frame for the router.
    case frame
    /// Answer `pong`.
    case ping
    /// It has answered a `ping`, and so read what was written before that.
    case pong
    case nothing
    case goodbye(timeoutMs: UInt64)
    case fault(ConnectionFault)
  }

  /// What a client has said of itself.
  public struct Greeting: Sendable {
    public var client: String
    public var name: String
    /// Whose token it showed; nil when none was asked for.
    public var token: String?
    /// The optional parts of the protocol that both know.
    public var features: Features
  }

  /// What the passing of time asks for.
  public enum Pulse {
    case ping
    case fault(ConnectionFault)
    case nothing
  }

  private enum State {
    case expectsHello(until: UInt64)
    case open
    case closed
  }

  public let kind: Kind
  private let limits: Limits
  private var state: State
  private var lastHeard: UInt64

  public init(kind: Kind, limits: Limits, now: UInt64) {
    self.kind = kind
    self.limits = limits
    lastHeard = now
    state = .expectsHello(until: now + UInt64(limits.helloTimeoutMs))
  }

  /// How often each side makes itself heard, in milliseconds; 0: the kernel tells.
  public var heartbeatMs: UInt64 {
    switch kind {
    case .unix: UInt64(limits.heartbeatMsUnix)
    case .tcp: UInt64(limits.heartbeatMsTCP)
    }
  }

  public var isOpen: Bool {
    if case .open = state { true } else { false }
  }

  /// Bytes have come. Any byte is a sign of life.
  public mutating func heard(now: UInt64) {
    lastHeard = now
  }

  /// One frame has come.
  @inline(__always)
  public mutating func receive(_ header: Header, _ tokens: TokenList) -> Reception {
    switch state {
    case .open:
      switch header.operation {
      case .ping: return header.wrongField == nil ? .ping : .frame
      case .pong: return header.wrongField == nil ? .pong : .frame
      case .goodbye:
        guard header.wrongField == nil else { return .frame }
        return .goodbye(
          timeoutMs: header[.timeoutMs] ?? UInt64(limits.goodbyeTimeoutMs))
      default: return .frame
      }
    case .expectsHello: return receiveFirst(header, tokens)
    case .closed: return .nothing
    }
  }

  private mutating func receiveFirst(_ header: Header, _ tokens: TokenList) -> Reception {
    let outcome = greet(header, tokens)
    if case .greeted = outcome { state = .open } else { state = .closed }
    return outcome
  }

  private func greet(_ header: Header, _ tokens: TokenList) -> Reception {
    if let field = header.wrongField {
      return .fault(
        ConnectionFault(
          .badField, "hello: field \"\(field)\" has a wrong value", detail: ("field", field)))
    }
    guard header.operation == .hello else {
      if header.operation == .missing {
        return .fault(missing("op"))
      }
      return .fault(
        ConnectionFault(.helloExpected, "the first frame must be hello, not \(header[.op].text)"))
    }
    guard let version = header[.v] else { return .fault(missing("v")) }
    guard version == 1 else {
      return .fault(
        ConnectionFault(
          .versionUnsupported, "version \(version) is not spoken here",
          detail: ("versions", "1")))
    }
    guard header.has(.client) else { return .fault(missing("client")) }
    guard Self.areFeatures(header[.features]) else {
      return .fault(
        ConnectionFault(
          .badField, "hello: features are words separated by single spaces",
          detail: ("field", "features")))
    }
    let owner = tokens.name(of: header[.token])
    if kind == .tcp, owner == nil {
      return .fault(
        ConnectionFault(
          .badToken, header.has(.token) ? "the token is not known" : "a token is needed"))
    }
    return .greeted(
      Greeting(
        client: header[.client].text, name: header[.name].text,
        token: kind == .tcp ? owner : nil, features: Features(naming: header[.features])))
  }

  private func missing(_ field: String) -> ConnectionFault {
    ConnectionFault(
      .missingField, "hello: field \"\(field)\" is missing", detail: ("field", field))
  }

  /// Words of `[a-z][a-z0-9_]*`, separated by single spaces, or nothing.
  private static func areFeatures(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count > 0 else { return true }
    var isAtStart = true
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"): isAtStart = false
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        if isAtStart { return false }
      case UInt8(ascii: " "):
        if isAtStart { return false }
        isAtStart = true
      default: return false
      }
    }
    return !isAtStart
  }

  // MARK: Time

  /// When `pulse` is due next, or nil when nothing is watched.
  public func nextPulse(now: UInt64) -> UInt64? {
    switch state {
    case .expectsHello(let until): return until
    case .open:
      guard heartbeatMs > 0 else { return nil }
      let silent = now - lastHeard
      return lastHeard + (silent / heartbeatMs + 1) * heartbeatMs
    case .closed: return nil
    }
  }

  /// Time has passed since the peer was heard last.
  public mutating func pulse(now: UInt64) -> Pulse {
    switch state {
    case .expectsHello(let until):
      guard now >= until else { return .nothing }
      state = .closed
      return .fault(
        ConnectionFault(.helloTimeout, "no hello within \(limits.helloTimeoutMs) ms"))
    case .open:
      let silent = now - lastHeard
      guard heartbeatMs > 0, silent >= heartbeatMs else { return .nothing }
      guard silent < heartbeatMs * UInt64(limits.heartbeatMisses) else {
        state = .closed
        return .fault(ConnectionFault(.heartbeatTimeout, "nothing heard for \(silent) ms"))
      }
      return .ping
    case .closed: return .nothing
    }
  }

  /// Nothing of this connection counts any more.
  public mutating func close() {
    state = .closed
  }
}
