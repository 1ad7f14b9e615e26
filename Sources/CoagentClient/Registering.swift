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
  /// The topics, or patterns, that feed it: a message of source `s` comes to its session `s`, as
  /// one that nobody answers.
  public var topics: [String] = []
  /// What is done when it is signalled, where its own type does not say.
  public var signals = SignalHooks()

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

  /// Offers a function from one value to another as an agent. What it takes and gives is shown by
  /// discovery; what does not fit is refused before it runs.
  @discardableResult
  public func register<Input: Decodable & Sendable, Output: Encodable & Sendable>(
    _ name: String, _ profile: AgentProfile = AgentProfile(),
    _ body: @escaping @Sendable @concurrent (Input) async throws -> Output
  ) async throws -> AgentRegistration {
    let operation = Operations<Nothing>().on(Self.operationName(Input.self, of: name)) {
      (_, input: Input) in try await body(input)
    }
    return try await register(name, profile, function: operation)
  }

  /// Offers a function from one value to several as an agent. `output` is what they are.
  @discardableResult
  public func register<Input: Decodable & Sendable>(
    _ name: String, _ profile: AgentProfile = AgentProfile(), streaming output: any Encodable.Type,
    _ body: @escaping @Sendable @concurrent (Input, ReplyStream) async throws -> Void
  ) async throws -> AgentRegistration {
    let type = Self.operationName(Input.self, of: name)
    let operation = Operations<Nothing>().on(type, streaming: output) {
      (_, input: Input, reply) in try await body(input, reply)
    }
    return try await register(name, profile, function: operation)
  }

  /// Offers a function as an agent that hands each call over to one that it has delegated.
  @discardableResult
  public func register<Input: Decodable & Sendable>(
    _ name: String, _ profile: AgentProfile = AgentProfile(),
    _ body: @escaping @Sendable @concurrent (Input) async throws -> Delegated
  ) async throws -> AgentRegistration {
    let operation = Operations<Nothing>().on(Self.operationName(Input.self, of: name)) {
      (_, input: Input) async throws -> Delegated in try await body(input)
    }
    return try await register(name, profile, function: operation)
  }

  private struct Nothing: Sendable {}

  /// A function has no name of its own: its operation is called as its input is, or the agent.
  private static func operationName(_ input: any Any.Type, of agent: String) -> String {
    let name = Operations<Nothing>.name(of: input)
    return name.isEmpty ? String(agent.split(separator: ".").last ?? "") : name
  }

  /// A function takes messages of whatever type.
  private func register(
    _ name: String, _ profile: AgentProfile, function operation: Operations<Nothing>
  ) async throws -> AgentRegistration {
    let agent = ClosureAgent { request, reply, _ in
      try await operation.performOnly(request, on: Nothing(), reply: reply)
    }
    return try await register(name, profile.listing(operation.listing), .shared(agent))
  }

  /// Offers one instance for all calls.
  @discardableResult
  public func register(
    _ name: String, _ profile: AgentProfile = AgentProfile(), agent: any Agent
  ) async throws -> AgentRegistration {
    let type = Swift.type(of: agent) as? any OperationsAgent.Type
    return try await register(name, profile.listing(type?.listing ?? []), .shared(agent))
  }

  /// Offers an instance of its own for each session, made when the session's first message comes.
  @discardableResult
  public func register<Instance: Agent>(
    _ name: String, _ profile: AgentProfile = AgentProfile(),
    perSession make: @escaping @Sendable (_ session: String?) async throws -> Instance
  ) async throws -> AgentRegistration {
    let type = Instance.self as? any OperationsAgent.Type
    return try await register(
      name, profile.listing(type?.listing ?? []), .perSession { try await make($0) })
  }

  /// The same, of instances whose type is not known before they are made.
  @discardableResult
  @_disfavoredOverload
  public func register(
    _ name: String, _ profile: AgentProfile = AgentProfile(),
    perSession make: @escaping @Sendable (_ session: String?) async throws -> any Agent
  ) async throws -> AgentRegistration {
    try await register(name, profile, .perSession(make))
  }

  private func register(
    _ name: String, _ profile: AgentProfile, _ source: AgentSource
  ) async throws -> AgentRegistration {
    let agent = RegisteredAgent(
      try profile.registration(name), topics: profile.topics,
      AgentHost(source, hooks: profile.signals))
    try agents.add(agent)
    do {
      try await registered(agent)
      return AgentRegistration(self, agent)
    } catch {
      agents.remove(agent)
      throw error
    }
  }

  /// Waits until the agent is registered on one connection, however many are lost before.
  private func registered(_ agent: RegisteredAgent) async throws {
    var failed: (generation: UInt64, error: AgentError)?
    while true {
      let link = try await link(within: nil)
      if let failed, failed.generation == link.generation { throw failed.error }
      let attempt = agent.register(on: link)
      do {
        return try await withTaskCancellationHandler {
          try await attempt.value
        } onCancel: {
          attempt.cancel()
        }
      } catch let error as AgentError where error.code == .unavailable {
        // Lost, or refused by a sidecar that is about to go: the next connection will do.
        failed = (link.generation, error)
      } catch {
        if Task.isCancelled, let lane = agent.currentLane { link.mailbox.post(.cancel(lane)) }
        throw error
      }
    }
  }

  func cancel(_ agent: RegisteredAgent) async {
    agents.retire(agent)
    agent.takeBack()
    guard let lane = agent.currentLane, let link = try? await link(within: .zero),
      agent.isRegistered(on: link), link.mailbox.post(.cancel(lane))
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

  /// Takes the agent back: nothing new comes from when this returns, calls in flight finish, and
  /// the sidecar closes the sessions behind them.
  public func cancel() async { await client.cancel(agent) }

  /// Waits until the registration is over; returns why, if nobody wanted it.
  public func ended() async -> AgentError? { await agent.ended() }
}

extension AgentProfile {
  /// With these operations, unless it names some itself.
  func listing(_ operations: [AgentOperation]) -> AgentProfile {
    var profile = self
    if profile.operations.isEmpty { profile.operations = operations }
    return profile
  }

  func registration(_ name: String) throws(AgentError) -> Registration {
    var registration = Registration(name: name)
    registration.description = description
    registration.version = version
    registration.labels = try FlatObject.checked(labels.mapValues { .string($0) }, "labels")
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
