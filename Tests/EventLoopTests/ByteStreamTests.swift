import EventLoop
import Foundation
import TestSupport
import Testing

@Suite @LoopActor struct ByteStreamTests {
  final class WriteLog: ByteWriter {
    var results: [StreamError?] = []
    func didWrite(_ error: StreamError?) { self.results.append(error) }
  }

  @Test func bytesArriveInOrder() async throws {
    let pair = try await StreamPair.connect()
    let collector = Collector(bufferBytes: 7)
    try pair.far.startReading(collector)
    for part in ["one ", "two ", "three"] { try pair.near.write(Array(part.utf8)) }
    try await wait(for: "the text") { collector.text == "one two three" }
    pair.close()
  }

  @Test func anOrderlyEndIsNoError() async throws {
    let pair = try await StreamPair.connect()
    let collector = Collector()
    try pair.far.startReading(collector)
    try pair.near.write(Array("last words".utf8))
    pair.near.finishWriting()
    try await wait(for: "the end") { collector.hasEnded }
    #expect(collector.text == "last words")
    #expect(collector.error == nil)
    // The other direction still works.
    let answer = Collector()
    try pair.near.startReading(answer)
    try pair.far.write(Array("heard".utf8))
    try await wait(for: "the answer") { answer.text == "heard" }
    pair.close()
  }

  @Test func whatIsNotLentWaitsInTheSocket() async throws {
    let pair = try await StreamPair.connect()
    let collector = Collector()
    collector.wantsMore = false
    try pair.far.startReading(collector)
    try pair.near.write(Array("patience".utf8))
    try await wait(for: "some refusals") { collector.refusals >= 3 }
    #expect(collector.bytes.isEmpty)
    collector.wantsMore = true
    try await wait(for: "the text") { collector.text == "patience" }
    #expect(!collector.hasEnded)
    pair.close()
  }

  @Test func aStoppedStreamReadsNothingUntilItIsStarted() async throws {
    let pair = try await StreamPair.connect()
    let collector = Collector()
    try pair.far.startReading(collector)
    pair.far.stopReading()
    pair.far.stopReading()
    try pair.near.write(Array("later".utf8))
    var turns = 0
    try await wait(for: "a few turns") {
      turns += 1
      LoopActor.requestTurn()
      return turns > 20
    }
    #expect(collector.reads == 0)
    try pair.far.startReading(collector)
    try await wait(for: "the text") { collector.text == "later" }
    pair.close()
  }

  @Test func aWriteIsGivenBackWhenThePeerReadsSlowly() async throws {
    let pair = try await StreamPair.connect()
    let chunk = [UInt8](repeating: 7, count: 100_000)
    var taken = 0
    while true {
      let count = try tryWrite(pair.near, chunk)
      if count == 0 { break }
      taken += count
    }
    #expect(taken > 0)
    let log = WriteLog()
    let rest = UnsafeMutableRawBufferPointer.allocate(byteCount: 3_000_000, alignment: 1)
    rest.initializeMemory(as: UInt8.self, repeating: 0)
    defer { rest.deallocate() }
    for index in 0..<3_000 { rest[index * 1_000] = UInt8(truncatingIfNeeded: index) }
    try withUnsafePointer(to: WriteSlice(rest.baseAddress, count: rest.count)) {
      try pair.near.write(
        UnsafeBufferPointer(start: $0, count: 1), keeping: log, writer: log)
    }
    #expect(pair.near.pendingBytes == rest.count)
    #expect(try tryWrite(pair.near, chunk) == 0)
    #expect(log.results.isEmpty)
    let collector = Collector()
    try pair.far.startReading(collector)
    try await wait(for: "all bytes") { collector.bytes.count == taken + rest.count }
    let arrived = collector.bytes[taken...].withUnsafeBytes { arrived in
      memcmp(arrived.baseAddress!, rest.baseAddress!, rest.count)
    }
    #expect(arrived == 0)
    #expect(log.results == [nil])
    #expect(pair.near.pendingBytes == 0)
    pair.close()
  }

  @Test func closingCancelsWhatWaits() async throws {
    let pair = try await StreamPair.connect()
    while try tryWrite(pair.near, [UInt8](repeating: 1, count: 100_000)) > 0 {}
    let log = WriteLog()
    let bytes: StaticString = "never delivered"
    try withUnsafePointer(to: WriteSlice(bytes.utf8Start, count: bytes.utf8CodeUnitCount)) {
      try pair.near.write(UnsafeBufferPointer(start: $0, count: 1), keeping: nil, writer: log)
    }
    pair.near.close()
    pair.near.close()
    try await wait(for: "the cancellation") { log.results == [.cancelled] }
    pair.far.close()
  }

  @Test func manySlicesAreOneWrite() async throws {
    let pair = try await StreamPair.connect()
    let words: [StaticString] = ["a", "", "bc", "def"]
    let slices = words.map { WriteSlice($0.utf8Start, count: $0.utf8CodeUnitCount) }
    #expect(try slices.withUnsafeBufferPointer { try pair.near.tryWrite($0) } == 6)
    let collector = Collector()
    try pair.far.startReading(collector)
    try await wait(for: "the text") { collector.text == "abcdef" }
    #expect(collector.reads == 1)
    pair.close()
  }

  @Test func writingToAClosedPeerIsAnErrorAndNoSignal() async throws {
    let pair = try await StreamPair.connect()
    pair.far.close()
    let collector = Collector()
    try pair.near.startReading(collector)
    try await wait(for: "the end") { collector.hasEnded }
    #expect(throws: StreamError.brokenPipe) { try tryWrite(pair.near, [1, 2, 3]) }
    pair.near.close()
  }

  @Test func aReaderMayCloseWhileItReads() async throws {
    final class Closer: ByteReader {
      let stream: ByteStream
      nonisolated(unsafe) let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 4, alignment: 1)
      var reads = 0
      var ends = 0
      init(_ stream: ByteStream) { self.stream = stream }
      deinit { self.buffer.deallocate() }
      func lendBuffer() -> UnsafeMutableRawBufferPointer { self.buffer }
      func didRead(_ count: Int) {
        self.reads += 1
        self.stream.close()
      }
      func didEnd(_ error: StreamError?) { self.ends += 1 }
    }
    let pair = try await StreamPair.connect()
    let closer = Closer(pair.far)
    try pair.far.startReading(closer)
    let collector = Collector()
    try pair.near.startReading(collector)
    try pair.near.write(Array("more than four bytes".utf8))
    try await wait(for: "the end at the other end") { collector.hasEnded }
    #expect(closer.reads == 1)
    #expect(closer.ends == 0)
    pair.near.close()
  }

  @Test func thePeerOfAUnixSocketIsKnown() async throws {
    let pair = try await StreamPair.connect()
    let peer = try #require(pair.far.peerCredentials)
    #expect(peer.uid == getuid())
    #expect(peer.gid == getgid())
    #expect(peer.pid == getpid())
    #expect(pair.far.peerAddress == nil)
    pair.near.setBufferSizes(sendBytes: 65536, receiveBytes: 65536)
    pair.close()
  }

  @Test func usingAClosedStreamTraps() async {
    await #expect(processExitsWith: .failure) { @LoopActor in
      let pair = try await StreamPair.connect()
      pair.near.close()
      _ = try tryWrite(pair.near, [1])
    }
  }
}
