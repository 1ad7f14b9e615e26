internal import Connections
internal import Routing
public import Wire

/// A call that one of the sidecar's own agents handles.
public final class SystemCall {
  public let id: UInt64
  public let type: String
  public let content: [UInt8]
  /// Who has made the call; nil when that is not known any more.
  public let principal: Principal?
  /// Nobody waits for what is answered.
  public let isOneway: Bool
  /// What the reader still permits, in bytes. May be overdrawn by one frame.
  public fileprivate(set) var window: Int
  public fileprivate(set) var isOpen = true
  fileprivate var isAside = false
  /// Messages too large for one frame, which go on as the window allows.
  fileprivate var rest: [Rest] = []

  fileprivate struct Rest {
    let type: String
    let content: ContentBlock
    var sent = 0
    let isLast: Bool
  }

  init(
    id: UInt64, type: String, content: [UInt8], principal: Principal?, isOneway: Bool, window: Int
  ) {
    self.id = id
    self.type = type
    self.content = content
    self.principal = principal
    self.isOneway = isOneway
    self.window = window
  }
}

/// An agent of the sidecar's own: a synchronous machine, fed with events like the router.
public protocol SystemAgent: AnyObject {
  var name: String { get }
  var description: String { get }
  /// The operations, as `register` has them: a JSON array.
  var operations: String { get }

  /// A call has come. It is answered now, with `reply` or `fail`, or stays open until then.
  func handle(_ call: SystemCall, _ host: SystemHost)
  /// The reader of an open call permits more.
  func credited(_ call: SystemCall, _ host: SystemHost)
  /// An open call has been cancelled; nothing more is sent for it.
  func cancelled(_ call: SystemCall, _ host: SystemHost)
  /// The registry has changed since the last event.
  func registryChanged(_ host: SystemHost)
  /// The time that `host.wakeUp` asked for has come.
  func wokenUp(_ host: SystemHost)
}

extension SystemAgent {
  public func credited(_ call: SystemCall, _ host: SystemHost) {}
  public func cancelled(_ call: SystemCall, _ host: SystemHost) {}
  public func registryChanged(_ host: SystemHost) {}
  public func wokenUp(_ host: SystemHost) {}
}

/// Hosts the sidecar's own agents. To the router it is a connection like any other: it reads frames
/// from its out buffer and answers with frames, only that no socket lies between.
public final class SystemHost {
  let connection: ConnectionIndex
  private let router: Router
  private let inbox: OutBuffer
  private let outbox = OutBuffer()
  /// The contents of the frames in `outbox`, one for each: they are passed on by reference.
  private var contents: [ContentBlock?] = []
  private let fromRouter = FrameDecoder(
    headerMax: Limits.headerBytesMaxSidecar, contentMax: Int(UInt32.max))
  private let toRouter = FrameDecoder(
    headerMax: Limits.headerBytesMaxSidecar, contentMax: Int(UInt32.max))
  private var agents: [String: any SystemAgent] = [:]
  private var calls: [UInt64: (call: SystemCall, agent: any SystemAgent)] = [:]
  private var lastID: UInt64 = 1
  private var isAwake = false

  init(router: Router) {
    self.router = router
    inbox = OutBuffer()
    connection = router.openConnection(principal: .sidecar, name: "sidecar", out: inbox)
    router.setOwnHost(connection)
  }

  /// Registers an agent; from now on calls reach it.
  func add(_ agent: any SystemAgent) {
    agents[agent.name] = agent
    var writer = HeaderWriter(outbox, "register", id: lastID)
    lastID += 2
    writer.string("name", agent.name)
    writer.string("description", agent.description)
    writer.integer("concurrency", 1 << 20)
    let operations = Array(agent.operations.utf8)
    writer.finish()
    contents.append(operations.withUnsafeBytes { ContentBlock(copying: $0) })
    deliver()
  }

  // MARK: For agents

  /// The time of the event at hand, in milliseconds.
  public var now: UInt64 { router.now }

  /// Sends one message of a streamed reply. It is held if the window is spent, so an agent looks at
  /// `call.window` first.
  public func send(_ call: SystemCall, type: String, _ content: ContentBlock) {
    precondition(call.isOpen, "a reply to a call that has ended")
    write(call, SystemCall.Rest(type: type, content: content, isLast: false))
  }

  /// Answers with the only, or the last, message.
  public func reply(_ call: SystemCall, type: String, _ content: ContentBlock) {
    precondition(call.isOpen, "a reply to a call that has ended")
    call.isOpen = false
    write(call, SystemCall.Rest(type: type, content: content, isLast: true))
  }

  func fail(
    _ call: SystemCall, _ reason: Reason, _ message: String,
    detail: SystemFailure.Detail? = nil
  ) {
    var writer = HeaderWriter(outbox, "error", id: call.id)
    writer.string("code", reason.code.rawValue)
    writer.string("reason", reason.rawValue)
    writer.string("message", message)
    switch detail?.value {
    case .text(let text)?: writer.details(detail!.key, text)
    case .count(let count)?: writer.details(detail!.key, UInt64(count))
    case nil: break
    }
    writer.finish()
    contents.append(nil)
    end(call)
  }

