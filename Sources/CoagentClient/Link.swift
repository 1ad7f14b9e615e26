internal import Connections
internal import EventLoop
internal import Hosting
internal import Locking
internal import Transports
internal import Wire

/// One connection to the sidecar, from socket to calls: the shell around `ClientConnection`.
///
/// It lives on the loop. Tasks reach it through its mailbox; it reaches them through the inboxes
/// and outlets of their calls, so no task ever runs on the loop.
@LoopActor
final class Link {
  struct OwnCall {
    var ends: OwnEnds
    /// When the answer is overdue even by the sidecar's clock; `never` for no deadline.
    var overdueMs: UInt64
  }

  /// Which of a client's connections this is.
  nonisolated let generation: UInt64
  nonisolated let mailbox: Mailbox

  let machine: ClientConnection
  let frames: FrameConnection
  private let wakeup: Wakeup
  private var ticking: LoopTimer?
  private var events: [ClientEvent] = []

  var calls: [UInt64: OwnCall] = [:]
  /// Of those calls that read a run.
  var runReadings: [UInt64: RunReading] = [:]
  var answers: [UInt64: Answer] = [:]
  var registrations: [UInt64: RegisteredAgent] = [:]
  var readers: [UInt64: TopicReader] = [:]
  /// The subscriptions that feed agents, with the registrations that they belong to.
  var feeds: [UInt64: UInt64] = [:]
  /// How many answers a registration and its topics still wait for.
  var unfed: [UInt64: Int] = [:]
  var pings: [Answer] = []
  /// Signals that are being given, by call or address: the last, and how many.
  var signalLines: [String: (last: Task<Void, Never>, count: Int)] = [:]
  var hosted: [UInt64: HostedRun] = [:]
  let agents: AgentTable

  /// The connection has ended, and its calls with it.
  var isLost: Bool { hasToldDown }
  private(set) var welcome: Welcome?
  /// The longest content of a frame, both ways.
  nonisolated var contentBytesMax: Int { contentMax.withLock { $0 } }
  private nonisolated let contentMax = Locked(Limits().contentBytesMax)
  private let decoder: FrameDecoder
  private let greeted = Answer()
  private var greetByMs: UInt64
  private var welcomedMs: UInt64 = 0
  /// The client had a connection before.
  private let isAgain: Bool
  private var heartbeatMs: UInt64 = 0
  private var down: AgentError?
  private var hasToldDown = false
  private var isClosed = false
  private var closing: [CheckedContinuation<Void, Never>] = []
  private let onGoodbye: @Sendable () -> Void
  private let onDown: @Sendable (AgentError) -> Void
  let onCut: @Sendable (CutCall) -> Void

  /// Connects and greets. Throws when nobody is there or the sidecar refuses; then nothing is open.
  ///
  /// `onGoodbye` is called when the sidecar takes nothing new, `onDown` once when an opened link
  /// has ended, `onCut` then for each call that may go on; all on the loop.
  static func open(
    _ endpoint: Endpoint, _ greeting: Greeting, generation: UInt64, isAgain: Bool,
    agents: AgentTable,
    onGoodbye: @escaping @Sendable () -> Void, onDown: @escaping @Sendable (AgentError) -> Void,
    onCut: @escaping @Sendable (CutCall) -> Void
  ) async throws -> Link {
    let stream: ByteStream
    do {
      stream = try await ByteStream.connect(to: endpoint)
    } catch {
      if error == .cancelled { throw CancellationError() }
      throw AgentError(
        .unavailable, reason: Reason.connectionLost.rawValue,
        "cannot reach the sidecar at \(endpoint): \(error.message)",
        details: ["error": .string(error.name)])
    }
    let link = try Link(
      stream, greeting, generation, isAgain, agents, onGoodbye, onDown, onCut)
    do {
      try await link.greeted.value()
    } catch {
      link.frames.close()
      throw error
    }
    return link
  }

  private init(
    _ stream: ByteStream, _ greeting: Greeting, _ generation: UInt64, _ isAgain: Bool,
    _ agents: AgentTable,
    _ onGoodbye: @escaping @Sendable () -> Void, _ onDown: @escaping @Sendable (AgentError) -> Void,
    _ onCut: @escaping @Sendable (CutCall) -> Void
  ) throws {
    let receiver = Receiver()
    do {
      wakeup = try Wakeup { receiver.link?.perform() }
    } catch {
      stream.close()
      throw AgentError(.connectionLost, error.message)
    }
    decoder = FrameDecoder(
      headerMax: Limits.headerBytesMaxSidecar, contentMax: Limits().contentBytesMax)
    frames = FrameConnection(stream, decoder: decoder, delegate: receiver)
    machine = ClientConnection(out: frames.out)
    self.generation = generation
    self.isAgain = isAgain
    self.agents = agents
    self.onGoodbye = onGoodbye
    self.onDown = onDown
    self.onCut = onCut
    let wakeup = wakeup
    mailbox = Mailbox { wakeup.send() }
    greetByMs = LoopClock.turnMs + Self.greetingMs
    receiver.link = self
    machine.greet(
      client: greeting.client, token: greeting.token, name: greeting.name,
      nowMs: LoopClock.turnMs)
    frames.setNeedsFlush()
    startTicking()
  }

