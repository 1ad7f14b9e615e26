import TestSupport
import Testing
import Wire

@Suite struct HeaderTests {
  @Test func everyFieldIsFoundUnderItsNameAndNoOther() throws {
    for (name, field) in HeaderSnapshot.strings {
      let scanned = try scan(#"{"\#(name)":"x","\#(name)x":"y"}"#)
      #expect(scanned.text(field) == "x", "\(name)")
      #expect(try scanned.json().members?.count == 1, "\(name)")
    }
    for (name, field) in HeaderSnapshot.integers {
      let scanned = try scan(#"{"\#(name)":7,"x\#(name)":8}"#)
      #expect(scanned.header[field] == 7, "\(name)")
      #expect(try scanned.json().members?.count == 1, "\(name)")
    }
    for (name, field) in HeaderSnapshot.booleans {
      #expect(try scan(#"{"\#(name)":true}"#).header[field], "\(name)")
      #expect(try !scan(#"{"\#(name)":false}"#).header[field], "\(name)")
      #expect(try !scan("{}").header[field], "\(name)")
    }
    for (name, field) in HeaderSnapshot.objects {
      #expect(try scan(#"{"\#(name)":{"k" : "v"}}"#).text(field) == #"{"k" : "v"}"#)
    }
  }

  @Test func absentFieldsAreEmptyOrNil() throws {
    let header = try scan("{}").header
    #expect(HeaderSnapshot.strings.allSatisfy { !header.has($0.1) && header[$0.1].count == 0 })
    #expect(HeaderSnapshot.integers.allSatisfy { !header.has($0.1) && header[$0.1] == nil })
    #expect(HeaderSnapshot.objects.allSatisfy { !header.has($0.1) && header[$0.1].count == 0 })
  }

  @Test func aHeaderIsReusedWithoutMemoryOfTheLast() {
    let header = Header()
    var first = Array(#"{"op":"call","id":5,"to":"a","end":true,"ext":{"k":1},"v":"x"}"#.utf8)
    first.withUnsafeMutableBytes { #expect(header.scan($0) == nil) }
    #expect(header.wrongField == "v")
    var second = Array("{ }".utf8)
    second.withUnsafeMutableBytes { #expect(header.scan($0) == nil) }
    #expect(header.operation == .missing && header.wrongField == nil && header[.id] == nil)
    #expect(!header[.end] && !header.has(.to) && !header.has(.ext))
  }

  @Test func aFieldOfTheWrongKindIsNamedAndAbsent() throws {
    let kinds = ["null", "1.5", "-1", #""x""#, "7", "true", "[]", "{}", "9007199254740992", "1e3"]
    let fields =
      HeaderSnapshot.strings.map { ($0.0, [#""x""#]) }
      + HeaderSnapshot.integers.map { ($0.0, ["7"]) }
      + HeaderSnapshot.booleans.map { ($0.0, ["true"]) }
      + HeaderSnapshot.objects.map { ($0.0, ["{}"]) }
    for (name, right) in fields {
      for kind in kinds where !right.contains(kind) {
        let scanned = try scan(#"{"\#(name)":\#(kind)}"#)
        #expect(scanned.header.wrongField == name, "\(name): \(kind)")
        #expect(try scanned.json().members?.isEmpty == true)
      }
    }
  }

  @Test func theFirstWrongFieldIsNamed() throws {
    #expect(try scan(#"{"to":1,"op":2,"id":"x"}"#).header.wrongField == "to")
  }

  @Test func onlyPlainSpellingsAreIntegers() throws {
    for text in ["0", "1", "10", "9007199254740991"] {
      #expect(try scan(#"{"id":\#(text)}"#).header[.id] == UInt64(text))
    }
    for text in ["-0", "0.0", "1E0", "18446744073709551616", "9007199254740992"] {
      #expect(try scan(#"{"id":\#(text)}"#).header.wrongField == "id", "\(text)")
    }
    for text in ["01", "+1", ".5", "1.", "1e", "-", "0x1", "1_0", "Infinity", "NaN"] {
      #expect(throws: HeaderFault.syntax, "\(text)") { try scan(#"{"id":\#(text)}"#) }
    }
  }

  @Test func valuesInObjectsAreStringsBooleansAndIntegers() throws {
    #expect(try scan(#"{"ext":{"s":"x","b":true,"n":0}}"#).header.has(.ext))
    #expect(try scan(#"{"details":{"s":"x","b":false,"n":5}}"#).header.has(.details))
    for bad in ["null", "1.0", "-1", "[]", "{}", "9007199254740992"] {
      #expect(try scan(#"{"ext":{"k":\#(bad)}}"#).header.wrongField == "ext", "\(bad)")
    }
    for bad in ["true", "1"] {
      #expect(try scan(#"{"labels":{"k":\#(bad)}}"#).header.wrongField == "labels", "\(bad)")
    }
  }

  @Test func anObjectTakesSixtyFourKeysAndNoMore() throws {
    func keys(_ count: Int) -> String {
      (0..<count).map { #""k\#($0)":"""# }.joined(separator: ",")
    }
    #expect(try scan(#"{"ext":{\#(keys(64))}}"#).header.has(.ext))
    #expect(throws: HeaderFault.tooManyKeys) { try scan(#"{"ext":{\#(keys(65))}}"#) }
    #expect(throws: HeaderFault.tooManyKeys) { try scan("{\(keys(65))}") }
  }

  @Test func extEndsAtItsLimitAndDetailsDoNot() throws {
    let longest = String(repeating: "x", count: Limits.extBytesMax - #"{"k":""}"#.utf8.count)
    #expect(try scan(#"{"ext":{"k":"\#(longest)"}}"#).header.has(.ext))
    #expect(try scan(#"{"ext":{"k":"\#(longest)x"}}"#).header.wrongField == "ext")
    #expect(try scan(#"{"details":{"k":"\#(longest)x"}}"#).header.has(.details))
  }

  @Test func escapesAreDecodedInPlace() throws {
    let scanned = try scan(#"{"to":"\u0061\/\\\"\b\f\n\r\t\u00e9\u20AC\uD83D\uDE00z","op":"ok"}"#)
    #expect(scanned.text(.to) == "a/\\\"\u{8}\u{c}\n\r\té€😀z")
    #expect(scanned.operation == .ok)
    #expect(try scan(#"{"op":"\u0063all"}"#).operation == .call)
    #expect(try scan(#"{"to":"\u0000"}"#).bytes(.to) == [0])
  }

  @Test func brokenUTF8IsRefusedWhereverItStands() {
    let bad: [[UInt8]] = [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x80, 0x80], [0xE2, 0x82],
      [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80],
      [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xFE], [0xE2, 0x28, 0xA1], [0xF0, 0x9F, 0x98],
    ]
    for sequence in bad {
      for (before, after) in [
        (#"{"to":""#, #""}"#), (#"{"x":""#, #""}"#), (#"{"ext":{""#, #"":1}}"#),
      ] {
        let text = Array(before.utf8) + sequence + Array(after.utf8)
        #expect(ScannedHeader(text).fault == .utf8, "\(sequence) in \(before)")
      }
    }
  }

  @Test func everyPrefixOfAGoodHeaderIsRefused() {
    let text = Array(
      #"{"op":"call","id":1,"end":true,"ext":{"k":"v","n":1},"x":[1,{"y":null}],"to":"\u00e9"}"#
        .utf8)
    #expect(ScannedHeader(text).fault == nil)
    for end in 0..<text.count {
      #expect(ScannedHeader(Array(text[..<end])).fault != nil, "first \(end) bytes")
    }
  }

  @Test func whiteSpaceIsJSONsOwn() throws {
    let header = try scan(" \t\r\n{ \t\"op\" \n:\r \"ping\" , \"ext\" : { \"k\" : 1 } } \n").header
    #expect(header.operation == .ping && header.has(.ext))
    for space in ["\u{b}", "\u{c}", "\u{a0}", "\u{feff}", "\0"] {
      #expect(ScannedHeader(Array("{\(space)}".utf8)).fault != nil)
      #expect(ScannedHeader(Array("{}\(space)".utf8)).fault == .trailing)
    }
  }

  @Test func faultsSayWhatIsWrong() {
    let faults: [HeaderFault] = [
      .syntax, .utf8, .string, .key, .duplicate, .tooManyKeys, .tooDeep, .trailing,
    ]
    #expect(Set(faults.map(\.message)).count == faults.count)
    #expect(
      FrameFault.headerLength(9, max: 8).message == "header of 9 bytes; a header here has 2 to 8")
    #expect(FrameFault.contentLength(9, max: 8).message == "content of 9 bytes exceeds 8")
    #expect(FrameFault.header(.key).reason == .badHeader)
  }
}
