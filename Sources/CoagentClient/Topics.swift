internal import Connections
public import Hosting
internal import Wire

/// A message of a topic, as a reader gets it.
public struct TopicMessage: Sendable {
  public let topic: String
  /// Whom it concerns.
  public let source: String
  /// The agent that published it; empty for none.
  public let from: String
  /// How many messages went before this one because the reader was slow.
  public let dropped: Int
  public let message: Message

  init(_ published: PublishedMessage) {
    topic = published.topic
    source = published.source
    from = published.from
    dropped = Int(clamping: published.dropped)
    message = Message(published.piece)
  }
}

extension Client {
  /// Sends a message to everyone who subscribes to a topic, be they many or none; returns when the
  /// sidecar has handed it out.
  public func publish(
    _ topic: String, _ message: Message, options: PublishOptions
  ) async throws {
    var repeats = 0
    while true {
      do {
        return try await publishOnce(topic, message, options)
      } catch var error as AgentError {
        error.address = topic
        guard error.retry, repeats < options.repeatsMax else { throw error }
        try await Task.sleep(for: error.pauseBeforeRepeating(repeats))
        repeats += 1
      }
    }
  }

  private func publishOnce(
    _ topic: String, _ message: Message, _ options: PublishOptions
  ) async throws {
    var asking = CallOptions()
    asking.from = options.from
    asking.trace = options.trace
    asking.ext = options.ext
    asking.isIndependent = options.isIndependent
    let link = try await link(within: Self.defaultTimeout, for: parent(asking))
    var call = OutgoingCall(to: "", first: try Self.piece(of: message))
    try inherit(asking, into: &call, link)
    var publication = OutgoingPublication(
      topic: topic, source: options.source, message: call.first!)
    publication.timeoutMs = options.timeout?.milliseconds
    publication.trace = call.trace
    publication.from = call.from
    publication.parent = call.parent
    publication.ext = call.ext
    let answer = options.isAcknowledged ? Answer() : nil
    guard link.mailbox.post(.publish(publication, answer)) else { throw Self.lost }
    guard let answer else { return }
    let alarm = Task {
      try await Task.sleep(for: Self.defaultTimeout)
      answer.give(AgentError(.deadline, "the message was not acknowledged in time"))
    }
    defer { alarm.cancel() }
    try await answer.value()
  }

  /// Reads a topic, or all that a pattern matches (`*` is one segment, a last `>` the rest).
  /// Returns once messages come.
  ///
  /// - Parameter windowBytes: how far the topic may run ahead of the reader. What is beyond it and
  ///   as much again is lost, the oldest first; the next message tells how many in `dropped`. 1 is
  ///   one message at a time, always the newest; nil for 1 MiB.
  public func subscribe(
    _ topic: String, windowBytes: Int? = nil
  ) async throws -> Subscription {
    try await subscribe(topic, windowBytes: windowBytes, isRenewed: true)
  }

  /// One that is not renewed ends with its connection, `unavailable`, so that its reader knows.
  package func subscribe(
    _ topic: String, windowBytes: Int?, isRenewed: Bool
  ) async throws -> Subscription {
    let windowBytes = windowBytes.map { min(max(1, $0), Limits.windowBytesMax) }
    let reader = TopicReader(topic, windowBytes: windowBytes, isRenewed: isRenewed)
    readers.add(reader)
    do {
      try await subscribed(reader)
      return Subscription(Lease(reader, readers))
    } catch {
      readers.remove(reader)
      reader.cancel()
      throw error
    }
  }

  /// Waits until the topic is subscribed to on one connection, however many are lost before.
  private func subscribed(_ reader: TopicReader) async throws {
    var failed: (generation: UInt64, error: AgentError)?
    while true {
      let link = try await link(within: nil)
      if let failed, failed.generation == link.generation { throw failed.error }
      let attempt = reader.subscribe(on: link)
      do {
        return try await withTaskCancellationHandler {
          try await attempt.value
        } onCancel: {
          attempt.cancel()
        }
      } catch let error as AgentError where error.code == .unavailable && reader.isRenewed {
        failed = (link.generation, error)
      }
    }
  }

  /// The subscription goes on, on a connection that is new.
  func subscribeAgain(_ reader: TopicReader, on link: Link) {
    guard reader.isRenewed else { return }
    let attempt = reader.subscribe(on: link)
    Task {
      do {
        try await attempt.value
      } catch let error as AgentError where error.code != .unavailable {
        readers.remove(reader)
        reader.finish(error)
      } catch {
        // The connection is gone again; the next one will do.
      }
    }
  }
}

/// The messages of a topic, in their order. To be iterated by one task at a time.
///
/// It ends by `cancel`, when nobody holds it any more, or with the client. A connection that is
/// lost is made again, and it goes on, without what was published in between.
public struct Subscription: AsyncSequence, Sendable {
  private let lease: Lease

  fileprivate init(_ lease: Lease) { self.lease = lease }

  /// The topic or pattern.
  public var topic: String { lease.reader.topic }

  /// Ends it; who iterates comes to the end.
  public func cancel() { lease.end() }

  public func makeAsyncIterator() -> Iterator { Iterator(lease: lease) }

  public struct Iterator: AsyncIteratorProtocol {
    fileprivate let lease: Lease

    /// The next message. To ask for it says that the one before is done with.
    public mutating func next() async throws -> TopicMessage? {
      try await lease.reader.next().map { TopicMessage($0) }
    }
  }
}

/// Keeps a subscription for as long as somebody may read it.
private final class Lease: Sendable {
  let reader: TopicReader
  private let readers: ReaderTable

  init(_ reader: TopicReader, _ readers: ReaderTable) {
    self.reader = reader
    self.readers = readers
  }

  deinit { end() }

  func end() {
    readers.remove(reader)
    reader.cancel()
  }
}