  // MARK: - What the socket says

  /// Stands between the connection, which keeps its delegate, and the link.
  @LoopActor
  private final class Receiver: FrameConnectionDelegate {
    var link: Link?

    nonisolated init() {}

    func didReceiveFrame(_ connection: FrameConnection) {
      link?.received(connection.header, connection.content)
    }

    func didFail(_ connection: FrameConnection, with fault: FrameFault) {
      link?.failed(fault)
    }

    func didDrain(_ connection: FrameConnection) {}

    func didClose(_ connection: FrameConnection, because error: StreamError?) {
      link?.closed(error)
      link = nil
    }
  }

  private func received(_ header: Header, _ content: Content) {
    machine.received(header, content, into: &events)
    handleEvents()
  }

  private func failed(_ fault: FrameFault) {
    machine.refuse(fault.reason, fault.message, into: &events)
    handleEvents()
  }

  private func closed(_ error: StreamError?) {
    machine.lost(error?.message ?? "the sidecar closed the connection", into: &events)
    handleEvents()
    ticking?.close()
    ticking = nil
    wakeup.close()
    for waiter in closing { waiter.resume() }
    closing = []
    isClosed = true
  }

  private func handleEvents() {
    if events.isEmpty {
      if !frames.out.isEmpty { frames.setNeedsFlush() }
      return
    }
    var batch: [ClientEvent] = []
    swap(&batch, &events)
    // Who hears that a call is lost may call again at once, and must not find this connection.
    if case .down(let failure)? = batch.last { tellDown(AgentError(failure)) }
    for event in batch { handle(event) }
    if !frames.out.isEmpty { frames.setNeedsFlush() }
    batch.removeAll(keepingCapacity: true)
    if events.isEmpty { swap(&batch, &events) }
  }

  private func handle(_ event: ClientEvent) {
    switch event {
    case .opened(let welcome):
      self.welcome = welcome
      contentMax.withLock { $0 = welcome.contentBytesMax }
      decoder.contentMax = welcome.contentBytesMax
      heartbeatMs = welcome.heartbeatMs
      if heartbeatMs > 0 {
        tickMs = min(Self.tickMsMax, max(heartbeatMs / 4, 1))
        ticking?.stop()
        startTicking()
      }
      greetByMs = Self.never
      welcomedMs = LoopClock.turnMs
      greeted.give(nil)
    case .pong: if !pings.isEmpty { pings.removeFirst().give(nil) }
    case .registered(let id): registered(id)
    case .accepted(let id): answers.removeValue(forKey: id)?.give(nil)
    case .piece(let id, let piece):
      if id % 2 == 0 {
        hosted[id]?.inbox?.deliver(piece)
      } else {
        countFrame(id)
        calls[id]?.ends.inbox.deliver(piece)
      }
    case .published(let id, let message): readers[id]?.deliver(message)
    case .failedAt(let id, let failure):
      countFrame(id)
      calls[id]?.ends.inbox.deliver(AgentError(failure))
    case .ended(let id, let failure): ended(id, failure.map { error($0) })
    case .credit(let id, let bytes):
      if id % 2 == 0 {
        hosted[id]?.outlet.grant(bytes)
      } else {
        calls[id]?.ends.outlet?.grant(bytes)
      }
    case .incoming(let call): host(call)
    case .inputEnded(let id): hosted[id]?.inbox?.finish()
    case .cancelled(let id, let reason): cancelHosted(id, reason)
    case .close(let id, let address, let reason): closeSession(id, address, reason)
    case .signalled(let signal): signalled(signal)
    case .goodbye(let reason, _):
      if reason == "drained" { drained() } else { onGoodbye() }
    case .down(let failure): fall(AgentError(failure))
    }
  }

  /// A failure, which is not the last word where hosts may be on their way back as this client was
  /// [CON-19].
  private func error(_ failure: ClientFailure) -> AgentError {
    var error = AgentError(failure)
    error.awaitsHost =
      isAgain && LoopClock.turnMs < welcomedMs + Self.rejoinMs
      && [Reason.unknownAgent.rawValue, Reason.noReplica.rawValue].contains(failure.reason)
    return error
  }

