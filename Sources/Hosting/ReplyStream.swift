internal import Wire

/// The replies of a call, as its agent sends them. From any task of the agent's; messages do not
/// mix.
///
/// Sending suspends while the caller's window is full, so an agent runs no further ahead of its
/// reader than the reader allows. It throws `CancellationError` or the call's end when nobody reads
/// any more.
public struct ReplyStream: Sendable {
  let outlet: Outlet

  public init(_ outlet: Outlet) { self.outlet = outlet }

  public func send(_ message: Message) async throws {
    try await outlet.send(message)
  }

  /// Sends a value: a text, bytes, or anything `Encodable` as JSON under its type's name.
  public func send(_ value: some Encodable, type: String? = nil) async throws {
    try await outlet.send(Message(encoding: value, type: type))
  }

  /// Sends the next piece of a text that goes on, such as a token. It ends with `endMessage`, the
  /// next `send` or the reply.
  public func part(_ text: String, type: String = "") async throws {
    try await outlet.part(Message(text: text, type: type))
  }

  /// Sends the next piece of a message that goes on. The first one's type and content type stand.
  public func part(_ message: Message) async throws {
    try await outlet.part(message)
  }

  /// Ends the message that parts have begun.
  public func endMessage() async throws {
    try await outlet.endMessage()
  }

  /// Reports an error at this position; the replies go on behind it.
  public func fail(at error: any Error) async throws {
    try await outlet.fail(at: AgentError(reporting: error))
  }

  /// Passes all replies of another call on, frame by frame, in order, errors at a position too.
  /// The error that ends the call is thrown.
  public func forward(_ replies: Replies) async throws {
    var parts = replies.parts.makeAsyncIterator()
    while true {
      let part: ReplyPart
      do {
        guard let next = try await parts.next() else { return }
        part = next
      } catch let error as AgentError where !parts.isOver {
        try await outlet.fail(at: error)
        continue
      }
      if part.isLast {
        try await outlet.send(part.message)
      } else {
        try await outlet.part(part.message)
      }
    }
  }

  /// Sends a message that need not wait for what is spliced before it: it goes out as soon as no
  /// other message is under way at the caller. It travels in one frame.
  public func send(outOfOrder message: Message) async throws {
    try await outlet.send(outOfOrder: message)
  }

  public func send(outOfOrder value: some Encodable, type: String? = nil) async throws {
    try await outlet.send(outOfOrder: Message(encoding: value, type: type))
  }

  /// Puts the replies of a delegated call here, unread: in their place, whenever they come. An
  /// error that ends it stands at its place, and these replies go on. One that has been read is
  /// copied from where it stands.
  ///
  /// - Parameter outOfOrder: its messages need not wait for what is spliced before them.
  public func splice(_ delegated: Delegated, outOfOrder: Bool = false) async throws {
    do {
      guard try delegated.takeForSplice() else { return try await forward(delegated.replies) }
      try await delegated.call.waitUntilSent()
    } catch let error as AgentError where error.reason != Delegated.splicedReason {
      return try await outlet.fail(at: error)
    }
    try await outlet.splice(delegated.call, isUnordered: outOfOrder, isLast: false)
  }

  /// Ends these replies with those of a delegated call: its end is this call's, which has ended
  /// here when this returns. Nothing can be sent behind it.
  public func handOff(to delegated: Delegated) async throws {
    guard try delegated.takeForSplice() else { return try await forward(delegated.replies) }
    try await delegated.call.waitUntilSent()
    try await outlet.splice(delegated.call, isUnordered: false, isLast: true)
    outlet.close(AgentError(.cancelled, "the call was handed off"))
  }
}
