internal import Connections
internal import EventLoop
internal import Hosting
internal import Locking
internal import Transports
internal import Wire

/// A connection to a sidecar, made again when it is lost: calls agents, and offers its own.
///
/// From any task. Calls that are open when the connection is lost fail with
/// `unavailable`/`connection_lost`; calls made while there is none wait for the next, within their
/// time; agents are registered again.
public final class Client: Sendable {
  enum Phase {
    case connected(Link)
    /// Between connections; who waits, by ticket.
    case waiting([UInt64: CheckedContinuation<Link, any Error>])
    case closed(AgentError)
  }

  struct State {
    var phase: Phase
    /// Has said goodbye: only for calls that serve those it still handles.
    var leaving: Link?
    var generation: UInt64 = 0
    /// It has had a connection.
    var wasConnected = false
    var nextTicket: UInt64 = 0
    var reconnecting: Task<Void, Never>?
    var ended: [CheckedContinuation<Void, Never>] = []
    /// The operator has drained the connection, and nothing is handled any more.
    var hasServed = false
  }

  /// Where the sidecar is: `unix:/path` or `tcp://host:port`.
  public var url: String { endpoint.description }

  let endpoint: Endpoint
  let agents = AgentTable()
  let readers = ReaderTable()
  let state = Locked(State(phase: .waiting([:])))
  private let greeting: Greeting
  private let options: ClientOptions

  private init(_ endpoint: Endpoint, _ greeting: Greeting, _ options: ClientOptions) {
    self.endpoint = endpoint
    self.greeting = greeting
    self.options = options
  }

  deinit {
    guard let link = anyLink else { return }
    Task { @LoopActor in link.close() }
  }

