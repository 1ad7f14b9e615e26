public import Connections
internal import Discovery
public import Routing
public import Wire

/// Everything the sidecar decides, without a socket or a clock: connections' greetings and
/// heartbeats, the router, the sidecar's own agents.
///
/// The owner brings events with the time at which they happen, and afterwards looks at `takeDirty`
/// (whose out buffers have bytes) and `takeClosing` (who is to be closed once those are sent).
public final class Core {
  public let router: Router
  public let limits: Limits
  public let system: SystemHost
  /// Written in `welcome`.
  public let server: String
  public var tokens: TokenList
  /// What is reported as it happens, for the log.
  public var onEvent: ((CoreEvent) -> Void)?

  /// What `stats` tells beside what the core counts; asked when somebody asks.
  public var figures: () -> ProcessFigures = { ProcessFigures() }

  /// When bytes last came from a connection; nil: when its last frame did. Any byte is a sign of
  /// life, also those of a frame that takes long.
  public var lastHeard: ((ConnectionIndex) -> UInt64)?

  private final class Peer {
    var state: ServerConnection
    /// Its number in the word that `welcome` tells it.
    let number: UInt64
    /// What it has said of itself.
    var client = ""
    var since: UInt64 = 0
    var pulse: TimerIndex = -1
    var undrained: TimerIndex = -1
    var drainedAt: UInt64 = 0
    /// It has been told why it ends.
    var isClosing = false
    /// What it wrote before it read that the sidecar drains has come.
    var hasTakenLeave = false

    init(_ state: ServerConnection, number: UInt64) {
      self.state = state
      self.number = number
    }
  }

  private var peers: [Peer?] = []
  private var closing: [ConnectionIndex] = []
  private var lastNumber: UInt64 = 0
  private var revision: UInt64
  private var daemon: DaemonAgent!
  private var requestedDrainMs: UInt64?
  private var isTakingLeave = false
  private var isLeaveOver = false

  public init(
    limits: Limits = Limits(), server: String, tokens: TokenList = TokenList(),
    firstRevision: UInt64 = 0, seed: UInt64 = .random(in: 0...UInt64.max), now: UInt64
  ) {
    self.limits = limits
    self.server = server
    self.tokens = tokens
    router = Router(
      limits: limits, registry: Registry(revision: firstRevision), now: now, seed: seed)
    system = SystemHost(router: router)
    revision = router.registry.revision
    system.add(DiscoveryAgent(router.registry))
    system.add(SessionsAgent(router))
    system.add(RunsAgent(router))
    system.add(TopicsAgent(router))
    system.add(StatsAgent(router) { [unowned self] in self.figures() })
    system.add(ConnectionsAgent(self))
    daemon = DaemonAgent(self)
    system.add(daemon)
    settle()
  }

  /// The greeted and ungreeted connections of peers.
  public private(set) var connectionCount = 0

  /// A connection that has been welcomed, and is not about to be closed.
  struct Greeted {
    let connection: ConnectionIndex
    let number: UInt64
    let client: String
    let kind: ServerConnection.Kind
    let since: UInt64
  }

  /// In no particular order. For listings.
  var greeted: [Greeted] {
    peers.indices.compactMap { index in
      guard let peer = peers[index], peer.state.isOpen else { return nil }
      return Greeted(
        connection: ConnectionIndex(index), number: peer.number, client: peer.client,
        kind: peer.state.kind, since: peer.since)
    }
  }

  // MARK: Events

  /// A peer has connected. `isPermitted`: its user may.
  public func accept(
    _ kind: ServerConnection.Kind, principal: Principal, isPermitted: Bool, out: OutBuffer,
    now: UInt64
  ) -> ConnectionIndex {
    router.now = now
    lastNumber += 1
    let connection = router.openConnection(
      principal: principal, name: Self.word(of: lastNumber), out: out)
    let isFull = connectionCount >= limits.connectionsMax
    while peers.count <= Int(connection) { peers.append(nil) }
    peers[Int(connection)] = Peer(
      ServerConnection(kind: kind, limits: limits, now: now), number: lastNumber)
    connectionCount += 1
    if !isPermitted {
      fault(connection, ConnectionFault(.peerRefused, "this user may not connect"))
    } else if isFull {
      fault(
        connection,
        ConnectionFault(.tooManyConnections, "\(limits.connectionsMax) connections are open"))
    } else {
      watch(connection, now)
    }
    settle()
    return connection
  }

