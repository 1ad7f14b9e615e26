/// JSON as tests compare it, as it was spelled: strings are bytes, numbers keep their spelling,
/// keys have no order.
///
/// It has its own reader, so that what the header scanner says is held against someone else's word,
/// and so that "é" in one piece and in two are two keys, which a Swift dictionary would make one.
public enum SpelledJSON: Sendable {
  case null
  case bool(Bool)
  case number(String)
  case string([UInt8])
  case array([SpelledJSON])
  case object([Member])

  public struct Member: Sendable {
    public let key: [UInt8]
    public let value: SpelledJSON

    public init(_ key: String, _ value: SpelledJSON) {
      self.key = Array(key.utf8)
      self.value = value
    }

    init(key: [UInt8], value: SpelledJSON) {
      self.key = key
      self.value = value
    }

    public var name: String { String(decoding: key, as: UTF8.self) }
  }

  public static func text(_ text: String) -> SpelledJSON { .string(Array(text.utf8)) }
  public static func integer(_ value: UInt64) -> SpelledJSON { .number(String(value)) }

  /// The value of `key`, or nil when this is no object or has no such key.
  public subscript(_ key: String) -> SpelledJSON? {
    guard case .object(let members) = self else { return nil }
    let bytes = Array(key.utf8)
    return members.first { $0.key == bytes }?.value
  }

  public var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }

  public var elements: [SpelledJSON]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  public var string: String? {
    if case .string(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
  }

  public var integer: Int? {
    if case .number(let digits) = self { Int(digits) } else { nil }
  }

  public var bool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }
}

extension SpelledJSON: Equatable {
  public static func == (left: SpelledJSON, right: SpelledJSON) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.number(let a), .number(let b)): a == b
    case (.string(let a), .string(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)):
      a.count == b.count
        && a.allSatisfy { member in
          b.contains { $0.key == member.key && $0.value == member.value }
        }
    default: false
    }
  }
}

extension SpelledJSON: CustomStringConvertible {
  /// Compact JSON, for reports.
  public var description: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .number(let digits): digits
    case .string(let bytes): Self.quoted(bytes)
    case .array(let elements): "[\(elements.map(\.description).joined(separator: ","))]"
    case .object(let members):
      "{\(members.map { "\(Self.quoted($0.key)):\($0.value)" }.joined(separator: ","))}"
    }
  }

  private static func quoted(_ bytes: [UInt8]) -> String {
    var text = "\""
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch scalar {
      case "\"", "\\": text += "\\\(scalar)"
      case "\n": text += "\\n"
      case "\0"..<" ":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}
