import Testing
import Wire

@testable import Routing

/// What is kept of runs, and where those who come begin.
@Suite struct RunKeepingTests {
  private let run = #""run":"r""#

  /// The number of the first frame that is said to be there, when some are gone.
  private func first(_ body: () throws -> Void) -> Int? {
    do {
      try body()
      return nil
    } catch AttachRefusal.truncated(let first) {
      return first
    } catch {
      Issue.record(error)
      return nil
    }
  }

  @Test func theNewestFramesAreKept() throws {
    var limits = Limits()
    limits.runFramesMax = 3
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    _ = host.hear()
    for text in ["0", "1", "2", "3", "4"] { host.say(#"{"op":"data","id":2}"#, text: text) }
    stage.audit()
    #expect(first { try stage.attach(other, "r", .from(1)) } == 2)
    try stage.attach(other, "r", .from(2))
    host.end(2)
    #expect(other.hear() == ["data 3 |2", "data 3 |3", "data 3 |4", "data 3 end"])
    #expect(first { try stage.attach(other, "r", .from(2)) } == 3)
    caller.call("a", with: run)
    #expect(caller.hear().last == "error 3 truncated")
    #expect(caller.hear() == [])
    stage.audit()
  }

  @Test func aReaderThatIsOvertakenIsToldAndTheOneThatPacesIsNot() throws {
    var limits = Limits()
    limits.runBytesMax = 10_000
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let (caller, slow) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run + #","window":30000"#)
    try stage.attach(slow, "r", with: #""window":1"#)
    _ = host.hear()
    for _ in 0..<4 { host.data(2, bytes: 4_000) }
    stage.audit()
    #expect(slow.hear() == ["data 1 |4000 bytes", "error 1 truncated"])
    #expect(caller.hear().count == 4)
    let again = stage.network.peer()
    try stage.attach(again, "r", .from(2), resumes: true, with: #""window":1"#)
    host.data(2, bytes: 9_000)
    host.data(2, bytes: 2_000)
    stage.audit()
    #expect(again.hear() == ["data 1 |4000 bytes"])
    again.credit(1, 100_000)
    #expect(again.hear().count == 3)
    stage.audit()
  }

  @Test func anEndDoesNotOvertakeTheOpener() {
    var limits = Limits()
    limits.runFramesMax = 1
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    caller.call("a", with: run + #","window":1"#)
    _ = host.hear()
    host.data(2, bytes: 1)
    caller.credit(1, 1)
    host.end(2)
    stage.audit()
    caller.credit(1, 1_000)
    #expect(caller.hear() == ["data 1 |.", "data 1 end"])
  }

  @Test func endedRunsAreKeptForSomeTimeAfterTheirLastReader() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, slow) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    _ = host.hear()
    host.data(2, bytes: 10)
    let id = try stage.attach(slow, "r", with: #""window":0"#)
    host.end(2)
    stage.network.pass(100_000)
    #expect(stage.isKnown("r"), "one reads it")
    slow.cancel(id)
    stage.network.pass(59_900)
    #expect(stage.isKnown("r"))
    stage.audit()
    stage.network.pass(200)
    #expect(!stage.isKnown("r"))
    #expect(throws: AttachRefusal.self) { try stage.attach(caller, "r") }
    #expect(stage.router.keptBytes == 0)
    #expect(stage.router.timers.count == 0)
    caller.call("a", with: run)
    #expect(host.hear() == ["call 4 a"], "it is a new run")
  }

  @Test func ofTooManyBytesThoseOfEndedRunsGoFirstAndThenOfTheLargest() throws {
    var limits = Limits()
    limits.runsBytesMax = 100_000
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    for name in ["old", "new", "small", "large"] {
      caller.call("a", with: #""run":"\#(name)""#)
    }
    _ = host.hear()
    for id in [2, 4] as [UInt64] {
      host.data(id, bytes: 30_000)
      host.end(id)
      stage.network.pass(10)
    }
    host.data(6, bytes: 10_000)
    host.data(8, bytes: 40_000)
    stage.audit()
    #expect(!stage.isKnown("old"))
    #expect(stage.isKnown("new"))
    host.data(8, bytes: 40_000)
    #expect(!stage.isKnown("new"))
    host.data(6, bytes: 20_000)
    stage.audit()
    #expect(first { try stage.attach(caller, "large") } == 1)
    #expect(first { try stage.attach(caller, "small") } == nil)
  }

  @Test func noRunIsTooLargeForTheBudget() throws {
    var limits = Limits()
    limits.runsBytesMax = 1_000
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let (caller, slow) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    try stage.attach(slow, "r", with: #""window":0"#)
    _ = host.hear()
    host.data(2, bytes: 5_000)
    #expect(caller.hear() == ["data 1 |5000 bytes"])
    #expect(slow.hear() == ["error 1 truncated"])
    host.end(2)
    #expect(caller.hear() == ["data 1 end"])
    stage.audit()
  }

  @Test func anEndedRunWithoutItsEndIsNoneAnyMore() throws {
    var limits = Limits()
    limits.runsBytesMax = 10_000
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let (caller, slow) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    caller.call("a", with: #""run":"other""#)
    try stage.attach(slow, "r", with: #""window":0"#)
    _ = host.hear()
    host.say(#"{"op":"data","id":2,"end":true}"#, text: String(repeating: "x", count: 6_000))
    #expect(stage.isKnown("r"), "one reads it")
    host.data(4, bytes: 5_000)
    stage.audit()
    #expect(slow.hear() == ["error 1 truncated"])
    #expect(!stage.isKnown("r"))
    #expect(stage.isKnown("other"))
    host.end(4)
    #expect(caller.hear().count == 3)
    stage.audit()
  }

  @Test func whoWaitsForMoreThanComesGetsTheEndWhenItMay() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    _ = host.hear()
    try stage.attach(other, "r", .from(7), resumes: true, with: #""window":0"#)
    host.say(#"{"op":"data","id":2,"end":true}"#, text: "all")
    try stage.attach(other, "r", .from(7), resumes: true, with: #""window":0"#)
    stage.audit()
    #expect(other.hear() == [])
    other.credit(1, 1)
    other.credit(3, 1)
    #expect(other.hear() == ["data 1 end |all", "data 3 end |all"])
    stage.audit()
  }

  @Test func tooManyRunsMakeTheOldestEndedOneGo() {
    var limits = Limits()
    limits.runsMax = 2
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    for name in ["a", "b", "c"] { caller.call("a", with: #""run":"\#(name)""#) }
    #expect(caller.hear() == ["error 5 retry too_many_runs"])
    #expect(host.hear() == ["call 2 a", "call 4 a"])
    host.end(4)
    caller.call("a", with: #""run":"c""#)
    #expect(caller.hear() == ["data 3 end"])
    #expect(!stage.isKnown("b"))
    #expect(stage.isKnown("c"))
    stage.audit()
  }

  @Test func oneThatComesForTheNewestBeginsWithAMessage() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, tail) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    _ = host.hear()
    host.say(#"{"op":"data","id":2,"part":true}"#, text: "0")
    try stage.attach(tail, "r", .tail)
    host.say(#"{"op":"data","id":2,"part":true}"#, text: "1")
    host.say(#"{"op":"data","id":2}"#, text: "2")
    try stage.attach(tail, "r", .tail)
    host.say(#"{"op":"data","id":2,"part":true}"#, text: "3")
    try stage.attach(tail, "r", .tail)
    try stage.attach(tail, "r", .from(2))
    #expect(tail.hear() == ["data 1 part |3", "data 3 part |3", "data 7 |2", "data 7 part |3"])
    stage.audit()
    host.say(#"{"op":"data","id":2,"end":true}"#, text: "4")
    #expect(
      tail.hear() == ["data 1 end |4", "data 3 end |4", "data 5 end", "data 7 end |4"])
    try stage.attach(tail, "r", .tail)
    try stage.attach(tail, "r", .from(100))
    #expect(tail.hear() == ["data 9 end", "data 11 end |4"])
    stage.audit()
  }

  @Test func anErrorIsWhereOneMayBegin() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, tail) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    _ = host.hear()
    host.say(#"{"op":"data","id":2,"part":true}"#, text: "0")
    try stage.attach(tail, "r", .tail)
    host.say(#"{"op":"error","id":2,"code":"aborted","reason":"x","more":true}"#)
    host.say(#"{"op":"data","id":2}"#, text: "2")
    #expect(tail.hear() == ["error 1 more x", "data 1 |2"])
  }

  @Test func whatIsSaidToBeThereBeginsWithAMessage() throws {
    var limits = Limits()
    limits.runFramesMax = 3
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    _ = host.hear()
    for text in ["0", "1", "2"] { host.say(#"{"op":"data","id":2,"part":true}"#, text: text) }
    host.say(#"{"op":"data","id":2}"#, text: "3")
    #expect(first { try stage.attach(other, "r") } == 4)
    try stage.attach(other, "r", .from(4))
    host.say(#"{"op":"data","id":2}"#, text: "4")
    #expect(other.hear() == ["data 3 |4"])
    #expect(first { try stage.attach(other, "r") } == 4)
  }

  @Test func fromAFrameThatIsStillToCome() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    _ = host.hear()
    try stage.attach(other, "r", .from(2), resumes: true)
    try stage.attach(other, "r", .from(9))
    for text in ["0", "1", "2"] { host.say(#"{"op":"data","id":2}"#, text: text) }
    stage.audit()
    #expect(other.hear() == ["data 1 |2"])
    host.end(2)
    #expect(other.hear() == ["data 1 end", "data 3 end"])
  }
}
