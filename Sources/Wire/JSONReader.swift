/// Why bytes are not the JSON that was asked for.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  public let message: String
  /// Of the byte at which reading stopped.
  public let offset: Int

  public var description: String { "\(message) at byte \(offset)" }
}

/// Reads one JSON value (RFC 8259) from bytes, strictly: valid UTF-8, no lone surrogates, no bytes
/// after the value, at most 64 levels, no number beyond the range of a double.
///
/// For what is no hot path: the sidecar's own agents, operations, the CLI's and clients' lists.
public struct JSONReader {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  public static let depthMax = 64

  public static func read(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSON {
    var reader = JSONReader(bytes)
    reader.skipSpace()
    let value = try reader.value(depth: 1)
    reader.skipSpace()
    guard reader.position == bytes.count else { throw reader.failure("bytes after the value") }
    return value
  }

  public static func read(_ bytes: [UInt8]) throws(JSONError) -> JSON {
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(JSONError) in try read(bytes) }
    }
    return try result.get()
  }

  private init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  private func failure(_ message: String) -> JSONError {
    JSONError(message: message, offset: position)
  }

  /// The byte at hand; 0, which no token starts with, at the end.
  private var current: UInt8 { position < bytes.count ? bytes[position] : 0 }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSON {
    switch current {
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    case UInt8(ascii: "t"): return try word("true", .truth(true))
    case UInt8(ascii: "f"): return try word("false", .truth(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: throw failure(position < bytes.count ? "not a value" : "unexpected end")
    }
  }

  private mutating func word(
    _ word: StaticString, _ value: JSON
  ) throws(JSONError) -> JSON {
    let length = word.utf8CodeUnitCount
    let found = word.withUTF8Buffer { word in
      bytes.count - position >= length
        && bytes[position..<(position + length)].elementsEqual(word)
    }
    guard found else { throw failure("not a value") }
    position += length
    return value
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSON {
    guard depth <= Self.depthMax else { throw failure("nested deeper than \(Self.depthMax)") }
    position += 1
    skipSpace()
    var elements: [JSON] = []
    if current == UInt8(ascii: "]") {
      position += 1
      return .array(elements)
    }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if try closes(UInt8(ascii: "]")) { return .array(elements) }
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSON {
    guard depth <= Self.depthMax else { throw failure("nested deeper than \(Self.depthMax)") }
    position += 1
    skipSpace()
    var members: [JSON.Member] = []
    if current == UInt8(ascii: "}") {
      position += 1
      return .object(members)
    }
    while true {
      guard current == UInt8(ascii: "\"") else { throw failure("a key must be a string") }
      let name = try string()
      skipSpace()
      guard current == UInt8(ascii: ":") else { throw failure("a colon must follow a key") }
      position += 1
      skipSpace()
      members.append(JSON.Member(name, try value(depth: depth + 1)))
      skipSpace()
      if try closes(UInt8(ascii: "}")) { return .object(members) }
    }
  }

  /// After an element: past the bracket, or past the comma to the next element.
  private mutating func closes(_ bracket: UInt8) throws(JSONError) -> Bool {
    let byte = current
    guard byte == bracket || byte == UInt8(ascii: ",") else {
      throw failure(position < bytes.count ? "a comma or a bracket must follow" : "unexpected end")
    }
    position += 1
    if byte == bracket { return true }
    skipSpace()
    return false
  }

  private mutating func number() throws(JSONError) -> JSON {
    let start = position
    var isInteger = true
    if current == UInt8(ascii: "-") { position += 1 }
    if current == UInt8(ascii: "0") {
      position += 1
    } else {
      try digits()
    }
    if current == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      try digits()
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int64(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      throw failure("a number out of range")
    }
    return .number(value)
  }

  private mutating func digits() throws(JSONError) {
    let start = position
    while current >= UInt8(ascii: "0") && current <= UInt8(ascii: "9") { position += 1 }
    guard position > start else { throw failure("a digit is missing") }
  }

  private mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        let text = try checked(bytes[start..<position])
        position += 1
        return text
      }
      if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
      guard byte >= 0x20 else { throw failure("a control character in a string") }
      position += 1
    }
    throw failure("unexpected end")
  }

  private func checked(_ slice: Slice<UnsafeRawBufferPointer>) throws(JSONError) -> String {
    let raw = UnsafeRawBufferPointer(rebasing: slice)
    guard let text = String(validating: raw, as: UTF8.self) else {
      throw failure("a string that is not UTF-8")
    }
    return text
  }

  /// The rest of a string, from its first backslash, after the plain bytes since `start`.
  private mutating func escapedString(from start: Int) throws(JSONError) -> String {
    var out = [UInt8](bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        guard let text = String(validating: out, as: UTF8.self) else {
          throw failure("a string that is not UTF-8")
        }
        position += 1
        return text
      }
      guard byte >= 0x20 else { throw failure("a control character in a string") }
      position += 1
      if byte == UInt8(ascii: "\\") {
        try escape(into: &out)
      } else {
        out.append(byte)
      }
    }
    throw failure("unexpected end")
  }

  private mutating func escape(into out: inout [UInt8]) throws(JSONError) {
    let byte = current
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(byte)
    case UInt8(ascii: "b"): out.append(0x08)
    case UInt8(ascii: "f"): out.append(0x0C)
    case UInt8(ascii: "n"): out.append(0x0A)
    case UInt8(ascii: "r"): out.append(0x0D)
    case UInt8(ascii: "t"): out.append(0x09)
    case UInt8(ascii: "u"):
      position += 1
      var code = try unit()
      if code >= 0xD800 && code <= 0xDFFF {
        guard code < 0xDC00, current == UInt8(ascii: "\\"), position + 1 < bytes.count,
          bytes[position + 1] == UInt8(ascii: "u")
        else { throw failure("a lone surrogate") }
        position += 2
        let low = try unit()
        guard low >= 0xDC00 && low <= 0xDFFF else { throw failure("a lone surrogate") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("a lone surrogate") }
      out.append(contentsOf: UTF8.encode(scalar)!)
      return
    default: throw failure("not an escape")
    }
    position += 1
  }

  /// Four hexadecimal digits.
  private mutating func unit() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      let byte = current
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): code = code << 4 | UInt32(byte - 48)
      case UInt8(ascii: "a")...UInt8(ascii: "f"): code = code << 4 | UInt32(byte - 87)
      case UInt8(ascii: "A")...UInt8(ascii: "F"): code = code << 4 | UInt32(byte - 55)
      default: throw failure("not an escape")
      }
      position += 1
    }
    return code
  }
}
