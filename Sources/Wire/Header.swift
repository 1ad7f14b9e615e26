internal import CHeaderParser

/// The operations of protocol version 1. `unknown` is an operation this version does not have.
public enum Operation: Int32, Sendable, CaseIterable {
  case missing, unknown
  case hello, welcome, ping, pong, goodbye
  case register, ok, call, data, error, cancel, credit, send, close, publish, subscribe
  case signal
  case splice

  /// The word on the wire.
  public var word: StaticString {
    switch self {
    case .missing, .unknown: ""
    case .hello: "hello"
    case .welcome: "welcome"
    case .ping: "ping"
    case .pong: "pong"
    case .goodbye: "goodbye"
    case .register: "register"
    case .ok: "ok"
    case .call: "call"
    case .data: "data"
    case .error: "error"
    case .cancel: "cancel"
    case .credit: "credit"
    case .send: "send"
    case .close: "close"
    case .publish: "publish"
    case .subscribe: "subscribe"
    case .signal: "signal"
    case .splice: "splice"
    }
  }
}

/// A field whose value is a string.
public struct StringField: Sendable {
  let number: Int

  public static let op = Self(number: Int(COAGENT_OP.rawValue))
  public static let client = Self(number: Int(COAGENT_CLIENT.rawValue))
  public static let token = Self(number: Int(COAGENT_TOKEN.rawValue))
  public static let name = Self(number: Int(COAGENT_NAME.rawValue))
  public static let server = Self(number: Int(COAGENT_SERVER.rawValue))
  public static let connection = Self(number: Int(COAGENT_CONNECTION.rawValue))
  public static let reason = Self(number: Int(COAGENT_REASON.rawValue))
  public static let description = Self(number: Int(COAGENT_DESCRIPTION.rawValue))
  public static let version = Self(number: Int(COAGENT_VERSION.rawValue))
  public static let to = Self(number: Int(COAGENT_TO.rawValue))
  public static let type = Self(number: Int(COAGENT_TYPE.rawValue))
  public static let trace = Self(number: Int(COAGENT_TRACE.rawValue))
  public static let contentType = Self(number: Int(COAGENT_CONTENT_TYPE.rawValue))
  public static let from = Self(number: Int(COAGENT_FROM.rawValue))
  public static let code = Self(number: Int(COAGENT_CODE.rawValue))
  public static let message = Self(number: Int(COAGENT_MESSAGE.rawValue))
  public static let agent = Self(number: Int(COAGENT_AGENT.rawValue))
  public static let topic = Self(number: Int(COAGENT_TOPIC.rawValue))
  public static let source = Self(number: Int(COAGENT_SOURCE.rawValue))
  public static let run = Self(number: Int(COAGENT_RUN.rawValue))
  public static let features = Self(number: Int(COAGENT_FEATURES.rawValue))
}

/// A field whose value is an integer in 0…2^53-1.
public struct IntegerField: Sendable {
  let number: Int

  public static let v = Self(number: Int(COAGENT_V.rawValue))
  public static let id = Self(number: Int(COAGENT_ID.rawValue))
  public static let maxContent = Self(number: Int(COAGENT_MAX_CONTENT.rawValue))
  public static let heartbeatMs = Self(number: Int(COAGENT_HEARTBEAT_MS.rawValue))
  public static let timeoutMs = Self(number: Int(COAGENT_TIMEOUT_MS.rawValue))
  public static let concurrency = Self(number: Int(COAGENT_CONCURRENCY.rawValue))
  public static let sessionConcurrency = Self(number: Int(COAGENT_SESSION_CONCURRENCY.rawValue))
  public static let idleMs = Self(number: Int(COAGENT_IDLE_MS.rawValue))
  public static let window = Self(number: Int(COAGENT_WINDOW.rawValue))
  public static let bytes = Self(number: Int(COAGENT_BYTES.rawValue))
  public static let parent = Self(number: Int(COAGENT_PARENT.rawValue))
  public static let call = Self(number: Int(COAGENT_CALL.rawValue))
  public static let dropped = Self(number: Int(COAGENT_DROPPED.rawValue))
}

/// A field whose value is true or false; absent is false.
public struct BooleanField: Sendable {
  let number: Int

  public static let exclusive = Self(number: Int(COAGENT_EXCLUSIVE.rawValue))
  public static let lazy = Self(number: Int(COAGENT_LAZY.rawValue))
  public static let input = Self(number: Int(COAGENT_INPUT.rawValue))
  public static let detach = Self(number: Int(COAGENT_DETACH.rawValue))
  public static let new = Self(number: Int(COAGENT_NEW.rawValue))
  public static let oneway = Self(number: Int(COAGENT_ONEWAY.rawValue))
  public static let observe = Self(number: Int(COAGENT_OBSERVE.rawValue))
  public static let part = Self(number: Int(COAGENT_PART.rawValue))
  public static let end = Self(number: Int(COAGENT_END.rawValue))
  public static let unordered = Self(number: Int(COAGENT_UNORDERED.rawValue))
  public static let more = Self(number: Int(COAGENT_MORE.rawValue))
  public static let retry = Self(number: Int(COAGENT_RETRY.rawValue))
}

