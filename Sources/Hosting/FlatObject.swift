internal import Wire

/// A value in `ext`, `details` and labels: what every language's JSON holds without loss.
public enum FlatValue: Sendable, Hashable {
  case string(String)
  /// 0…2^53-1.
  case integer(UInt64)
  case truth(Bool)
}

extension FlatValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, CustomStringConvertible
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: UInt64) { self = .integer(value) }
  public init(booleanLiteral value: Bool) { self = .truth(value) }

  public var description: String {
    switch self {
    case .string(let text): text
    case .integer(let value): "\(value)"
    case .truth(let value): "\(value)"
    }
  }
}

/// The JSON text of flat objects, to and from the header's `ext`, `labels` and `details`.
public enum FlatObject {
  /// Empty for an empty object, which is then left out of the header.
  public static func text(_ values: [String: FlatValue]) -> [UInt8] {
    write(values.sorted { $0.key < $1.key })
  }

  /// The text of an object that the sidecar will take; throws `invalid_argument`/`bad_field` for
  /// another, so that it is not the connection that ends.
  public static func checked(
    _ values: [String: FlatValue], _ field: String = "ext"
  ) throws(AgentError) -> [UInt8] {
    if values.isEmpty { return [] }
    func refuse(_ why: String) -> AgentError {
      var error = AgentError(.badField, "\(field): \(why)")
      error.details["field"] = .string(field)
      return error
    }
    if values.count > membersMax { throw refuse("more than \(membersMax) members") }
    for (key, value) in values {
      if !isKey(key) { throw refuse("'\(key)' cannot be a key") }
      if case .integer(let number) = value, number > integerMax {
        throw refuse("\(number) is above \(integerMax)")
      }
    }
    let text = text(values)
    if text.count > Limits.extBytesMax {
      throw refuse("\(text.count) bytes exceed \(Limits.extBytesMax)")
    }
    return text
  }

  /// Leaves out what no header can hold, and what would make the text longer than `bytesMax`.
  public static func text(_ values: [String: FlatValue], bytesMax: Int) -> [UInt8] {
    var left = bytesMax - 2
    var kept: [(key: String, value: FlatValue)] = []
    for (key, var value) in values.sorted(by: { $0.key < $1.key }) where isKey(key) {
      if case .integer(let number) = value { value = .integer(min(number, integerMax)) }
      let bytes = key.escapedBytes + value.description.escapedBytes + 6
      if bytes > left || kept.count == membersMax { continue }
      left -= bytes
      kept.append((key, value))
    }
    return write(kept)
  }

  private static let membersMax = 64
  private static let keyBytesMax = 128
  private static let integerMax: UInt64 = 1 << 53 - 1

  private static func isKey(_ key: String) -> Bool {
    (1...keyBytesMax).contains(key.utf8.count)
      && key.unicodeScalars.allSatisfy { scalar in
        scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value) && scalar != "\""
          && scalar != "\\"
      }
  }

  private static func write(_ members: [(key: String, value: FlatValue)]) -> [UInt8] {
    if members.isEmpty { return [] }
    var writer = JSONWriter()
    writer.beginObject()
    for (key, value) in members {
      writer.key(key)
      switch value {
      case .string(let text): writer.string(text)
      case .integer(let value): writer.integer(value)
      case .truth(let value): writer.truth(value)
      }
    }
    writer.endObject()
    return writer.bytes
  }

  /// What cannot be read, which the sidecar would not have passed on, is left out.
  public static func values(_ text: [UInt8]) -> [String: FlatValue] {
    guard !text.isEmpty, let members = try? JSONReader.read(text).members else { return [:] }
    var values: [String: FlatValue] = [:]
    for member in members {
      switch member.value {
      case .string(let text): values[member.name] = .string(text)
      case .integer(let value): values[member.name] = .integer(UInt64(max(0, value)))
      case .truth(let value): values[member.name] = .truth(value)
      case .null, .number, .array, .object: break
      }
    }
    return values
  }
}
