internal import Wire

/// The replies of a call, message by message. The call is made when the iteration begins; leaving
/// the loop before the end cancels it, and so does a cancelled task. To be iterated once.
public struct Replies: AsyncSequence, Sendable {
  let source: ReplySource

  public init(_ open: @escaping @Sendable () async throws -> Call) {
    source = ReplySource(timeout: nil, repeatsMax: 0) { _ in try await open() }
  }

  init(_ source: ReplySource) { self.source = source }

  public func makeAsyncIterator() -> Iterator { Iterator(outcomes.makeAsyncIterator()) }

  public struct Iterator: AsyncIteratorProtocol {
    private var outcomes: ReplyOutcomes.Iterator

    init(_ outcomes: ReplyOutcomes.Iterator) { self.outcomes = outcomes }

    /// The next message, or nil at the end. After an error at a position of the replies, the next
    /// call goes on behind it.
    public mutating func next() async throws -> Message? { try await outcomes.next()?.get() }

    /// Whether nothing more will come: an error that was thrown was the call's last word.
    public var isOver: Bool { outcomes.isOver }
  }

  /// The replies with errors at a position as values among them.
  public var outcomes: ReplyOutcomes { ReplyOutcomes(source: source) }

  /// The replies frame by frame: a message in parts arrives in pieces, as it is made.
  public var parts: ReplyParts { ReplyParts(source: source) }

  /// All replies, when the call has ended.
  public func whole() async throws -> Reply {
    var messages: [Message] = []
    for try await message in self { messages.append(message) }
    return Reply(messages)
  }
}

/// The replies of a call: messages, and errors at a position, behind which they go on. Only the
/// error that ends the call is thrown.
public struct ReplyOutcomes: AsyncSequence, Sendable {
  let source: ReplySource

  public func makeAsyncIterator() -> Iterator { Iterator(source) }

  public struct Iterator: AsyncIteratorProtocol {
    private var reading: Reading
    private var assembly = MessageAssembly()

    init(_ source: ReplySource) { reading = Reading(source) }

    public mutating func next() async throws -> Result<Message, AgentError>? {
      var assembly = assembly
      defer { self.assembly = assembly }
      let outcome = try await reading.step { call in
        try await call.inbox.nextOutcome(&assembly)
      }
      return outcome?.mapError { reading.located($0) }
    }

    public var isOver: Bool { reading.isOver }
  }
}

/// The replies of a call as their frames arrive.
public struct ReplyParts: AsyncSequence, Sendable {
  let source: ReplySource

  public func makeAsyncIterator() -> Iterator { Iterator(source) }

  public struct Iterator: AsyncIteratorProtocol {
    private var reading: Reading
    /// Of the message that is under way.
    private var contentType: String?

    init(_ source: ReplySource) { reading = Reading(source) }

    /// The next frame, or nil at the end. After an error at a position of the replies, the next
    /// call goes on behind it.
    public mutating func next() async throws -> ReplyPart? {
      switch try await reading.step({ call in try await call.inbox.nextEntry() }) {
      case .piece(let piece):
        let isFirst = contentType == nil
        var message = Message(piece)
        if let contentType { message.contentType = contentType }
        contentType = piece.isPart ? message.contentType : nil
        return ReplyPart(message: message, isFirst: isFirst, isLast: !piece.isPart)
      case .failure(let error):
        contentType = nil
        throw reading.located(error)
      case nil: return nil
      }
    }

    public var isOver: Bool { reading.isOver }
  }
}

/// A frame of a reply: a message, or a part of one.
public struct ReplyPart: Sendable {
  /// The content of this frame, with its message's content type; type and ext stand in the first.
  public let message: Message
  public let isFirst: Bool
  public let isLast: Bool
}

/// Where replies come from: a call that is made when they are wanted, with the time that is left.
struct ReplySource: Sendable {
  let timeout: Duration?
  /// How often the call may be made again when nobody has seen it.
  let repeatsMax: Int
  let open: @Sendable (_ timeout: Duration?) async throws -> Call
}

/// What all ways of reading a call's replies have in common: it is opened by the first step, made
/// again where nobody has seen it, and given up by a step that is cancelled.
private struct Reading {
  private let source: ReplySource
  private var call: Call?
  private var deadline: ContinuousClock.Instant?
  private var repeats = Repeats()
  private var hasBegun = false
  private(set) var isOver = false

  init(_ source: ReplySource) { self.source = source }

  mutating func step<Step>(_ next: (Call) async throws -> Step?) async throws -> Step? {
    while true {
      do {
        let step = try await next(try await opened())
        hasBegun = true
        if step == nil { isOver = true }
        return step
      } catch let error as AgentError {
        guard let pause = pauseBeforeRepeating(error) else {
          isOver = true
          throw located(error)
        }
        call = nil
        try await Task.sleep(for: pause)
      } catch {
        call?.cancel()
        throw error
      }
    }
  }

  private mutating func opened() async throws -> Call {
    if let call { return call }
    let isFirst = repeats.count == 0
    if isFirst { deadline = source.timeout.map { .now + $0 } }
    let call = try await source.open(isFirst ? source.timeout : deadline.map { $0 - .now })
    self.call = call
    return call
  }

  /// Nil where the error is the call's last word: somebody may have seen it, its input went with
  /// it, or the time does not suffice.
  private mutating func pauseBeforeRepeating(_ error: AgentError) -> Duration? {
    guard !hasBegun, call?.hasInput != true,
      let pause = repeats.pause(after: error, atMost: source.repeatsMax)
    else { return nil }
    if let deadline, .now + pause >= deadline { return nil }
    return pause
  }

  func located(_ error: AgentError) -> AgentError { call?.located(error) ?? error }
}

/// How often something that nobody has seen was asked for again.
public struct Repeats: Sendable {
  /// Those that count, and those that only waited for a host to come back.
  private var counted = 0
  private var waited = 0
  public var count: Int { counted + waited }

  public init() {}

  /// How long to wait before it is asked for once more; nil when it is not.
  public mutating func pause(after error: AgentError, atMost most: Int) -> Duration? {
    guard most > 0 else { return nil }
    if error.awaitsHost {
      defer { waited += 1 }
      let meanMs = min(50 << min(waited, 10), 500)
      return .milliseconds(Int.random(in: meanMs / 2...meanMs * 3 / 2))
    }
    guard error.retry, counted < most else { return nil }
    defer { counted += 1 }
    return error.pauseBeforeRepeating(counted)
  }
}

extension AgentError {
  /// How long to wait before a call that nobody has seen is made again: longer each time, never
  /// the same for all who wait, and as long as the sidecar asks for.
  public func pauseBeforeRepeating(_ repeats: Int) -> Duration {
    let meanMs = min(50 << min(repeats, 10), 2_000)
    let pause = Duration.milliseconds(Int.random(in: meanMs / 2...meanMs * 3 / 2))
    guard case .integer(let afterMs) = details["retry_after_ms"] else { return pause }
    return max(pause, .milliseconds(Int64(clamping: afterMs)))
  }
}
