import Testing
import Wire

@testable import Routing

/// Windows that reach through splices, and what is held on the way.
@Suite struct SpliceWindowTests {
  @Test func theReadersWindowReachesThroughAllSplices() {
    let stage = SpliceStage(#""window":2000"#)
    stage.outer.splice(2, stage.open("a"))
    stage.a.splice(2, stage.open("b", from: stage.a), atEnd)
    stage.b.splice(2, stage.open("c", from: stage.b))
    // The bound of what may be held is the greater one here.
    #expect(stage.c.hear() == ["call 2 c from=b window=65536"])
    for _ in 0..<3 { stage.c.data(2, bytes: 744) }
    #expect(stage.reader.hear() == ["data 1 |744 bytes", "data 1 |744 bytes"])
    stage.reader.credit(1, 1)
    #expect(stage.reader.hear() == ["data 1 |744 bytes"])
    stage.reader.credit(1, 1 << 20)
    #expect(stage.c.hear().count == 1, "it is permitted what the reader permits")
  }

  @Test func oneMessageAtATime() {
    let stage = SpliceStage(#""window":1"#)
    stage.outer.reply(2, "A1")
    stage.outer.splice(2, stage.open("a"))
    stage.outer.splice(2, stage.open("b"))
    for text in ["m1", "m2"] { stage.a.reply(2, text) }
    stage.a.end(2)
    stage.b.reply(2, "m3", atEnd)
    stage.outer.end(2)
    var got: [[String]] = []
    for _ in 0..<4 {
      got.append(stage.reader.hear())
      stage.reader.credit(1, 258)
    }
    #expect(
      got == [["data 1 |A1"], ["data 1 |m1"], ["data 1 |m2"], ["data 1 |m3", "data 1 end"]])
    #expect(stage.isAtRest())
  }

  @Test func whatIsNotAtTheFrontChargesItsSenderOnly() {
    let stage = SpliceStage(#""window":100000"#)
    stage.outer.splice(2, stage.open("a"))
    stage.outer.splice(2, stage.open("b"), atEnd)
    #expect(stage.a.hear() == ["call 2 a from=outer window=65536", "credit 2 34464"])
    #expect(stage.b.hear() == ["call 2 b from=outer window=65536"])
    stage.b.data(2, bytes: 65_536)
    #expect(stage.b.hear() == [], "as much is held as may be")
    stage.a.data(2, bytes: 40_000)
    #expect(stage.reader.hear() == ["data 1 |40000 bytes"])
    stage.a.end(2)
    #expect(stage.reader.hear() == ["data 1 |65536 bytes"])
    #expect(stage.b.hear() == ["credit 2 65792"], "it is at the front and stood still")
    stage.b.end(2)
    #expect(stage.reader.hear() == ["data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func aHostThatSendsMoreThanItMayEndsInItsPlace() {
    let stage = SpliceStage(#""window":0"#)
    stage.outer.splice(2, stage.open("a"))
    stage.a.data(2, bytes: 65_536)
    stage.a.data(2, bytes: 1)
    #expect(stage.a.hear().contains("cancel 2 window_exceeded"))
    stage.outer.end(2)
    stage.reader.credit(1, 1 << 20)
    #expect(
      stage.reader.hear() == ["data 1 |65536 bytes", "error 1 more window_exceeded", "data 1 end"])
    stage.a.end(2)
    #expect(stage.isAtRest())
  }

  @Test func whatIsHeldCountsForTheReader() {
    let stage = SpliceStage(#""window":0"#)
    let router = stage.network.router
    let inner = stage.open("a")
    stage.a.splice(2, stage.open("b", from: stage.a))
    stage.b.data(2, bytes: 1_000)
    stage.a.data(2, bytes: 500)
    #expect(router.connections.at(stage.outer.index).pointee.heldBytes == 1_500)
    stage.outer.splice(2, inner, atEnd)
    #expect(router.connections.at(stage.outer.index).pointee.heldBytes == 0)
    #expect(router.connections.at(stage.reader.index).pointee.heldBytes == 1_500)
    stage.reader.cancel(1)
    #expect(router.connections.at(stage.reader.index).pointee.heldBytes == 0)
  }

  @Test func aLargeReplyIsNeverHeldWhole() {
    let stage = SpliceStage(#""window":262144"#)
    stage.outer.splice(2, stage.open("a"), atEnd)
    stage.a.splice(2, stage.open("b", from: stage.a), atEnd)
    stage.b.splice(2, stage.open("c", from: stage.b), atEnd)
    var permitted = 0
    var sent = 0
    var taken = 0
    var most = 0
    let part = 16_384
    while taken < 64 << 20 {
      for frame in stage.c.hear() {
        let words = frame.split(separator: " ")
        if words[0] == "call" { permitted += 65_536 }
        if words[0] == "credit" { permitted += Int(words[2])! }
      }
      while permitted > 0, sent < 64 << 20 {
        stage.c.data(2, bytes: part)
        sent += part
        permitted -= part + Limits.frameCostBytes
      }
      let router = stage.network.router
      most = max(most, router.connections.at(stage.reader.index).pointee.waitingBytes)
      let frames = stage.reader.hear()
      #expect(!frames.isEmpty, "the reader stands still at \(taken)")
      guard !frames.isEmpty else { return }
      taken += frames.count * part
      stage.reader.credit(1, frames.count * (part + Limits.frameCostBytes))
    }
    #expect(most < 600_000, "\(most) bytes waited")
    stage.c.end(2)
    #expect(stage.reader.hear() == ["data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func aSourceThatIsNotAtTheFrontGetsNoCreditForASlowReader() {
    var limits = Limits()
    limits.connectionHighMarkBytes = 100_000
    let stage = SpliceStage(limits: limits)
    stage.outer.splice(2, stage.open("a"))
    stage.outer.splice(2, stage.open("b"), outOfOrder)
    stage.a.data(2, bytes: 150_000)
    #expect(stage.b.hear() == ["call 2 b from=outer window=65536"])
    stage.b.data(2, bytes: 40_000)
    #expect(stage.b.hear() == [], "no credit while its reader takes nothing")
    #expect(stage.reader.hear() == ["data 1 |150000 bytes", "data 1 |40000 bytes"])
    #expect(stage.b.hear() == ["credit 2 40256"])
    stage.a.end(2)
    stage.b.end(2)
    stage.outer.end(2)
    #expect(stage.reader.hear() == ["data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func whatIsHeldBehindTheFrontDoesNotKeepItFromCredit() {
    var limits = Limits()
    limits.connectionHighMarkBytes = 100_000
    let stage = SpliceStage(limits: limits)
    var calls: [UInt64] = []
    for agent in ["a", "b", "c", "b"] { calls.append(stage.open(agent)) }
    _ = stage.a.hear()
    stage.b.data(2, bytes: 60_000)
    stage.c.data(2, bytes: 60_000)
    for call in calls { stage.outer.splice(2, call) }
    stage.outer.end(2)
    stage.b.end(2)
    stage.b.end(4)
    stage.c.end(2)
    #expect(stage.a.hear() == ["credit 2 983040"])
    stage.a.data(2, bytes: 900_000)
    stage.a.data(2, bytes: 900_000)
    #expect(stage.reader.hear() == ["data 1 |900000 bytes", "data 1 |900000 bytes"])
    stage.a.end(2)
    stage.reader.credit(1, 2_000_000)
    #expect(stage.reader.hear() == ["data 1 |60000 bytes", "data 1 |60000 bytes", "data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func aCongestedConnectionStillGetsTheCallThatItWaitsFor() {
    var limits = Limits()
    limits.connectionHighMarkBytes = 50_000
    let stage = SpliceStage(limits: limits)
    stage.reader.register("mine")
    let second = stage.open("a")
    stage.a.data(2, bytes: 60_000)
    stage.a.end(2)
    stage.outer.splice(2, stage.open("b"))
    stage.outer.splice(2, second)
    // What is held counts for the reader, who is to handle the first of it.
    let first = stage.open("mine", from: stage.b)
    #expect(stage.reader.hear() == [])
    stage.b.splice(2, first, atEnd)
    #expect(stage.reader.hear().first == "call 2 mine from=b window=65536")
    stage.reader.reply(2, "one", atEnd)
    #expect(stage.reader.hear() == ["data 1 |one", "data 1 |60000 bytes"])
    stage.outer.end(2)
    #expect(stage.reader.hear() == ["data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func aSpliceThatOverrunsTheReader() {
    var limits = Limits()
    limits.connectionHardMarkBytes = 100_000
    let stage = SpliceStage(#""window":0"#, limits: limits)
    let first = stage.open("a")
    let second = stage.open("b")
    stage.a.data(2, bytes: 40_000)
    stage.b.data(2, bytes: 40_000)
    stage.outer.data(2, bytes: 50_000)
    stage.outer.splice(2, first)
    stage.outer.splice(2, second)
    stage.outer.end(2)
    #expect(stage.b.hear().contains("cancel 2 reader_overrun"))
    stage.a.end(2)
    stage.b.end(2)
    stage.reader.credit(1, 1 << 20)
    #expect(
      stage.reader.hear() == [
        "data 1 |50000 bytes", "data 1 |40000 bytes", "error 1 more reader_overrun", "data 1 end",
      ])
    #expect(stage.isAtRest())
  }
}
