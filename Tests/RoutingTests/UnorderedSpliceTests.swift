import Testing
import Wire

@testable import Routing

/// What goes before its turn.
@Suite struct UnorderedSpliceTests {
  @Test func urgentThingsGoBeforeSlowOnes() {
    let stage = SpliceStage()
    let slow = stage.open("a")
    let other = stage.open("b")
    stage.outer.splice(2, slow)
    stage.outer.reply(2, "after-slow")
    stage.outer.reply(2, "urgent", outOfOrder)
    stage.outer.splice(2, other, outOfOrder)
    stage.outer.end(2)
    #expect(stage.reader.hear() == ["data 1 |urgent"])
    stage.b.reply(2, "slow b", atEnd)
    #expect(stage.reader.hear() == ["data 1 |slow b"])
    stage.a.reply(2, "slow a", atEnd)
    #expect(stage.reader.hear() == ["data 1 |slow a", "data 1 |after-slow", "data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func noMessageIsTornApart() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"), outOfOrder)
    stage.outer.splice(2, stage.open("b"))
    stage.outer.splice(2, stage.open("c"), outOfOrder)
    stage.b.reply(2, "b1", asPart)
    stage.a.reply(2, "a1", asPart)
    stage.outer.reply(2, "u", outOfOrder)
    stage.c.reply(2, "c1")
    #expect(stage.reader.hear() == ["data 1 part |b1"])
    stage.b.reply(2, "b2", atEnd)
    #expect(stage.reader.hear() == ["data 1 |b2", "data 1 |u", "data 1 part |a1"])
    stage.a.reply(2, "a2", atEnd)
    #expect(stage.reader.hear() == ["data 1 |a2", "data 1 |c1"])
    stage.c.end(2)
    stage.outer.end(2)
    #expect(stage.reader.hear() == ["data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func theEndWaitsForWhatIsUnordered() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"), outOfOrder)
    stage.outer.splice(2, stage.open("b"), atEnd)
    stage.b.reply(2, "b1", asPart)
    stage.b.reply(2, "b2", atEnd)
    #expect(stage.reader.hear() == ["data 1 part |b1", "data 1 |b2"])
    stage.a.reply(2, "a1")
    #expect(stage.reader.hear() == ["data 1 |a1"])
    stage.a.fail(2, "bad")
    #expect(stage.reader.hear() == ["error 1 more bad", "data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func anErrorInsideAMessageWaitsForWhatIsUnorderedToo() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"), outOfOrder)
    stage.outer.splice(2, stage.open("b"), atEnd)
    stage.b.reply(2, "b1", asPart)
    stage.b.fail(2, "bad")
    stage.a.reply(2, "a1")
    #expect(
      stage.reader.hear() == ["data 1 part |b1", "error 1 more unfinished_message", "data 1 |a1"])
    stage.a.end(2)
    #expect(stage.reader.hear() == ["error 1 bad"])
    #expect(stage.isAtRest())
  }

  @Test func aLastMessageThatIsUnorderedLeavesTheEndInItsPlace() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"))
    stage.outer.reply(2, "u", outOfOrder + "," + atEnd)
    #expect(stage.reader.hear() == ["data 1 |u"])
    stage.a.reply(2, "a1", atEnd)
    #expect(stage.reader.hear() == ["data 1 |a1", "data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func onlyTheOrderWithinTheOuterChanges() {
    let stage = SpliceStage()
    let first = stage.open("a")
    let second = stage.open("b")
    stage.outer.splice(2, first)
    stage.outer.splice(2, second)
    stage.b.splice(2, stage.open("c", from: stage.b))
    stage.b.reply(2, "u", outOfOrder)
    #expect(stage.reader.hear() == [])
    stage.a.end(2)
    #expect(stage.reader.hear() == ["data 1 |u"])
  }

  @Test func unorderedInnersBelowUnorderedOnes() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"), outOfOrder)
    stage.a.splice(2, stage.open("b", from: stage.a), outOfOrder)
    stage.a.splice(2, stage.open("c", from: stage.a))
    stage.a.reply(2, "a", atEnd)
    stage.b.reply(2, "b1")
    stage.c.reply(2, "c1", atEnd)
    #expect(stage.reader.hear() == ["data 1 |b1", "data 1 |c1", "data 1 |a"])
    stage.outer.end(2)
    stage.b.end(2)
    #expect(stage.reader.hear() == ["data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func manyUnorderedInnersAreHeldBelowAClosedWindow() {
    let stage = SpliceStage(#""window":1"#)
    stage.outer.reply(2, "first")
    var calls: [UInt64] = []
    for _ in 0..<100 { calls.append(stage.open("a")) }
    for call in calls { stage.outer.splice(2, call, outOfOrder) }
    stage.outer.end(2)
    for number in 0..<100 { stage.a.reply(UInt64(2 + 2 * number), "\(number)", atEnd) }
    #expect(stage.reader.hear() == ["data 1 |first"])
    var got: [String] = []
    for _ in 0..<100 {
      stage.reader.credit(1, 300)
      got += stage.reader.hear()
      stage.reader.credit(1, 0)
    }
    #expect(got.count == 101 && got.last == "data 1 end")
    #expect(Set(got).count == 101)
    #expect(stage.isAtRest())
  }

  @Test func partAndUnorderedExcludeEachOther() {
    let stage = SpliceStage()
    stage.outer.reply(2, "x", outOfOrder + "," + asPart)
    #expect(stage.outer.hear() == ["error 2 bad_field"])
    #expect(stage.reader.hear() == ["error 1 internal"])
    let other = SpliceStage()
    other.outer.splice(2, other.open("a"), outOfOrder + "," + atEnd)
    #expect(other.outer.hear() == ["error 2 bad_field"])
  }
}
