internal import Locking
internal import Wire

/// A call that an agent makes for its own reply: what it answers can stand there unread.
///
/// It runs from the start, while the sidecar holds its replies. `ReplyStream.splice` puts them in
/// their place, `ReplyStream.handOff` makes them the rest, and so does a function that returns it:
/// they go to the agent's caller and never come here. Or they are read here after all. One that is
/// neither spliced nor read is cancelled when its agent's call ends.
public final class Delegated: Sendable {
  private enum Use {
    case none, read, spliced
  }

  let call: Call
  private let use = Locked(Use.none)

  init(_ call: Call) { self.call = call }

  /// Where the call went.
  public var address: String { call.address }

  /// Its replies, read here; from then on it is a call like any other, with its window. One task
  /// reads them. Of a call that was spliced: `failed_precondition`/`call_spliced`.
  public var replies: Replies {
    Replies {
      try self.takeForReading()
      return self.call
    }
  }

  /// Ends it and what it gave rise to, unless it was spliced.
  public func cancel() {
    if use.withLock({ $0 }) != .spliced { call.cancel() }
  }

  func cancelUnlessUsed() {
    if use.withLock({ $0 }) == .none { call.cancel() }
  }

  private func takeForReading() throws(AgentError) {
    let isSpliced = use.withLock { use in
      if use == .none { use = .read }
      return use == .spliced
    }
    if isSpliced { throw spliced }
  }

  /// Whether its replies may be spliced; those that are read already may be copied. Once.
  func takeForSplice() throws(AgentError) -> Bool {
    let before = use.withLock { use in
      defer { if use == .none { use = .spliced } }
      return use
    }
    if before == .spliced { throw spliced }
    return before == .none
  }

  static let splicedReason = "call_spliced"

  private var spliced: AgentError {
    AgentError(
      .failedPrecondition, reason: Self.splicedReason, "its replies stand in another call's",
      address: address)
  }
}

/// Delegating with the running agent's context, for a client that carries its calls.
extension AgentContext {
  /// Calls an agent to put its replies among those of this call, or to hand this call over.
  public func delegate(
    _ to: String, _ message: Message, options: CallOptions = CallOptions()
  ) async throws -> Delegated {
    try checkLife(to)
    var options = options
    options.isHeld = true
    options.isDetached = false
    options.isIndependent = false
    options.hasInput = false
    let delegated = Delegated(try await open(to, message, options: options))
    try keep(delegated)
    return delegated
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
