import EventLoop
import TestSupport
import Testing
import Transports
import Wire

@Suite @LoopActor struct FrameWritingTests {
  private func append(_ bytes: [UInt8], to link: Link) {
    bytes.withUnsafeBytes { link.connection.out.append($0) }
    link.connection.setNeedsFlush()
  }

  @Test func whatIsAppendedInATurnGoesOutTogether() async throws {
    let link = try await Link.connect()
    for id in [1, 3, 5] { self.append(numbered(id), to: link) }
    #expect(link.connection.bytesOut == 0)
    try await wait(for: "the frames") { link.received.bytes.count == 3 * numbered(1).count }
    #expect(link.received.bytes == numbered(1) + numbered(3) + numbered(5))
    #expect(link.connection.bytesOut == UInt64(link.received.bytes.count))
    #expect(link.connection.out.isEmpty)
    try await link.close()
  }

  @Test func whereManyAreReadTheFirstAnswersGoOutBeforeTheRestIs() async throws {
    let link = try await Link.connect()
    let count = 100
    var turn = 0
    var turns: Set<Int> = []
    var sentBefore: [UInt64] = []
    let hook = LoopHook(.beforeWaiting) { turn += 1 }
    link.recorder.onFrame = { connection in
      turns.insert(turn)
      sentBefore.append(connection.bytesOut)
      numbered(1).withUnsafeBytes { connection.out.append($0) }
    }
    link.recorder.onMany = { $0.setNeedsFlush() }
    try link.far.write(manyNumbered(count))
    try await wait(for: "all frames") { link.recorder.ids.count == count }
    #expect(turns.count == 1)
    let sent = try #require(sentBefore.last)
    #expect(sentBefore.first == 0 && sent > 0)
    // Once: what follows goes out at the end of the turn.
    #expect(Set(sentBefore) == [0, sent])
    #expect(link.connection.out.pending == count * numbered(1).count - Int(sent))
    link.connection.setNeedsFlush()
    try await wait(for: "all answers") { link.received.bytes.count == count * numbered(1).count }
    hook.remove()
    try await link.close()
  }

  @Test func smallAndLargeContentsKeepTheirOrder() async throws {
    let link = try await Link.connect()
    var expected: [UInt8] = []
    for size in [0, 10, 4_096, 4_097, 70_000, 3, 2_000_000, 0, 300_000] {
      let content = pattern(size)
      var writer = HeaderWriter(link.connection.out, "data", id: 1)
      let block = content.withUnsafeBytes { ContentBlock(copying: $0) }
      writer.finish(Content(block))
      expected += frame(#"{"op":"data","id":1}"#, content)
    }
    link.connection.setNeedsFlush()
    try await wait(for: "all bytes") { link.received.bytes.count == expected.count }
    #expect(isSame(link.received.bytes, expected))
    try await link.close()
  }

  @Test func aSlowPeerGetsEverythingInTheEnd() async throws {
    let link = try await Link.connect()
    link.far.stopReading()
    let content = pattern(6_000_000)
    self.append(content, to: link)
    try await waitForTurns(20)
    let waiting = link.connection.out.pending
    #expect(waiting > 0 && waiting < content.count)
    #expect(link.recorder.stalls == 1)
    let drains = link.recorder.drains
    // More is appended while the first waits, which moves the buffer.
    self.append(content, to: link)
    try link.far.startReading(link.received)
    try await wait(for: "all bytes") { link.received.bytes.count == 2 * content.count }
    #expect(isSame(link.received.bytes, content + content))
    #expect(link.recorder.drains > drains)
    #expect(link.connection.out.isEmpty)
    try await link.close()
  }

  @Test func noConnectionWritesMoreThanItsShareOfATurn() async throws {
    let link = try await Link.connect()
    var last: UInt64 = 0
    var most: UInt64 = 0
    let hook = LoopHook(.afterEvents) {
      most = max(most, link.connection.bytesOut - last)
      last = link.connection.bytesOut
    }
    let content = pattern(8_000_000)
    self.append(content, to: link)
    try await wait(for: "all bytes") { link.received.bytes.count == content.count }
    // On top of the share may come the few bytes that wait for the socket to have room.
    #expect(most <= UInt64(FrameConnection.writtenBytesPerTurnMax + (16 << 10)))
    #expect(isSame(link.received.bytes, content))
    hook.remove()
    try await link.close()
  }

  @Test func aPoliteCloseDeliversTheLastFramesDespiteUnreadBytes() async throws {
    let link = try await Link.connect(.tcp(host: "127.0.0.1", port: 0))
    // The peer goes on sending what nobody will read.
    try link.far.write([UInt8](repeating: 0, count: 2_000_000))
    try await wait(for: "the fault") { !link.recorder.faults.isEmpty }
    let farewell = pattern(500_000)
    self.append(farewell, to: link)
    link.connection.closeAfterFlush(withinMs: 120_000)
    #expect(!link.connection.isOpen)
    try await wait(for: "the end") { link.received.hasEnded }
    #expect(link.received.error == nil)
    #expect(isSame(link.received.bytes, farewell))
    try await link.close()
    #expect(link.recorder.ends == [nil])
  }

  @Test func aPoliteCloseIsBounded() async throws {
    let link = try await Link.connect()
    link.far.stopReading()
    self.append(pattern(6_000_000), to: link)
    link.connection.closeAfterFlush(withinMs: 20)
    try await wait(for: "the end") { link.recorder.ends.count == 1 }
    try await link.close()
  }

  @Test func aPeerThatFinishedWritingStillGetsTheLastFrames() async throws {
    let link = try await Link.connect()
    link.far.stopReading()
    let content = pattern(6_000_000)
    self.append(content, to: link)
    link.connection.closeAfterFlush(withinMs: 120_000)
    link.far.finishWriting()
    try await waitForTurns(20)
    #expect(link.recorder.ends.isEmpty)
    try link.far.startReading(link.received)
    try await wait(for: "the end") { link.received.hasEnded }
    #expect(isSame(link.received.bytes, content))
    try await wait(for: "the report") { link.recorder.ends == [nil] }
    try await link.close()
  }

  @Test func aPeerThatIsGoneIsReportedOnce() async throws {
    let link = try await Link.connect()
    link.far.close()
    self.append(numbered(1), to: link)
    try await wait(for: "the end") { link.recorder.ends.count == 1 }
    self.append(numbered(3), to: link)
    link.connection.close()
    link.connection.closeAfterFlush()
    try await waitForTurns(5)
    #expect(link.recorder.ends.count == 1)
    #expect(!link.connection.isOpen)
  }

  @Test func whatAPeerSaidBeforeItWentIsStillHeard() async throws {
    let link = try await Link.connect()
    try link.far.write(numbered(1) + numbered(3))
    link.far.close()
    self.append(numbered(5), to: link)
    try await wait(for: "the end") { link.recorder.ends.count == 1 }
    #expect(link.recorder.ids == [1, 3])
  }

  @Test func nothingIsReportedFromWithinACall() async throws {
    let link = try await Link.connect()
    link.connection.close()
    #expect(link.recorder.ends.isEmpty)
    try await wait(for: "the end") { link.recorder.ends == [nil] }
    link.far.close()
  }

  @Test func anEndedConnectionGoesAway() async throws {
    weak var connection: FrameConnection?
    do {
      let link = try await Link.connect()
      connection = link.connection
      self.append(numbered(1), to: link)
      try await wait(for: "the frame") { !link.received.bytes.isEmpty }
      try await link.close()
    }
    try await wait(for: "the connection to be freed") { connection == nil }
  }
}