  /// The call watches the sidecar drain: it does not hold that up, and ends last.
  public func setAside(_ call: SystemCall) {
    call.isAside = true
    router.setAside(call.id, at: connection)
  }

  /// A call has gone another way: the router answers it.
  func forget(_ call: SystemCall) {
    precondition(call.isOpen, "a call that has ended")
    end(call)
  }

  /// Asks for `wokenUp` of every agent in `milliseconds`, unless that is asked for already.
  public func wakeUp(inMs milliseconds: UInt64) {
    guard !isAwake else { return }
    isAwake = true
    _ = router.setTimer(.watch, 0, due: router.now + milliseconds)
  }

  private func write(_ call: SystemCall, _ message: SystemCall.Rest) {
    call.rest.append(message)
    writeRest(call)
  }

  private func writeRest(_ call: SystemCall) {
    while !call.rest.isEmpty, call.window > 0 { writeFrame(call) }
  }

  /// Writes the next frame of a call's messages: a whole one, or a part of one that is too large.
  private func writeFrame(_ call: SystemCall) {
    let message = call.rest[0]
    let left = message.content.count - message.sent
    let isWhole = message.sent == 0 && left <= router.limits.contentBytesMax
    let size = isWhole ? left : min(left, Self.partBytes, router.limits.contentBytesMax)
    var writer = HeaderWriter(outbox, "data", id: call.id)
    if message.sent == 0 { writer.string("type", message.type) }
    if size < left { writer.truth("part") }
    if size == left, message.isLast { writer.truth("end") }
    writer.finish()
    if isWhole {
      contents.append(message.content)
    } else {
      let part = message.content.bytes[message.sent..<(message.sent + size)]
      contents.append(ContentBlock(copying: UnsafeRawBufferPointer(rebasing: part)))
    }
    call.window -= size + Limits.frameCostBytes
    if size < left {
      call.rest[0].sent += size
    } else {
      call.rest.removeFirst()
      if message.isLast { end(call) }
    }
  }

  private func end(_ call: SystemCall) {
    call.isOpen = false
    call.rest = []
    calls[call.id] = nil
  }

  private static let partBytes = 1 << 20

  // MARK: Frames

  /// Handles what the router has written, and gives the router the answers.
  func turn() {
    while !inbox.isEmpty || !outbox.isEmpty {
      Self.decode(inbox, fromRouter) { header, content in receive(header, content) }
      deliver()
    }
  }

  func registryChanged() {
    for agent in agents.values { agent.registryChanged(self) }
    deliver()
  }

  func wokenUp() {
    isAwake = false
    for agent in agents.values { agent.wokenUp(self) }
    deliver()
  }

  /// The sidecar shuts down: what is open here, watches that is, would keep it from that.
  func drain() {
    for (call, agent) in calls.values.sorted(by: { $0.call.id < $1.call.id })
    where !call.isAside {
      if call.isOpen { agent.cancelled(call, self) }
      fail(call, .shutdown, "the sidecar shuts down")
    }
    deliver()
  }

  func deliver() {
    let contents = contents
    self.contents = []
    var next = 0
    Self.decode(outbox, toRouter) { header, _ in
      let content = contents[next].map { Content($0) } ?? .none
      next += 1
      let fault = router.receive(connection, header, content)
      precondition(fault == nil, "the sidecar's own agents broke a rule")
    }
  }

  private func receive(_ header: Header, _ content: Content) {
    guard let id = header[.id] else { return }
    switch header.operation {
    case .call:
      let to = header[.to]
      let name = UnsafeRawBufferPointer(rebasing: to.prefix { $0 != UInt8(ascii: ":") }).text
      guard let agent = agents[name] else { return }
      let call = SystemCall(
        id: id, type: header[.type].text, content: Array(content.bytes),
        principal: router.principal(ofCall: id, at: connection), isOneway: header[.oneway],
        window: Int(header[.window] ?? UInt64(Limits.windowBytesDefault)))
      calls[id] = (call, agent)
      agent.handle(call, self)
    case .credit:
      guard let (call, agent) = calls[id] else { return }
      call.window += Int(header[.bytes] ?? 0)
      writeRest(call)
      if call.isOpen, call.rest.isEmpty { agent.credited(call, self) }
    case .cancel:
      guard let (call, agent) = calls[id] else { return }
      if call.isOpen { agent.cancelled(call, self) }
      if calls[id] != nil { fail(call, .cancelled, "cancelled") }
    case .data, .ok, .error, .close, .goodbye, .hello, .welcome, .ping, .pong, .register, .send,
      .publish, .subscribe, .signal, .splice, .missing, .unknown:
      break
    }
  }

  /// Takes all whole frames out of a buffer. Bytes are copied out first: what they lead to may
  /// append to the same buffer.
  private static func decode(
    _ buffer: OutBuffer, _ decoder: FrameDecoder, _ body: (Header, Content) -> Void
  ) {
    guard !buffer.isEmpty else { return }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.pending, alignment: 8)
    defer { bytes.deallocate() }
    buffer.copyOut(to: bytes)
    decoder.begin(bytes)
    while decoder.next() == .frame { body(decoder.header, decoder.content) }
    decoder.finish()
  }
}
