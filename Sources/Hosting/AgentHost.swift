internal import Locking
internal import Wire

/// A function as an agent.
public struct ClosureAgent: Agent {
  public typealias Body =
    @Sendable @concurrent (Request, ReplyStream, AgentContext) async throws -> Void

  let body: Body

  public init(_ body: @escaping Body) { self.body = body }

  @concurrent
  public func handle(
    _ request: Request, reply: ReplyStream, in context: AgentContext
  ) async throws {
    try await body(request, reply, context)
  }
}

/// Where the instances of an agent come from.
public enum AgentSource: Sendable {
  /// One instance for all calls.
  case shared(any Agent)
  /// One for each session, made when its first message comes; a call without session gets its own.
  case perSession(@Sendable (_ session: String?) async throws -> any Agent)
}

/// Runs one registered agent: finds or makes the instance for a call, and frees it with its
/// session.
///
/// Which calls run at the same time is the sidecar's business, not decided here.
public final class AgentHost: Sendable {
  fileprivate typealias Making = Task<any Agent, any Error>

  private let source: AgentSource
  /// By the bytes of their names: two spellings of one text are two sessions.
  private let sessions = Locked<[[UInt8]: Making]>([:])

  let hooks: SignalHooks

  public init(_ source: AgentSource, hooks: SignalHooks = SignalHooks()) {
    self.source = source
    self.hooks = hooks
  }

  /// How many sessions have an instance.
  public var sessionCount: Int { sessions.withLock { $0.count } }

  /// Which instance a call is for.
  public struct Place: Sendable {
    fileprivate enum Kind: Sendable {
      case shared(any Agent)
      /// A call without session gets an instance of its own.
      case own(Making)
      case session(key: [UInt8], making: Making, dropped: Making?)
    }
    fileprivate let kind: Kind

    /// The instance, once it is made.
    func agent() async throws -> any Agent {
      switch kind {
      case .shared(let agent): agent
      case .own(let making), .session(_, let making, _): try await making.value
      }
    }
  }

  /// To be asked in the order in which calls came, before any of them runs: else two first calls of
  /// a session would make two instances.
  ///
  /// Where the session begins with this call, an instance that is still there is dropped.
  public func place(for request: Request) -> Place {
    switch source {
    case .shared(let agent): return Place(kind: .shared(agent))
    case .perSession(let make):
      guard let session = request.session else {
        return Place(kind: .own(Task { try await Self.activate(nil, make) }))
      }
      let key = Array(session.utf8)
      return sessions.withLock { sessions in
        let known = sessions[key]
        if let known, !request.isNew {
          return Place(kind: .session(key: key, making: known, dropped: nil))
        }
        let making = Task { try await Self.activate(session, make) }
        sessions[key] = making
        return Place(kind: .session(key: key, making: making, dropped: known))
      }
    }
  }

  /// Handles a call to its end, in its place. Returns the error it ended with. Cancelled with its
  /// task.
  public func run(
    _ request: Request, at place: Place, reply: ReplyStream, in context: AgentContext
  ) async -> AgentError? {
    defer { context.end() }
    do {
      let (agent, isOwn) = try await instance(at: place)
      do {
        try await AgentContext.$current.withValue(context) {
          try await agent.handle(request, reply: reply, in: context)
        }
      } catch {
        if isOwn { await agent.closed(.ended) }
        throw error
      }
      if isOwn { await agent.closed(.ended) }
      return nil
    } catch {
      return context.reported(error)
    }
  }

  /// The one instance of all calls, where there is one.
  var shared: (any Agent)? {
    if case .shared(let agent) = source { agent } else { nil }
  }

  func making(of session: String) -> Task<any Agent, any Error>? {
    sessions.withLock { $0[Array(session.utf8)] }
  }

  var allMakings: [Task<any Agent, any Error>] { sessions.withLock { Array($0.values) } }

  /// The session is over: takes its instance out of use at once. Calls of it have ended before.
  public func takeInstance(of session: String) -> Instances {
    let making = sessions.withLock { $0.removeValue(forKey: Array(session.utf8)) }
    return Instances(makings: making.map { [$0] } ?? [])
  }

  /// The agent is not needed any more: all of its instances are told.
  public func closeAll(_ reason: CloseReason) async {
    await takeInstances().free(reason)
    await closeShared(reason)
  }

  /// The one instance of all calls, where there is one, is not needed any more.
  public func closeShared(_ reason: CloseReason) async {
    if case .shared(let agent) = source { await agent.closed(reason) }
  }

  /// Takes the sessions' instances out of use at once; they are to be freed when their calls have
  /// ended. What comes later finds none and makes its own.
  public func takeInstances() -> Instances {
    sessions.withLock { sessions in
      defer { sessions = [:] }
      return Instances(makings: Array(sessions.values))
    }
  }

  /// Instances that are out of use.
  public struct Instances: Sendable {
    fileprivate let makings: [Making]

    public func free(_ reason: CloseReason) async {
      for making in makings { await AgentHost.free(making, reason) }
    }
  }

  fileprivate static func free(_ making: Making?, _ reason: CloseReason) async {
    guard let making, case .success(let agent) = await making.result else { return }
    await agent.closed(reason)
  }

  /// The instance to use, and whether it is this call's alone.
  private func instance(at place: Place) async throws -> (agent: any Agent, isOwn: Bool) {
    switch place.kind {
    case .shared(let agent): return (agent, false)
    case .own(let making): return (try await making.value, true)
    case .session(let key, let making, let dropped):
      await Self.free(dropped, .replaced)
      do {
        return (try await making.value, false)
      } catch {
        sessions.withLock { if $0[key] == making { $0[key] = nil } }
        throw error
      }
    }
  }

  private static func activate(
    _ session: String?, _ make: @Sendable (String?) async throws -> any Agent
  ) async throws -> any Agent {
    do {
      return try await make(session)
    } catch {
      // Whatever it was, no message of the session has been handled.
      let reported = AgentError(reporting: error)
      var failure = AgentError(.activationFailed, reported.message)
      failure.details = reported.details
      throw failure
    }
  }
}
