internal import Locking
public import Wire

/// The receiving end of one direction of a call: frames wait here until they are read.
///
/// What waits is bounded by the direction's window, because `onConsumed` hears of bytes only when
/// they are read, and credit is granted from there. One task reads; anyone may deliver.
public final class Inbox: Sendable {
  enum Entry: Sendable {
    case piece(Piece)
    /// An error at a position: the direction goes on behind it.
    case failure(AgentError)
  }

  private struct State {
    var entries: [Entry] = []
    var head = 0
    var isFinished = false
    var error: AgentError?
    var owedBytes = 0
    /// What the first reading permits.
    var openingBytes: Int
    var waiter: CheckedContinuation<Void, Never>?

    mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
      defer { waiter = nil }
      return waiter
    }

    mutating func append(_ entry: Entry) -> CheckedContinuation<Void, Never>? {
      if isFinished { return nil }
      entries.append(entry)
      return takeWaiter()
    }

    mutating func takeFirst() -> Entry? {
      guard head < entries.count else { return nil }
      let entry = entries[head]
      head += 1
      if head == entries.count {
        entries.removeAll(keepingCapacity: head < 1024)
        head = 0
      } else if head >= 1024, head * 2 > entries.count {
        entries.removeFirst(head)
        head = 0
      }
      return entry
    }
  }

  private let state: Locked<State>
  private let thresholdBytes: Int
  private let onConsumed: @Sendable (Int) -> Void

  /// - Parameters:
  ///   - thresholdBytes: consumption is reported when this much has come together.
  ///   - consumedBytes: what was consumed before the first reading.
  ///   - openingBytes: what is reported when the reading begins, of a call that waits for that.
  ///   - onConsumed: bytes read since it was called last, C + 256 for a frame. From any thread.
  public init(
    thresholdBytes: Int, consumedBytes: Int = 0, openingBytes: Int = 0,
    onConsumed: @escaping @Sendable (Int) -> Void
  ) {
    state = Locked(State(owedBytes: consumedBytes, openingBytes: openingBytes))
    self.thresholdBytes = thresholdBytes
    self.onConsumed = onConsumed
  }

  public func deliver(_ piece: Piece) {
    state.withLock { $0.append(.piece(piece)) }?.resume()
  }

  /// An error at a position of the direction.
  public func deliver(_ error: AgentError) {
    state.withLock { $0.append(.failure(error)) }?.resume()
  }

  /// Nothing more comes. What waits can still be read, then comes the end or `error`.
  public func finish(_ error: AgentError? = nil) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if state.isFinished { return nil }
      state.isFinished = true
      state.error = error
      return state.takeWaiter()
    }
    waiter?.resume()
  }

  /// The direction goes on by another way, where all that was read counts as permitted anew:
  /// returns what still waits to be read, C + 256 a frame.
  public func goOn() -> Int {
    state.withLock { state in
      state.owedBytes = 0
      return state.entries[state.head...].reduce(0) { $0 + $1.cost }
    }
  }

  /// The error of the end, once that has come.
  var failure: AgentError? { state.withLock { $0.error } }

  public var isFinished: Bool { state.withLock { $0.isFinished } }

  /// The next frame, or nil at the end. Throws the error at this position or of the end, or
  /// `CancellationError` when the reading task is cancelled.
  public func next() async throws -> Piece? {
    switch try await nextEntry() {
    case .piece(let piece): return piece
    case .failure(let error): throw error
    case nil: return nil
    }
  }

  /// The next frame or error at a position, or nil at the end. Throws the error of the end.
  func nextEntry() async throws -> Entry? {
    while true {
      try Task.checkCancellation()
      var grant = 0
      let (entry, isFinished, error) = state.withLock { state in
        let entry = state.takeFirst()
        if let entry, !state.isFinished {
          state.owedBytes += entry.cost
          if state.owedBytes >= thresholdBytes { swap(&grant, &state.owedBytes) }
        }
        if state.openingBytes > 0, !state.isFinished { swap(&grant, &state.openingBytes) }
        return (entry, state.isFinished, state.error)
      }
      if grant > 0 { onConsumed(grant) }
      if let entry { return entry }
      if isFinished {
        if let error { throw error }
        return nil
      }
      await arrival()
    }
  }

  /// Waits until something is there, the end has come or the task is cancelled.
  private func arrival() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          precondition(state.waiter == nil, "two tasks read one direction of a call")
          if state.isFinished || state.head < state.entries.count || Task.isCancelled {
            return true
          }
          state.waiter = continuation
          return false
        }
        if isReady { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.takeWaiter() }?.resume()
    }
  }
}

extension Inbox.Entry {
  var cost: Int {
    switch self {
    case .piece(let piece): piece.cost
    case .failure: Limits.frameCostBytes
    }
  }
}

/// Puts frames together to messages.
struct MessageAssembly {
  private var open: Message?

  /// The message that ends with this piece, if one does.
  mutating func add(_ piece: Piece) -> Message? {
    if open == nil { open = Message(piece) } else { open!.content += piece.content }
    if piece.isPart { return nil }
    defer { open = nil }
    return open
  }

  /// The end of the direction ends a message that was under way.
  mutating func end() -> Message? {
    defer { open = nil }
    return open
  }

  /// An error ends it too, and it is not delivered.
  mutating func drop() { open = nil }
}

extension Inbox {
  /// The next whole message, or the error at its position; nil at the end. Throws the error of the
  /// end.
  func nextOutcome(
    _ assembly: inout MessageAssembly
  ) async throws -> Result<Message, AgentError>? {
    do {
      while let entry = try await nextEntry() {
        switch entry {
        case .piece(let piece):
          if let message = assembly.add(piece) { return .success(message) }
        case .failure(let error):
          assembly.drop()
          return .failure(error)
        }
      }
      return assembly.end().map { .success($0) }
    } catch let error as AgentError {
      assembly.drop()
      throw error
    }
  }

  /// The next whole message. Throws the error at this position or of the end.
  func nextMessage(_ assembly: inout MessageAssembly) async throws -> Message? {
    try await nextOutcome(&assembly)?.get()
  }
}