/// A field whose value is a flat object.
public struct ObjectField: Sendable {
  let number: Int

  public static let labels = Self(number: Int(COAGENT_LABELS.rawValue))
  public static let ext = Self(number: Int(COAGENT_EXT.rawValue))
  public static let details = Self(number: Int(COAGENT_DETAILS.rawValue))
}

/// What makes a header untrustworthy: its sender is told once and disconnected.
public enum HeaderFault: Int32, Error, Sendable {
  case syntax = 1, utf8, string, key, duplicate, tooManyKeys, tooDeep, trailing

  /// A clause for people, to stand behind "the header ".
  public var message: String {
    switch self {
    case .syntax: "is not one JSON object"
    case .utf8: "is not valid UTF-8"
    case .string: "has a control character, a bad escape or a lone surrogate in a string"
    case .key: "has a key that is escaped, empty or not [a-z][a-z0-9_]*"
    case .duplicate: "has a key twice"
    case .tooManyKeys: "has more than \(COAGENT_HEADER_KEYS_MAX) keys in one object"
    case .tooDeep: "is nested deeper than \(COAGENT_HEADER_DEPTH_MAX)"
    case .trailing: "has bytes after its object"
    }
  }
}

/// A frame's header, read by one pass over its bytes.
///
/// It owns the table of what was found, not the bytes: slices are valid until the decoder that
/// filled it reads on. Strings come without their escapes; objects as their JSON text.
public final class Header {
  private let found: UnsafeMutablePointer<coagent_header>
  /// How long the header was on the wire, in bytes.
  public private(set) var length = 0

  public init() {
    found = .allocate(capacity: 1)
    found.initialize(to: coagent_header())
  }

  deinit {
    found.deallocate()
  }

  /// Reads the header in `text`, decoding escapes in place.
  public func scan(_ text: UnsafeMutableRawBufferPointer) -> HeaderFault? {
    length = text.count
    let bytes = text.baseAddress!.assumingMemoryBound(to: UInt8.self)
    let fault = coagent_header_scan(bytes, text.count, found)
    return fault == 0 ? nil : HeaderFault(rawValue: fault)
  }

  public var operation: Operation { Operation(rawValue: found.pointee.op)! }

  /// The name of the first known field whose value is of the wrong kind.
  public var wrongField: String? {
    let field = found.pointee.wrong_field
    return field < 0 ? nil : String(cString: coagent_field_name(field))
  }

  public func has(_ field: StringField) -> Bool { has(field.number) }
  public func has(_ field: IntegerField) -> Bool { has(field.number) }
  public func has(_ field: ObjectField) -> Bool { has(field.number) }

  /// The string's UTF-8 bytes; empty when the field is absent.
  public subscript(field: StringField) -> UnsafeRawBufferPointer {
    guard has(field.number) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    let slice = coagent_string(found, Int32(truncatingIfNeeded: field.number))
    return UnsafeRawBufferPointer(start: slice.start, count: slice.length)
  }

  /// The integer, or nil when the field is absent.
  public subscript(field: IntegerField) -> UInt64? {
    guard has(field.number) else { return nil }
    return coagent_integer(found, Int32(truncatingIfNeeded: field.number))
  }

  public subscript(field: BooleanField) -> Bool { found.pointee.truths >> field.number & 1 != 0 }

  /// The object's JSON text with its braces; empty when the field is absent.
  public subscript(field: ObjectField) -> UnsafeRawBufferPointer {
    guard has(field.number) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    let slice = coagent_object(found, Int32(truncatingIfNeeded: field.number))
    return UnsafeRawBufferPointer(start: slice.start, count: slice.length)
  }

  private func has(_ number: Int) -> Bool { found.pointee.present >> number & 1 != 0 }
}

extension UnsafeRawBufferPointer {
  /// The bytes as text, for messages and listings; never for a table's key.
  public var text: String { String(decoding: self, as: UTF8.self) }

  /// The longest start of at most `limit` bytes that does not cut a UTF-8 sequence.
  public func prefix(utf8 limit: Int) -> UnsafeRawBufferPointer {
    guard count > limit else { return self }
    var end = limit
    while end > 0, self[end] & 0xC0 == 0x80 { end -= 1 }
    return UnsafeRawBufferPointer(rebasing: self[..<end])
  }
}
