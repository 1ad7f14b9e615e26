import TestSupport
import Testing
import Wire

@Suite struct JSONTextTests {
  private func escaped(_ bytes: [UInt8]) -> [UInt8] {
    written(bytes.count * 6) { room in bytes.withUnsafeBytes { JSONText.escape($0, to: room) } }
  }

  private func compacted(_ text: String) -> String {
    let bytes = Array(text.utf8)
    let compact = written(bytes.count) { room in
      bytes.withUnsafeBytes { JSONText.compact($0, to: room) }
    }
    return String(decoding: compact, as: UTF8.self)
  }

  /// What `write` puts into `room` bytes; it may not pass their end.
  private func written(
    _ room: Int, _ write: (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer
  ) -> [UInt8] {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: room + 8, alignment: 1)
    defer { bytes.deallocate() }
    bytes.initializeMemory(as: UInt8.self, repeating: 0xEE)
    let end = write(bytes.baseAddress!)
    let count = end - UnsafeMutableRawPointer(bytes.baseAddress!)
    #expect(count <= room && bytes[room...].allSatisfy { $0 == 0xEE })
    return Array(bytes[..<count])
  }

  @Test func everyByteThatNeedsAnEscapeGetsOne() throws {
    for byte in 0..<UInt8(0x80) {
      let text = escaped([byte])
      #expect(text.allSatisfy { $0 >= 0x20 }, "\(byte)")
      let quoted = [UInt8(ascii: "\"")] + text + [UInt8(ascii: "\"")]
      #expect(try SpelledJSON(parsing: quoted) == .string([byte]), "\(byte)")
    }
    #expect(escaped(Array("a\"b\\c\u{1}".utf8)) == Array(#"a\"b\\c\u0001"#.utf8))
    #expect(escaped(Array("é😀/\u{7f}".utf8)) == Array("é😀/\u{7f}".utf8))
  }

  @Test func integersAreSpelledInDecimal() {
    var values: [UInt64] = [0, 1, .max, .max - 1, 9_007_199_254_740_991]
    var power: UInt64 = 1
    for _ in 0..<19 {
      power *= 10
      values += [power - 1, power, power + 1]
    }
    for value in values {
      let text = written(20) { JSONText.decimal(value, to: $0) }
      #expect(String(decoding: text, as: UTF8.self) == String(value))
    }
  }

  @Test func compactTextLosesOnlySpaceBetweenTokens() {
    #expect(compacted(" { \"a b\" :\t1 ,\r\n\"c\":\"d e\" } ") == #"{"a b":1,"c":"d e"}"#)
    #expect(compacted(#"{"a":"\" x \\" , "b" : "\\\" y"}"#) == #"{"a":"\" x \\","b":"\\\" y"}"#)
    #expect(compacted("") == "")
    #expect(compacted(#"{"k":"v"}"#) == #"{"k":"v"}"#)
  }
}