  private func ended(_ id: UInt64, _ error: AgentError?) {
    unfed[id] = nil
    if down != nil || !machine.isOpen { registrations.removeValue(forKey: id)?.lost() }
    if let call = calls.removeValue(forKey: id) {
      let reading = runReadings.removeValue(forKey: id)
      if let reading, goesOn(call, reading, error) { return }
      call.ends.outlet?.close(error ?? AgentError(.noInput, "the call is over"))
      call.ends.sent?.give(nil)
      call.ends.inbox.finish(error)
    } else if let agent = registrations.removeValue(forKey: id) {
      if let answer = answers.removeValue(forKey: id) {
        answer.give(error ?? AgentError(.cancelled, "the registration was cancelled"))
      } else {
        registrationEnded(agent, error)
      }
    } else if let registration = feeds.removeValue(forKey: id) {
      if let error { feedEnded(registration, error) }
    } else {
      readers.removeValue(forKey: id)?.ended(error)
      answers.removeValue(forKey: id)?.give(error)
    }
  }

  /// The connection is over: nobody may wait for it any more.
  private func fall(_ error: AgentError) {
    down = error
    let lost = AgentError(.connectionLost, "the connection ended: \(error.message)")
    for command in mailbox.close() { refuse(command, lost) }
    for answer in pings + answers.values { answer.give(lost) }
    pings = []
    answers = [:]
    for agent in registrations.values { agent.lost() }
    registrations = [:]
    abandonHosted()
    greeted.give(error)
    tellDown(error)
    frames.closeAfterFlush(withinMs: 100)
  }

  private func tellDown(_ error: AgentError) {
    if welcome == nil || hasToldDown { return }
    hasToldDown = true
    onDown(error)
  }

  // MARK: - Time

  static let never = UInt64.max
  private static let tickMsMax: UInt64 = 250
  /// How often the clock is looked at while something depends on it.
  private var tickMs = tickMsMax
  private static let greetingMs: UInt64 = 5_000
  /// How long after a connection was made again those who were lost with the last may come back.
  private static let rejoinMs = UInt64(Limits.rejoinMs)
  /// How long after its time a call is waited for, should the sidecar not speak.
  static let overdueMs: UInt64 = 1_000

  func startTicking() {
    if down != nil || ticking?.isActive == true { return }
    let timer = ticking ?? LoopTimer { [weak self] in self?.tick() }
    timer.start(everyMs: tickMs)
    ticking = timer
  }

  private func tick() {
    let nowMs = LoopClock.turnMs
    if nowMs >= greetByMs {
      machine.lost("the sidecar did not say welcome within 5 s", into: &events)
      handleEvents()
      return
    }
    if heartbeatMs > 0 {
      machine.heard(nowMs: frames.receivedMs)
      machine.tick(nowMs: nowMs, into: &events)
      handleEvents()
    }
    var isNeeded = heartbeatMs > 0 || greetByMs != Self.never
    for (id, call) in calls where call.overdueMs != Self.never {
      if nowMs < call.overdueMs {
        isNeeded = true
      } else {
        machine.cancel(id)
        ended(id, AgentError(.deadline, "no answer came in the time given"))
      }
    }
    if !frames.out.isEmpty { frames.setNeedsFlush() }
    if !isNeeded { ticking?.stop() }
  }

  // MARK: - Ending

  /// Closes once what was asked before is written; everything open ends.
  func close() {
    perform()
    machine.lost("the client closed the connection", into: &events)
    handleEvents()
  }

  /// The operator wants the client's program to end: its agents get nothing new, and when none of
  /// them handles a call any more, there is nothing to serve.
  private func drained() {
    let agents = agents
    Task { [weak self] in
      while let runs = self?.runs, !runs.isEmpty {
        for run in runs { await run.value }
        await Task.yield()
      }
      agents.client?.endServing()
    }
  }

  /// Says goodbye, so that nothing new comes.
  func leave(within time: Duration) {
    machine.sayGoodbye(reason: "client_closes", timeoutMs: time.milliseconds)
  }

  var isDown: Bool { down != nil }

  /// Waits until the socket is closed, and so everything written is with the sidecar.
  func waitUntilClosed() async {
    if isClosed { return }
    await withCheckedContinuation { closing.append($0) }
  }
}

/// What a client says of itself when it connects.
struct Greeting: Sendable {
  var client: String
  var token: String?
  var name: String?
}

extension AgentError {
  init(_ failure: ClientFailure) {
    self.init(
      failure.code, reason: failure.reason, failure.message,
      details: FlatObject.values(failure.details), retry: failure.retry)
  }
}

extension ClientFailure {
  init(_ error: AgentError) {
    self.init(
      code: error.code, reason: error.reason, message: error.message,
      details: FlatObject.text(error.details, bytesMax: Limits.detailsBytesMax),
      retry: error.retry)
  }
}
