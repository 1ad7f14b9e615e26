import Foundation
import Testing
import Wire

/// What our reader takes, another one takes with the same values; texts mutated from a seed.
struct JSONAgreementTests {
  private static let corpus = [
    #"{"name":"a.b","description":"x","streaming":true,"input":{"type":"object"},"n":[1,2,3]}"#,
    #"[{"a":-1.5e-3,"b":null},"é😀\u00e9\ud83d\ude00\n\\",[[[]]],0,10,9007199254740993]"#,
    #"  { "k" : [ true , false , "" ] , "é" : { } }  "#,
    #"{"op":"call","id":1,"labels":{"env":"prod"},"ext":{"a":"b","c":7}}"#,
  ]
  // Bytes that matter to a JSON reader more than chance would have it.
  private static let spice: [UInt8] =
    Array("{}[]\",:\\u0019e.+-ntf d8D \n\t\u{0}\u{7F}".utf8) + [
      0x80, 0xBF, 0xC0, 0xC3, 0xE2, 0xED, 0xA0, 0xF0, 0xFF,
    ]

  @Test func whatWeReadFoundationReadsTheSame() {
    var random = Seeded(state: 0x5EED_2026)
    var taken = 0
    for round in 0..<40_000 {
      var text = Array(Self.corpus[round % Self.corpus.count].utf8)
      for _ in 0..<Int.random(in: 1...3, using: &random) { mutate(&text, &random) }
      guard let ours = try? JSONReader.read(text) else { continue }
      taken += 1
      let theirs = try? JSONSerialization.jsonObject(
        with: Data(text), options: [.fragmentsAllowed])
      #expect(theirs != nil, "seed 0x5EED2026: \(String(decoding: text, as: UTF8.self))")
      guard let theirs, !repeatsNames(ours) else { continue }
      #expect(agree(ours, theirs), "seed 0x5EED2026: \(String(decoding: text, as: UTF8.self))")
      var writer = JSONWriter()
      writer.value(ours)
      #expect((try? JSONReader.read(writer.bytes)) == ours)
    }
    #expect(taken > 1000)
  }

  private func mutate(_ text: inout [UInt8], _ random: inout Seeded) {
    let at = Int.random(in: 0..<max(text.count, 1), using: &random)
    guard at < text.count else { return }
    switch Int.random(in: 0..<5, using: &random) {
    case 0: text[at] = Self.spice.randomElement(using: &random)!
    case 1: text.insert(Self.spice.randomElement(using: &random)!, at: at)
    case 2: text.remove(at: at)
    case 3: text.removeSubrange(at..<min(text.count, at + 4))
    default: text.insert(contentsOf: text[at..<min(text.count, at + 8)], at: at)
    }
  }

  private func repeatsNames(_ value: JSON) -> Bool {
    switch value {
    case .array(let elements): elements.contains(where: repeatsNames)
    case .object(let members):
      Set(members.map { Array($0.name.utf8) }).count < members.count
        || members.contains { repeatsNames($0.value) }
    case .null, .truth, .integer, .number, .string: false
    }
  }

  private func agree(_ ours: JSON, _ theirs: Any) -> Bool {
    switch ours {
    case .null: return theirs is NSNull
    case .truth(let value): return (theirs as? Bool) == value
    case .integer(let value): return (theirs as? NSNumber)?.int64Value == value
    case .number(let value): return (theirs as? NSNumber)?.doubleValue == value
    case .string(let text):
      return (theirs as? String).map { Array($0.utf8) == Array(text.utf8) } ?? false
    case .array(let elements):
      guard let theirs = theirs as? [Any], theirs.count == elements.count else { return false }
      return zip(elements, theirs).allSatisfy { agree($0, $1) }
    case .object(let members):
      guard let theirs = theirs as? [String: Any] else { return false }
      // Two names that Swift holds for one are one key of a dictionary.
      guard theirs.count == members.count else { return theirs.count < members.count }
      return members.allSatisfy { member in
        theirs[member.name].map { agree(member.value, $0) } ?? false
      }
    }
  }
}

/// SplitMix64: the same numbers from the same seed, everywhere.
private struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
