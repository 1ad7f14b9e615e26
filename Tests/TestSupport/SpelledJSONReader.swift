public struct SpelledJSONError: Error, CustomStringConvertible {
  public let offset: Int
  public let description: String
}

extension SpelledJSON {
  /// Reads one JSON value and nothing behind it.
  public init(parsing bytes: some Sequence<UInt8>) throws(SpelledJSONError) {
    var reader = SpelledJSONReader(bytes: Array(bytes))
    self = try reader.document()
  }

  public init(parsing text: String) throws(SpelledJSONError) {
    try self.init(parsing: text.utf8)
  }
}

/// A plain recursive reader. It trusts its input to be ours, so depth is not bounded and duplicate
/// keys are kept.
private struct SpelledJSONReader {
  let bytes: [UInt8]
  var at = 0

  mutating func document() throws(SpelledJSONError) -> SpelledJSON {
    let value = try value()
    skipSpace()
    guard at == bytes.count else { throw fail("bytes after the value") }
    return value
  }

  mutating func value() throws(SpelledJSONError) -> SpelledJSON {
    skipSpace()
    guard at < bytes.count else { throw fail("a value expected") }
    switch bytes[at] {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func object() throws(SpelledJSONError) -> SpelledJSON {
    at += 1
    var members: [SpelledJSON.Member] = []
    if take("}") { return .object(members) }
    repeat {
      skipSpace()
      let key = try string()
      guard take(":") else { throw fail(": expected") }
      members.append(SpelledJSON.Member(key: key, value: try value()))
    } while take(",")
    guard take("}") else { throw fail("} expected") }
    return .object(members)
  }

  private mutating func array() throws(SpelledJSONError) -> SpelledJSON {
    at += 1
    var elements: [SpelledJSON] = []
    if take("]") { return .array(elements) }
    repeat { elements.append(try value()) } while take(",")
    guard take("]") else { throw fail("] expected") }
    return .array(elements)
  }

  private mutating func string() throws(SpelledJSONError) -> [UInt8] {
    guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw fail("a string expected") }
    at += 1
    var text: [UInt8] = []
    while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
      if bytes[at] == UInt8(ascii: "\\") {
        at += 1
        try escape(&text)
      } else {
        text.append(bytes[at])
        at += 1
      }
    }
    guard at < bytes.count else { throw fail("a string without end") }
    at += 1
    return text
  }

  private mutating func escape(_ text: inout [UInt8]) throws(SpelledJSONError) {
    guard at < bytes.count else { throw fail("an escape without end") }
    let letter = bytes[at]
    at += 1
    switch letter {
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "u"):
      var scalar = try unit()
      if 0xD800..<0xDC00 ~= scalar {
        at += 2
        scalar = 0x10000 + (scalar - 0xD800) << 10 + (try unit() - 0xDC00)
      }
      guard let character = Unicode.Scalar(scalar) else { throw fail("a lone surrogate") }
      text.append(contentsOf: UTF8.encode(character)!)
    default: text.append(letter)
    }
  }

  private mutating func unit() throws(SpelledJSONError) -> UInt32 {
    guard at + 4 <= bytes.count,
      let value = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
    else { throw fail("four hexadecimal digits expected") }
    at += 4
    return value
  }

  private mutating func number() throws(SpelledJSONError) -> SpelledJSON {
    let start = at
    while at < bytes.count, "+-.0123456789eE".utf8.contains(bytes[at]) { at += 1 }
    guard at > start else { throw fail("a value expected") }
    return .number(String(decoding: bytes[start..<at], as: UTF8.self))
  }

  private mutating func word(_ word: String, _ value: SpelledJSON) throws(SpelledJSONError)
    -> SpelledJSON
  {
    guard bytes[at...].starts(with: word.utf8) else { throw fail("\(word) expected") }
    at += word.utf8.count
    return value
  }

  private mutating func take(_ byte: Unicode.Scalar) -> Bool {
    skipSpace()
    guard at < bytes.count, bytes[at] == UInt8(ascii: byte) else { return false }
    at += 1
    return true
  }

  private mutating func skipSpace() {
    while at < bytes.count, " \t\r\n".utf8.contains(bytes[at]) { at += 1 }
  }

  private func fail(_ what: String) -> SpelledJSONError {
    SpelledJSONError(offset: at, description: "\(what) at byte \(at)")
  }
}
