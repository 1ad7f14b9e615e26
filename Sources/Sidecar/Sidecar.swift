public import Connections
public import EventLoop
internal import Glibc
internal import Routing
public import Transports
public import Wire

/// Who may connect to Unix sockets.
public struct PeerPolicy: Sendable {
  public var users: Set<UInt32>
  public var groups: Set<UInt32>

  public init(users: Set<UInt32>, groups: Set<UInt32> = []) {
    self.users = users
    self.groups = groups
  }

  func permits(_ peer: PeerCredentials) -> Bool {
    users.contains(peer.uid) || groups.contains(peer.gid)
  }
}

/// The shell around the core: performs its effects on sockets and timers, and decides nothing.
@LoopActor
public final class Sidecar: TransportListenersDelegate, FrameConnectionDelegate {
  public let core: Core
  private let policy: PeerPolicy
  private var listeners: TransportListeners!
  private var connections: [FrameConnection?] = []
  private var timer: LoopTimer!
  private var timerDue: UInt64 = .max
  private var hook: LoopHook!
  private var isTimeKnown = false
  /// What connections that have ended have carried.
  private var past = ProcessFigures()
  private var drainDone: (@LoopActor () -> Void)?
  private var allClosed: (@LoopActor () -> Void)?
  private let start: UInt64
  /// The operator asks for a drain, by `sys.daemon`, with the time that calls may have.
  public var onDrainRequest: (@LoopActor (UInt64) -> Void)?

  /// - Parameters:
  ///   - server: name and version, written in `welcome`.
  ///   - policy: who may connect to Unix sockets; on TCP a token decides.
  public init(limits: Limits, server: String, tokens: TokenList, policy: PeerPolicy) {
    core = Core(
      limits: limits, server: server, tokens: tokens, firstRevision: Self.wallClockMs(),
      now: LoopClock.turnMs)
    core.router.operatorPrincipal = .user(getuid())
    self.policy = policy
    start = LoopClock.turnMs
    core.lastHeard = { [unowned self] index in
      LoopActor.assumeIsolated { self.connections[Int(index)]?.receivedMs ?? 0 }
    }
    core.figures = { [unowned self] in LoopActor.assumeIsolated { self.figures() } }
    listeners = TransportListeners(delegate: self)
    timer = LoopTimer { [unowned self] in self.timerFired() }
    // All that a turn's events have led to goes out at its end.
    hook = LoopHook(.afterEvents) { [unowned self] in self.performEffects() }
  }

  /// Listens on one more endpoint; returns what is bound, with real ports.
  public func listen(on endpoint: Endpoint) async throws(ListenError) -> [Endpoint] {
    try await listeners.listen(on: endpoint)
  }

  public var uptimeMs: UInt64 { LoopClock.turnMs - start }

  /// Takes nothing new, lets what runs finish for `timeoutMs`, then calls `done`, once, when
  /// everyone has been told and disconnected.
  public func drain(timeoutMs: UInt64, then done: @escaping @LoopActor () -> Void) {
    guard drainDone == nil else { return }
    drainDone = done
    listeners.close()
    core.drain(timeoutMs: timeoutMs, now: LoopClock.turnMs)
    performEffects()
    LoopActor.requestTurn()
  }

  // MARK: Connections

  public func didAccept(_ stream: ByteStream, from peer: TransportPeer) {
    let decoder = FrameDecoder(
      headerMax: Limits.headerBytesMaxClient, contentMax: core.limits.contentBytesMax,
      firstHeaderMax: Limits.helloHeaderBytesMax)
    let connection = FrameConnection(stream, decoder: decoder, delegate: self)
    let index = core.accept(
      peer.credentials == nil ? .tcp : .unix,
      principal: peer.credentials.map { .user($0.uid) } ?? .token(""),
      isPermitted: peer.credentials.map { policy.permits($0) } ?? true, out: connection.out,
      now: LoopClock.turnMs)
    connection.tag = Int(index)
    while connections.count <= Int(index) { connections.append(nil) }
    connections[Int(index)] = connection
    performEffects()
  }

