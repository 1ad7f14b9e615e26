import Testing
import Wire

@testable import Routing

/// Opening, repeating and ending runs, and who reads what of them.
@Suite struct RunTests {
  private let run = #""run":"r""#

  @Test func theOpenerGetsWhatAnyCallerGets() {
    let stage = RunStage()
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    caller.call("a", with: run)
    #expect(host.hear() == ["call 2 a"])
    host.say(#"{"op":"data","id":2,"type":"T","part":true}"#, text: "on")
    host.say(#"{"op":"data","id":2}"#, text: "e")
    host.say(#"{"op":"error","id":2,"code":"not_found","reason":"x","more":true}"#)
    host.say(#"{"op":"data","id":2,"end":true}"#, text: "two")
    stage.audit()
    #expect(
      caller.hear() == [
        "data 1 type=T part |on", "data 1 |e", "error 1 more x", "data 1 end |two",
      ])
    #expect(stage.router.calls.count == 0)
    #expect(stage.isKnown("r"))
  }

  @Test func threeReadersOneOfThemLateGetTheSameInOrder() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (first, second, third) = (stage.network.peer(), stage.network.peer(), stage.network.peer())
    first.call("a", with: run)
    _ = host.hear()
    try stage.attach(second, "r")
    host.say(#"{"op":"data","id":2}"#, text: "one")
    host.say(#"{"op":"data","id":2}"#, text: "two")
    stage.audit()
    host.say(#"{"op":"error","id":2,"code":"aborted","reason":"stop"}"#)
    try stage.attach(third, "r")
    let heard = ["data 1 |one", "data 1 |two", "error 1 stop"]
    #expect(first.hear() == heard)
    #expect(second.hear() == heard)
    #expect(third.hear() == heard)
    stage.audit()
  }

  @Test func aRepeatReadsFromTheBeginningAndAnotherCallIsRefused() {
    let stage = RunStage()
    let host = stage.network.host("a", "b")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run + #","type":"T""#, bytes: 100)
    #expect(host.hear() == ["call 2 a type=T |100 bytes"])
    host.say(#"{"op":"data","id":2}"#, text: "one")
    caller.call("a", with: run + #","type":"T""#, bytes: 100)
    #expect(caller.hear() == ["data 1 |one", "data 3 |one"])
    caller.call("b", with: run + #","type":"T""#, bytes: 100)
    caller.call("a", with: run + #","type":"U""#, bytes: 100)
    caller.call("a", with: run + #","type":"T""#, bytes: 101)
    #expect(
      caller.hear() == ["error 5 run_differs", "error 7 run_differs", "error 9 run_differs"])
    #expect(host.hear() == [], "nothing was opened")
    other.call("a", with: run + #","type":"T""#, bytes: 100)
    host.end(2)
    #expect(other.hear() == ["data 1 |one", "data 1 end"])
    other.call("a", with: run + #","type":"T""#, bytes: 100)
    #expect(other.hear() == ["data 3 |one", "data 3 end"])
    stage.audit()
  }

  @Test func aRepeatDoesNotAskWhetherTheAgentIsThere() {
    let stage = RunStage()
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    caller.call("a", with: run)
    _ = host.hear()
    host.end(2)
    host.leave()
    caller.call("a", with: run)
    #expect(caller.hear() == ["data 1 end", "data 3 end"])
  }

  @Test func aRunBelongsToItsPrincipal() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    let stranger = stage.network.peer(user: 2)
    caller.call("a", with: run)
    #expect(throws: AttachRefusal.self) { try stage.attach(stranger, "r") }
    stranger.call("a", with: run)
    #expect(host.hear() == ["call 2 a", "call 4 a"], "another run of the same name")
    stage.audit()
  }

  @Test func cancelByTheOpenerEndsTheRunForAll() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    let id = caller.call("a", with: run)
    try stage.attach(other, "r")
    _ = host.hear()
    host.data(2, bytes: 1)
    caller.say(#"{"op":"cancel","id":\#(id),"reason":"enough"}"#)
    #expect(caller.hear() == ["data 1 |.", "error 1 cancelled"])
    #expect(other.hear() == ["data 1 |.", "error 1 cancelled"])
    #expect(host.hear() == ["cancel 2 enough"])
    stage.audit()
    host.end(2)
    #expect(stage.router.calls.count == 0)
  }

  @Test func cancelOfAnotherReaderOrOfADetachedRunEndsNothing() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run + #","detach":true"#)
    let attached = try stage.attach(other, "r")
    _ = host.hear()
    other.cancel(attached)
    caller.cancel(1)
    #expect(other.hear() == ["error 1 cancelled"])
    #expect(caller.hear() == ["error 1 cancelled"])
    stage.network.pass(100_000)
    #expect(host.hear() == [], "it goes on without readers")
    stage.audit()
    host.end(2)
    try stage.attach(other, "r")
    #expect(other.hear() == ["data 3 end"])
  }

  @Test func aReaderThatResumesStandsForTheOpener() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, again) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    _ = host.hear()
    caller.leave()
    let id = try stage.attach(again, "r", resumes: true)
    stage.audit()
    again.cancel(id)
    #expect(host.hear() == ["cancel 2 cancelled"])
  }

  @Test func aRunEndsSomeTimeAfterItsLastReaderWent() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    _ = host.hear()
    caller.leave()
    stage.audit()
    stage.network.pass(9_900)
    let id = try stage.attach(other, "r")
    stage.network.pass(20_000)
    stage.audit()
    #expect(host.hear() == [], "one came in time")
    other.cancel(id)
    stage.network.pass(9_900)
    #expect(host.hear() == [])
    stage.network.pass(200)
    #expect(host.hear() == ["cancel 2 caller_lost"])
    try stage.attach(other, "r")
    #expect(other.hear() == ["error 1 cancelled", "error 3 caller_lost"])
    stage.audit()
  }

  @Test func theTimeOfTheCallIsTheRunsAndThatOfAReaderItsOwn() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run + #","timeout_ms":1000"#)
    #expect(host.hear() == ["call 2 a timeout=1000"])
    try stage.attach(other, "r", with: #""timeout_ms":500"#)
    caller.call("a", with: run + #","timeout_ms":400"#)
    stage.network.pass(450)
    #expect(caller.hear() == ["error 3 deadline"])
    stage.network.pass(100)
    #expect(other.hear() == ["error 1 deadline"])
    #expect(host.hear() == [])
    stage.network.pass(500)
    #expect(caller.hear() == ["error 1 deadline"])
    #expect(host.hear() == ["cancel 2 deadline"])
    stage.audit()
  }

  @Test func aRunEndsWithItsParentUnlessItIsDetached() {
    let stage = RunStage()
    let host = stage.network.host("a", "b")
    let caller = stage.network.peer()
    caller.call("a")
    #expect(host.hear() == ["call 2 a"])
    host.call("b", with: run + #","parent":2"#)
    host.call("b", with: #""run":"s","parent":2,"detach":true"#)
    host.call("b", with: run + #","parent":2"#)
    #expect(host.hear() == ["call 4 b from=a", "call 6 b from=a"])
    caller.cancel(1)
    #expect(
      Set(host.hear()) == [
        "cancel 2 cancelled", "cancel 4 parent_ended", "error 5 parent_ended",
        "error 9 parent_ended",
      ])
    stage.audit()
  }

  @Test func aLostHostEndsTheRun() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    caller.call("a", with: run)
    host.leave()
    try stage.attach(caller, "r")
    #expect(caller.hear() == ["error 1 host_lost", "error 3 host_lost"])
    stage.audit()
  }

  @Test func aRunWaitsLikeAnyCall() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a:s")
    #expect(host.hear() == ["call 2 a:s new"])
    caller.call("a:s", with: run + #","detach":true"#)
    try stage.attach(other, "r")
    caller.leave()
    stage.audit()
    host.end(2)
    #expect(host.hear() == ["cancel 2 caller_lost", "call 4 a:s"])
    host.end(4)
    #expect(other.hear() == ["data 1 end"])
  }

  @Test func oneThatIsRefusedIsNoRun() {
    var limits = Limits()
    limits.mailboxMessagesMax = 1
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    for _ in 0..<2 { caller.call("a:s") }
    caller.call("a:s", with: run)
    caller.call("none", with: run)
    #expect(caller.hear() == ["error 5 retry mailbox_full", "error 7 unknown_agent"])
    #expect(!stage.isKnown("r"))
    stage.audit()
    #expect(host.hear().count == 1)
  }

  @Test func whatARunMayNotBe() {
    let stage = RunStage()
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    caller.call("a", with: #""run":"""#)
    caller.call("a", with: #""run":"a b""#)
    caller.call("a", with: #""run":"\#(String(repeating: "x", count: 129))""#)
    caller.call("a", with: run + #","lazy":true"#)
    caller.call("runs", with: run)
    #expect(caller.hear() == (0..<5).map { "error \(2 * $0 + 1) bad_field" })
    caller.send("a", with: #""run":"a b""#)
    #expect(host.hear() == ["call 2 a oneway"], "a send has no runs")
  }
}