  /// One frame has come from a peer.
  public func receive(_ connection: ConnectionIndex, _ header: Header, _ content: Content) {
    guard let peer = peers[Int(connection)] else { return }
    peer.state.heard(now: router.now)
    let reception = peer.state.receive(header, tokens)
    switch reception {
    case .frame:
      if let fault = router.receive(connection, header, content) { self.fault(connection, fault) }
    case .ping: write(connection, "pong")
    case .pong: peer.hasTakenLeave = isTakingLeave
    case .nothing: break
    case .greeted(let greeting): welcome(connection, peer, greeting)
    case .goodbye(let timeoutMs): router.goodbye(connection, timeoutMs: timeoutMs)
    case .fault(let fault): self.fault(connection, fault)
    }
    settle()
  }

  /// What has come from a peer is no frame.
  public func receive(_ connection: ConnectionIndex, _ fault: FrameFault) {
    self.fault(connection, ConnectionFault(fault))
    settle()
  }

  /// The peer's socket has taken bytes.
  public func drained(_ connection: ConnectionIndex, now: UInt64) {
    guard let peer = peers[Int(connection)] else { return }
    router.now = now
    peer.drainedAt = now
    if peer.undrained >= 0, router.out(connection).isEmpty {
      router.cancelTimer(peer.undrained)
      peer.undrained = -1
    }
    router.drained(connection)
    settle()
  }

  /// Bytes wait for a peer that its socket does not take.
  public func waits(_ connection: ConnectionIndex, now: UInt64) {
    guard let peer = peers[Int(connection)], peer.undrained < 0 else { return }
    peer.drainedAt = now
    peer.undrained = router.setTimer(
      .undrained, connection, due: now + UInt64(limits.undrainedMs))
  }

  /// The peer is gone.
  public func lost(_ connection: ConnectionIndex, now: UInt64) {
    guard let peer = peers[Int(connection)] else { return }
    router.now = now
    peers[Int(connection)] = nil
    connectionCount -= 1
    closing.removeAll { $0 == connection }
    if peer.pulse >= 0 { router.cancelTimer(peer.pulse) }
    if peer.undrained >= 0 { router.cancelTimer(peer.undrained) }
    router.connectionLost(connection)
    settle()
  }

  /// Time has come to `now`; timers that are due fire.
  public func advance(to now: UInt64) {
    while fireNext(by: now) {}
    router.now = now
  }

  /// Fires the next timer that is due by `now`. False when there is none.
  public func fireNext(by now: UInt64) -> Bool {
    guard let (kind, index) = router.takeTimer(now: now) else { return false }
    router.now = now
    switch kind {
    case .liveness: pulse(index, now)
    case .undrained: undrainedPassed(index, now)
    case .watch: system.wokenUp()
    case .drain where index == Self.farewell: isLeaveOver = true
    case .drain: router.endDrain()
    case .deadline, .cancelGrace, .idle, .closeGrace, .noReplica, .goodbye, .runGrace, .runKept:
      router.timerFired(kind, index)
    }
    settle()
    return true
  }

  // MARK: Draining

  /// Takes nothing new, and after `timeoutMs` ends what is left.
  public func drain(timeoutMs: UInt64, now: UInt64) {
    router.now = now
    router.beginDrain(timeoutMs: timeoutMs)
    system.drain()
    _ = router.setTimer(.drain, 0, due: now + timeoutMs)
    settle()
  }

  /// The operator wants the daemon to drain; its owner begins with that.
  func requestDrain(timeoutMs: UInt64) {
    requestedDrainMs = requestedDrainMs ?? timeoutMs
  }

  /// For how long the operator lets calls finish, once after each such request.
  public func takeDrainRequest() -> UInt64? {
    defer { requestedDrainMs = nil }
    return requestedDrainMs
  }

  /// Whether nothing is left to wait for. What clients wrote before they read `goodbye` may still
  /// be on its way, and would be lost with its connection: each is asked for a sign of life, and
  /// what comes before that is answered [DRN-4].
  public func isDrained() -> Bool {
    guard !router.isBusy else { return false }
    if !isTakingLeave {
      isTakingLeave = true
      for connection in greeted { write(connection.connection, "ping") }
      _ = router.setTimer(
        .drain, Self.farewell, due: router.now + UInt64(Limits.farewellMs))
    }
    return isLeaveOver
      || peers.allSatisfy { $0.map { $0.hasTakenLeave || !$0.state.isOpen } ?? true }
  }

  private static let farewell: Int32 = 1

