internal import Wire

/// Whom a signal concerns.
public enum SignalTarget: Sendable {
  /// An agent, or a session of one.
  case address(String)
  /// A run of this client's principal.
  case run(String)
}

/// What a signal may say besides its name and payload.
public struct SignalOptions: Sendable {
  /// How long its answer is waited for.
  public var timeout: Duration = .seconds(30)
  /// Returns when the sidecar has answered; without, what is lost is lost.
  public var isAcknowledged = true
  /// It is not sent for the call that the running task handles.
  public var isIndependent = false
  /// Who signals, if it is an agent registered here; in an agent it is that agent.
  public var from = ""
  /// How often it is sent again when nobody has seen it.
  public var repeatsMax = 3

  public init() {}
}

extension Caller {
  // MARK: - An agent's own

  /// Signals an agent or a session in the agent's own words, of two and more segments, such as
  /// `steer.note`. It overtakes what waits. Returns when the agent's code has taken it.
  public func signal(
    _ to: String, _ name: String, _ payload: some Encodable
  ) async throws {
    try await signal(.address(to), name, Message(encoding: payload), options: SignalOptions())
  }

  /// The same, without a payload.
  public func signal(_ to: String, _ name: String) async throws {
    try await signal(.address(to), name, nil, options: SignalOptions())
  }

  /// Signals what handles a run.
  public func signal(run: String, _ name: String, _ payload: some Encodable) async throws {
    try await signal(.run(run), name, Message(encoding: payload), options: SignalOptions())
  }

  public func signal(run: String, _ name: String) async throws {
    try await signal(.run(run), name, nil, options: SignalOptions())
  }

  // MARK: - Interrupts

  /// Interrupts what runs of a session. `failed_precondition`/`not_running` when nothing does.
  public func interrupt(_ to: String, _ payload: some Encodable) async throws {
    try await signal(to, "interrupt", payload)
  }

  public func interrupt(_ to: String) async throws { try await signal(to, "interrupt") }

  /// Interrupts a run.
  public func interrupt(run: String, _ payload: some Encodable) async throws {
    try await signal(run: run, "interrupt", payload)
  }

  public func interrupt(run: String) async throws { try await signal(run: run, "interrupt") }

  // MARK: - Sessions

  /// Ends a session and its calls.
  public func cancel(_ address: String) async throws { try await signal(address, "cancel") }

  /// Ends a run.
  public func cancel(run: String) async throws { try await signal(run: run, "cancel") }

  /// Keeps what waits in a session's mailbox there; what runs goes on.
  public func pause(_ address: String) async throws { try await signal(address, "pause") }

  /// Gives a paused session its messages again.
  public func resume(_ address: String) async throws { try await signal(address, "resume") }
}

extension Call {
  /// Interrupts this call at its agent, which may still finish its reply.
  public func interrupt(_ payload: some Encodable) async throws {
    try await signal("interrupt", Message(encoding: payload))
  }

  public func interrupt() async throws { try await signal("interrupt", nil) }

  /// Signals this call's agent in its own words.
  public func signal(_ name: String, _ payload: some Encodable) async throws {
    try await signal(name, Message(encoding: payload))
  }

  public func signal(_ name: String) async throws { try await signal(name, nil) }

  /// Signals with a message, or without a payload. A call that has ended:
  /// `failed_precondition`/`not_running`.
  public func signal(_ name: String, _ payload: Message?) async throws {
    try await onSignal(name, payload)
  }
}
