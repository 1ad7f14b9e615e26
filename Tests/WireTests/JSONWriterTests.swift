import Testing
import Wire

struct JSONWriterTests {
  private func written(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test func commasStandBetweenValuesOnly() {
    let text = written { json in
      json.beginObject()
      json.member("a", "x")
      json.key("b")
      json.beginArray()
      json.integer(1)
      json.beginArray()
      json.endArray()
      json.beginObject()
      json.endObject()
      json.null()
      json.truth(false)
      json.endArray()
      json.raw(Array(#""c":[],"d":2"#.utf8))
      json.raw([])
      json.member("e", true)
      json.endObject()
    }
    #expect(text == #"{"a":"x","b":[1,[],{},null,false],"c":[],"d":2,"e":true}"#)
  }

  @Test func stringsThatEndInBracketsDoNotConfuseIt() {
    let text = written { json in
      json.beginArray()
      for string in ["{", "[", ":", ",", ""] { json.string(string) }
      json.endArray()
    }
    #expect(text == #"["{","[",":",",",""]"#)
  }

  @Test func stringsAreEscaped() {
    let text = written { $0.string("\u{0}\u{1F}\"\\\n\r\t/é😀\u{7F}") }
    #expect(text == "\"\\u0000\\u001f\\\"\\\\\\n\\r\\t/é😀\u{7F}\"")
  }

  @Test func numbersAreSpelledWhole() {
    #expect(written { $0.integer(UInt64.max) } == "18446744073709551615")
    #expect(written { $0.integer(UInt64(0)) } == "0")
    #expect(written { $0.integer(Int64.min) } == "-9223372036854775808")
    #expect(written { $0.integer(Int64(1000)) } == "1000")
    #expect(written { $0.number(0.1) } == "0.1")
    #expect(written { $0.number(-1.5e300) } == "-1.5e+300")
    #expect(written { $0.number(.infinity) } == "null")
  }

  @Test func whatIsWrittenReadsBackTheSame() throws {
    let value = JSON.object([
      JSON.Member("text", .string("a\"\\\u{0}é😀\u{2028}")),
      JSON.Member("k\n", .array([.null, .truth(true), .integer(-7), .number(2.5e-308)])),
      JSON.Member("o", .object([])),
      JSON.Member("", .array([])),
    ])
    var writer = JSONWriter()
    writer.value(value)
    #expect(try JSONReader.read(writer.bytes) == value)
  }

  @Test func literalsAreWrittenInTheirOrder() {
    let value: JSON = ["b": [1, -2.5, .null], "a": ["text": "x", "is": true], "e": [:]]
    let text = #"{"b":[1,-2.5,null],"a":{"text":"x","is":true},"e":{}}"#
    #expect(written { $0.value(value) } == text)
  }
}
