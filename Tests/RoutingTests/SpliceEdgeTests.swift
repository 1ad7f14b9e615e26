import Testing
import Wire

@testable import Routing

/// Splices of what waits, has ended or was refused, below what nobody reads, and those that make no
/// sense.
@Suite struct SpliceEdgeTests {
  // MARK: Places

  @Test func aLazyCallIsStartedByTheSplice() {
    let stage = SpliceStage()
    let inner = stage.open("a", with: #""lazy":true"#)
    #expect(stage.a.hear() == [])
    stage.outer.splice(2, inner, atEnd)
    #expect(stage.a.hear() == ["call 2 a from=outer window=65536", "credit 2 983040"])
    stage.a.reply(2, "one", atEnd)
    #expect(stage.reader.hear() == ["data 1 end |one"])
    #expect(stage.isAtRest())
  }

  @Test func aLazyCallThatCannotStart() {
    let stage = SpliceStage()
    let inner = stage.open("a:s", with: #""lazy":true"#)
    stage.a.leave()
    stage.outer.splice(2, inner, atEnd)
    #expect(stage.reader.hear() == ["error 1 no_replica"], "an agent has seen the call: no retry")
    #expect(stage.isAtRest())
  }

  @Test func theFrontGoesBeyondConcurrency() {
    let stage = SpliceStage(agents: #""concurrency":1"#)
    let second = stage.open("a")
    let first = stage.open("a")
    let third = stage.open("a")
    stage.outer.splice(2, first)
    #expect(stage.a.hear().count == 3, "both run: the front could wait for the other for ever")
    stage.outer.splice(2, second)
    stage.outer.splice(2, third)
    stage.outer.end(2)
    stage.a.reply(4, "first", atEnd)
    // The second still runs, and is at the front.
    stage.a.reply(2, "second", atEnd)
    stage.a.reply(6, "third", atEnd)
    #expect(
      stage.reader.hear() == ["data 1 |first", "data 1 |second", "data 1 |third", "data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func aSessionAtTheFrontGoesBeyondConcurrencyToo() {
    let stage = SpliceStage(agents: #""concurrency":1"#)
    stage.open("a")
    let waiting = stage.open("a:s")
    #expect(stage.a.hear().count == 1)
    stage.outer.splice(2, waiting)
    #expect(stage.a.hear().first == "call 4 a:s from=outer window=65536 new")
  }

  @Test func itIsHastenedWhenItsTurnComes() {
    let stage = SpliceStage(agents: #""concurrency":1"#)
    stage.outer.splice(2, stage.open("b"))
    stage.open("a")
    stage.outer.splice(2, stage.open("a"))
    #expect(stage.a.hear().count == 1)
    stage.b.end(2)
    #expect(stage.a.hear().first == "call 4 a from=outer window=65536")
  }

  @Test func theInputOfWhatIsSplicedHasEnded() {
    let stage = SpliceStage()
    stage.outer.splice(2, stage.open("a", with: #""input":true"#))
    #expect(
      stage.a.hear() == [
        "call 2 a from=outer window=65536 input", "data 2 end", "credit 2 983040",
      ])
    stage.outer.splice(2, stage.open("b", with: #""input":true,"lazy":true"#))
    #expect(stage.b.hear() == ["call 2 b from=outer window=65536 input", "data 2 end"])
  }

  // MARK: What has ended

  @Test func aCancelledCallIsAnEmptySplice() {
    let stage = SpliceStage()
    let one = stage.open("a")
    let two = stage.open("b")
    stage.outer.cancel(one)
    stage.outer.cancel(two)
    stage.outer.splice(2, one)
    stage.outer.reply(2, "x")
    stage.outer.splice(2, two, atEnd)
    #expect(stage.reader.hear() == ["data 1 |x", "data 1 end"])
    #expect(stage.outer.hear() == ["error \(one) cancelled", "error \(two) cancelled"])
  }

  @Test func framesThatCrossTheSpliceAreDropped() {
    let stage = SpliceStage()
    let inner = stage.open("a")
    stage.outer.splice(2, inner)
    stage.outer.credit(inner, 100)
    stage.outer.cancel(inner)
    stage.outer.reply(inner, "input")
    stage.outer.splice(2, inner)
    stage.a.reply(2, "one", atEnd)
    stage.outer.end(2)
    #expect(stage.outer.hear() == [])
    #expect(stage.reader.hear() == ["data 1 |one", "data 1 end"])
  }

  @Test func aSpliceForACancelledOuterIsDropped() {
    let stage = SpliceStage()
    let inner = stage.open("a")
    stage.reader.cancel(1)
    #expect(stage.outer.hear() == ["cancel 2 cancelled", "error \(inner) parent_ended"])
    stage.outer.splice(2, inner)
    stage.outer.splice(2, inner, atEnd)
    stage.a.end(2)
    #expect(stage.isAtRest())
    stage.outer.splice(2, inner)
    #expect(stage.outer.fault == nil)
  }

  // MARK: Errors that are held

  @Test func refusalsAreShownInTheirPlace() {
    let stage = SpliceStage()
    let unknown = stage.open("nobody")
    let bad = stage.open("no good")
    let wrong = stage.open("a", with: #""timeout_ms":"soon""#)
    #expect(stage.outer.hear() == [])
    stage.outer.splice(2, unknown)
    stage.outer.reply(2, "between")
    stage.outer.splice(2, bad)
    stage.outer.splice(2, wrong, atEnd)
    #expect(
      stage.reader.hear() == [
        "error 1 more unknown_agent", "data 1 |between", "error 1 more bad_address",
        "error 1 bad_field",
      ])
    #expect(stage.isAtRest())
  }

  @Test func creditCancelOrTheParentsEndGiveTheErrorToTheOpener() {
    let stage = SpliceStage()
    let one = stage.open("nobody")
    let two = stage.open("nobody")
    let three = stage.open("nobody")
    let four = stage.open("a")
    stage.a.reply(2, "held")
    stage.a.leave()
    #expect(stage.outer.hear() == [])
    stage.outer.credit(one, 1)
    #expect(stage.outer.hear() == ["error \(one) unknown_agent"])
    stage.outer.cancel(two)
    #expect(stage.outer.hear() == ["error \(two) unknown_agent"])
    stage.outer.end(2)
    #expect(
      Set(stage.outer.hear()) == ["error \(three) unknown_agent", "error \(four) host_lost"])
    #expect(stage.reader.hear() == ["data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test func whatCameBeforeTheErrorIsReadFirst() {
    let stage = SpliceStage()
    let inner = stage.open("a")
    stage.a.reply(2, "one")
    stage.a.leave()
    stage.outer.credit(inner, 1000)
    #expect(stage.outer.hear() == ["data \(inner) |one", "error \(inner) host_lost"])
  }

  @Test func withoutParentOrDetachedNothingIsHeld() {
    let stage = SpliceStage()
    let detached = stage.open("nobody", with: #""detach":true"#)
    #expect(stage.outer.hear() == ["error \(detached) unknown_agent"])
    let free = stage.outer.call("nobody", with: #""window":0"#)
    #expect(stage.outer.hear() == ["error \(free) unknown_agent"])
    let late = stage.outer.call("a", with: #""window":0,"timeout_ms":50"#)
    stage.network.pass(50)
    #expect(stage.outer.hear() == ["error \(late) deadline"])
  }

  @Test func refusalsAreNoMoreThanIDs() {
    var limits = Limits()
    limits.openIDsMax = 3
    let stage = SpliceStage(limits: limits)
    // One id is the registration's.
    for _ in 0..<2 { stage.open("nobody") }
    #expect(stage.outer.hear() == [])
    let third = stage.open("nobody")
    #expect(stage.outer.hear() == ["error \(third) retry too_many_ids"])
    stage.outer.leave()
    #expect(stage.isAtRest())
  }

  @Test func aHeldReplyBeyondItsDeadlineEndsWithItsParent() {
    let stage = SpliceStage()
    let inner = stage.open("a", with: #""timeout_ms":100"#)
    stage.a.reply(2, "in time", atEnd)
    stage.network.pass(200)
    #expect(stage.outer.hear() == [])
    stage.outer.end(2)
    #expect(stage.outer.hear() == ["error \(inner) deadline"])
    #expect(stage.isAtRest())
  }

  @Test func aHeldRefusalIsNothingThatRuns() {
    let stage = SpliceStage()
    let inner = stage.open("nobody")
    let signal = stage.outer.newID()
    for name in ["interrupt", "my.own"] {
      stage.outer.say(#"{"op":"signal","call":\#(inner),"name":"\#(name)"}"#)
    }
    stage.outer.say(#"{"op":"signal","id":\#(signal),"call":\#(inner),"name":"interrupt"}"#)
    #expect(stage.outer.hear() == ["error \(signal) not_running"])
    #expect(stage.network.router.calls(limit: 10).views.count == 1)
    stage.outer.splice(2, inner, atEnd)
    #expect(stage.reader.hear() == ["error 1 unknown_agent"])
    #expect(stage.isAtRest())
  }

  @Test func aSignalIsAnsweredByTheHostOfWhatEndedInItsPlace() {
    let stage = SpliceStage()
    let inner = stage.open("a", with: #""timeout_ms":100"#)
    _ = stage.a.hear()
    let answered = stage.outer.newID()
    stage.outer.say(#"{"op":"signal","id":\#(answered),"call":\#(inner),"name":"interrupt"}"#)
    let met = stage.outer.newID()
    stage.outer.say(#"{"op":"signal","id":\#(met),"call":\#(inner),"name":"interrupt"}"#)
    #expect(stage.a.hear().count == 2)
    stage.network.pass(100)
    #expect(stage.a.hear() == ["cancel 2 deadline", "credit 2 983040"])
    #expect(stage.outer.hear() == [], "the host has neither answered nor ended the call")
    stage.a.say(#"{"op":"ok","id":4}"#)
    #expect(stage.outer.hear() == ["ok \(answered)"])
    stage.a.end(2)
    #expect(stage.outer.hear() == ["ok \(met)"])
    stage.a.say(#"{"op":"ok","id":6}"#)
    stage.outer.splice(2, inner, atEnd)
    #expect(stage.reader.hear() == ["error 1 deadline"])
    #expect(stage.isAtRest())
  }

  // MARK: Below sends

  @Test func whatWasHandedOverAndComesBelowASendIsNobodysEnd() {
    let stage = SpliceStage()
    stage.reader.send("outer", text: "go")
    #expect(stage.outer.hear() == ["call 4 outer oneway |go"])
    let inner = stage.outer.call("a", with: #""parent":4,"window":0"#)
    #expect(stage.a.hear() == ["call 2 a from=outer window=65536"])
    let innermost = stage.a.call("b", with: #""parent":2,"window":0"#)
    stage.a.splice(2, innermost, atEnd)
    // The audit reads all records after each of these.
    stage.outer.splice(4, inner)
    stage.outer.end(4)
    stage.b.end(2)
    stage.outer.end(2)
    _ = stage.reader.hear()
    #expect(stage.isAtRest())
  }

  @Test func belowASendWhatIsSplicedRunsAndIsDropped() {
    let stage = SpliceStage()
    stage.reader.send("outer", text: "go")
    #expect(stage.outer.hear() == ["call 4 outer oneway |go"])
    let inner = stage.outer.call("a", with: #""parent":4,"window":0"#)
    stage.a.splice(2, stage.open("b", from: stage.a))
    let done = stage.outer.call("c", with: #""parent":4,"window":0"#)
    stage.c.end(2)
    stage.b.data(2, bytes: 65_300)
    stage.outer.splice(4, done)
    stage.outer.splice(4, inner, atEnd)
    #expect(stage.b.hear().count == 2, "credit for what is dropped")
    stage.a.reply(2, "dropped", atEnd)
    stage.b.reply(2, "dropped", atEnd)
    stage.outer.end(2)
    #expect(stage.reader.hear() == ["data 1 end"])
    #expect(stage.isAtRest())
  }

  @Test(arguments: ["data", "error"])
  func belowASendAMessageThatHasBegunIsFollowedToItsEnd(op: String) {
    let stage = SpliceStage()
    stage.reader.send("outer", text: "go")
    _ = stage.outer.hear()
    let inner = stage.outer.call("a", with: #""parent":4,"window":0"#)
    stage.a.reply(2, "begun", asPart)
    stage.outer.splice(4, inner)
    if op == "data" {
      stage.a.reply(2, "done")
    } else {
      stage.a.say(#"{"op":"error","id":2,"code":"internal","reason":"broken","more":true}"#)
    }
    stage.a.splice(2, stage.open("b", from: stage.a))
    #expect(!stage.a.hear().contains("error 2 bad_splice"))
    stage.a.reply(2, "begun", asPart)
    stage.a.splice(2, stage.open("b", from: stage.a))
    #expect(stage.a.hear().contains("error 2 bad_splice"), "inside a message, as anywhere")
  }

  // MARK: What makes no sense

  @Test func badSplices() {
    func check(_ what: String, _ act: (SpliceStage) -> Void) {
      let stage = SpliceStage()
      act(stage)
      #expect(stage.outer.hear().contains("error 2 bad_splice"), "\(what)")
      #expect(stage.reader.hear().last == "error 1 internal", "\(what)")
      #expect(stage.outer.fault == nil, "\(what)")
    }
    check("no child") { $0.outer.splice(2, $0.outer.call("a", with: #""window":0"#)) }
    check("detached") { $0.outer.splice(2, $0.open("a", with: #""detach":true"#)) }
    check("with a window") {
      $0.outer.splice(2, $0.outer.call("a", with: #""parent":2"#))
    }
    check("with credit") {
      let inner = $0.open("a")
      $0.outer.credit(inner, 1)
      $0.outer.splice(2, inner)
    }
    check("inside a message") {
      $0.outer.reply(2, "x", asPart)
      $0.outer.splice(2, $0.open("a"))
    }
    check("of a registration") { $0.outer.splice(2, 1) }
    check("of what it handles") { $0.outer.splice(2, 2) }
  }

  @Test func framesThatCannotBeSplices() {
    let stage = SpliceStage()
    stage.outer.say(#"{"op":"splice","call":3}"#)
    #expect(stage.outer.hear() == ["error missing_field"])
    stage.outer.splice(1, 3)
    #expect(stage.outer.hear() == [], "its id stands for a registration")
    stage.outer.say(#"{"op":"splice","id":2}"#)
    #expect(stage.outer.hear() == ["error 2 missing_field"])
    #expect(stage.reader.hear() == ["error 1 internal"])
    stage.outer.splice(2, 99)
    #expect(stage.outer.fault == nil, "the id has ended")
    stage.outer.splice(4, 3)
    #expect(stage.outer.fault?.reason == .badID)
    let other = SpliceStage()
    other.outer.splice(2, 99)
    #expect(other.outer.fault?.reason == .badID)
  }
}
