public import Discovery
public import Wire

/// Why a call, or what else an id stands for, cannot be.
struct Failure {
  let reason: Reason
  let message: String
  /// No agent's code has seen the call: it may be repeated.
  var mayRetry = false
  var detail: (key: StaticString, value: Detail)?

  enum Detail {
    case text(String)
    case integer(UInt64)
  }

  init(
    _ reason: Reason, _ message: String, mayRetry: Bool = false,
    detail: (key: StaticString, value: Detail)? = nil
  ) {
    self.reason = reason
    self.message = message
    self.mayRetry = mayRetry
    self.detail = detail
  }
}

/// Brings every message from who sends it to who handles it, and every reply back.
///
/// It is synchronous: an event comes in (a frame, a lost connection, a timer), and what follows
/// from it is appended to connections' out buffers before the call returns. It has no socket and no
/// clock; the owner says what time it is, in `now`, before each event.
///
/// Its parts: `Router+Opening` (call and send), `Router+Placement` (which replica),
/// `Router+Waiting` and `Router+Serving` (mailboxes, lines, who is next), `Router+Flow`,
/// `Router+Credit` and `Router+Turns` (messages on their way), `Router+Splicing`,
/// `Router+Weaving` and `Router+HeldEnds` (replies put into others), `Router+Ending` (terminal
/// frames, cancel, deadlines), `Router+Sessions`, `Router+Hosts` (register, lost connections,
/// goodbye), `Router+Draining`, `Router+Topics` and `Router+Publishing`, `Router+Signals` and
/// `Router+GivenSignals` (the control lane), `Router+Runs`, `Router+Reading` and `Router+Keeping`
/// (replies that are kept), `Router+Inspection` (listings).
public final class Router {
  public let registry: Registry
  public let limits: Limits
  var timers: TimerWheel
  /// Milliseconds on a clock that never goes back.
  public var now: UInt64
  /// The same clock in microseconds, for latencies.
  public var nowMicros: UInt64 = 0
  public internal(set) var metrics = RouterMetrics()
  /// Connections with new bytes in their out buffers, each once.
  private var dirty: [ConnectionIndex] = []
  private var takenDirty: [ConnectionIndex] = []
  private(set) var ownHost: ConnectionIndex = -1
  private var isOwnHostDirty = false
  /// The sidecar takes nothing new.
  public internal(set) var isDraining = false
  /// Calls that only watch the sidecar drain.
  var asideCalls = 0
  /// The time for draining is over: nothing is waited for any more.
  var isDrainOver = false

  var connections = Slab<ConnectionState>()
  var calls = Slab<Call>()
  var lanes = Slab<Lane>()
  var sessions = Slab<Session>()
  var replicas = Slab<Replica>()
  var agents: [AgentState] = []
  var sessionTable = ByteTable()
  var words = WordTable()
  var topics = TopicTable()
  var subscriptions = Slab<Subscription>()
  var signals = Slab<Signal>()
  var givenSignals = Slab<GivenSignal>()
  /// Who may steer every agent and session, beside those who registered them.
  public var operatorPrincipal: Principal?
  var runs = RunTable()
  var readings = Slab<Reading>()
  /// What the logs of all runs count for, in bytes.
  var keptBytes = 0
  var keptTimer: TimerIndex = -1
  /// Runs that keep too much since a reader has gone; its connection is among the relieved.
  var untrimmed: [RunIndex] = []
  // Published messages, by which a recipient knows one that it has already.
  var publications: UInt64 = 0
  // The topics and patterns that a published message matches, for as long as it is handed out.
  var matched: [TopicIndex] = []
  // Messages handed out since the owner asked last.
  var deliveries = 0
  // Connections that have room again, though they have read nothing.
  var relieved: [ConnectionIndex] = []
  // Sessions at hosts that leave of which a message has gone; their hosts are among the relieved.
  var thinned: [SessionIndex] = []
  // Waiting calls that readers have come to: they go beyond `concurrency`.
  var hastened: [CallIndex] = []
  // Fields of frames that have to wait are written here first.
  let scratch = OutBuffer()
  // And here those of a published message, for as long as it is handed out.
  let publication = OutBuffer()
  var dice: Dice
  private var serials: UInt64 = 0

  /// - Parameter seed: what the choice between replicas depends on.
  public init(
    limits: Limits, registry: Registry = Registry(), now: UInt64 = 0,
    seed: UInt64 = .random(in: 0...UInt64.max)
  ) {
    dice = Dice(seed: seed)
    self.limits = limits
    self.registry = registry
    self.now = now
    timers = TimerWheel(now: now)
  }

  // MARK: Connections

  /// A new connection. Its number is its own until `connectionLost`.
  ///
  /// - Parameter out: what is for the connection is appended there.
  public func openConnection(
    principal: Principal, name: String, out: OutBuffer
  ) -> ConnectionIndex {
    serials += 1
    return connections.insert(
      ConnectionState(principal: principal, name: name, serial: serials, out: out))
  }

