internal import Wire

/// The replies of a call, message by message. The call is made when the iteration begins; leaving
/// the loop before the end cancels it, and so does a cancelled task. To be iterated once.
public struct Replies: AsyncSequence, Sendable {
  let open: @Sendable () async throws -> Call

  public init(_ open: @escaping @Sendable () async throws -> Call) {
    self.open = open
  }

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
  public var outcomes: ReplyOutcomes { ReplyOutcomes(open) }

  /// The replies frame by frame.
  public var parts: ReplyParts { ReplyParts(open) }

  /// All replies, when the call has ended.
  public func whole() async throws -> Reply { try await open().whole() }
}

/// The replies of a call: messages, and errors at a position, behind which they go on. Only the
/// error that ends the call is thrown.
public struct ReplyOutcomes: AsyncSequence, Sendable {
  let open: @Sendable () async throws -> Call

  init(_ open: @escaping @Sendable () async throws -> Call) { self.open = open }

  public func makeAsyncIterator() -> Iterator { Iterator(open) }

  public struct Iterator: AsyncIteratorProtocol {
    private var reading: Reading
    private var assembly = MessageAssembly()

    init(_ open: @escaping @Sendable () async throws -> Call) { reading = Reading(open: open) }

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
  let open: @Sendable () async throws -> Call

  init(_ open: @escaping @Sendable () async throws -> Call) { self.open = open }

  public func makeAsyncIterator() -> Iterator { Iterator(open) }

  public struct Iterator: AsyncIteratorProtocol {
    private var reading: Reading
    private var isFirst = true

    init(_ open: @escaping @Sendable () async throws -> Call) { reading = Reading(open: open) }

    /// The next frame, or nil at the end. After an error at a position of the replies, the next
    /// call goes on behind it.
    public mutating func next() async throws -> ReplyPart? {
      switch try await reading.step({ call in try await call.inbox.nextEntry() }) {
      case .piece(let piece):
        let part = ReplyPart(message: Message(piece), isFirst: isFirst, isLast: !piece.isPart)
        isFirst = part.isLast
        return part
      case .failure(let error):
        isFirst = true
        throw reading.located(error)
      case nil: return nil
      }
    }

    public var isOver: Bool { reading.isOver }
  }
}

/// A frame of a reply: a message, or a part of one.
public struct ReplyPart: Sendable {
  /// The content of this frame. Type, content type and ext stand in a message's first.
  public let message: Message
  public let isFirst: Bool
  public let isLast: Bool
}

/// What all ways of reading a call's replies have in common: it is opened by the first step, and
/// given up by a step that is cancelled.
private struct Reading {
  let open: @Sendable () async throws -> Call
  private var call: Call?
  private(set) var isOver = false

  init(open: @escaping @Sendable () async throws -> Call) { self.open = open }

  mutating func step<Step>(_ next: (Call) async throws -> Step?) async throws -> Step? {
    do {
      let call = if let call { call } else { try await open() }
      self.call = call
      let step = try await next(call)
      if step == nil { isOver = true }
      return step
    } catch let error as AgentError {
      isOver = true
      throw located(error)
    } catch {
      call?.cancel()
      throw error
    }
  }

  func located(_ error: AgentError) -> AgentError { call?.located(error) ?? error }
}
