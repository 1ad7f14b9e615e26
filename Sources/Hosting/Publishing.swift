/// What a message that is published may say besides its content.
public struct PublishOptions: Sendable {
  /// Whom it concerns; it names the session of each agent that the topic feeds.
  public var source = "default"
  /// How long it is worth anything to those who are slow; nil for ever.
  public var timeout: Duration?
  /// Returns when the sidecar has handed it out; without, what is lost is lost.
  public var isAcknowledged = true
  /// It is not published for the call that the running task handles: it takes over nothing from
  /// that.
  public var isIndependent = false
  /// Who publishes, if it is an agent registered here; in an agent it is that agent.
  public var from = ""
  /// What travels along; joined to what the current call has.
  public var ext: [String: FlatValue] = [:]
  public var trace = ""
  /// How often it is published again when nobody has seen it.
  public var repeatsMax = 3

  public init(source: String = "default") { self.source = source }
}

extension Caller {
  /// Publishes a value: a text, bytes, or anything `Encodable` as JSON.
  ///
  /// - Parameters:
  ///   - source: whom it concerns; it names the session of each agent that the topic feeds.
  ///   - timeout: how long it is worth anything to those who are slow; nil for ever.
  public func publish(
    _ topic: String, _ body: some Encodable, source: String = "default", type: String? = nil,
    timeout: Duration? = nil
  ) async throws {
    var options = PublishOptions(source: source)
    options.timeout = timeout
    try await publish(topic, Message(encoding: body, type: type), options: options)
  }

  public func publish(
    _ topic: String, _ message: Message, source: String = "default"
  ) async throws {
    try await publish(topic, message, options: PublishOptions(source: source))
  }
}
