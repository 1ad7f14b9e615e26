import Testing
import Wire

@testable import Routing

/// Replies put into other replies, in their order.
@Suite struct SplicingTests {
  // MARK: Order

  @Test func whatIsSplicedStandsInItsPlace() {
    let stage = SpliceStage()
    stage.outer.reply(2, "A1")
    let one = stage.open("a")
    let two = stage.open("b")
    stage.outer.splice(2, one)
    stage.outer.splice(2, two)
    stage.outer.reply(2, "A2", atEnd)
    #expect(stage.a.hear() == ["call 2 a from=outer window=65536", "credit 2 982782"])
    #expect(stage.b.hear() == ["call 2 b from=outer window=65536"])
    stage.b.reply(2, "m3", atEnd)
    stage.a.reply(2, "m1", #""type":"Text""#)
    #expect(stage.reader.hear() == ["data 1 |A1", "data 1 type=Text |m1"])
    stage.a.reply(2, "m2", atEnd)
    #expect(stage.reader.hear() == ["data 1 |m2", "data 1 |m3", "data 1 end |A2"])
    #expect(stage.outer.hear() == [])
    #expect(stage.isAtRest())
  }

  @Test func aBareEndIsNotPassedOn() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"))
    stage.a.reply(2, "one")
    stage.a.end(2)
    stage.outer.reply(2, "two")
    stage.outer.end(2)
    #expect(stage.reader.hear() == ["data 1 |one", "data 1 |two", "data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func aReplyThatIsOverBeforeItsSpliceIsShownThere() {
    let stage = SpliceStage()
    let inner = stage.open("a")
    stage.a.reply(2, "one")
    stage.a.reply(2, "two", atEnd)
    #expect(stage.outer.hear() == [])
    stage.outer.splice(2, inner)
    #expect(stage.reader.hear() == ["data 1 |one", "data 1 |two"])
    stage.outer.end(2)
    #expect(stage.reader.hear() == ["data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func partsAndFieldsStayAsTheyAre() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"))
    stage.a.reply(2, "o", #""type":"Text","part":true,"content_type":"text/plain""#)
    stage.a.reply(2, "ne")
    stage.a.reply(2, "t", asPart)
    stage.a.reply(2, "wo", atEnd)
    #expect(
      stage.reader.hear() == [
        "data 1 type=Text part |o", "data 1 |ne", "data 1 part |t", "data 1 |wo",
      ])
  }