  public func didPauseAccepting(on endpoint: Endpoint, because error: StreamError) {
    core.onEvent?(.acceptPaused(endpoint: "\(endpoint)", because: "\(error)"))
  }

  public func didReceiveFrame(_ connection: FrameConnection) {
    if !isTimeKnown {
      // Once a turn: what one turn reads has come at one time.
      core.router.now = LoopClock.turnMs
      core.router.nowMicros = LoopClock.nowNs / 1_000
      isTimeKnown = true
    }
    core.receive(Int32(connection.tag), connection.header, connection.content)
    let deliveries = core.router.takeDeliveries()
    if deliveries > 0 { connection.countDeliveries(deliveries) }
  }

  public func didReceiveMany(_ connection: FrameConnection) { flushDirty() }

  public func didFail(_ connection: FrameConnection, with fault: FrameFault) {
    core.receive(Int32(connection.tag), fault)
  }

  public func didStall(_ connection: FrameConnection) {
    core.waits(Int32(connection.tag), now: LoopClock.turnMs)
    // It comes while the turn's effects are being sent: what it leads to needs a turn of its own.
    LoopActor.requestTurn()
  }

  public func didDrain(_ connection: FrameConnection) {
    core.drained(Int32(connection.tag), now: LoopClock.turnMs)
    LoopActor.requestTurn()
  }

  public func didClose(_ connection: FrameConnection, because error: StreamError?) {
    let index = connection.tag
    guard index < connections.count, connections[index] === connection else { return }
    connections[index] = nil
    Self.add(connection, to: &past)
    core.lost(Int32(index), now: LoopClock.turnMs)
    tellIfAllClosed()
  }

  // MARK: Effects

  private func performEffects() {
    isTimeKnown = false
    flushDirty()
    core.takeClosing { index in
      let connection = connections[Int(index)]
      connections[Int(index)] = nil
      if let connection { Self.add(connection, to: &past) }
      connection?.closeAfterFlush()
      core.lost(index, now: LoopClock.turnMs)
    }
    if let milliseconds = core.takeDrainRequest() { onDrainRequest?(milliseconds) }
    if drainDone != nil {
      let isDrained = core.isDrained()
      flushDirty()
      if isDrained { endDrain() }
    }
    armTimer()
  }

  private func flushDirty() {
    core.takeDirty { index in
      connections[Int(index)]?.setNeedsFlush()
    }
  }

  private func timerFired() {
    timerDue = .max
    core.advance(to: LoopClock.turnMs)
    performEffects()
  }

  private func armTimer() {
    guard let due = core.router.nextTimer(), due < timerDue else { return }
    timerDue = due
    let now = LoopClock.turnMs
    timer.start(afterMs: due > now ? due - now : 1)
  }

  private func endDrain() {
    guard let done = drainDone else { return }
    drainDone = nil
    core.endDrain()
    flushDirty()
    for connection in connections { connection?.closeAfterFlush() }
    allClosed = done
    tellIfAllClosed()
  }

  /// Connections close by themselves within a bound; the last one ends the drain.
  private func tellIfAllClosed() {
    guard let done = allClosed, connections.allSatisfy({ $0 == nil }) else { return }
    allClosed = nil
    done()
  }

  // MARK: Figures

  private func figures() -> ProcessFigures {
    var figures = past
    for case let connection? in connections { Self.add(connection, to: &figures) }
    figures.version = String(core.server.drop { $0 != "/" }.dropFirst())
    figures.uptimeMs = LoopClock.turnMs - start
    figures.pid = Int(getpid())
    figures.memoryBytes = ProcessMemory.residentBytes()
    return figures
  }

  private static func add(_ connection: FrameConnection, to figures: inout ProcessFigures) {
    figures.bytesIn &+= connection.bytesIn
    figures.bytesOut &+= connection.bytesOut
    figures.framesIn &+= connection.framesIn
    figures.framesOut &+= connection.out.frames
  }

  private static func wallClockMs() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
  }
}
