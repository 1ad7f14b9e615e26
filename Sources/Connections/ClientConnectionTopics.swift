public import Wire

/// What a client publishes: the fields of `publish`.
public struct OutgoingPublication: Sendable {
  public var topic: String
  /// Whom it concerns: the session of each agent that the topic feeds.
  public var source: String
  public var message: Piece
  /// The time in which it is worth something; nil or 0 for ever.
  public var timeoutMs: UInt64?
  public var trace = ""
  /// Who publishes, if it is an agent registered on this connection.
  public var from = ""
  /// The incoming call that this one serves.
  public var parent: UInt64?
  /// The JSON text of a flat object that travels along, empty for the message's own.
  public var ext: [UInt8] = []

  public init(topic: String, source: String, message: Piece) {
    self.topic = topic
    self.source = source
    self.message = message
  }
}

/// A message of a topic, as one who reads it gets it.
public struct PublishedMessage: Sendable {
  public let topic: String
  public let source: String
  /// The agent that published it; empty for none.
  public let from: String
  /// How many messages went before this one because the reader was slow.
  public let dropped: UInt64
  public let piece: Piece

  init(_ header: Header, _ content: Content) {
    topic = header[.topic].text
    source = header[.source].text
    from = header[.from].text
    dropped = header[.dropped] ?? 0
    piece = Piece(header, content)
  }
}

/// Topics, as a client speaks of them.
extension ClientConnection {
  /// Writes a message to a topic. With `acknowledged`, `accepted` or `ended` answers the id.
  public func publish(
    _ publication: OutgoingPublication, acknowledged: Bool = true
  ) throws(ClientFailure) -> UInt64? {
    try mayOpen(hasParent: publication.parent != nil)
    var message = publication.message
    if !publication.ext.isEmpty { message.ext = publication.ext }
    try mayCarry(
      message, beside: publication.topic, publication.source, publication.from, publication.trace)
    let id = acknowledged ? nextID() : nil
    var writer = HeaderWriter(out, "publish", id: id)
    writer.string("topic", publication.topic)
    writer.string("source", publication.source)
    message.write(into: &writer)
    if !publication.from.isEmpty { writer.string("from", publication.from) }
    if let parent = publication.parent { writer.integer("parent", parent) }
    if let timeoutMs = publication.timeoutMs, timeoutMs > 0 {
      writer.integer("timeout_ms", timeoutMs)
    }
    if !publication.trace.isEmpty { writer.string("trace", publication.trace) }
    writer.finish(bytes: message.content)
    if let id {
      own[id] = OwnCall(
        request: .send, inputIsOpen: false, flow: Flow(sendBytes: 0, receiveBytes: 0))
    }
    return id
  }

  /// Writes a subscription to a topic or pattern that this connection reads, or that feeds an agent
  /// registered on it. `registered` says that it took effect, `published` brings a reader's
  /// messages, `ended` says that it is over.
  public func subscribe(
    topic: String, agent: String = "", windowBytes: Int?
  ) throws(ClientFailure) -> UInt64 {
    try mayOpen(hasParent: false)
    try mayCarry(Piece([]), beside: topic, agent)
    let id = nextID()
    var writer = HeaderWriter(out, "subscribe", id: id)
    writer.string("topic", topic)
    if !agent.isEmpty { writer.string("agent", agent) }
    if let windowBytes { writer.integer("window", UInt64(max(windowBytes, 0))) }
    writer.finish()
    let window = windowBytes ?? Limits.windowBytesDefault
    own[id] = OwnCall(
      request: .subscribe, inputIsOpen: false, flow: Flow(sendBytes: 0, receiveBytes: window))
    return id
  }

  func receivedMessage(
    _ id: UInt64, _ header: Header, _ content: Content, into events: inout [ClientEvent]
  ) {
    let message = PublishedMessage(header, content)
    guard takes(id, message.piece.cost, into: &events) else { return }
    events.append(.published(id, message))
  }
}
