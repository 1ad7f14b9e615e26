internal import Connections
internal import EventLoop
public import Hosting
internal import Wire

/// What an agent says of itself, and what the sidecar should keep to.
public struct AgentProfile: Sendable {
  public var description = ""
  public var version = ""
  public var labels: [String: String] = [:]
  public var operations: [AgentOperation] = []
  /// Calls at a time, sessions' included; nil for the sidecar's default of 1,000.
  public var concurrency: Int?
  /// Calls at a time in one session; nil for one.
  public var sessionConcurrency: Int?
  /// When an idle session is closed; zero for never, nil for the default of 5 minutes.
  public var idle: Duration?
  /// Nobody else may register the name.
  public var isExclusive = false

  public init() {}

  public init(_ description: String) { self.description = description }
}

extension Client {
  /// Offers a function as an agent. It sends its replies to the stream, or throws.
  @discardableResult
  public func register(
    _ name: String, _ profile: AgentProfile = AgentProfile(),
    _ body: @escaping @Sendable @concurrent (Request, ReplyStream) async throws -> Void
  ) async throws -> AgentRegistration {
    try await register(
      name, profile,
      agent: ClosureAgent { request, reply, _ in
        try await body(request, reply)
      })
  }

  /// Offers a function of one value as an agent.
  @discardableResult
  public func register<Value: Encodable & SendableMetatype>(
    _ name: String, _ profile: AgentProfile = AgentProfile(),
    returning body: @escaping @Sendable @concurrent (Request) async throws -> Value
  ) async throws -> AgentRegistration {
    try await register(
      name, profile,
      agent: ClosureAgent { request, reply, _ in
        try await reply.send(try await body(request))
      })
  }

  /// Offers one instance for all calls.
  @discardableResult
  public func register(
    _ name: String, _ profile: AgentProfile = AgentProfile(), agent: any Agent
  ) async throws -> AgentRegistration {
    try await register(name, profile, .shared(agent))
  }

  /// Offers an instance of its own for each session, made when the session's first message comes.
  @discardableResult
  public func register(
    _ name: String, _ profile: AgentProfile = AgentProfile(),
    perSession make: @escaping @Sendable (_ session: String?) async throws -> any Agent
  ) async throws -> AgentRegistration {
    try await register(name, profile, .perSession(make))
  }

  private func register(
    _ name: String, _ profile: AgentProfile, _ source: AgentSource
  ) async throws -> AgentRegistration {
    let agent = RegisteredAgent(profile.registration(name), AgentHost(source))
    let link = try await link(within: Self.defaultTimeout)
    try agents.add(agent)
    do {
      try await register(agent, on: link)
    } catch {
      agents.remove(agent)
      throw error
    }
    return AgentRegistration(self, agent)
  }

  func register(_ agent: RegisteredAgent, on link: Link) async throws {
    let answer = Answer()
    guard link.mailbox.post(.register(agent, answer)) else { throw Self.lost }
    try await answer.value()
  }

  func cancel(_ agent: RegisteredAgent) async {
    agents.retire(agent)
    guard let lane = agent.currentLane, let link = try? await link(within: .zero),
      link.mailbox.post(.cancel(lane))
    else {
      agent.end(nil)
      return
    }
    _ = await agent.ended()
  }
}

/// An agent that is offered to all clients of the sidecar, until it is cancelled or the client
/// closes.
public struct AgentRegistration: Sendable {
  private let client: Client
  private let agent: RegisteredAgent

  init(_ client: Client, _ agent: RegisteredAgent) {
    self.client = client
    self.agent = agent
  }

  public var name: String { agent.name }

  /// Takes the agent back: nothing new comes, calls in flight finish, sessions are closed.
  public func cancel() async { await client.cancel(agent) }

  /// Waits until the registration is over; returns why, if nobody wanted it.
  public func ended() async -> AgentError? { await agent.ended() }
}

extension AgentProfile {
  func registration(_ name: String) -> Registration {
    var registration = Registration(name: name)
    registration.description = description
    registration.version = version
    registration.labels = FlatObject.text(labels.mapValues { .string($0) })
    registration.concurrency = concurrency.map { UInt64(max(0, $0)) }
    registration.sessionConcurrency = sessionConcurrency.map { UInt64(max(0, $0)) }
    registration.idleMs = idle.map { $0 == .zero ? 0 : $0.milliseconds }
    registration.isExclusive = isExclusive
    if !operations.isEmpty {
      var writer = JSONWriter()
      writer.value(.array(operations.map(\.json)))
      registration.operations = writer.bytes
    }
    return registration
  }
}
