internal import Locking
public import Wire

/// Handles calls. Runs off the event loop.
///
/// An instance that has state of its own is best an `actor`, made for each session by a factory.
public protocol Agent: Sendable {
  /// Answers one call: with messages to `reply`, or by throwing. The call ends when it returns.
  /// Its task is cancelled when the caller does not want the answer any more.
  @concurrent
  func handle(_ request: Request, reply: ReplyStream, in context: AgentContext) async throws

  /// The instance will not be used again.
  func closed(_ reason: CloseReason) async
}

extension Agent {
  public func closed(_ reason: CloseReason) async {}
}

/// Why an instance is not needed any more.
public enum CloseReason: Sendable, Hashable {
  /// Nothing came for the session's `idle_ms`.
  case idle
  /// Somebody deleted the session.
  case cancelled
  /// The registration, the client or the sidecar ends.
  case shutdown
  /// The connection was lost; the session's next message makes another instance.
  case connectionLost
  /// The session began anew while this instance was still there.
  case replaced
  /// It was made for one call without a session, which has ended.
  case ended
  /// A word that this version does not know.
  case other(String)

  public init(word: String) {
    switch word {
    case "idle": self = .idle
    case "cancelled": self = .cancelled
    case "shutdown": self = .shutdown
    case "connection_lost": self = .connectionLost
    case "replaced": self = .replaced
    case "ended": self = .ended
    default: self = .other(word)
    }
  }

  /// The word that every language has for it.
  public var word: String {
    switch self {
    case .idle: "idle"
    case .cancelled: "cancelled"
    case .shutdown: "shutdown"
    case .connectionLost: "connection_lost"
    case .replaced: "replaced"
    case .ended: "ended"
    case .other(let word): word
    }
  }
}

/// A call as its agent sees it.
public struct Request: Sendable {
  /// The address that was called, `name` or `name:session`.
  public let address: String
  /// The kind of the first message; empty when it has none.
  public let type: String
  /// The first message of the input; nil when it has not come with the call.
  public let message: Message?
  /// All of the input, the first message included. One task reads it.
  public let input: InputMessages
  /// It begins its session: the instance is fresh.
  public let isNew: Bool
  /// Nobody waits for an answer.
  public let isOneway: Bool
  /// It is shown, not asked: no action is expected.
  public let observes: Bool
  /// The topic that the message was published to, and whom it concerns; empty when it was not.
  public let topic: String
  public let source: String

  public init(
    address: String, type: String? = nil, message: Message?, input: InputMessages,
    isNew: Bool = false, isOneway: Bool = false, observes: Bool = false, topic: String = "",
    source: String = ""
  ) {
    self.address = address
    self.type = type ?? message?.type ?? ""
    self.message = message
    self.input = input
    self.isNew = isNew
    self.isOneway = isOneway
    self.observes = observes
    self.topic = topic
    self.source = source
  }

  /// The input behind the first message; in place of `input`, for an agent that has used that
  /// message already.
  public var further: InputMessages { InputMessages(first: nil, inbox: input.inbox) }

  public var name: String { Self.split(address).name }
  public var session: String? { Self.split(address).session }

  /// The first message, waited for where it comes behind the call; nil when the input is empty.
  public func firstMessage() async throws -> Message? {
    if let message { return message }
    var iterator = further.makeAsyncIterator()
    return try await iterator.next()
  }

  /// The first message as text.
  public var text: String { message?.text ?? "" }

  /// The first message as JSON.
  public func json() throws(AgentError) -> JSON { try first().json() }

  /// The first message as a value; `invalid_argument`/`bad_content` when it is none.
  public func decode<Value: Decodable>(
    _ kind: Value.Type = Value.self
  ) throws(AgentError) -> Value {
    try first().decode(kind)
  }

  private func first() throws(AgentError) -> Message {
    guard let message else { throw AgentError(.badContent, "the call came without a message") }
    return message
  }

  /// The two halves of an address.
  public static func split(_ address: String) -> (name: String, session: String?) {
    let parts = address.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    return (String(parts[0]), parts.count > 1 ? String(parts[1]) : nil)
  }
}

/// The input of a call, message by message, as fast as it is read.
public struct InputMessages: AsyncSequence, Sendable {
  let first: Message?
  let inbox: Inbox?

