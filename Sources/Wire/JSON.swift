/// A JSON value that has been read. Members keep their order; repeated names are all there.
public enum JSON: Sendable {
  case null
  case truth(Bool)
  /// Spelled without fraction and exponent, and within 64 bits.
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  /// The member called `name`. Of repeated names the last counts, as in Python and JavaScript.
  public subscript(_ name: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.isNamed(name) }?.value
  }

  public var text: String? {
    if case .string(let text) = self { text } else { nil }
  }

  public var integer: Int64? {
    if case .integer(let value) = self { value } else { nil }
  }

  public var truth: Bool? {
    if case .truth(let value) = self { value } else { nil }
  }

  public var elements: [JSON]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  public var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }
}

extension JSON {
  public struct Member: Sendable, Equatable {
    public let name: String
    public let value: JSON

    public init(_ name: String, _ value: JSON) {
      self.name = name
      self.value = value
    }

    // By bytes: `==` of Swift holds the Kelvin sign and the letter K for the same.
    public func isNamed(_ name: String) -> Bool {
      self.name.utf8.elementsEqual(name.utf8)
    }

    public static func == (one: Member, other: Member) -> Bool {
      one.isNamed(other.name) && one.value == other.value
    }
  }
}

extension JSON: Equatable {
  public static func == (one: JSON, other: JSON) -> Bool {
    switch (one, other) {
    case (.null, .null): true
    case (.truth(let one), .truth(let other)): one == other
    case (.integer(let one), .integer(let other)): one == other
    case (.number(let one), .number(let other)): one == other
    case (.string(let one), .string(let other)): one.utf8.elementsEqual(other.utf8)
    case (.array(let one), .array(let other)): one == other
    case (.object(let one), .object(let other)): one == other
    case (.null, _), (.truth, _), (.integer, _), (.number, _), (.string, _), (.array, _),
      (.object, _):
      false
    }
  }
}

/// Written as Swift writes it: `["type": "object", "required": ["a", "b"], "maxItems": 3]`.
///
/// But null is `.null`: with `nil` a `JSON?` that is not there would be one that is null.
extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(booleanLiteral value: Bool) { self = .truth(value) }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }

  /// The members keep the order in which they are written.
  public init(dictionaryLiteral members: (String, JSON)...) {
    self = .object(members.map { Member($0, $1) })
  }
}
