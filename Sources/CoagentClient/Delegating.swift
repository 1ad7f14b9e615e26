public import Hosting
internal import Wire

/// Delegating from an agent of this client's: as its context does, for the call it handles.
extension Client {
  /// Calls an agent to put its replies among those of the call that the running task handles, or to
  /// hand that call over. Outside of an agent: `failed_precondition`/`no_call`.
  public func delegate(
    _ to: String, _ message: Message, options: CallOptions = CallOptions()
  ) async throws -> Delegated {
    guard let context = parent(CallOptions()) else {
      throw AgentError(
        .failedPrecondition, reason: "no_call", "only an agent that handles a call can delegate it",
        address: to)
    }
    return try await context.delegate(to, message, options: options)
  }

  /// Delegates with a value: a text, bytes, or anything `Encodable` as JSON.
  public func delegate(
    _ to: String, _ body: some Encodable, type: String? = nil,
    options: CallOptions = CallOptions()
  ) async throws -> Delegated {
    try await delegate(to, Message(encoding: body, type: type), options: options)
  }

  /// Delegates without a message.
  public func delegate(_ to: String) async throws -> Delegated {
    try await delegate(to, Message([]))
  }
}
