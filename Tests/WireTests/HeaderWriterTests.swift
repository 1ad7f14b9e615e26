import TestSupport
import Testing
import Wire

@Suite struct HeaderWriterTests {
  private func bytes(_ out: OutBuffer) -> [UInt8] {
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 256) { vectors in
      let filled = out.nextVectors(vectors)
      return vectors[..<filled].flatMap { Array($0) }
    }
  }

  private func decode(_ out: OutBuffer) throws -> Decoded {
    try FrameDecoder(headerMax: 1 << 20, contentMax: 16 << 20).decode([bytes(out)])
  }

  @Test func aFrameIsWrittenWithoutWhiteSpaceOpFirstAndIDSecond() {
    let out = OutBuffer()
    var writer = HeaderWriter(out, "call", id: 12)
    writer.string("to", "a:ü\n")
    writer.word("type", "Word")
    writer.integer("timeout_ms", 30_000)
    writer.truth("input")
    "{ \"k\" : \"v w\", \"n\" :1 }".utf8.withContiguousStorageIfAvailable {
      writer.object("ext", UnsafeRawBufferPointer($0))
    }
    "hi".utf8.withContiguousStorageIfAvailable {
      writer.finish(Content(UnsafeRawBufferPointer($0)))
    }
    let header =
      #"{"op":"call","id":12,"to":"a:ü\n","type":"Word","timeout_ms":30000,"input":true,"#
      + #""ext":{"k":"v w","n":1}}"#
    #expect(bytes(out) == frame(header, Array("hi".utf8)))
  }

  @Test func noIDIsWrittenWhereNoneIsGiven() {
    let out = OutBuffer()
    var writer = HeaderWriter(out, "ping")
    writer.finish()
    #expect(bytes(out) == frame(#"{"op":"ping"}"#))
  }

  @Test func whatIsWrittenIsReadBackThroughTheScanner() throws {
    var generator = SeededGenerator(for: "whatIsWrittenIsReadBackThroughTheScanner")
    let lengths = [0, 1, 5, 80, 400, 511, 512, 513, 1000, 5000, 70_000]
    for round in 0..<60 {
      let out = OutBuffer()
      var expected: [SpelledJSON] = []
      for _ in 0..<Int.random(in: 1...5, using: &generator) {
        var members: [SpelledJSON.Member] = [SpelledJSON.Member("op", .text("data"))]
        let id = generator.next() >> UInt64.random(in: 11...63, using: &generator)
        members.append(SpelledJSON.Member("id", .integer(id)))
        var writer = HeaderWriter(out, "data", id: id)
        for key in ["to", "type", "trace", "from", "message"] as [StaticString] {
          let text = randomText(lengths.randomElement(using: &generator)!, &generator)
          writer.string(key, text)
          members.append(SpelledJSON.Member("\(key)", .text(text)))
        }
        let window = UInt64.random(in: 0...9_007_199_254_740_991, using: &generator)
        writer.integer("window", window)
        members.append(SpelledJSON.Member("window", .integer(window)))
        writer.truth("end")
        members.append(SpelledJSON.Member("end", .bool(true)))
        let content = generator.bytes(lengths.randomElement(using: &generator)!)
        content.withUnsafeBytes { writer.finish(Content($0)) }
        expected.append(.object(members + [SpelledJSON.Member("", .string(content))]))
      }
      let decoded = try decode(out)
      let found = decoded.frames.map { frame -> SpelledJSON in
        .object((frame.header.members ?? []) + [SpelledJSON.Member("", .string(frame.content))])
      }
      #expect(decoded.fault == nil && found == expected, "seed \(generator.seed) round \(round)")
    }
  }

  @Test func writtenBesideOthersABufferThatMovesKeepsEverything() throws {
    let out = OutBuffer()
    var plain = HeaderWriter(out, "ping")
    plain.finish()
    var writer = HeaderWriter(out, "error", id: 1)
    for _ in 0..<50 { writer.string("x", String(repeating: "\u{1}", count: 300)) }
    writer.finish()
    let written = bytes(out)
    #expect(written.starts(with: frame(#"{"op":"ping"}"#)))
    let field = #","x":""# + String(repeating: "\\u0001", count: 300) + "\""
    let header = #"{"op":"error","id":1"# + String(repeating: field, count: 50) + "}"
    #expect(written.suffix(8 + header.utf8.count) == frame(header)[...])
  }

  @Test func fieldsWrittenBeforehandAreCopiedIn() {
    let tail = OutBuffer()
    var fields = HeaderWriter(tailInto: tail)
    fields.string("type", "T")
    fields.string("trace", String(repeating: "t", count: 2000))
    fields.finishTail()
    let kept = bytes(tail)
    let out = OutBuffer()
    var writer = HeaderWriter(out, "call", id: 2)
    kept.withUnsafeBytes { writer.fields($0) }
    writer.truth("new")
    writer.finish()
    let trace = String(repeating: "t", count: 2000)
    #expect(
      bytes(out) == frame(#"{"op":"call","id":2,"type":"T","trace":"\#(trace)","new":true}"#))
  }

  @Test func aLargeBlockFollowsItsHeader() throws {
    let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
    let block = content.withUnsafeBytes { ContentBlock(copying: $0) }
    let out = OutBuffer()
    for id in [1, 2] as [UInt64] {
      var writer = HeaderWriter(out, "data", id: id)
      writer.finish(Content(block))
    }
    #expect(try decode(out).frames.map(\.content) == [content, content])
  }

  private func randomText(_ length: Int, _ generator: inout SeededGenerator) -> String {
    let alphabet: [Unicode.Scalar] = [
      "a", "\"", "\\", "\n", "\0", "\u{1f}", "\u{7f}", "ü", "€", "😀",
    ]
    var text = String.UnicodeScalarView()
    for _ in 0..<length { text.append(alphabet.randomElement(using: &generator)!) }
    return String(text)
  }
}
