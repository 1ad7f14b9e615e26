import TestSupport
import Testing
import Wire

/// proto/vectors/frames, each read in every way that a socket may deliver it.
@Suite struct FrameVectorTests {
  @Test func thereAreAtLeastSixtyVectorsHalfOfThemHostile() throws {
    let vectors = try FrameVector.all()
    #expect(vectors.count >= 60)
    #expect(vectors.count { $0.fatal != nil || $0.wrong != nil } * 2 >= vectors.count)
    #expect(Set(vectors.map(\.name)).count == vectors.count)
  }

  @Test(arguments: try FrameVector.all())
  func wholeAndByteByByte(_ vector: FrameVector) throws {
    try expect(vector, Pieces.whole(vector.bytes), "whole")
    try expect(vector, Pieces.single(vector.bytes), "byte by byte")
  }

  @Test(arguments: try FrameVector.all())
  func splitAtEveryOffset(_ vector: FrameVector) throws {
    let end = vector.bytes.count
    // The few long ones are all one letter in the middle.
    let every = end < 1000
    for offset in 0...end where every || offset < 300 || offset > end - 50 || offset % 101 == 0 {
      try expect(vector, Pieces.split(vector.bytes, at: offset), "split at \(offset)")
    }
  }

  @Test func allGoodVectorsInARowInRandomPieces() throws {
    var generator = SeededGenerator(for: "allGoodVectorsInARowInRandomPieces")
    let vectors = try FrameVector.all().filter {
      $0.isFromClient && !$0.isFirst && $0.fatal == nil && $0.rest == nil
    }
    for round in 0..<20 {
      let bytes = vectors.shuffled(using: &generator).flatMap(\.bytes)
      let inOnePiece = try decoder().decode(Pieces.whole(bytes))
      let pieces = Pieces.random(bytes, max: 300, &generator)
      let inPieces = try decoder().decode(pieces)
      #expect(inOnePiece == inPieces, "seed \(generator.seed) round \(round)")
      #expect(inOnePiece.fault == nil && inOnePiece.frames.count >= vectors.count)
    }
  }

  private func decoder() -> FrameDecoder {
    FrameDecoder(
      headerMax: Limits.headerBytesMaxClient, contentMax: Limits().contentBytesMax)
  }

  private func expect(_ vector: FrameVector, _ pieces: [[UInt8]], _ how: String) throws {
    let decoder = FrameDecoder(hearing: vector)
    let decoded = try decoder.decode(pieces)
    #expect(decoded.fault?.reason.rawValue == vector.fatal, "\(how)")
    if let wrong = vector.wrong {
      expectWrong(wrong, decoder.header, decoded, how)
      return
    }
    #expect(decoded.frames.count == vector.frames.count, "\(how)")
    for (frame, expected) in zip(decoded.frames, vector.frames) {
      #expect(frame.header == HeaderSnapshot.known(expected.header), "\(how)")
      #expect(frame.content == expected.content, "\(how)")
    }
    let rest = vector.bytes.count - decoded.frames.reduce(0) { $0 + $1.frameBytes }
    #expect(vector.fatal != nil || rest == vector.rest ?? 0, "\(how)")
    #expect(vector.fatal != nil || decoded.isInsideFrame == (rest > 0), "\(how)")
  }

  /// The frame arrives; what is wrong with a field is for the connection to say, by what the header
  /// knows of it.
  private func expectWrong(
    _ wrong: (field: String, reason: String), _ header: Header, _ decoded: Decoded, _ how: String
  ) {
    #expect(decoded.frames.count == 1, "\(how)")
    let shown = decoded.frames.first?.header[wrong.field]
    switch wrong.reason {
    case Reason.missingField.rawValue:
      #expect(shown == nil && header.wrongField == nil, "\(how)")
    case Reason.badField.rawValue where shown == nil:
      #expect(header.wrongField == wrong.field, "\(how)")
    default:
      // Of its kind, with a value that its meaning forbids.
      #expect(header.wrongField == nil && shown != nil, "\(how)")
    }
  }
}
