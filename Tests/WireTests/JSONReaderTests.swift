import Testing
import Wire

struct JSONReaderTests {
  private func read(_ text: String) throws -> JSON {
    try JSONReader.read(Array(text.utf8))
  }

  private func isRefused(_ bytes: [UInt8]) -> Bool {
    (try? JSONReader.read(bytes)) == nil
  }

  @Test func valuesOfEachKindAreRead() throws {
    let value = try read(
      #" { "a" : null, "b":[true,false , {}], "c":"x", "d":-12, "e":0.5, "f":1e3, "g":[] } "#)
    #expect(
      value
        == .object([
          JSON.Member("a", .null),
          JSON.Member("b", .array([.truth(true), .truth(false), .object([])])),
          JSON.Member("c", .string("x")),
          JSON.Member("d", .integer(-12)),
          JSON.Member("e", .number(0.5)),
          JSON.Member("f", .number(1000)),
          JSON.Member("g", .array([])),
        ]))
  }

  @Test func everyEscapeIsRead() throws {
    #expect(
      try read(#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00\u0000""#)
        == .string("\"\\/\u{8}\u{C}\n\r\t\u{E9}\u{1F600}\u{0}"))
    #expect(try read("\"plain é 😀 then \\n\"") == .string("plain é 😀 then \n"))
  }

  @Test func integersKeepTheirValueTo64Bits() throws {
    #expect(try read("9223372036854775807") == .integer(.max))
    #expect(try read("-9223372036854775808") == .integer(.min))
    #expect(try read("9223372036854775808") == .number(9_223_372_036_854_775_808))
    #expect(try read("-0") == .integer(0))
    #expect(try read("1e-999") == .number(0))
    #expect(try read("9007199254740993") == .integer(9_007_199_254_740_993))
  }

  @Test func repeatedNamesAreKeptAndTheLastCounts() throws {
    let value = try read(#"{"a":1,"b":2,"a":3}"#)
    #expect(value.members?.count == 3)
    #expect(value["a"] == .integer(3))
    #expect(value["c"] == nil)
  }

  @Test func namesAreComparedByBytes() throws {
    // The Kelvin sign is canonically a K, and e with an accent has two spellings.
    #expect(try read("{\"\u{212A}\":1}")["K"] == nil)
    #expect(try read("{\"\u{E9}\":1}")["e\u{301}"] == nil)
    #expect(try read("\"\u{E9}\"") != .string("e\u{301}"))
  }

  @Test(arguments: [
    "", " ", "nul", "nulll", "tru", "TRUE", "None", "NaN", "Infinity", "-Infinity", "undefined",
    "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "{}{}", "1 2", "{} x",
    "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:2}",
    "{\"a\":1 \"b\":2}", "{\"a\":1]", "[1}", "01", "-", "+1", "-01", "1.", ".5", "1.e3", "1e",
    "1e+", "0x10", "1_000", "--1", "1e999", "-1e999", "\"", "\"abc", "\"\\\"", "\"\\", "\"\\u\"",
    "\"\\u12\"", "\"\\u12g4\"", "\"\\x41\"", "\"\\u 041\"", "\"\\'\"", "\"a\nb\"", "\"a\tb\"",
    "\"\u{0}\"", "\u{FEFF}1", "\u{A0}1", "1\u{0}", "// c\n1", "/* c */ 1", "\"\\ud800\"",
    "\"\\udc00\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\ud800\"", "\"\\udc00\\ud800\"",
    "\"\\ud83d\\u0041\"", "\"\\ud83d\\",
  ])
  func whatIsNoJSONIsRefused(_ text: String) {
    #expect(isRefused(Array(text.utf8)))
  }

  @Test(
    arguments: [
      [0x80], [0xC0, 0xAF], [0xC3], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
      [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFF], [0xC1, 0x81], [0xE0, 0x80, 0x80],
    ] as [[UInt8]])
  func whatIsNotUTF8IsRefused(_ bad: [UInt8]) {
    #expect(isRefused([0x22] + bad + [0x22]))
    #expect(isRefused([0x22, 0x5C, 0x6E] + bad + [0x22]))
    #expect(isRefused([0x7B, 0x22] + bad + [0x22, 0x3A, 0x31, 0x7D]))
  }

  @Test func nestingIsBounded() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect((try? read(nested(JSONReader.depthMax))) != nil)
    #expect((try? read(nested(JSONReader.depthMax + 1))) == nil)
    #expect((try? read(String(repeating: "[", count: 1_000_000))) == nil)
    #expect((try? read(String(repeating: "{\"a\":", count: 1_000_000))) == nil)
  }

  @Test func everyPrefixOfAnObjectIsRefused() throws {
    let text = Array(#"{"a":[1,-2.5e3,"xé\n\ud83d\ude00"],"b":{"c":null,"d":true}}"#.utf8)
    #expect(!isRefused(text))
    for length in 0..<text.count { #expect(isRefused(Array(text[..<length]))) }
  }

  @Test func failuresNameTheByte() {
    let failure = #expect(throws: JSONError.self) { try read("[1, 2.]") }
    #expect(failure?.description == "a digit is missing at byte 6")
  }
}
