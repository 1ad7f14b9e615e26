import Testing
import Wire

@testable import Routing

private let mebibyte = 1 << 20

/// What waits for a connection that does not read: its marks, and whose turn it is when it does.
@Suite struct CongestionTests {
  @Test func aHostWithEightMebibytesWaitingGetsNoNewCalls() {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    for _ in 0..<2 { caller.call("a", bytes: 4 * mebibyte) }
    #expect(host.out.pending >= 8 * mebibyte)
    let pending = host.out.pending
    caller.call("a")
    caller.call("a:s")
    #expect(host.out.pending == pending)
    #expect(
      host.hear() == [
        "call 2 a |4194304 bytes", "call 4 a |4194304 bytes", "call 6 a:s new", "call 8 a",
      ])
  }

  @Test func aCallGoesToTheReplicaThatReads() {
    let network = Network()
    let slow = network.host("a")
    let caller = network.peer()
    for _ in 0..<2 { caller.call("a", bytes: 4 * mebibyte) }
    let fast = network.host("a")
    for _ in 0..<20 { caller.call("a") }
    caller.call("a:s")
    #expect(fast.hear().count == 21)
    #expect(slow.hear().count == 2)
  }

  @Test func sendersGetNoCreditWhileTheirReaderIsCongestedAndAllOfItAfterwards() {
    let network = Network()
    let host = network.host("a")
    let reader = network.peer()
    for _ in 0..<2 { reader.call("a", with: #""window":\#(1 << 31)"#) }
    #expect(host.hear() == ["call 2 a", "call 4 a"])
    host.data(2, bytes: 9 * mebibyte)
    #expect(host.hear() == [], "9 MiB wait for the reader")
    host.data(4, bytes: mebibyte - 256)
    #expect(host.hear() == [])
    #expect(reader.hear().count == 2)
    #expect(host.hear() == ["credit 4 1048576", "credit 2 9437440"])
  }

  @Test func theCallThatWouldLetMoreThan32MebibytesWaitEnds() {
    let network = Network()
    let host = network.host("a")
    let reader = network.peer()
    for _ in 0..<34 { reader.call("a") }
    #expect(host.hear().count == 34)
    for id in stride(from: UInt64(2), through: 64, by: 2) { host.data(id, bytes: mebibyte - 256) }
    #expect(host.hear() == [])
    host.data(66, bytes: mebibyte - 256)
    #expect(host.hear() == ["cancel 66 reader_overrun", "credit 66 1048576"])
    // An end costs nothing and passes the mark.
    host.end(64)
    let heard = reader.hear()
    #expect(heard.filter { $0 == "error 65 reader_overrun" }.count == 1)
    #expect(heard.firstIndex(of: "error 65 reader_overrun")! < 3, "errors pass waiting data")
    #expect(heard.filter { $0.hasSuffix("|1048320 bytes") }.count == 32)
    #expect(heard.contains("data 63 end"))
    // It has recovered: the last call may send.
    host.data(68, bytes: mebibyte - 256)
    #expect(reader.hear() == ["data 67 |1048320 bytes"])
  }

  @Test func anEndThatDoesNotFitEndsTheCallAtItsHostToo() {
    var limits = Limits()
    limits.connectionHardMarkBytes = mebibyte
    let network = Network(limits: limits)
    let host = network.host("a", with: #""concurrency":1"#)
    let reader = network.peer()
    reader.call("a:s", with: #""window":2000000"#)
    #expect(host.hear() == ["call 2 a:s new"])
    host.data(2, bytes: mebibyte / 2)
    host.say(#"{"op":"data","id":2,"end":true}"#, bytes: mebibyte / 2)
    #expect(reader.hear().contains("error 1 reader_overrun"))
    // The host has ended it: there is nothing to cancel, and its place is free.
    #expect(host.hear() == ["credit 2 524544"])
    reader.call("a:s")
    #expect(host.hear() == ["call 4 a:s"])
  }

  @Test func inputTowardsACongestedHostIsHeldWithoutCredit() {
    var limits = Limits()
    limits.connectionHighMarkBytes = 2 * mebibyte
    let network = Network(limits: limits)
    let host = network.host("a")
    let caller = network.peer()
    caller.call("a", with: #""input":true"#)
    #expect(host.hear() == ["call 2 a input"])
    host.credit(2, 8 * mebibyte)
    caller.data(1, bytes: 3 * mebibyte)
    #expect(caller.hear() == [])
    #expect(host.hear() == ["data 2 |3145728 bytes"])
    #expect(caller.hear() == ["credit 1 3145984"])
  }

  @Test func answersPassDataThatWaits() {
    let network = Network()
    let host = network.host("a")
    let reader = network.peer()
    reader.call("a", with: #""window":8000000"#)
    #expect(host.hear() == ["call 2 a"])
    for _ in 0..<8 { host.data(2, bytes: 100_000) }
    reader.say(#"{"op":"send","id":3,"to":"a"}"#)
    let heard = reader.hear()
    #expect(heard.firstIndex(of: "ok 3") == 3)
    #expect(heard.count == 9)
  }

  @Test func directionsTakeTurnsInAConnectionsBuffer() {
    let network = Network()
    let host = network.host("a")
    let reader = network.peer()
    for _ in 0..<3 { reader.call("a") }
    #expect(host.hear().count == 3)
    for _ in 0..<15 { host.data(2, bytes: 60_000) }
    for _ in 0..<3 { host.data(4, bytes: 60_000) }
    for _ in 0..<2 { host.data(6, bytes: 60_000) }
    let order = reader.hear().map { $0.split(separator: " ")[1] }
    // What had gone into the buffer before the others came, then two frames (64 KiB) each in turn
    // (or as much as there is room for).
    #expect(order.joined() == "11111113351135111111")
  }

  @Test func framesOfOneDirectionKeepTheirOrderAcrossTurns() {
    let network = Network()
    let host = network.host("a")
    let reader = network.peer()
    for _ in 0..<3 { reader.call("a") }
    #expect(host.hear().count == 3)
    for number in 0..<8 {
      for id in [UInt64(2), 4, 6] {
        host.say(#"{"op":"data","id":\#(id),"type":"n\#(number)"}"#, bytes: 60_000)
      }
    }
    for id in [UInt64(2), 4, 6] { host.end(id) }
    var frames: [String] = []
    while !reader.out.isEmpty { frames += reader.hear(atMost: 10_000) }
    for id in [1, 3, 5] {
      let own = frames.filter { $0.hasPrefix("data \(id) ") }
      #expect(own == (0..<8).map { "data \(id) type=n\($0) |60000 bytes" } + ["data \(id) end"])
    }
  }

  @Test func largeContentIsPassedOnByReference() {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    let block = ContentBlock(expecting: 100_000)
    let bytes = [UInt8](repeating: 7, count: 100_000)
    bytes.withUnsafeBytes { _ = block.append($0) }
    caller.say(#"{"op":"call","id":1,"to":"a","window":0}"#, Content(block))
    #expect(host.out.refers(to: block))
    #expect(host.hear() == ["call 2 a window=65536 |100000 bytes"])
    // Held, and still not copied.
    host.say(#"{"op":"data","id":2}"#, Content(block))
    #expect(caller.out.isEmpty)
    caller.credit(1, 1)
    #expect(caller.out.refers(to: block))
    #expect(caller.hear() == ["data 1 |100000 bytes"])
  }

  @Test func aCallThatEndsMakesRoomWithoutAnyoneReading() {
    var limits = Limits()
    limits.connectionHighMarkBytes = 200_000
    let network = Network(limits: limits)
    // It hosts `b` and holds back the replies to its own calls: those bytes wait for it.
    let both = network.host("b")
    let host = network.host("a")
    for _ in 0..<4 { both.call("a", with: #""window":0"#) }
    #expect(host.hear().count == 4)
    for id in [UInt64(2), 4, 6, 8] { host.data(id, bytes: 60_000) }
    let caller = network.peer()
    caller.call("b")
    caller.call("b:s")
    #expect(both.hear() == [], "240 kB are held for it")
    both.cancel(3)
    #expect(
      both.hear() == ["error 3 cancelled", "call 2 b:s new", "call 4 b"])
  }
}

extension OutBuffer {
  /// Whether a block's own memory is what goes to the socket.
  fileprivate func refers(to block: ContentBlock) -> Bool {
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 64) { vectors in
      vectors[..<nextVectors(vectors)].contains { $0.baseAddress == block.bytes.baseAddress }
    }
  }
}
