import TestSupport
import Testing
import Wire

@Suite struct FrameDecoderTests {
  private let header = #"{"op":"data","id":1,"type":"a\tb"}"#
  private let sizes = [
    0, 1, 32 << 10, (32 << 10) + 1, 64 << 10, 256 << 10, (256 << 10) + 1, 1 << 20, 3_000_000,
  ]

  private func decoder(contentMax: Int = 16 << 20) -> FrameDecoder {
    FrameDecoder(headerMax: Limits.headerBytesMaxClient, contentMax: contentMax)
  }

  private func check(_ decoded: Decoded, _ contents: [[UInt8]], _ how: String) {
    #expect(decoded.fault == nil, "\(how)")
    #expect(decoded.frames.count == contents.count, "\(how)")
    for (frame, content) in zip(decoded.frames, contents) {
      #expect(frame.content == content, "\(how)")
      #expect(frame.frameBytes == 8 + header.utf8.count + content.count, "\(how)")
      #expect(frame.header["type"]?.string == "a\tb", "\(how)")
    }
    #expect(!decoded.isInsideFrame, "\(how)")
  }

  @Test func largeContentsArriveThroughBegin() throws {
    var generator = SeededGenerator(for: "largeContentsArriveThroughBegin")
    for size in sizes {
      let content = generator.bytes(size)
      let bytes = frame(header, content) + frame(header, [1])
      for max in [1000, 65_536, 256 << 10, 4 << 20] {
        let decoded = try decoder().decode(Pieces.random(bytes, max: max, &generator))
        check(decoded, [content, [1]], "\(size) bytes in reads up to \(max), \(generator.seed)")
      }
      check(try decoder().decode([bytes]), [content, [1]], "\(size) bytes whole")
    }
  }

  @Test func largeContentsArriveThroughContentRoom() throws {
    var generator = SeededGenerator(for: "largeContentsArriveThroughContentRoom")
    for size in sizes {
      let content = generator.bytes(size)
      let bytes = frame(header, [2]) + frame(header, content) + frame(header, [1])
      for max in [777, 65_536, 256 << 10] {
        let decoded = try decoder().decodeIntoRoom(bytes, readMax: max)
        check(decoded, [[2], content, [1]], "\(size) bytes, \(max) a read, \(generator.seed)")
      }
    }
  }

  /// A connection that falls idle behind it would keep it for as long as it stays.
  @Test func aLargeContentGoesWithItsFrame() {
    let decoder = decoder()
    weak var kept: ContentBlock?
    for piece in Pieces.split(frame(header, [UInt8](repeating: 7, count: 100_000)), at: 50_000) {
      var piece = piece
      piece.withUnsafeMutableBytes { raw in
        decoder.begin(raw)
        if decoder.next() == .frame { kept = decoder.content.block }
        #expect(kept != nil || decoder.isInsideFrame)
        decoder.finish()
      }
    }
    #expect(kept == nil)
  }

  @Test func aLargeContentSplitAtEveryOffsetAroundItsHeader() throws {
    let content = [UInt8](repeating: 7, count: 40_000)
    let bytes = frame(header, content) + frame(header, [1])
    let headerEnd = 8 + header.utf8.count
    for offset in Array(0...headerEnd + 40) + Array(bytes.count - 60...bytes.count) {
      let decoded = try decoder().decode(Pieces.split(bytes, at: offset))
      check(decoded, [content, [1]], "split at \(offset)")
    }
  }

  @Test func roomIsOfferedOnlyInsideALargeContent() throws {
    let decoder = decoder()
    let bytes = frame(header, [UInt8](repeating: 1, count: 100_000))
    #expect(decoder.contentRoom() == nil)
    _ = try decoder.decode([Array(bytes[..<20])])
    #expect(decoder.contentRoom() == nil)
    #expect(decoder.isInsideFrame)
    _ = try decoder.decode([Array(bytes[20..<5000])])
    #expect(decoder.contentRoom() != nil)
    let decoded = try decoder.decode([Array(bytes[5000...])])
    #expect(decoded.frames.count == 1)
    #expect(decoder.contentRoom() == nil)
  }

  @Test func memoryIsTakenAsBytesArriveNotOnTheWordOfALength() throws {
    let decoder = decoder()
    let bytes = frame(header, [UInt8](repeating: 1, count: 16 << 20))
    _ = try decoder.decode([Array(bytes[..<1000])])
    let room = try #require(decoder.contentRoom())
    #expect(room.count <= 256 << 10)
  }

