/// Writes JSON without insignificant white space, appending to an array of bytes.
///
/// Commas are its business: it puts one wherever the byte before is the end of a value. That the
/// calls nest and that keys and values alternate is the caller's.
public struct JSONWriter: Sendable {
  public private(set) var bytes: [UInt8] = []

  public init(reserving capacity: Int = 0) {
    if capacity > 0 { bytes.reserveCapacity(capacity) }
  }

  /// Makes room for so many bytes more, when it is known that they will come.
  public mutating func reserve(_ more: Int) {
    bytes.reserveCapacity(bytes.count + more)
  }

  public mutating func beginObject() {
    separate()
    bytes.append(UInt8(ascii: "{"))
  }

  public mutating func endObject() {
    bytes.append(UInt8(ascii: "}"))
  }

  public mutating func beginArray() {
    separate()
    bytes.append(UInt8(ascii: "["))
  }

  public mutating func endArray() {
    bytes.append(UInt8(ascii: "]"))
  }

  /// Writes `"key":` for a key that needs no escapes.
  public mutating func key(_ key: StaticString) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    key.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
  }

  public mutating func key(_ key: String) {
    string(key)
    bytes.append(UInt8(ascii: ":"))
  }

  public mutating func key(_ key: [UInt8]) {
    string(key)
    bytes.append(UInt8(ascii: ":"))
  }

  /// Writes UTF-8 bytes as a string, escaped where JSON demands it.
  public mutating func string(_ text: UnsafeRawBufferPointer) {
    separate()
    bytes.append(UInt8(ascii: "\""))
    if text.contains(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }) {
      appendEscaped(text)
    } else {
      bytes.append(contentsOf: text)
    }
    bytes.append(UInt8(ascii: "\""))
  }

  public mutating func string(_ text: String) {
    var text = text
    text.withUTF8 { string(UnsafeRawBufferPointer($0)) }
  }

  public mutating func string(_ text: [UInt8]) {
    text.withUnsafeBytes { string($0) }
  }

  public mutating func integer(_ value: UInt64) {
    separate()
    withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { room in
      let start = room.baseAddress!
      let end = JSONText.decimal(value, to: start)
      bytes.append(contentsOf: UnsafeRawBufferPointer(start: start, count: end - start))
    }
  }

  public mutating func integer(_ value: Int64) {
    guard value < 0 else { return integer(UInt64(value)) }
    separate()
    bytes.append(contentsOf: String(value).utf8)
  }

  public mutating func integer(_ value: Int) {
    integer(Int64(value))
  }

  /// Writes the shortest decimal that reads back as `value`; what JSON cannot spell becomes null.
  public mutating func number(_ value: Double) {
    guard value.isFinite else { return null() }
    separate()
    bytes.append(contentsOf: value.description.utf8)
  }

  public mutating func truth(_ value: Bool) {
    separate()
    bytes.append(contentsOf: value ? Self.trueText : Self.falseText)
  }

  public mutating func null() {
    separate()
    bytes.append(contentsOf: Self.nullText)
  }

  /// Copies valid JSON: a value, or an object's members without the braces.
  public mutating func raw(_ text: UnsafeRawBufferPointer) {
    guard text.count > 0 else { return }
    separate()
    bytes.append(contentsOf: text)
  }

  public mutating func raw(_ text: [UInt8]) {
    text.withUnsafeBytes { raw($0) }
  }

  public mutating func value(_ value: JSON) {
    switch value {
    case .null: null()
    case .truth(let value): truth(value)
    case .integer(let value): integer(value)
    case .number(let value): number(value)
    case .string(let text): string(text)
    case .array(let elements):
      beginArray()
      for element in elements { self.value(element) }
      endArray()
    case .object(let members):
      beginObject()
      for member in members {
        key(member.name)
        self.value(member.value)
      }
      endObject()
    }
  }

  public mutating func member(_ name: StaticString, _ value: String) {
    key(name)
    string(value)
  }

  public mutating func member(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
    key(name)
    string(value)
  }

  public mutating func member(_ name: StaticString, _ value: UInt64) {
    key(name)
    integer(value)
  }

  public mutating func member(_ name: StaticString, _ value: Int) {
    key(name)
    integer(value)
  }

  public mutating func member(_ name: StaticString, _ value: Bool) {
    key(name)
    truth(value)
  }

  // No value ends in one of these three, so the last byte tells where we are.
  private mutating func separate() {
    switch bytes.last {
    case nil, UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: ":"): break
    default: bytes.append(UInt8(ascii: ","))
    }
  }

  private mutating func appendEscaped(_ text: UnsafeRawBufferPointer) {
    let escaped = [UInt8](unsafeUninitializedCapacity: text.count * 6) { room, count in
      let start = UnsafeMutableRawPointer(room.baseAddress!)
      count = JSONText.escape(text, to: start) - start
    }
    bytes.append(contentsOf: escaped)
  }

  private static let trueText = Array("true".utf8)
  private static let falseText = Array("false".utf8)
  private static let nullText = Array("null".utf8)
}
