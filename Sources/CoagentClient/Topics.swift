internal import Connections
package import Hosting
internal import Locking
internal import Wire

/// A message of a topic.
package struct TopicMessage: Sendable {
  package let topic: String
  package let source: String
  /// The agent that published it; empty for none.
  package let from: String
  /// How many messages this reader has lost before this one.
  package let dropped: UInt64
  package let message: Message

  init(_ published: PublishedMessage) {
    topic = published.topic
    source = published.source
    from = published.from
    dropped = published.dropped
    message = Message(published.piece)
  }
}

extension Client {
  /// Sends a message to everyone who subscribes to a topic; returns when the sidecar has handed it
  /// out.
  ///
  /// - Parameters:
  ///   - source: whom it concerns; it names the session of each agent that the topic feeds.
  ///   - expiry: how long it is worth something; nil for ever.
  package func publish(
    _ topic: String, source: String, _ message: Message, trace: String = "",
    expiry: Duration? = nil
  ) async throws {
    let link = try await link(within: Self.defaultTimeout, for: nil)
    var publication = OutgoingPublication(
      topic: topic, source: source, message: try Self.piece(of: message))
    publication.timeoutMs = expiry?.milliseconds
    publication.trace = trace
    let answer = Answer()
    guard link.mailbox.post(.publish(publication, answer)) else { throw Self.lost }
    try await answer.value()
  }

  /// Reads a topic or pattern; returns once messages come.
  ///
  /// The reader permits `windowBytes` more than it has taken; what it falls behind by more is lost,
  /// the oldest first, and counted. The subscription ends with the connection, or when nobody
  /// iterates any more.
  package func subscribe(
    _ topic: String, windowBytes: Int? = nil
  ) async throws -> TopicMessages {
    let link = try await link(within: Self.defaultTimeout, for: nil)
    let reader = TopicReader(link.mailbox, windowBytes: windowBytes)
    let answer = Answer()
    guard link.mailbox.post(.subscribe(topic, windowBytes, reader, answer)) else {
      throw Self.lost
    }
    do {
      try await answer.value()
    } catch {
      link.mailbox.post(.cancel(reader.lane))
      throw error
    }
    return TopicMessages(lease: Lease(reader, link.mailbox))
  }
}

/// The messages of a subscription, in their order. To be iterated once, as long as is wanted.
package struct TopicMessages: AsyncSequence, Sendable {
  fileprivate let lease: Lease

  package func makeAsyncIterator() -> Iterator { Iterator(lease: lease) }

  package struct Iterator: AsyncIteratorProtocol {
    fileprivate let lease: Lease

    package mutating func next() async throws -> TopicMessage? {
      try await lease.reader.next()
    }
  }
}

/// Keeps a subscription for as long as somebody may read it.
private final class Lease: Sendable {
  let reader: TopicReader
  private let mailbox: Mailbox

  init(_ reader: TopicReader, _ mailbox: Mailbox) {
    self.reader = reader
    self.mailbox = mailbox
  }

  deinit {
    mailbox.post(.cancel(reader.lane))
  }
}

/// Where the messages of a subscription wait until they are read.
final class TopicReader: Sendable {
  let lane = Lane()
  private let inbox: Inbox
  /// What the inbox has, with what their headers say beside.
  private let waiting = Locked<[PublishedMessage]>([])

  init(_ mailbox: Mailbox, windowBytes: Int?) {
    let threshold = ClientConnection.grantBytes(window: windowBytes ?? Limits.windowBytesDefault)
    let lane = lane
    inbox = Inbox(thresholdBytes: threshold) { mailbox.post(.consumedReplies(lane, $0)) }
  }

  func deliver(_ message: PublishedMessage) {
    waiting.withLock { $0.append(message) }
    inbox.deliver(message.piece)
  }

  func finish(_ error: AgentError?) { inbox.finish(error) }

  func next() async throws -> TopicMessage? {
    guard try await inbox.next() != nil else { return nil }
    return TopicMessage(waiting.withLock { $0.removeFirst() })
  }
}
