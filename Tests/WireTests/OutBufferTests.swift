import TestSupport
import Testing
import Wire

extension OutBuffer {
  /// The pending bytes, taken `vectors` at a time as a socket would, without consuming them.
  fileprivate func pendingBytes(vectors count: Int = 64) -> [UInt8] {
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: count) { vectors in
      let filled = nextVectors(vectors)
      return vectors[..<filled].flatMap { Array($0) }
    }
  }

  /// What is pending, through `count` vectors a time, consumed as it goes.
  fileprivate func drained(vectors count: Int = 64) -> [UInt8] {
    var bytes: [UInt8] = []
    while !isEmpty {
      let next = pendingBytes(vectors: count)
      bytes += next
      consume(next.count)
    }
    return bytes
  }

  fileprivate func append(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { append($0) }
  }
}

private func block(_ bytes: [UInt8]) -> ContentBlock {
  bytes.withUnsafeBytes { ContentBlock(copying: $0) }
}

@Suite struct OutBufferTests {
  private let small = [UInt8]("header one".utf8)
  private let large = (0..<6000).map { UInt8(truncatingIfNeeded: $0 * 7) }

  private func filled() -> OutBuffer {
    let out = OutBuffer()
    out.append(small)
    out.append(block(large))
    out.append(block(large.reversed()))
    out.append(small)
    return out
  }

  private var expected: [UInt8] { small + large + large.reversed() + small }

  @Test func bytesAndBlocksGoOutInOrder() {
    let out = filled()
    #expect(out.pending == expected.count)
    #expect(out.pendingBytes() == expected)
    #expect(out.drained() == expected)
    #expect(out.isEmpty && out.pending == 0)
    #expect(out.pendingBytes() == [])
  }

  @Test func oneVectorATimeIsEnough() {
    #expect(filled().drained(vectors: 1) == expected)
    #expect(filled().drained(vectors: 2) == expected)
  }

  @Test func aPartialWriteContinuesAtEveryOffset() {
    for sent in 0...expected.count {
      let out = filled()
      out.consume(sent)
      #expect(out.pending == expected.count - sent)
      #expect(out.pendingBytes() == Array(expected[sent...]), "after \(sent) bytes")
      out.append(small)
      #expect(out.drained() == expected[sent...] + small, "after \(sent) bytes and more")
    }
  }

  @Test func smallContentsAreCopiedAndLargeOnesReferredTo() {
    let out = OutBuffer()
    let tiny = [UInt8](repeating: 1, count: OutBuffer.copiedMax)
    let huge = [UInt8](repeating: 2, count: OutBuffer.copiedMax + 1)
    out.append(Content(block(tiny)))
    out.append(Content(block(huge)))
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 8) { vectors in
      let filled = out.nextVectors(vectors)
      #expect(vectors[..<filled].map(\.count) == [tiny.count, huge.count])
    }
    #expect(out.drained() == tiny + huge)
  }

  @Test func aBlockOutlivesItsOtherOwners() {
    let out = OutBuffer()
    for _ in 0..<3 { out.append(block(large)) }
    #expect(out.drained() == large + large + large)
  }

  @Test func anEmptyBufferGivesItsMemoryBackAndIsUsedAgain() {
    let out = filled()
    out.releaseMemory()
    #expect(out.drained() == expected)
    out.releaseMemory()
    out.append(small)
    #expect(out.drained() == small)
  }

  @Test func randomAppendsAndWritesAgreeWithAnArray() {
    var generator = SeededGenerator(for: "randomAppendsAndWritesAgreeWithAnArray")
    for round in 0..<30 {
      let out = OutBuffer()
      var model: [UInt8] = []
      for step in 0..<400 {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0..<4:
          let bytes = generator.bytes(Int.random(in: 0...3000, using: &generator))
          out.append(bytes)
          model += bytes
        case 4:
          let bytes = generator.bytes(Int.random(in: 1...9000, using: &generator))
          out.append(block(bytes))
          model += bytes
        case 5:
          // Reserved more than is committed.
          let bytes = generator.bytes(100)
          out.reserve(5000).copyMemory(from: bytes, byteCount: 100)
          out.commit(100)
          model += bytes
        default:
          let sent = Int.random(in: 0...model.count, using: &generator)
          let taken = Int.random(in: 0...2, using: &generator) == 0 ? sent : min(sent, 2500)
          out.consume(taken)
          model.removeFirst(taken)
        }
        #expect(out.pending == model.count, "seed \(generator.seed) round \(round) step \(step)")
      }
      #expect(out.drained(vectors: 3) == model, "seed \(generator.seed) round \(round)")
    }
  }
}
