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

  private var peers: [ConnectionIndex: ServerConnection] = [:]
  private var closing: [ConnectionIndex] = []
  private var dirty: [ConnectionIndex] = []
  private var pulses: [ConnectionIndex: TimerIndex] = [:]
  private var undrained: [ConnectionIndex: (timer: TimerIndex, since: UInt64)] = [:]
  private var words: [ConnectionIndex: UInt64] = [:]
  private var lastWord: UInt64 = 0
  private var revision: UInt64

  public init(
    limits: Limits = Limits(), server: String, tokens: TokenList = TokenList(),
    firstRevision: UInt64 = 0, now: UInt64
  ) {
    self.limits = limits
    self.server = server
    self.tokens = tokens
    router = Router(limits: limits, registry: Registry(revision: firstRevision), now: now)
    system = SystemHost(router: router)
    revision = router.registry.revision
    system.add(DiscoveryAgent(router.registry))
    system.add(SessionsAgent(router))
    system.add(StatsAgent(router) { [unowned self] in self.figures() })
    settle()
  }

  /// The greeted and ungreeted connections of peers.
  public var connectionCount: Int { peers.count }

  // MARK: Events

  /// A peer has connected. `isPermitted`: its user may.
  public func accept(
    _ kind: ServerConnection.Kind, principal: Principal, isPermitted: Bool, out: OutBuffer,
    now: UInt64
  ) -> ConnectionIndex {
    router.now = now
    lastWord += 1
    let connection = router.openConnection(
      principal: principal, name: "c\(lastWord)", out: out)
    words[connection] = lastWord
    let isFull = peers.count >= limits.connectionsMax
    peers[connection] = ServerConnection(kind: kind, limits: limits, now: now)
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

  /// Bytes have come from a peer.
  public func heard(_ connection: ConnectionIndex, now: UInt64) {
    peers[connection]?.heard(now: now)
  }

  /// One frame has come from a peer.
  public func receive(_ connection: ConnectionIndex, _ header: Header, _ content: Content) {
    guard let reception = peers[connection]?.receive(header, tokens) else { return }
    switch reception {
    case .frame:
      if let fault = router.receive(connection, header, content) { self.fault(connection, fault) }
      if router.out(connection).pending > limits.connectionHardMarkBytes + limits.contentBytesMax {
        // It asks and asks and does not read the answers.
        fault(connection, ConnectionFault(.slowReader, "too many answers are not read"))
      }
    case .ping: write(connection, "pong")
    case .nothing: break
    case .greeted(let greeting): welcome(connection, greeting)
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
    guard peers[connection] != nil else { return }
    router.now = now
    if let entry = undrained[connection] {
      if router.out(connection).isEmpty {
        router.cancelTimer(entry.timer)
        undrained[connection] = nil
      } else {
        undrained[connection]!.since = now
      }
    }
    router.drained(connection)
    settle()
  }

  /// Bytes wait for a peer that its socket does not take.
  public func waits(_ connection: ConnectionIndex, now: UInt64) {
    guard peers[connection] != nil, undrained[connection] == nil else { return }
    let timer = router.setTimer(
      .undrained, connection, due: now + UInt64(limits.undrainedMs))
    undrained[connection] = (timer, now)
  }

  /// The peer is gone.
  public func lost(_ connection: ConnectionIndex, now: UInt64) {
    guard peers[connection] != nil else { return }
    router.now = now
    forget(connection)
    settle()
  }

  /// Time has come to `now`; timers that are due fire.
  public func advance(to now: UInt64) {
    while let (kind, index) = router.takeTimer(now: now) {
      router.now = now
      switch kind {
      case .liveness: pulse(index, now)
      case .undrained: undrainedPassed(index, now)
      case .watch: system.wokenUp()
      case .drain: router.endDrain()
      case .deadline, .cancelGrace, .idle, .closeGrace, .noReplica, .goodbye:
        router.timerFired(kind, index)
      }
      settle()
    }
    router.now = now
  }

  // MARK: Draining

  /// Takes nothing new, and after `timeoutMs` ends what is left.
  public func drain(timeoutMs: UInt64, now: UInt64) {
    router.now = now
    router.beginDrain(timeoutMs: timeoutMs)
    _ = router.setTimer(.drain, 0, due: now + timeoutMs)
    settle()
  }

  // MARK: What follows

  /// Connections with bytes to send, each once since it was last taken.
  public func takeDirty(_ body: (ConnectionIndex) -> Void) {
    for connection in dirty where peers[connection] != nil { body(connection) }
    dirty.removeAll(keepingCapacity: true)
  }

  /// Connections that have been told why they end: what is in their buffers is the last.
  public func takeClosing(_ body: (ConnectionIndex) -> Void) {
    while !closing.isEmpty {
      let taken = closing
      closing.removeAll()
      taken.forEach(body)
    }
  }

  private func settle() {
    if router.registry.revision != revision {
      revision = router.registry.revision
      system.registryChanged()
    }
    repeat {
      router.takeDirty { connection in
        if connection == system.connection {
          system.turn()
        } else {
          dirty.append(connection)
        }
      }
    } while !router.dirty.isEmpty
  }

  private func welcome(_ connection: ConnectionIndex, _ greeting: ServerConnection.Greeting) {
    if let token = greeting.token { router.identify(connection, principal: .token(token)) }
    let word = "c\(words[connection]!)"
    router.setName(greeting.name.isEmpty ? word : greeting.name, of: connection)
    let peer = peers[connection]!
    var writer = HeaderWriter(router.out(connection), "welcome")
    writer.integer("v", 1)
    writer.string("server", server)
    writer.string("connection", word)
    writer.integer("max_content", UInt64(limits.contentBytesMax))
    writer.integer("heartbeat_ms", peer.heartbeatMs)
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

  private func fault(_ connection: ConnectionIndex, _ fault: ConnectionFault) {
    onEvent?(.fault(connection, fault))
    router.tell(connection, fault)
    closing.append(connection)
    peers[connection]?.close()
  }

  /// Forgets a connection and what it was part of.
  private func forget(_ connection: ConnectionIndex) {
    peers[connection] = nil
    words[connection] = nil
    closing.removeAll { $0 == connection }
    if let timer = pulses.removeValue(forKey: connection) { router.cancelTimer(timer) }
    if let entry = undrained.removeValue(forKey: connection) { router.cancelTimer(entry.timer) }
    router.connectionLost(connection)
  }

  // MARK: Life signs

  private func watch(_ connection: ConnectionIndex, _ now: UInt64) {
    if let timer = pulses.removeValue(forKey: connection) { router.cancelTimer(timer) }
    guard let due = peers[connection]?.nextPulse(now: now) else { return }
    pulses[connection] = router.setTimer(.liveness, connection, due: due)
  }

  private func pulse(_ connection: ConnectionIndex, _ now: UInt64) {
    pulses[connection] = nil
    guard let pulse = peers[connection]?.pulse(now: now) else { return }
    switch pulse {
    case .ping: write(connection, "ping")
    case .fault(let fault): self.fault(connection, fault)
    case .nothing: break
    }
    watch(connection, now)
  }

  private func undrainedPassed(_ connection: ConnectionIndex, _ now: UInt64) {
    guard let entry = undrained.removeValue(forKey: connection) else { return }
    guard !router.out(connection).isEmpty else { return }
    let due = entry.since + UInt64(limits.undrainedMs)
    if due <= now {
      fault(
        connection,
        ConnectionFault(.slowReader, "nothing was read for \(limits.undrainedMs) ms"))
    } else {
      undrained[connection] = (router.setTimer(.undrained, connection, due: due), entry.since)
    }
  }
}

/// What happens that operators may want to see.
public enum CoreEvent: Sendable {
  case greeted(ConnectionIndex, client: String, name: String)
  case fault(ConnectionIndex, ConnectionFault)
  case acceptPaused(endpoint: String, because: String)
}
