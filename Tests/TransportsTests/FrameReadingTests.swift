import EventLoop
import Foundation
import TestSupport
import Testing
import Transports
import Wire

@Suite @LoopActor struct FrameReadingTests {
  @Test func framesArriveWholeAndInOrder() async throws {
    let link = try await Link.connect()
    try link.far.write(frame(#"{"op":"data","id":1}"#, [1, 2, 3]) + numbered(3) + numbered(5))
    try await wait(for: "three frames") { link.recorder.ids.count == 3 }
    #expect(link.recorder.ids == [1, 3, 5])
    #expect(link.recorder.contents == [[1, 2, 3], [], []])
    #expect(link.connection.framesIn == 3)
    try await link.close()
    #expect(link.recorder.ends == [nil])
  }

  @Test func aFrameMayArriveByteByByte() async throws {
    let link = try await Link.connect()
    for byte in frame(#"{"op":"data","id":7}"#, [9, 8]) {
      try link.far.write([byte])
      await Task.yield()
    }
    try await wait(for: "the frame") { link.recorder.ids == [7] }
    #expect(link.recorder.contents == [[9, 8]])
    try await link.close()
  }

  @Test(arguments: [4_096, 32_768, 32_769, 100_000, 262_144, 1 << 20, 5_000_000])
  func aContentOfAnySizeArrivesWhole(size: Int) async throws {
    let link = try await Link.connect()
    let content = pattern(size)
    try link.far.write(numbered(1) + frame(#"{"op":"data","id":3}"#, content) + numbered(5))
    try await wait(for: "the frames") { link.recorder.ids.count == 3 }
    #expect(link.recorder.ids == [1, 3, 5])
    #expect(isSame(link.recorder.contents[1], content))
    try await link.close()
  }

  /// A frame that was written to many others is work for as many.
  @Test func whoMakesMuchWorkForOthersGoesOnInTheNextTurn() async throws {
    let link = try await Link.connect()
    let share = FrameConnection.deliveriesPerTurnMax / 4
    var inTurn = 0
    var inTurnMost = 0
    link.recorder.onFrame = { connection in
      inTurn += 1
      inTurnMost = max(inTurnMost, inTurn)
      connection.countDeliveries(share)
    }
    let hook = LoopHook(.beforeWaiting) { inTurn = 0 }
    try link.far.write(manyNumbered(100))
    try await wait(for: "all frames") { link.recorder.ids.count == 100 }
    #expect(inTurnMost == 4)
    hook.remove()
    try await link.close()
  }

  @Test func noConnectionTakesMoreFramesThanItsShareOfATurn() async throws {
    let link = try await Link.connect()
    let count = 20_000
    var inTurn = 0
    var inTurnMost = 0
    link.recorder.onFrame = { _ in
      inTurn += 1
      inTurnMost = max(inTurnMost, inTurn)
    }
    let hook = LoopHook(.beforeWaiting) { inTurn = 0 }
    try link.far.write(manyNumbered(count))
    try await wait(for: "all frames") { link.recorder.ids.count == count }
    let isInOrder = link.recorder.ids == (0..<count).map { UInt64($0 * 2 + 1) }
    #expect(isInOrder)
    #expect(inTurnMost == FrameConnection.readFramesPerTurnMax)
    hook.remove()
    try await link.close()
  }

  @Test func theFramesBeforeAnEndArriveBeforeIt() async throws {
    let link = try await Link.connect()
    try link.far.write(manyNumbered(5_000))
    link.far.finishWriting()
    try await wait(for: "the end") { !link.recorder.ends.isEmpty }
    #expect(link.recorder.ids.count == 5_000)
    #expect(link.recorder.ends == [nil])
    try await link.close()
  }

  @Test func aFaultIsToldOnceAndNothingFollows() async throws {
    let link = try await Link.connect()
    try link.far.write(numbered(1) + frame("nonsense") + numbered(3))
    try await wait(for: "the fault") { !link.recorder.faults.isEmpty }
    try link.far.write(numbered(5))
    try await waitForTurns(10)
    let farewell = frame(#"{"op":"error"}"#)
    farewell.withUnsafeBytes { link.connection.out.append($0) }
    link.connection.closeAfterFlush()
    try await wait(for: "the farewell and the end") { link.received.hasEnded }
    #expect(isSame(link.received.bytes, farewell))
    #expect(link.recorder.faults.count == 1)
    #expect(link.recorder.ids == [1])
    try await link.close()
    #expect(link.recorder.ends == [nil])
  }

  @Test func aDelegateMayCloseInTheMiddleOfABatch() async throws {
    let link = try await Link.connect()
    link.recorder.onFrame = { connection in
      if connection.header[.id] == 3 { connection.close() }
    }
    try link.far.write(numbered(1) + numbered(3) + numbered(5))
    try await wait(for: "the end") { link.recorder.ends.count == 1 }
    #expect(link.recorder.ids == [1, 3])
    try await link.close()
  }

  @Test func aFloodOnOneConnectionDoesNotHoldUpAnother() async throws {
    let busy = try await Link.connect()
    let quiet = try await Link.connect()
    var framesBefore: Int?
    quiet.recorder.onFrame = { _ in framesBefore = busy.recorder.ids.count }
    try busy.far.write(manyNumbered(20_000))
    try quiet.far.write(numbered(1))
    try await wait(for: "the quiet one's frame") { framesBefore != nil }
    #expect(try #require(framesBefore) <= 10 * FrameConnection.readFramesPerTurnMax)
    try await wait(for: "the flood") { busy.recorder.ids.count == 20_000 }
    try await busy.close()
    try await quiet.close()
  }

  @Test func whoConnectsIsKnown() async throws {
    let unix = try await Link.connect()
    #expect(unix.peer.credentials?.uid == geteuid())
    let tcp = try await Link.connect(.tcp(host: "127.0.0.1", port: 0))
    #expect(tcp.peer.credentials == nil)
    #expect(tcp.peer.address?.host == "127.0.0.1")
    guard case .tcp("127.0.0.1", let port) = tcp.peer.endpoint else {
      Issue.record("not the endpoint: \(tcp.peer.endpoint)")
      return
    }
    #expect(port != 0)
    try tcp.far.write(numbered(1))
    try await wait(for: "the frame") { tcp.recorder.ids == [1] }
    try await unix.close()
    try await tcp.close()
  }
}