  @Test func aFaultIsFinal() throws {
    let decoder = decoder()
    let first = try decoder.decode([frame("[]") + frame(header)])
    #expect(first.fault == .header(.syntax) && first.frames.isEmpty)
    let second = try decoder.decode([frame(header)])
    #expect(second.fault == .header(.syntax) && second.frames.isEmpty)
  }

  @Test func aHeaderIsJudgedAsSoonAsItIsThere() throws {
    let bad = #"{"op":"call","id":1,"id":3}"#
    for size in [1, 1000, 100_000] {
      let bytes = Array(frame(bad, [UInt8](repeating: 0, count: size))[..<(8 + bad.utf8.count)])
      #expect(try decoder().decode([bytes]).fault == .header(.duplicate), "\(size) bytes to come")
      for offset in 0...bytes.count {
        let decoded = try decoder().decode(Pieces.split(bytes, at: offset))
        #expect(decoded.fault == .header(.duplicate), "\(size) bytes to come, split at \(offset)")
      }
      #expect(try decoder().decode([Array(bytes.dropLast())]).fault == nil)
    }
  }

  @Test func theFirstFrameHasItsOwnLimits() throws {
    func first() -> FrameDecoder {
      FrameDecoder(headerMax: 32_768, contentMax: 1000, firstHeaderMax: 100)
    }
    let long = #"{"op":"ping","x":""# + String(repeating: "x", count: 100) + #""}"#
    #expect(try first().decode([frame(long)]).fault?.reason == .headerLength)
    #expect(try first().decode([frame(header, [1])]).fault?.reason == .contentLength)
    let later = try first().decode([frame(header) + frame(long, [1])])
    #expect(later.fault == nil && later.frames.count == 2)
  }

  @Test func lengthsAtTheLimitsAreTakenAndOneMoreIsNot() throws {
    let filler = String(repeating: "x", count: 32_768 - #"{"op":"ping","x":""}"#.utf8.count)
    let longest = #"{"op":"ping","x":""# + filler + #""}"#
    #expect(try decoder().decode([frame(longest)]).frames.count == 1)
    #expect(try decoder().decode([frame(longest + " ")]).fault?.reason == .headerLength)
    let content = [UInt8](repeating: 0, count: 5000)
    #expect(try decoder(contentMax: 5000).decode([frame(header, content)]).frames.count == 1)
    let fault = try decoder(contentMax: 4999).decode([frame(header, content)]).fault
    #expect(fault == .contentLength(5000, max: 4999))
  }

  @Test func aFaultInALaterFrameLeavesTheEarlierOnesTaken() throws {
    let decoded = try decoder().decode([frame(header, [1]) + frame(header, [2]) + frame("{]")])
    #expect(decoded.frames.map(\.content) == [[1], [2]])
    #expect(decoded.fault == .header(.syntax))
  }

  @Test func headersWithEscapesSurviveBeingCarriedOver() throws {
    let escaped = #"{"op":"call","id":9,"to":"a:\u00fc\ud83d\ude00\n\"","ext":{"k":"\u00fc"}}"#
    let bytes = frame(escaped, [1, 2, 3])
    for offset in 0...bytes.count {
      let decoded = try decoder().decode(Pieces.split(bytes, at: offset))
      #expect(decoded.frames.first?.header["to"] == .text("a:ü😀\n\""), "split at \(offset)")
      #expect(decoded.frames.first?.header["ext"]?["k"] == .text("ü"), "split at \(offset)")
    }
  }

  @Test func anOwnerMayStopBeforeTheLentBytesAreUsedUp() throws {
    let decoder = decoder()
    let frames = (0..<10).flatMap { frame(header, [UInt8($0)]) }
    var seen: [[UInt8]] = []
    var bytes = frames + frame(header, [UInt8](repeating: 9, count: 50_000)).prefix(100)
    bytes.withUnsafeMutableBytes { bytes in
      decoder.begin(bytes)
      for _ in 0..<3 where decoder.next() == .frame { seen.append(Array(decoder.content.bytes)) }
      decoder.finish()
    }
    bytes = []
    while decoder.next() == .frame { seen.append(Array(decoder.content.bytes)) }
    decoder.finish()
    #expect(seen == (0..<10).map { [$0] })
    #expect(decoder.isInsideFrame)
  }
}