  /// Connects to the sidecar at `url` (`unix:/path`, `tcp://host:port`); without one, to
  /// `COAGENT_URL`, else to the default socket.
  ///
  /// Throws `unavailable`/`connection_lost` when nobody is there, `unauthenticated` for a wrong
  /// token.
  public static func connect(
    _ url: String? = nil, options: ClientOptions = ClientOptions()
  ) async throws -> Client {
    let endpoint = try Location.endpoint(url)
    let greeting = Greeting(
      client: options.client, token: try Location.token(options), name: options.name)
    let client = Client(endpoint, greeting, options)
    client.agents.serve(client)
    let until = ContinuousClock.now + options.wait
    var pause = Duration.milliseconds(50)
    while true {
      do {
        try await client.open()
        return client
      } catch let error as AgentError where error.isPassing && .now + pause < until {
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .seconds(1))
      }
    }
  }

  /// Where `connect` goes when it is given no URL.
  public static func standardURL() throws(AgentError) -> String {
    try Location.endpoint(nil).description
  }

  /// Ends open calls and handlers, and closes the connection. Sessions' instances are told.
  public func close() async {
    let link = anyLink
    finish(AgentError(.connectionLost, "the client was closed"))
    await link?.waitUntilClosed()
    for agent in agents.all {
      agents.remove(agent)
      await agent.host.closeAll(.shutdown)
      agent.end(nil)
    }
  }

  /// Takes no new calls, lets those that agents here handle finish for so long, then closes.
  public func drain(timeout: Duration = .seconds(10)) async {
    if let link = anyLink {
      link.mailbox.post(.leave(timeout))
      // Calls that the sidecar had sent before it read that are here when it answers.
      await Self.within(.seconds(1)) { arrived in
        if !link.mailbox.post(.ping(arrived)) { arrived.give(nil) }
      }
      let runs = await link.runs
      await Self.within(timeout) { finished in
        Task {
          for run in runs { await run.value }
          finished.give(nil)
        }
      }
      await link.close()
    }
    await close()
  }

  /// Waits for an answer to what `ask` asks, but no longer than this.
  private static func within(_ time: Duration, _ ask: (Answer) -> Void) async {
    let answer = Answer()
    ask(answer)
    let alarm = Task {
      try await Task.sleep(for: time)
      answer.give(nil)
    }
    try? await answer.value()
    alarm.cancel()
  }

  /// Waits until the client is closed, or will not be connected again; throws why then. Or until
  /// the operator has drained its connection, and its agents have finished what they had.
  public func serve() async throws {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if case .closed = state.phase { return true }
          if Task.isCancelled || state.hasServed { return true }
          state.ended.append(continuation)
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      let ended = state.withLock { state in
        defer { state.ended = [] }
        return state.ended
      }
      for waiter in ended { waiter.resume() }
    }
    try Task.checkCancellation()
    if case .closed(let error) = state.withLock({ $0.phase }), error.code != .unavailable {
      throw error
    }
  }

  /// Whoever serves is done.
  func endServing() {
    let ended = state.withLock { state in
      state.hasServed = true
      defer { state.ended = [] }
      return state.ended
    }
    for waiter in ended { waiter.resume() }
  }

  /// For a program that only hosts: serves until SIGINT or SIGTERM, then drains.
  public func serveUntilSignal() async throws {
    let serving = Task { try await serve() }
    let signals = try await SignalWatch.start { serving.cancel() }
    let result = await serving.result
    await signals.stop()
    do {
      try result.get()
    } catch is CancellationError {
      await drain()
    }
  }

  /// The time a sign of life takes, there and back.
  public func ping() async throws -> Duration {
    let link = try await link(within: .seconds(5))
    let start = ContinuousClock.now
    let answer = Answer()
    guard link.mailbox.post(.ping(answer)) else { throw Self.lost }
    try await answer.value()
    return .now - start
  }

  /// What the sidecar said of itself on the present connection; nil when there is none.
  public var server: ServerDescription? {
    get async {
      guard case .connected(let link) = state.withLock({ $0.phase }) else { return nil }
      guard let welcome = await link.welcome else { return nil }
      return ServerDescription(
        server: welcome.server, connection: welcome.connection,
        contentBytesMax: welcome.contentBytesMax)
    }
  }

  /// Whether there will be no connection any more.
  public var isClosed: Bool {
    if case .closed = state.withLock({ $0.phase }) { true } else { false }
  }

  // MARK: - The connection

  /// The connection there is, in whatever state.
  private var anyLink: Link? {
    state.withLock { state in
      if case .connected(let link) = state.phase { link } else { state.leaving }
    }
  }

  static let lost = AgentError(.connectionLost, "there is no connection to the sidecar")

  /// The present connection, or the next, if it comes in time.
  func link(within time: Duration?, for context: AgentContext? = nil) async throws -> Link {
    if let context, let leaving = state.withLock({ $0.leaving }),
      leaving.generation == context.generation
    {
      return leaving
    }
    let ticket = try state.withLock { state -> (Link?, UInt64) in
      switch state.phase {
      case .connected(let link): return (link, 0)
      case .closed(let error): throw error
      case .waiting:
        state.nextTicket += 1
        return (nil, state.nextTicket)
      }
    }
    if let link = ticket.0 { return link }
    return try await nextLink(ticket.1, within: time)
  }

  private func nextLink(_ ticket: UInt64, within time: Duration?) async throws -> Link {
    let late = AgentError(.deadline, "there was no connection in time")
    let deadline = time.map { ContinuousClock.now + $0 }
    let alarm = deadline.map { deadline in
      Task {
        try await Task.sleep(until: deadline, clock: .continuous)
        self.leaveLine(ticket, late)
      }
    }
    defer { alarm?.cancel() }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let result = state.withLock { state -> Result<Link, any Error>? in
          if Task.isCancelled { return .failure(CancellationError()) }
          switch state.phase {
          case .connected(let link): return .success(link)
          case .closed(let error): return .failure(error)
          case .waiting(var line):
            // The alarm may have gone off before there was anybody in the line.
            if let deadline, deadline <= .now { return .failure(late) }
            line[ticket] = continuation
            state.phase = .waiting(line)
            return nil
          }
        }
        if let result { continuation.resume(with: result) }
      }
    } onCancel: {
      leaveLine(ticket, CancellationError())
    }
  }

  private func leaveLine(_ ticket: UInt64, _ error: any Error) {
    let waiter = state.withLock { state -> CheckedContinuation<Link, any Error>? in
      guard case .waiting(var line) = state.phase else { return nil }
      defer { state.phase = .waiting(line) }
      return line.removeValue(forKey: ticket)
    }
    waiter?.resume(throwing: error)
  }

  /// Makes one connection and registers the agents on it.
  private func open() async throws {
    let (generation, isAgain) = state.withLock { state in
      state.generation += 1
      return (state.generation, state.wasConnected)
    }
    let link = try await Link.open(
      endpoint, greeting, generation: generation, isAgain: isAgain, agents: agents,
      onGoodbye: { [weak self] in self?.leaves(generation) },
      onDown: { [weak self] error in self?.fell(generation, error) },
      onCut: { [weak self] cut in cut.goOn(self) })
    for agent in agents.all { registerAgain(agent, on: link) }
    for reader in readers.all { subscribeAgain(reader, on: link) }
    let waiters = state.withLock { state -> [CheckedContinuation<Link, any Error>]? in
      guard case .waiting(let line) = state.phase else { return nil }
      state.phase = .connected(link)
      state.wasConnected = true
      return Array(line.values)
    }
    guard let waiters else {
      await link.close()
      throw Self.lost
    }
    for waiter in waiters { waiter.resume(returning: link) }
    // It may have fallen while nobody looked.
    if await link.isDown { fell(generation, Self.lost) }
  }

  private func registerAgain(_ agent: RegisteredAgent, on link: Link) {
    let attempt = agent.register(on: link)
    Task {
      do {
        try await attempt.value
      } catch let error as AgentError where error.code != .unavailable {
        agents.remove(agent)
        agent.end(error)
      } catch {
        // The connection is gone again; the next one will do.
      }
    }
  }

  /// The sidecar takes nothing new on this connection: what is new waits for the next.
  private func leaves(_ generation: UInt64) {
    state.withLock { state in
      guard case .connected(let link) = state.phase, link.generation == generation else { return }
      state.leaving = link
      state.phase = .waiting([:])
    }
  }

  /// A connection has ended; the next one is begun.
  private func fell(_ generation: UInt64, _ error: AgentError) {
    let isOver = state.withLock { state -> Bool in
      if state.leaving?.generation == generation {
        state.leaving = nil
      } else if case .connected(let link) = state.phase, link.generation == generation {
        state.phase = .waiting([:])
      } else {
        return false
      }
      if !options.reconnects { return true }
      state.reconnecting = Task { [weak self] in await Self.reconnect { self } }
      return false
    }
    if isOver { finish(error) }
  }

  private static func reconnect(_ client: () -> Client?) async {
    var pause = 0.1
    while !Task.isCancelled {
      try? await Task.sleep(for: .seconds(pause * Double.random(in: 0.5...1)))
      pause = min(pause * 2, 5)
      guard let client = client(), !Task.isCancelled else { return }
      do {
        try await client.open()
        return
      } catch let error as AgentError where !error.isPassing {
        client.finish(error)
        return
      } catch {
        continue
      }
    }
  }

  /// There will be no connection any more.
  private func finish(_ error: AgentError) {
    let link = anyLink
    typealias Waiters = ([CheckedContinuation<Link, any Error>], [CheckedContinuation<Void, Never>])
    let (line, ended) = state.withLock { state -> Waiters in
      if case .closed = state.phase { return ([], []) }
      var line: [CheckedContinuation<Link, any Error>] = []
      if case .waiting(let waiting) = state.phase { line = Array(waiting.values) }
      state.phase = .closed(error)
      state.leaving = nil
      state.reconnecting?.cancel()
      defer { state.ended = [] }
      return (line, state.ended)
    }
    if let link { Task { @LoopActor in link.close() } }
    for reader in readers.all { reader.finish(error) }
    for waiter in line { waiter.resume(throwing: error) }
    for waiter in ended { waiter.resume() }
  }
}

/// Connects, hands the client to `body`, and closes it when that is done.
public func withClient<Result>(
  _ url: String? = nil, options: ClientOptions = ClientOptions(),
  _ body: (Client) async throws -> Result
) async throws -> Result {
  let client = try await Client.connect(url, options: options)
  do {
    let result = try await body(client)
    await client.close()
    return result
  } catch {
    await client.close()
    throw error
  }
}