  /// Those who watch the drain are told that it is over.
  public func endDrain() {
    daemon.drained(system)
    system.deliver()
    settle()
  }

  // MARK: What follows

  /// Connections with bytes to send, each once since it was last taken.
  public func takeDirty(_ body: (ConnectionIndex) -> Void) {
    router.takeDirty { connection in
      if router.out(connection).pending > limits.connectionHardMarkBytes + limits.contentBytesMax {
        // It asks and asks and does not read the answers.
        fault(connection, ConnectionFault(.slowReader, "too many answers are not read"))
      }
      body(connection)
    }
  }

  /// Connections that have been told why they end: what is in their buffers is the last.
  public func takeClosing(_ body: (ConnectionIndex) -> Void) {
    while !closing.isEmpty {
      let taken = closing
      closing.removeAll()
      taken.forEach(body)
    }
  }

  /// Lets the sidecar's own agents see what has happened.
  @inline(__always)
  private func settle() {
    if router.registry.revision != revision {
      revision = router.registry.revision
      system.registryChanged()
    }
    while router.takeOwnHostDirty() {
      system.turn()
      // No socket says that they have read, and what waited for that may go on.
      router.drained(system.connection)
    }
  }

  private func welcome(
    _ connection: ConnectionIndex, _ peer: Peer, _ greeting: ServerConnection.Greeting
  ) {
    peer.client = greeting.client
    peer.since = router.now
    if let token = greeting.token { router.identify(connection, principal: .token(token)) }
    let word = Self.word(of: peer.number)
    router.setName(greeting.name.isEmpty ? word : greeting.name, of: connection)
    router.setFeatures(greeting.features, of: connection)
    var writer = HeaderWriter(router.out(connection), "welcome")
    writer.integer("v", 1)
    writer.string("server", server)
    writer.string("connection", word)
    writer.integer("max_content", UInt64(limits.contentBytesMax))
    writer.integer("heartbeat_ms", peer.state.heartbeatMs)
    if !greeting.features.isEmpty { writer.string("features", greeting.features.words) }
    writer.finish()
    router.markDirty(connection)
    watch(connection, router.now)
    onEvent?(.greeted(connection, client: greeting.client, name: greeting.name))
  }

  private func write(_ connection: ConnectionIndex, _ op: StaticString) {
    var writer = HeaderWriter(router.out(connection), op)
    writer.finish()
    router.markDirty(connection)
  }

  /// Tells a connection why it ends [FRM-8]. Once: nothing of it counts after that.
  private func fault(_ connection: ConnectionIndex, _ fault: ConnectionFault) {
    guard let peer = peers[Int(connection)], !peer.isClosing else { return }
    peer.isClosing = true
    peer.state.close()
    onEvent?(.fault(connection, fault))
    router.tell(connection, fault)
    closing.append(connection)
  }

  // MARK: Life signs

  private func watch(_ connection: ConnectionIndex, _ now: UInt64) {
    guard let peer = peers[Int(connection)] else { return }
    if peer.pulse >= 0 { router.cancelTimer(peer.pulse) }
    peer.pulse = -1
    guard let due = peer.state.nextPulse(now: now) else { return }
    peer.pulse = router.setTimer(.liveness, connection, due: due)
  }

  private func pulse(_ connection: ConnectionIndex, _ now: UInt64) {
    guard let peer = peers[Int(connection)] else { return }
    peer.pulse = -1
    if let lastHeard { peer.state.heard(now: lastHeard(connection)) }
    switch peer.state.pulse(now: now) {
    case .ping: write(connection, "ping")
    case .fault(let fault): self.fault(connection, fault)
    case .nothing: break
    }
    watch(connection, now)
  }

  private func undrainedPassed(_ connection: ConnectionIndex, _ now: UInt64) {
    guard let peer = peers[Int(connection)] else { return }
    peer.undrained = -1
    guard !router.out(connection).isEmpty else { return }
    let due = peer.drainedAt + UInt64(limits.undrainedMs)
    if due <= now {
      fault(
        connection,
        ConnectionFault(.slowReader, "nothing was read for \(limits.undrainedMs) ms"))
    } else {
      peer.undrained = router.setTimer(.undrained, connection, due: due)
    }
  }
}

/// What happens that operators may want to see.
public enum CoreEvent: Sendable {
  case greeted(ConnectionIndex, client: String, name: String)
  case fault(ConnectionIndex, ConnectionFault)
  case acceptPaused(endpoint: String, because: String)
}
