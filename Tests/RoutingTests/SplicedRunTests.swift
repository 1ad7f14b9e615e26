import Testing
import Wire

@testable import Routing

/// Splices into the replies of runs, whose reader is a log.
@Suite struct SplicedRunTests {
  private static let run = #""run":"r""#

  @Test func aRunKeepsWhatIsSplicedInItsOrder() {
    let stage = SpliceStage(Self.run)
    stage.outer.reply(2, "A1")
    let one = stage.open("a")
    let two = stage.open("b")
    stage.outer.splice(2, one)
    stage.outer.splice(2, two)
    stage.outer.reply(2, "u", outOfOrder)
    stage.outer.end(2)
    stage.b.reply(2, "b1")
    stage.b.fail(2, "bad")
    stage.a.reply(2, "a1", asPart)
    stage.a.reply(2, "a2", atEnd)
    let frames = [
      "|A1", "|u", "part |a1", "|a2", "|b1", "more bad", "end",
    ].map { ($0.hasPrefix("more") ? "error 1 " : "data 1 ") + $0 }
    #expect(stage.reader.hear() == frames)
    stage.reader.call("outer", with: Self.run)
    let again = frames.map { $0.replacing(" 1 ", with: " 3 ") }
    #expect(stage.reader.hear() == again)
    #expect(stage.isAtRest())
  }

  @Test func aRunThatIsHandedOverOutlivesItsReaders() {
    let stage = SpliceStage(Self.run + #","detach":true"#)
    stage.outer.splice(2, stage.open("a"), atEnd)
    stage.a.splice(2, stage.open("b", from: stage.a), atEnd)
    stage.reader.leave()
    stage.outer.leave()
    stage.b.reply(2, "one")
    stage.b.fail(2, "bad", #""retry":true"#)
    let late = stage.network.peer()
    late.call("outer", with: Self.run)
    #expect(late.hear() == ["data 1 |one", "error 1 bad"])
    #expect(stage.isAtRest())
  }

  @Test func theReaderThatPacesARunPacesWhatIsAtTheFront() {
    let stage = SpliceStage(Self.run + #","window":100000"#)
    stage.outer.splice(2, stage.open("a"))
    stage.outer.splice(2, stage.open("b"))
    #expect(stage.a.hear() == ["call 2 a from=outer window=65536", "credit 2 34464"])
    stage.a.data(2, bytes: 60_000)
    #expect(stage.a.hear() == [])
    stage.reader.credit(1, 60_256)
    #expect(stage.a.hear() == ["credit 2 60256"])
    stage.reader.credit(1, 500_000)
    #expect(stage.a.hear() == ["credit 2 500000"])
    stage.a.end(2)
    #expect(stage.b.hear().suffix(1) == ["credit 2 534464"])
    stage.b.end(2)
    stage.outer.end(2)
    _ = stage.reader.hear()
    #expect(stage.isAtRest())
  }

  @Test func cancellingARunReachesAllBelow() {
    let stage = SpliceStage(Self.run)
    stage.outer.splice(2, stage.open("a"), atEnd)
    let late = stage.open("b", from: stage.a)
    stage.a.splice(2, late)
    stage.b.data(2, bytes: 1000)
    stage.reader.cancel(1)
    #expect(stage.reader.hear() == ["data 1 |1000 bytes", "error 1 cancelled"])
    #expect(stage.a.hear().suffix(1) == ["cancel 2 parent_ended"])
    stage.a.end(2)
    stage.b.end(2)
    #expect(stage.isAtRest())
  }

  @Test func aReaderOfARunCannotBeSpliced() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a", with: Self.run))
    #expect(stage.outer.hear().contains("error 2 bad_splice"))
    let other = SpliceStage()
    other.open("a", with: Self.run)
    other.outer.splice(2, other.open("a", with: Self.run))
    #expect(other.outer.hear().contains("error 2 bad_splice"))
  }

  @Test func whatIsHeldBelowARunHasALimit() {
    var limits = Limits()
    limits.connectionHardMarkBytes = 100_000
    let stage = SpliceStage(Self.run, limits: limits)
    let calls = ["a", "b", "c"].map { stage.open($0) }
    for call in calls { stage.outer.splice(2, call) }
    stage.b.data(2, bytes: 60_000)
    stage.c.data(2, bytes: 60_000)
    #expect(stage.c.hear().contains("cancel 2 reader_overrun"))
    stage.a.end(2)
    stage.b.end(2)
    stage.c.end(2)
    stage.outer.end(2)
    #expect(
      stage.reader.hear() == ["data 1 |60000 bytes", "error 1 more reader_overrun", "data 1 end"])
    #expect(stage.isAtRest())
  }
}
