public import Wire

/// The client's side of a connection: what the protocol lets it say, and what the frames that
/// arrive mean for its calls.
///
/// Synchronous, without I/O and without a clock. The owner of the socket passes it frames and
/// times, takes events, and sends what stands in `out`. Numbering a request and writing it are one
/// step, so ids rise on the wire whoever asked first.
public final class ClientConnection {
  enum Phase {
    /// `hello` is written, nothing has come back.
    case greeting
    case open
    /// One of the sides has said `goodbye`: only calls with a parent are new.
    case leaving
    case down
  }

  /// What an own id was opened for.
  enum Request {
    case register, send, call, subscribe
  }

  /// An own call: what may still be sent, and what has been received but not granted anew.
  struct OwnCall {
    var request: Request
    var inputIsOpen: Bool
    var flow: Flow
  }

  struct HostedCall {
    var inputIsOpen: Bool
    var isCancelled = false
    var flow: Flow
  }

  public let out: OutBuffer
  var phase = Phase.greeting
  var own: [UInt64: OwnCall] = [:]
  var hosted: [UInt64: HostedCall] = [:]
  var closing: Set<UInt64> = []
  /// Signals that agents here were given and have to answer.
  var signalled: Set<UInt64> = []
  /// The optional parts of the protocol that the sidecar knows too.
  var features: Features = []
  var lastOwnID: UInt64 = 0
  var lastPeerID: UInt64 = 0
  private var contentBytesMax = Limits().contentBytesMax
  private var heartbeatMs: UInt64 = 0
  private var heardMs: UInt64 = 0
  private var pingedMs: UInt64 = 0
  /// The last `error` without id: if the connection ends after it, that is why.
  private var complaint: ClientFailure?

  public init(out: OutBuffer) {
    self.out = out
  }

  /// Whether requests may be written.
  public var isOpen: Bool { phase == .open || phase == .leaving }
  /// Whether anything would be lost by closing now.
  public var isIdle: Bool { own.isEmpty && hosted.isEmpty }
  public var hostedCount: Int { hosted.count }
  /// The longest content of a frame, in bytes.
  public var maxContent: Int { contentBytesMax }

  // MARK: - Opening and closing

  /// Writes the first frame. `client` names the library and its version, for the sidecar's
  /// listings.
  public func greet(client: String, token: String?, name: String?, nowMs: UInt64) {
    heardMs = nowMs
    var writer = HeaderWriter(out, "hello")
    writer.integer("v", 1)
    writer.string("client", client)
    if let token { writer.string("token", token) }
    if let name { writer.string("name", name) }
    writer.string("features", Features.all.words)
    writer.finish()
  }

  /// Tells the sidecar that nothing new will be asked; what is open may finish.
  public func sayGoodbye(reason: String, timeoutMs: UInt64) {
    guard phase == .open else { return }
    phase = .leaving
    var writer = HeaderWriter(out, "goodbye")
    writer.string("reason", reason)
    writer.integer("timeout_ms", timeoutMs)
    writer.finish()
  }

  /// The socket is gone: everything open ends `unavailable`/`connection_lost`.
  public func lost(_ why: String, into events: inout [ClientEvent]) {
    fail(complaint ?? ClientFailure(.connectionLost, why), into: &events)
  }

  /// Ends the connection for a reason of its own; the owner closes the socket.
  func fail(_ failure: ClientFailure, into events: inout [ClientEvent]) {
    guard phase != .down else { return }
    phase = .down
    let lost = ClientFailure(.connectionLost, "the connection ended: \(failure.message)")
    for id in own.keys.sorted() { events.append(.ended(id, lost)) }
    for (id, call) in hosted.sorted(by: { $0.key < $1.key }) where !call.isCancelled {
      events.append(.cancelled(id, reason: Reason.connectionLost.rawValue))
    }
    own = [:]
    hosted = [:]
    closing = []
    signalled = []
    events.append(.down(failure))
  }

  /// Says why and ends: for bytes from the sidecar that cannot be trusted.
  public func refuse(_ reason: Reason, _ message: String, into events: inout [ClientEvent]) {
    guard phase != .down else { return }
    writeError(id: nil, ClientFailure(reason, message), isPosition: false)
    let broken = "what came is not the protocol (\(reason.rawValue)): \(message)"
    fail(ClientFailure(.connectionLost, broken), into: &events)
  }

  // MARK: - Time

