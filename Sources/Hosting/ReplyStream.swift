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

  /// Passes all replies of another call on, frame by frame, in order.
  public func forward(_ replies: Replies) async throws {
    for try await part in replies.parts {
      if part.isLast {
        try await outlet.send(part.message)
      } else {
        try await outlet.part(part.message)
      }
    }
  }
}