  /// The number of connections, greeted or not.
  public var connectionCount: Int { connections.count }

  /// A connection has shown who it is.
  public func identify(_ connection: ConnectionIndex, principal: Principal) {
    connections.at(connection).pointee.principal = principal
  }

  public func out(_ connection: ConnectionIndex) -> OutBuffer {
    connections.at(connection).pointee.out
  }

  public func name(of connection: ConnectionIndex) -> String {
    connections.at(connection).pointee.name
  }

  public func setName(_ name: String, of connection: ConnectionIndex) {
    connections.at(connection).pointee.name = name
  }

  /// Notes which optional parts of the protocol a connection and the sidecar both know.
  public func setFeatures(_ features: Features, of connection: ConnectionIndex) {
    connections.at(connection).pointee.features = features
  }

  /// Takes the connections whose buffers have bytes to send.
  public func takeDirty(_ body: (ConnectionIndex) -> Void) {
    while !dirty.isEmpty {
      swap(&dirty, &takenDirty)
      for connection in takenDirty where connections.isUsed(connection) {
        connections.at(connection).pointee.isDirty = false
        body(connection)
      }
      takenDirty.removeAll(keepingCapacity: true)
    }
  }

  @inline(__always)
  public func markDirty(_ connection: ConnectionIndex) {
    let state = connections.at(connection)
    guard !state.pointee.isDirty else { return }
    state.pointee.isDirty = true
    if connection == ownHost {
      isOwnHostDirty = true
    } else {
      dirty.append(connection)
    }
  }

  /// Names the connection of the sidecar's own agents, which no socket empties.
  public func setOwnHost(_ connection: ConnectionIndex) {
    ownHost = connection
  }

  /// Whether the sidecar's own agents have frames to read, since this was last asked.
  @inline(__always)
  public func takeOwnHostDirty() -> Bool {
    guard isOwnHostDirty else { return false }
    isOwnHostDirty = false
    connections.at(ownHost).pointee.isDirty = false
    return true
  }

  /// How many recipients published messages have had since this was last asked: what one frame
  /// costs that many pay for.
  @inline(__always)
  public func takeDeliveries() -> Int {
    guard deliveries > 0 else { return 0 }
    defer { deliveries = 0 }
    return deliveries
  }

  // MARK: Frames

  /// One frame of a greeted connection. Returns a fault when the connection must be closed.
  public func receive(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content
  ) -> ConnectionFault? {
    let fault = dispatch(connection, header, content)
    relieve()
    return fault
  }

  @inline(__always)
  private func dispatch(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content
  ) -> ConnectionFault? {
    metrics.framesIn &+= 1
    if let field = header.wrongField, !isOutOfPlace(header.operation, from: connection) {
      return refuseField(connection, header, .badField, field)
    }
    switch header.operation {
    case .data: return receiveData(connection, header, content)
    case .call: return receiveCall(connection, header, content)
    case .credit: return receiveCredit(connection, header)
    case .error: return receiveError(connection, header)
    case .cancel: return receiveCancel(connection, header)
    case .send: return receiveSend(connection, header, content)
    case .publish: return receivePublish(connection, header, content)
    case .subscribe: return receiveSubscribe(connection, header)
    case .ok: return receiveOk(connection, header)
    case .register: return receiveRegister(connection, header, content)
    case .signal where connections.at(connection).pointee.features.contains(.signals):
      return receiveSignal(connection, header, content)
    case .splice: return receiveSplice(connection, header)
    case .missing: return refuseField(connection, header, .missingField, "op")
    case .unknown, .hello, .welcome, .ping, .pong, .goodbye, .close, .signal:
      let op = header[.op].text
      refuse(
        connection, nil,
        Failure(.unknownOp, "no operation \"\(op)\" here", detail: ("op", .text(op))))
      return nil
    }
  }

  /// An op that a client may not send, or not then, or not without its feature: its other fields
  /// are not looked at [HDR-15, CON-2].
  private func isOutOfPlace(_ operation: Operation, from connection: ConnectionIndex) -> Bool {
    switch operation {
    case .unknown, .hello, .welcome, .close: true
    case .signal: !connections.at(connection).pointee.features.contains(.signals)
    default: false
    }
  }

  /// A known field of the wrong kind, or one that is missing: the frame's id is refused, or, if it
  /// has none, nobody in particular [HDR-10, HDR-16, IDS-12].
  func refuseField(
    _ connection: ConnectionIndex, _ header: Header, _ reason: Reason, _ field: String
  ) -> ConnectionFault? {
    let message =
      reason == .missingField
      ? "\(header[.op].text): field \"\(field)\" is missing"
      : "\(header[.op].text): field \"\(field)\" has a wrong value"
    let failure = Failure(reason, message, detail: ("field", .text(field)))
    guard let id = header[.id] else {
      refuse(connection, nil, failure)
      return nil
    }
    switch header.operation {
    case .call:
      if let fault = claim(connection, id) { return fault }
      refuseCall(connection, id, header, failure)
    case .register, .send, .publish, .subscribe, .signal:
      if let fault = claim(connection, id) { return fault }
      refuse(connection, id, failure)
    case .data, .error, .credit, .cancel, .ok, .splice:
      if let fault = checkOpened(connection, id) { return fault }
      failID(connection, id, failure)
    default:
      refuse(connection, nil, failure)
    }
    return nil
  }

