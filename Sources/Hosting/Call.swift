internal import Locking
public import Wire

/// A call in progress, seen by its caller: input one way, replies the other.
///
/// Letting go of it before its end cancels it, down to the agent.
public final class Call: Sendable {
  /// Where the call went.
  public let address: String
  /// The replies as they come. One task reads them.
  let inbox: Inbox
  /// Input follows the first frame, of the caller's or because the message is long.
  let hasInput: Bool
  /// What whoever carries the call knows it by.
  public let carried: any Sendable
  private let outlet: Outlet?
  private let endInput: @Sendable () -> Void
  private let onCancel: @Sendable () -> Void
  private let isOver = Locked(false)
  private let onSent: @Sendable () async throws -> Void
  let onSignal: @Sendable (String, Message?) async throws -> Void

  /// For whoever carries calls: the two ends, and what to do when the caller has had enough.
  ///
  /// - Parameters:
  ///   - hasInput: frames follow the call's own, sent through `outlet` or otherwise.
  ///   - carried: what the carrier needs to splice it.
  ///   - sent: waits until a first message that is long has gone out; asked once.
  public init(
    address: String, inbox: Inbox, outlet: Outlet?, hasInput: Bool, carried: any Sendable = (),
    sent: @escaping @Sendable () async throws -> Void = {},
    signal: @escaping @Sendable (String, Message?) async throws -> Void = { _, _ in
      throw AgentError(.noSignals, "who carries the call takes no signals")
    },
    endInput: @escaping @Sendable () -> Void, cancel: @escaping @Sendable () -> Void
  ) {
    self.address = address
    self.inbox = inbox
    self.hasInput = hasInput
    self.carried = carried
    onSent = sent
    onSignal = signal
    self.outlet = outlet
    self.endInput = endInput
    onCancel = cancel
  }

  deinit {
    if !inbox.isFinished { cancel() }
  }

  /// Whether its end has come; what came before may still be unread.
  public var hasEnded: Bool { inbox.isFinished }

  /// Ends the call and what it gave rise to. A call that is over stays as it is.
  public func cancel() {
    let isFirst = isOver.withLock { isOver in
      defer { isOver = true }
      return !isOver
    }
    if isFirst { onCancel() }
  }

  /// Waits until all of a message that travels in parts has gone out. Throws what the call ended
  /// with, if it has.
  func waitUntilSent() async throws {
    try await onSent()
    if let error = inbox.failure { throw located(error) }
  }

  // MARK: - Input

  /// Sends one message of the input; suspends while the receiver permits none.
  public func send(_ message: Message) async throws {
    guard let outlet else { throw AgentError(.noInput, "the call was opened without input") }
    try await outlet.send(message)
  }

  public func send(_ value: some Encodable, type: String? = nil) async throws {
    try await send(Message(encoding: value, type: type))
  }

  /// Sends a part of a message that goes on, such as a token of a text.
  public func part(_ text: String) async throws {
    guard let outlet else { throw AgentError(.noInput, "the call was opened without input") }
    try await outlet.part(Message(text: text))
  }

  /// Tells the agent that the input is complete.
  public func finishInput() async throws {
    guard let outlet else { return }
    try await outlet.flush()
    try await outlet.endMessage()
    outlet.close(AgentError(.noInput, "the input was ended"))
    endInput()
  }

  // MARK: - Replies

  /// The replies, message by message.
  public var replies: Replies { Replies { self } }

  /// The replies with errors at a position as values among them.
  public var outcomes: ReplyOutcomes { replies.outcomes }

  /// The replies frame by frame: a message in parts arrives in pieces, as it is made.
  public var parts: ReplyParts { replies.parts }

  /// All replies, when the call has ended.
  public func whole() async throws -> Reply {
    do {
      return try await replies.whole()
    } catch {
      cancel()
      throw error
    }
  }

  /// An error of this call says whom it called.
  func located(_ error: AgentError) -> AgentError {
    var error = error
    if error.address.isEmpty { error.address = address }
    return error
  }
}

/// What came back from a call whose caller wanted one value.
public struct Reply: Sendable {
  public let messages: [Message]

  public init(_ messages: [Message]) { self.messages = messages }

  /// Several texts are one text, in order.
  public var isText: Bool { !messages.isEmpty && messages.allSatisfy(\.isText) }

  /// The last message; nil when there is none.
  public var last: Message? { messages.last }

  /// All texts joined; nil when there is none, or something else.
  public var text: String? {
    isText ? messages.map(\.text).joined() : nil
  }

  /// All texts joined, "" of none. Another message among them: `invalid_argument`/`bad_content`.
  public func joined() throws(AgentError) -> String {
    if let other = messages.first(where: { !$0.isText }) {
      throw AgentError(.badContent, "a reply of type \(other.contentType) is no text to join")
    }
    return messages.map(\.text).joined()
  }

  /// No message is null, one is itself, several texts are one, others are a list.
  public func json() throws(AgentError) -> JSON {
    if let text { return .string(text) }
    if messages.count == 1 { return try messages[0].json() }
    if messages.isEmpty { return .null }
    var list: [JSON] = []
    for message in messages { list.append(try message.json()) }
    return .array(list)
  }

  /// The value, by the same rule.
  public func decode<Value: Decodable>(
    _ kind: Value.Type = Value.self
  ) throws(AgentError) -> Value {
    if messages.count == 1 { return try messages[0].decode(kind) }
    if let text, let value = text as? Value { return value }
    return try Message(json: try json()).decode(kind)
  }
}