  /// `inbox` has what comes after `first`; nil when nothing does.
  public init(first: Message?, inbox: Inbox?) {
    self.first = first
    self.inbox = inbox
  }

  public func makeAsyncIterator() -> Iterator { Iterator(first: first, inbox: inbox) }

  public struct Iterator: AsyncIteratorProtocol {
    var first: Message?
    let inbox: Inbox?
    private var assembly = MessageAssembly()

    init(first: Message?, inbox: Inbox?) {
      self.first = first
      self.inbox = inbox
    }

    public mutating func next() async throws -> Message? {
      if let message = first {
        first = nil
        return message
      }
      return try await inbox?.nextMessage(&assembly)
    }
  }
}

/// What an agent knows of the call it handles, and its way to call others on its behalf.
///
/// Calls made with it are children of that call: they have at most its time, end with it, and
/// carry its `trace` and `ext`. Within the agent's task and its child tasks, calls made with the
/// client do the same by themselves.
public struct AgentContext: Sendable {
  public let address: String
  /// The agent that called; empty when the caller is none.
  public let from: String
  public let trace: String
  public let ext: [String: FlatValue]
  /// When the caller gives up; nil for never.
  public let deadline: ContinuousClock.Instant?
  /// Whether the call has ended, so that nothing can be called on behalf of it.
  public var isOver: Bool { life.withLock { $0.isOver } }
  /// Who carries the calls that are made on behalf of this one.
  public let caller: any Caller
  /// The call's id with that caller, and which of the caller's connections it came by.
  public let callID: UInt64
  public let generation: UInt64
  private let life = Locked(Life())
  let interruption = Interruption()

  private struct Life {
    var isOver = false
    var delegated: [Delegated] = []
  }

  public init(
    address: String, from: String, trace: String, ext: [String: FlatValue],
    deadline: ContinuousClock.Instant?, caller: any Caller, callID: UInt64, generation: UInt64
  ) {
    self.address = address
    self.from = from
    self.trace = trace
    self.ext = ext
    self.deadline = deadline
    self.caller = caller
    self.callID = callID
    self.generation = generation
  }

  /// The call has ended. What was delegated for it and not used is not wanted any more.
  func end() {
    let delegated = life.withLock { life in
      life.isOver = true
      defer { life.delegated = [] }
      return life.delegated
    }
    for call in delegated { call.cancelUnlessUsed() }
  }

  /// Keeps a delegated call until this one ends.
  func keep(_ delegated: Delegated) throws(AgentError) {
    let isKept = life.withLock { life in
      if !life.isOver { life.delegated.append(delegated) }
      return !life.isOver
    }
    if !isKept { try checkLife(delegated.address) }
  }

  /// What is left of the caller's time; nil for no end.
  public var timeLeft: Duration? { deadline.map { max(.zero, $0 - .now) } }

  /// Of the agent that runs in this task.
  @TaskLocal public static var current: AgentContext?
}

extension AgentContext: Caller {
  public func open(
    _ to: String, _ message: Message?, options: CallOptions
  ) async throws -> Call {
    try checkLife(to)
    return try await Self.$current.withValue(self) {
      try await caller.open(to, message, options: options)
    }
  }

  public func send(
    _ to: String, _ message: Message, options: CallOptions, observes: Bool, acknowledged: Bool
  ) async throws {
    try checkLife(to)
    try await Self.$current.withValue(self) {
      try await caller.send(
        to, message, options: options, observes: observes, acknowledged: acknowledged)
    }
  }

  public func publish(
    _ topic: String, _ message: Message, options: PublishOptions
  ) async throws {
    try checkLife(topic)
    try await Self.$current.withValue(self) {
      try await caller.publish(topic, message, options: options)
    }
  }

  public func signal(
    _ target: SignalTarget, _ name: String, _ payload: Message?, options: SignalOptions
  ) async throws {
    switch target {
    case .address(let address): try checkLife(address)
    case .run(let run): try checkLife(run)
    }
    try await Self.$current.withValue(self) {
      try await caller.signal(target, name, payload, options: options)
    }
  }

  func checkLife(_ to: String) throws(AgentError) {
    if isOver {
      throw AgentError(.parentEnded, "the call that this one serves has ended", address: to)
    }
  }
}