  /// Bytes have arrived.
  public func heard(nowMs: UInt64) {
    heardMs = nowMs
  }

  /// To be called a few times per heartbeat.
  public func tick(nowMs: UInt64, into events: inout [ClientEvent]) {
    guard heartbeatMs > 0, isOpen else { return }
    let silentMs = nowMs &- heardMs
    if silentMs >= heartbeatMs * 3 {
      let message = "nothing was heard of the sidecar for \(silentMs) ms"
      fail(ClientFailure(.heartbeatTimeout, message), into: &events)
    } else if silentMs >= heartbeatMs, nowMs &- pingedMs >= heartbeatMs {
      pingedMs = nowMs
      HeaderWriter.write(out, "ping")
    }
  }

  /// Asks for a sign of life; `pong` answers.
  public func ping() {
    if isOpen { HeaderWriter.write(out, "ping") }
  }

  // MARK: - Receiving

  /// A frame has arrived. Its slices need to live only until this returns.
  public func received(_ header: Header, _ content: Content, into events: inout [ClientEvent]) {
    if phase == .down { return }
    if phase == .greeting {
      receivedFirst(header, into: &events)
      return
    }
    switch header.operation {
    case .ping: HeaderWriter.write(out, "pong")
    case .pong: events.append(.pong)
    case .goodbye:
      // By its operator's word the connection stays, and the sidecar refuses what is new.
      if header[.reason].text != "drained" { phase = .leaving }
      let timeoutMs = header[.timeoutMs] ?? UInt64(Limits().goodbyeTimeoutMs)
      events.append(.goodbye(reason: header[.reason].text, timeoutMs: timeoutMs))
    case .error where !header.has(.id): complaint = ClientFailure(header)
    case .ok, .data, .error, .cancel, .credit, .call, .close, .signal:
      guard let id = header[.id] else {
        refuse(.badID, "\(header.operation.word) without an id", into: &events)
        return
      }
      receivedNumbered(id, header, content, into: &events)
    // A later version's operation, which this one can do without.
    case .missing, .unknown, .hello, .welcome, .register, .send, .publish, .subscribe, .splice:
      break
    }
  }

  private func receivedFirst(_ header: Header, into events: inout [ClientEvent]) {
    switch header.operation {
    case .welcome:
      phase = .open
      features = Features(naming: header[.features])
      contentBytesMax = header[.maxContent].map { Int($0) } ?? contentBytesMax
      heartbeatMs = header[.heartbeatMs] ?? 0
      let welcome = Welcome(
        server: header[.server].text, connection: header[.connection].text,
        contentBytesMax: contentBytesMax, heartbeatMs: heartbeatMs)
      events.append(.opened(welcome))
    case .error: fail(ClientFailure(header), into: &events)
    // A later version's, which this one can do without.
    case .unknown: break
    default: refuse(.badID, "\(header[.op].text) before welcome", into: &events)
    }
  }

  private func receivedNumbered(
    _ id: UInt64, _ header: Header, _ content: Content, into events: inout [ClientEvent]
  ) {
    let opens =
      header.operation == .call || header.operation == .close || header.operation == .signal
    if opens {
      guard id % 2 == 0, id > lastPeerID else {
        refuse(.badID, "\(header.operation.word) with id \(id) after \(lastPeerID)", into: &events)
        return
      }
      lastPeerID = id
      if header.operation == .call {
        receivedCall(id, header, content, into: &events)
      } else if header.operation == .signal {
        receivedSignal(id, header, content, into: &events)
      } else {
        closing.insert(id)
        events.append(.close(id, address: header[.to].text, reason: header[.reason].text))
      }
      return
    }
    guard id <= (id % 2 == 0 ? lastPeerID : lastOwnID) else {
      refuse(.badID, "\(header.operation.word) for id \(id), never opened", into: &events)
      return
    }
    // An id that is not in its table has ended: the frame crossed its end and means nothing.
    if id % 2 == 0 {
      if hosted[id] != nil { receivedForHosted(id, header, content, into: &events) }
    } else if own[id] != nil {
      receivedForOwn(id, header, content, into: &events)
    }
  }
}

extension HeaderWriter {
  /// A frame that is its operation and nothing else.
  static func write(_ out: OutBuffer, _ op: StaticString, id: UInt64? = nil) {
    var writer = HeaderWriter(out, op, id: id)
    writer.finish()
  }
}