  /// An id that a client opens: odd, above its last [IDS-2, IDS-3, IDS-9].
  func claim(_ connection: ConnectionIndex, _ id: UInt64) -> ConnectionFault? {
    let state = connections.at(connection)
    guard id & 1 == 1, id > state.pointee.lastOpened else {
      return ConnectionFault(
        .badID, "id \(id) cannot be opened: ids are odd and above \(state.pointee.lastOpened)")
    }
    state.pointee.lastOpened = id
    return nil
  }

  /// An id that a client speaks of: it was opened once, by the client or by the sidecar
  /// [IDS-6, IDS-7].
  @inline(__always)
  func checkOpened(_ connection: ConnectionIndex, _ id: UInt64) -> ConnectionFault? {
    let state = connections.at(connection)
    let last = id & 1 == 1 ? state.pointee.lastOpened : state.pointee.lastGiven
    if id <= last, id != 0 { return nil }
    return ConnectionFault(.badID, "id \(id) was never opened")
  }

  /// The next id that the sidecar opens on a connection.
  @inline(__always)
  func giveID(_ connection: ConnectionIndex) -> UInt64 {
    connections.at(connection).pointee.lastGiven += 2
    return connections.at(connection).pointee.lastGiven
  }

  // MARK: Errors

  /// Writes an `error` to a connection, for one of its ids or for none.
  func refuse(_ connection: ConnectionIndex, _ id: UInt64?, _ failure: Failure) {
    var writer = HeaderWriter(connections.at(connection).pointee.out, "error", id: id)
    Self.writeFailure(&writer, failure)
    if failure.mayRetry { writer.truth("retry") }
    writer.finish()
    markDirty(connection)
  }

  /// An `error` that waits among the replies of a call.
  func makeError(_ failure: Failure) -> UnsafeMutablePointer<HeldFrame> {
    var writer = HeaderWriter(tailInto: scratch)
    Self.writeFailure(&writer, failure)
    writer.finishTail()
    let error = HeldFrame.make(
      fields: scratch.takeAll(), content: .none, cost: 0, isError: true, isLast: true)
    error.pointee.mayRetry = failure.mayRetry
    return error
  }

  static func writeFailure(_ writer: inout HeaderWriter, _ failure: Failure) {
    writer.string("code", failure.reason.code.rawValue)
    writer.string("reason", failure.reason.rawValue)
    var message = failure.message
    message.withUTF8 { bytes in
      // It may quote what a header was full of [ERR-5].
      let text = UnsafeRawBufferPointer(bytes).prefix(utf8: Limits.errorMessageBytesMax)
      writer.string("message", text)
    }
    switch failure.detail {
    case (let key, .text(let value))?: writer.details(key, value)
    case (let key, .integer(let value))?: writer.details(key, value)
    case nil: break
    }
  }

  /// Tells a connection its own fault.
  public func tell(_ connection: ConnectionIndex, _ fault: ConnectionFault) {
    let detail = fault.detail.map { (key: $0.key, value: Failure.Detail.text($0.value)) }
    refuse(connection, nil, Failure(fault.reason, fault.message, detail: detail))
  }

  // MARK: Time

  /// Sets a timer of the owner's on the router's wheel.
  public func setTimer(_ kind: TimerKind, _ index: Int32, due: UInt64) -> TimerIndex {
    timers.set(kind, index, due: due)
  }

  public func cancelTimer(_ timer: TimerIndex) {
    timers.cancel(timer)
  }

  /// When `takeTimer` should be called next, in milliseconds; nil when no timer is set.
  public func nextTimer() -> UInt64? {
    timers.nextDue()
  }

  /// Moves the wheel on to `now` and takes one timer that is due; call until it returns nil.
  public func takeTimer(now: UInt64) -> (kind: TimerKind, index: Int32)? {
    timers.advance(to: now)
  }

  /// A timer of the router's has fired.
  public func timerFired(_ kind: TimerKind, _ index: Int32) {
    switch kind {
    case .deadline: deadlinePassed(index)
    case .cancelGrace: cancelGracePassed(index)
    case .idle: idlePassed(index)
    case .closeGrace: closeGracePassed(index)
    case .noReplica: forgetAgent(index)
    case .goodbye: goodbyePassed(index)
    case .runGrace: runGracePassed(index)
    case .runKept: runKeptPassed()
    case .undrained, .liveness, .drain, .watch:
      preconditionFailure("a timer of the sidecar's own")
    }
    relieve()
  }
}