  @Test func threeDeep() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"), atEnd)
    let second = stage.open("b", from: stage.a)
    stage.a.reply(2, "a1")
    stage.a.splice(2, second)
    stage.a.reply(2, "a2", atEnd)
    let third = stage.open("c", from: stage.b)
    stage.b.reply(2, "b1")
    stage.b.splice(2, third, atEnd)
    #expect(stage.reader.hear() == ["data 1 |a1", "data 1 |b1"])
    stage.c.reply(2, "c1")
    #expect(stage.reader.hear() == ["data 1 |c1"])
    stage.c.reply(2, "c2", atEnd)
    #expect(stage.reader.hear() == ["data 1 |c2", "data 1 end |a2"])
    #expect(stage.isAtRest())
  }

  // MARK: Errors

  @Test func anErrorStandsInItsPlace() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"))
    stage.outer.reply(2, "two", atEnd)
    stage.a.reply(2, "one")
    stage.a.fail(2, "bad", #""retry":true"#)
    #expect(stage.reader.hear() == ["data 1 |one", "error 1 more bad", "data 1 end |two"])
    #expect(stage.isAtRest())
  }

  @Test func anErrorInPlaceCostsAndWaitsForTheWindow() {
    let stage = SpliceStage(#""window":1"#)
    stage.outer.splice(2, stage.open("a"))
    stage.outer.end(2)
    stage.a.reply(2, "one")
    stage.a.fail(2, "bad")
    #expect(stage.reader.hear() == ["data 1 |one"])
    stage.reader.credit(1, 260)
    #expect(stage.reader.hear() == ["error 1 more bad", "data 1 end"])
  }

  @Test func aReplyThatEndsInsideAMessage() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"))
    stage.outer.splice(2, stage.open("b"), atEnd)
    stage.a.reply(2, "on", asPart)
    stage.a.end(2)
    #expect(stage.reader.hear() == ["data 1 part |on", "error 1 more unfinished_message"])
    stage.b.reply(2, "tw", asPart)
    stage.b.end(2)
    #expect(stage.reader.hear() == ["data 1 part |tw", "data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func aLostHostBelowIsAnErrorBehindWhatItSent() {
    let stage = SpliceStage()
    let first = stage.open("a")
    let second = stage.open("b")
    stage.outer.splice(2, first)
    stage.outer.splice(2, second)
    stage.outer.reply(2, "end", atEnd)
    stage.b.reply(2, "held")
    stage.b.leave()
    #expect(stage.reader.hear() == [])
    stage.a.leave()
    #expect(
      stage.reader.hear() == [
        "error 1 more host_lost", "data 1 |held", "error 1 more host_lost", "data 1 end |end",
      ])
    #expect(stage.isAtRest())
  }

  @Test func aLostHostInTheMiddleEndsWhatItHadSpliced() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"))
    stage.outer.reply(2, "after", atEnd)
    stage.a.splice(2, stage.open("b", from: stage.a))
    stage.a.reply(2, "behind")
    stage.b.reply(2, "b1")
    stage.b.reply(2, "b", asPart)
    _ = stage.b.hear()
    stage.a.leave()
    #expect(
      stage.reader.hear() == [
        "data 1 |b1", "data 1 part |b", "error 1 more host_lost", "data 1 end |after",
      ])
    #expect(stage.b.hear() == ["cancel 2 parent_ended"])
    stage.b.end(2)
    #expect(stage.isAtRest())
  }

  // MARK: Handing over

  @Test func aHandoffFreesTheDelegatorAtOnce() {
    let stage = SpliceStage()
    let host = stage.network.host("actor")
    stage.reader.call("actor:s")
    stage.reader.call("actor:s")
    #expect(host.hear() == ["call 2 actor:s new"])
    host.splice(2, stage.open("a", from: host), atEnd)
    #expect(host.hear() == ["call 4 actor:s"])
    // What it still says of the call counts for nothing.
    host.reply(2, "late")
    host.leave()
    stage.a.reply(2, "one")
    stage.a.fail(2, "bad", #""retry":true"#)
    #expect(
      stage.reader.hear() == ["error 5 host_lost", "data 3 |one", "error 3 bad"])
    #expect(stage.network.router.metrics.calls.failed == 2 + 1)
  }

  @Test func whatIsHandedOverKeepsItsPlaceBehindTheRest() {
    let stage = SpliceStage(#""window":0"#)
    stage.outer.reply(2, "first")
    stage.outer.splice(2, stage.open("a"))
    stage.outer.splice(2, stage.open("b"), atEnd)
    stage.outer.leave()
    stage.b.reply(2, "b", atEnd)
    stage.a.reply(2, "a", atEnd)
    #expect(stage.reader.hear() == [])
    stage.reader.credit(1, 2000)
    #expect(stage.reader.hear() == ["data 1 |first", "data 1 |a", "data 1 end |b"])
    #expect(stage.isAtRest())
  }

  @Test func theEndOfADelegatorBeforeItsHandoffEndsAll() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"))
    _ = stage.a.hear()
    stage.outer.leave()
    #expect(stage.reader.hear() == ["error 1 host_lost"])
    #expect(stage.a.hear() == ["cancel 2 parent_ended"])
    stage.a.reply(2, "dropped", atEnd)
    #expect(stage.isAtRest())
  }

  @Test func aCircleOfHandoffsEnds() {
    var limits = Limits()
    limits.callDepthMax = 4
    let stage = SpliceStage(limits: limits)
    stage.outer.splice(2, stage.open("a"), atEnd)
    stage.a.splice(2, stage.open("b", from: stage.a), atEnd)
    stage.b.splice(2, stage.open("a", from: stage.b), atEnd)
    let fourth = stage.a.call("b", with: #""parent":4,"window":0"#)
    stage.a.splice(4, fourth, atEnd)
    let fifth = stage.b.call("a", with: #""parent":4,"window":0"#)
    #expect(stage.b.hear().suffix(1) != ["error \(fifth) call_depth"], "it is held")
    stage.b.splice(4, fifth, atEnd)
    #expect(stage.reader.hear() == ["error 1 call_depth path=outer a b a b"])
    #expect(stage.isAtRest())
  }

  // MARK: Ends from above

  @Test func cancellingTheOuterReachesAllBelow() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"), atEnd)
    stage.a.splice(2, stage.open("b", from: stage.a))
    stage.b.splice(2, stage.open("c", from: stage.b), atEnd)
    for peer in [stage.a, stage.b, stage.c] { _ = peer.hear() }
    stage.c.reply(2, "held", asPart)
    stage.reader.cancel(1)
    #expect(stage.reader.hear() == ["data 1 part |held", "error 1 cancelled"])
    #expect(stage.a.hear() == ["cancel 2 parent_ended"])
    #expect(stage.b.hear() == [], "it has handed over")
    #expect(stage.c.hear() == ["cancel 2 parent_ended"])
    stage.a.end(2)
    stage.c.reply(2, "late")
    stage.c.end(2)
    #expect(stage.isAtRest())
  }

  @Test func theDeadlineOfTheOuterHoldsBelow() {
    let stage = SpliceStage(#""timeout_ms":500"#)
    stage.outer.splice(2, stage.open("a", with: #""timeout_ms":9000"#), atEnd)
    #expect(stage.a.hear() == ["call 2 a from=outer timeout=500 window=65536", "credit 2 983040"])
    stage.network.pass(500)
    #expect(stage.reader.hear() == ["error 1 deadline"])
    // Whose deadline was first makes no difference.
    #expect(stage.a.hear().allSatisfy { $0.hasPrefix("cancel 2") })
    stage.a.end(2)
    #expect(stage.isAtRest())
  }

  @Test func anInnerDeadlineIsAnErrorInItsPlace() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a", with: #""timeout_ms":100"#))
    stage.a.reply(2, "one")
    _ = stage.a.hear()
    stage.network.pass(100)
    #expect(stage.reader.hear() == ["data 1 |one", "error 1 more deadline"])
    #expect(stage.a.hear() == ["cancel 2 deadline"])
    stage.a.reply(2, "late")
    stage.a.end(2)
    stage.outer.end(2)
    #expect(stage.reader.hear() == ["data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func aReplyThatIsOverKeepsItsPlaceBeyondItsDeadline() {
    let stage = SpliceStage()
    let inner = stage.open("a", with: #""timeout_ms":100"#)
    stage.a.reply(2, "in time", atEnd)
    stage.network.pass(200)
    stage.outer.splice(2, inner, atEnd)
    #expect(stage.reader.hear() == ["data 1 end |in time"])
    #expect(stage.isAtRest())
  }

  @Test func aLostReaderReachesAllBelow() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a"), atEnd)
    stage.a.splice(2, stage.open("b", from: stage.a))
    for peer in [stage.a, stage.b] { _ = peer.hear() }
    stage.reader.leave()
    #expect(stage.a.hear() == ["cancel 2 parent_ended"])
    #expect(stage.b.hear() == ["cancel 2 parent_ended"])
    stage.a.end(2)
    stage.b.end(2)
    #expect(stage.isAtRest())
  }
}
