/// What a call may ask for besides its content.
public struct CallOptions: Sendable {
  /// The time allowed, kept by the sidecar. Nil: 30 s where one value is called for, else as long
  /// as it takes (or as the parent has); `.unlimited` is that for a call too.
  public var timeout: Duration?
  /// How many bytes of replies may come ahead of reading, C + 256 a frame; 1 is one by one.
  public var windowBytes: Int?
  /// The agent is not started before the first reply is wanted.
  public var isLazy = false
  /// Its replies are held, the last too, until somebody reads them.
  public internal(set) var isHeld = false
  /// More input follows the first message.
  public var hasInput = false
  /// The call outlives the one it is made for.
  public var isDetached = false
  /// It is not made for the call that the running task handles: it takes over nothing from that.
  public var isIndependent = false
  /// Who asks, if it is an agent registered here; in an agent it is that agent.
  public var from = ""
  /// What travels along to the agent; joined to what the current call has.
  public var ext: [String: FlatValue] = [:]
  public var trace = ""
  /// The caller's own name for it, unique among its principal's: the sidecar keeps the replies
  /// under it, so that they may be read by many, and again. Empty: it is none that is kept.
  public var run = ""
  /// How often a call that nobody has seen is made again, unless it sends input.
  public var repeatsMax = 3

  public init() {}

  /// A call whose replies are kept under a name. `detached`: it goes on without readers.
  public static func run(_ name: String, detached: Bool = false) -> CallOptions {
    var options = CallOptions()
    options.run = name
    options.isDetached = detached
    return options
  }

  /// The time, unless it is without limit.
  public var limit: Duration? { timeout.flatMap { $0 < .unlimited ? $0 : nil } }
}

extension Duration {
  /// As long as it takes.
  public static let unlimited = Duration.seconds(1_000_000_000)
}

/// Whoever can make calls: a client, or the context of an agent. All verbs stand on these four.
public protocol Caller: Sendable {
  /// Opens a call. Without a message, all input is sent later.
  func open(_ to: String, _ message: Message?, options: CallOptions) async throws -> Call

  /// Sends a message that is not answered. `acknowledged`: returns when it is in the mailbox.
  func send(
    _ to: String, _ message: Message, options: CallOptions, observes: Bool, acknowledged: Bool
  ) async throws

  /// Sends a message to everyone who subscribes to a topic.
  func publish(_ topic: String, _ message: Message, options: PublishOptions) async throws

  /// Signals an agent, a session or a run. `acknowledged`: returns when it was answered.
  func signal(
    _ target: SignalTarget, _ name: String, _ payload: Message?, options: SignalOptions
  ) async throws
}

extension Caller {
  /// The time a unary call has when its caller does not say.
  public static var defaultTimeout: Duration { .seconds(30) }

  // MARK: - One value

  /// Calls an agent and waits for all of its replies.
  public func call(
    _ to: String, _ message: Message, timeout: Duration? = .seconds(30),
    ext: [String: FlatValue] = [:]
  ) async throws -> Reply {
    var options = CallOptions()
    options.timeout = timeout ?? .unlimited
    options.ext = ext
    return try await call(to, message, options: options)
  }

  /// Calls an agent with a value: a text, bytes, or anything `Encodable` as JSON.
  public func call(
    _ to: String, _ body: some Encodable, type: String? = nil, timeout: Duration? = .seconds(30),
    ext: [String: FlatValue] = [:]
  ) async throws -> Reply {
    let message = try Message(encoding: body, type: type)
    return try await call(to, message, timeout: timeout, ext: ext)
  }

  /// Calls an agent and reads its reply as a value.
  public func call<Value: Decodable>(
    _ to: String, _ body: some Encodable, as kind: Value.Type, type: String? = nil,
    timeout: Duration? = .seconds(30)
  ) async throws -> Value {
    try await call(to, body, type: type, timeout: timeout).decode(kind)
  }

  /// Calls an agent without a message.
  public func call(
    _ to: String, type: String = "", timeout: Duration? = .seconds(30),
    ext: [String: FlatValue] = [:]
  ) async throws -> Reply {
    try await call(to, Message([], type: type), timeout: timeout, ext: ext)
  }

  /// Calls an agent with all that can be said.
  public func call(
    _ to: String, _ message: Message, options: CallOptions
  ) async throws -> Reply {
    var options = options
    options.timeout = options.timeout ?? Self.defaultTimeout
    return try await stream(to, message, options: options).whole()
  }

  public func call(
    _ to: String, _ body: some Encodable, options: CallOptions
  ) async throws -> Reply {
    try await call(to, Message(encoding: body), options: options)
  }

  // MARK: - Streams

  /// Calls an agent and reads its replies as they come. The call begins with the iteration.
  public func stream(
    _ to: String, _ message: Message, timeout: Duration? = nil, windowBytes: Int? = nil,
    ext: [String: FlatValue] = [:]
  ) -> Replies {
    var options = CallOptions()
    options.timeout = timeout
    options.windowBytes = windowBytes
    options.ext = ext
    return stream(to, message, options: options)
  }

  public func stream(_ to: String, _ message: Message, options: CallOptions) -> Replies {
    Replies(
      ReplySource(timeout: options.limit, repeatsMax: options.repeatsMax) { timeout in
        var options = options
        options.timeout = timeout
        return try await open(to, message, options: options)
      })
  }

  public func stream(
    _ to: String, _ body: some Encodable & Sendable, options: CallOptions
  ) -> Replies {
    Replies(
      ReplySource(timeout: options.limit, repeatsMax: options.repeatsMax) { timeout in
        var options = options
        options.timeout = timeout
        return try await open(to, Message(encoding: body), options: options)
      })
  }

  /// Calls an agent that needs no message, and reads its replies as they come.
  public func stream(_ to: String) -> Replies {
    stream(to, Message([]), options: CallOptions())
  }

  public func stream(
    _ to: String, _ body: some Encodable & Sendable, type: String? = nil, timeout: Duration? = nil,
    windowBytes: Int? = nil, ext: [String: FlatValue] = [:]
  ) -> Replies {
    var options = CallOptions()
    options.timeout = timeout
    options.windowBytes = windowBytes
    options.ext = ext
    return Replies(
      ReplySource(timeout: timeout, repeatsMax: options.repeatsMax) { [options] timeout in
        var options = options
        options.timeout = timeout
        return try await open(to, Message(encoding: body, type: type), options: options)
      })
  }

  /// Opens a call whose input is sent while its replies are read.
  public func open(
    _ to: String, _ first: Message? = nil, timeout: Duration? = nil, windowBytes: Int? = nil
  ) async throws -> Call {
    var options = CallOptions()
    options.timeout = timeout
    options.windowBytes = windowBytes
    options.hasInput = true
    return try await open(to, first, options: options)
  }

  // MARK: - One way

  /// Sends a message that is not answered; returns when it is in the receiver's mailbox.
  public func send(
    _ to: String, _ body: some Encodable, type: String? = nil, acknowledged: Bool = true
  ) async throws {
    let message = try Message(encoding: body, type: type)
    try await send(
      to, message, options: CallOptions(), observes: false, acknowledged: acknowledged)
  }

  /// Shows an agent a message that it need not act on.
  public func observe(
    _ to: String, _ body: some Encodable, type: String? = nil, acknowledged: Bool = true
  ) async throws {
    let message = try Message(encoding: body, type: type)
    try await send(to, message, options: CallOptions(), observes: true, acknowledged: acknowledged)
  }
}
