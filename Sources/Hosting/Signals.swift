internal import Wire

/// A signal as the agent sees it that is given it.
public struct Signal: Sendable {
  /// `interrupt`, or a word of the agent's own.
  public let name: String
  /// The agent or session that was signalled, or to which the call came.
  public let address: String
  /// The agent that signals; empty for none.
  public let from: String
  /// The payload; nil for none.
  public let message: Message?
  /// The call that it is about; nil: the agent or the session.
  public let context: AgentContext?

  public init(
    name: String, address: String, from: String, message: Message?, context: AgentContext?
  ) {
    self.name = name
    self.address = address
    self.from = from
    self.message = message
    self.context = context
  }

  /// The payload as text.
  public var text: String { message?.text ?? "" }

  /// The payload as a value; `invalid_argument`/`bad_content` when it is none.
  public func decode<Value: Decodable>(
    _ kind: Value.Type = Value.self
  ) throws(AgentError) -> Value {
    guard let message else { throw AgentError(.badContent, "the signal came without a payload") }
    return try message.decode(kind)
  }
}

/// What an interrupt throws where `interruptible` stands. It has reached its end when an agent lets
/// it escape: the call ends `aborted`/`interrupted`.
public struct Interrupted: Error, Sendable {
  public let signal: Signal
}

/// An agent that is told of interrupts beside what it does, which then goes on undisturbed.
public protocol InterruptibleAgent: Agent {
  /// One of its calls is interrupted. What it throws ends the call.
  func interrupted(by signal: Signal, in context: AgentContext) async throws
}

/// An agent that takes signals of its own.
public protocol SignalledAgent: Agent {
  /// What it throws is the signal's answer.
  func signalled(_ signal: Signal) async throws
}

/// What a registration says of signals, for agents that do not say it themselves.
public struct SignalHooks: Sendable {
  /// One of the agent's calls is interrupted; what runs goes on undisturbed.
  public var onInterrupt: (@Sendable (Signal, AgentContext) async throws -> Void)?
  /// The agent, an instance, or one of its calls is signalled in the agent's own words.
  public var onSignal: (@Sendable (Signal) async throws -> Void)?

  public init(
    onInterrupt: (@Sendable (Signal, AgentContext) async throws -> Void)? = nil,
    onSignal: (@Sendable (Signal) async throws -> Void)? = nil
  ) {
    self.onInterrupt = onInterrupt
    self.onSignal = onSignal
  }
}

extension AgentHost {
  /// A call that is being handled is interrupted: a hook is told, or the handler ends. Returns what
  /// the hook failed with, which ends the call.
  public func interrupt(at place: Place, _ signal: Signal) async -> AgentError? {
    guard let context = signal.context else { return nil }
    let agent = try? await place.agent()
    do {
      if let agent = agent as? any InterruptibleAgent {
        try await agent.interrupted(by: signal, in: context)
      } else if let hook = hooks.onInterrupt {
        try await hook(signal, context)
      } else {
        context.interrupt(signal)
      }
      return nil
    } catch {
      return AgentError(reporting: error)
    }
  }

  /// Gives a call's agent a signal of its own. Returns why it was not taken.
  public func signal(at place: Place, _ signal: Signal) async -> AgentError? {
    await give(signal, to: try? await place.agent())
  }

  /// Gives a session's instance a signal of its own, or, where it is to none, the agent.
  public func signal(_ signal: Signal, session: String?) async -> AgentError? {
    if let session {
      guard let making = making(of: session) else {
        return AgentError(.notRunning, "there is no instance of \(signal.address)")
      }
      return await give(signal, to: try? await making.value)
    }
    if let shared { return await give(signal, to: shared) }
    if hooks.onSignal != nil { return await give(signal, to: nil) }
    var failure: AgentError?
    let makings = allMakings
    for making in makings {
      if let error = await give(signal, to: try? await making.value), failure == nil {
        failure = error
      }
    }
    return makings.isEmpty ? Self.unhandled(signal) : failure
  }

  private func give(_ signal: Signal, to agent: (any Agent)?) async -> AgentError? {
    do {
      if let agent = agent as? any SignalledAgent {
        try await agent.signalled(signal)
      } else if let hook = hooks.onSignal {
        try await hook(signal)
      } else {
        return Self.unhandled(signal)
      }
      return nil
    } catch {
      return AgentError(reporting: error)
    }
  }

  private static func unhandled(_ signal: Signal) -> AgentError {
    AgentError(.unhandledSignal, "nothing of \(signal.address) takes \(signal.name)")
  }
}
