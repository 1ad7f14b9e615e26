internal import Connections
internal import Hosting
internal import Locking
internal import Wire

/// Where the messages of a subscription wait until they are read, over all the connections that
/// come and go.
final class TopicReader: Sendable {
  /// The subscription on one of the client's connections.
  private struct Attempt {
    let generation: UInt64
    let mailbox: Mailbox
    let lane: Lane
    let task: Task<Void, any Error>
  }

  private struct State {
    var attempt: Attempt?
    var waiting: [PublishedMessage] = []
    var head = 0
    /// How many of those that wait came by a connection that is gone: nobody grants for them.
    var strangers = 0
    /// What the message that is being read took of the window.
    var takenBytes = 0
    var owedBytes = 0
    var isFinished = false
    var error: AgentError?
    var waiter: CheckedContinuation<Void, Never>?

    mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
      defer { waiter = nil }
      return waiter
    }

    mutating func takeFirst() -> PublishedMessage? {
      guard head < waiting.count else { return nil }
      let message = waiting[head]
      head += 1
      if head == waiting.count || head >= 1024, head * 2 > waiting.count {
        waiting.removeFirst(head)
        head = 0
      }
      takenBytes = strangers > 0 ? 0 : message.piece.cost
      strangers = max(0, strangers - 1)
      return message
    }
  }

  let topic: String
  let windowBytes: Int?
  /// It goes on when its connection is lost.
  let isRenewed: Bool
  private let state = Locked(State())

  init(_ topic: String, windowBytes: Int?, isRenewed: Bool) {
    self.topic = topic
    self.windowBytes = windowBytes
    self.isRenewed = isRenewed
  }

  /// Subscribes on this connection, once, whoever asks first; the task ends with the answer.
  func subscribe(on link: Link) -> Task<Void, any Error> {
    state.withLock { state in
      if let attempt = state.attempt, attempt.generation == link.generation { return attempt.task }
      let answer = Answer()
      let lane = Lane()
      let isOpen =
        state.isFinished ? false : link.mailbox.post(.subscribe(self, lane, answer))
      let task = Task {
        guard isOpen else { throw Client.lost }
        try await answer.value()
      }
      state.attempt = Attempt(
        generation: link.generation, mailbox: link.mailbox, lane: lane, task: task)
      state.strangers = state.waiting.count - state.head
      state.takenBytes = 0
      state.owedBytes = 0
      return task
    }
  }

  func deliver(_ message: PublishedMessage) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if state.isFinished { return nil }
      state.waiting.append(message)
      return state.takeWaiter()
    }
    waiter?.resume()
  }

  /// The subscription has ended on its connection.
  func ended(_ error: AgentError?) {
    if isRenewed, error?.code == .unavailable { return }
    finish(error)
  }

  /// Nothing more comes; what is there can still be read.
  func finish(_ error: AgentError?) {
    let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
      if state.isFinished { return nil }
      state.isFinished = true
      state.error = error
      return state.takeWaiter()
    }
    waiter?.resume()
  }

  /// Nobody reads any more.
  func cancel() {
    let (attempt, waiter) = state.withLock { state in
      state.isFinished = true
      state.error = nil
      state.waiting = []
      state.head = 0
      return (state.attempt, state.takeWaiter())
    }
    if let attempt { attempt.mailbox.post(.cancel(attempt.lane)) }
    waiter?.resume()
  }

  /// The next message; nil at the end. Throws what ended it.
  func next() async throws -> PublishedMessage? {
    settle()
    while true {
      try Task.checkCancellation()
      let (message, isFinished, error) = state.withLock { state in
        (state.takeFirst(), state.isFinished, state.error)
      }
      if let message { return message }
      if isFinished {
        if let error { throw error }
        return nil
      }
      await arrival()
    }
  }

  /// Grants for what has been read, half a window at a time.
  private func settle() {
    let threshold = ClientConnection.grantBytes(window: windowBytes ?? Limits.windowBytesDefault)
    let (attempt, bytes) = state.withLock { state -> (Attempt?, Int) in
      state.owedBytes += state.takenBytes
      state.takenBytes = 0
      if state.isFinished || state.owedBytes < threshold { return (nil, 0) }
      defer { state.owedBytes = 0 }
      return (state.attempt, state.owedBytes)
    }
    if let attempt { attempt.mailbox.post(.consumedReplies(attempt.lane, bytes)) }
  }

  /// Waits until something is there, the end has come or the task is cancelled.
  private func arrival() async {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          precondition(state.waiter == nil, "two tasks read one subscription")
          if state.isFinished || state.head < state.waiting.count || Task.isCancelled {
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

/// The topics that a client reads, to be subscribed to on every connection.
final class ReaderTable: Sendable {
  private let readers = Locked<[TopicReader]>([])

  init() {}

  var all: [TopicReader] { readers.withLock { $0 } }

  func add(_ reader: TopicReader) { readers.withLock { $0.append(reader) } }

  func remove(_ reader: TopicReader) { readers.withLock { $0.removeAll { $0 === reader } } }
}
