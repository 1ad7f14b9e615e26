public import Wire

/// Why something failed, in the words of the wire.
///
/// `code` is one of the canonical set, anything else reads as `internal`. `details` is the JSON
/// text of a flat object, empty for none. `retry`: nobody's code saw the call, so it may be
/// repeated.
public struct ClientFailure: Error, Sendable, Equatable {
  public var code: ErrorCode
  public var reason: String
  public var message: String
  public var details: [UInt8]
  public var retry: Bool

  public init(
    code: ErrorCode, reason: String, message: String, details: [UInt8] = [], retry: Bool = false
  ) {
    self.code = code
    self.reason = reason
    self.message = message
    self.details = details
    self.retry = retry
  }

  public init(_ reason: Reason, _ message: String) {
    self.init(code: reason.code, reason: reason.rawValue, message: message)
  }

  init(_ header: Header) {
    code = ErrorCode(rawValue: header[.code].text) ?? .internal
    reason = header[.reason].text
    message = header[.message].text
    details = Array(header[.details])
    retry = header[.retry]
  }
}

/// What a client asks of an agent: the fields of `call` and `send`.
public struct OutgoingCall: Sendable {
  public var to: String
  /// The first input message; nil when the input comes later or not at all.
  public var first: Piece?
  /// More input follows.
  public var hasInput = false
  /// Who asks, if it is an agent registered on this connection.
  public var from = ""
  /// The incoming call that this one serves.
  public var parent: UInt64?
  /// The time allowed; nil or 0 for none.
  public var timeoutMs: UInt64?
  public var trace = ""
  /// The JSON text of a flat object that travels along, empty for the first message's own.
  public var ext: [UInt8] = []
  /// Reply bytes the sidecar may send ahead of consumption; nil for the default of 1 MiB.
  public var windowBytes: Int?
  public var isLazy = false
  /// All replies are held until credit comes, or a splice.
  public var isHeld = false
  public var isDetached = false
  /// The caller's own name of it, under which its replies are kept; empty for none.
  public var run = ""
  /// For `send`: the receiver only watches.
  public var observes = false

  public init(to: String, first: Piece?) {
    self.to = to
    self.first = first
  }

  /// What the call's own frame takes of the input's window: with input to follow, no content is
  /// no message.
  public var costBytes: Int {
    guard let first, !hasInput || !first.content.isEmpty else { return 0 }
    return first.cost
  }

  func write(into writer: inout HeaderWriter) {
    writer.string("to", to)
    if var first {
      if !ext.isEmpty { first.ext = [] }
      first.write(into: &writer)
    }
    if !ext.isEmpty { ext.withUnsafeBytes { writer.object("ext", $0) } }
    if !from.isEmpty { writer.string("from", from) }
    if let parent { writer.integer("parent", parent) }
    if let timeoutMs, timeoutMs > 0 { writer.integer("timeout_ms", timeoutMs) }
    if !trace.isEmpty { writer.string("trace", trace) }
  }
}

extension Piece {
  /// The fields of a message; what frames say beyond them stands with their operation.
  func write(into writer: inout HeaderWriter) {
    if !type.isEmpty { writer.string("type", type) }
    if !contentType.isEmpty { writer.string("content_type", contentType) }
    if !ext.isEmpty { ext.withUnsafeBytes { writer.object("ext", $0) } }
  }
}

/// What a client registers: the fields of `register`.
public struct Registration: Sendable {
  public var name: String
  public var description = ""
  public var version = ""
  /// The JSON text of an object of strings, empty for none.
  public var labels: [UInt8] = []
  public var concurrency: UInt64?
  public var sessionConcurrency: UInt64?
  public var idleMs: UInt64?
  public var isExclusive = false
  /// The JSON list of operations, empty for none.
  public var operations: [UInt8] = []

  public init(name: String) { self.name = name }

  func write(into writer: inout HeaderWriter) {
    writer.string("name", name)
    if !description.isEmpty { writer.string("description", description) }
    if !version.isEmpty { writer.string("version", version) }
    if !labels.isEmpty { labels.withUnsafeBytes { writer.object("labels", $0) } }
    if let concurrency { writer.integer("concurrency", concurrency) }
    if let sessionConcurrency { writer.integer("session_concurrency", sessionConcurrency) }
    if let idleMs { writer.integer("idle_ms", idleMs) }
    if isExclusive { writer.truth("exclusive") }
  }
}

/// A call that the sidecar asks this connection's agents to handle.
public struct IncomingCall: Sendable {
  public let id: UInt64
  public let to: String
  public let from: String
  /// The kind of message, also of a first one that is still to come.
  public let type: String
  /// The first input message; nil when the caller has sent none yet.
  public let first: Piece?
  /// More input follows.
  public let hasInput: Bool
  public let timeoutMs: UInt64?
  public let trace: String
  /// The JSON text of a flat object, empty for none.
  public let ext: [UInt8]
  /// The session starts with this call: an instance still there is to be dropped.
  public let isNew: Bool
  /// A `send`: what it answers is dropped.
  public let isOneway: Bool
  /// A `send` to be watched, not acted on.
  public let observes: Bool
  /// What may be sent before the caller grants more, in bytes.
  public let windowBytes: Int
  /// The topic that made this call of a message, and the message's source; empty for none.
  public let topic: String
  public let source: String

  init(id: UInt64, _ header: Header, _ content: Content) {
    self.id = id
    to = header[.to].text
    from = header[.from].text
    type = header[.type].text
    hasInput = header[.input]
    first = content.isEmpty && hasInput ? nil : Piece(header, content)
    timeoutMs = header[.timeoutMs]
    trace = header[.trace].text
    ext = Array(header[.ext])
    isNew = header[.new]
    isOneway = header[.oneway] || header[.observe]
    observes = header[.observe]
    windowBytes = Int(header[.window] ?? UInt64(Limits.windowBytesDefault))
    topic = header[.topic].text
    source = header[.source].text
  }
}
