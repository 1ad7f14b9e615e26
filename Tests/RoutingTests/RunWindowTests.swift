import Testing
import Wire

@testable import Routing

private let mebibyte = 1 << 20

/// Windows of readers, whose of them the host goes by, and input.
@Suite struct RunWindowTests {
  private let run = #""run":"r""#

  @Test func theOpenersWindowPacesTheHost() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run + #","window":1000"#)
    #expect(host.hear() == ["call 2 a window=1000"])
    try stage.attach(other, "r")
    host.data(2, bytes: 700)
    host.data(2, bytes: 100)
    #expect(caller.hear() == ["data 1 |700 bytes", "data 1 |100 bytes"])
    #expect(other.hear().count == 2)
    #expect(host.hear() == [], "the opener has permitted no more")
    other.credit(1, 5_000)
    #expect(host.hear() == [])
    caller.credit(1, 1_312)
    #expect(host.hear() == ["credit 2 1312"])
    stage.audit()
  }

  @Test func withoutTheOpenerNothingDoes() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run + #","window":1000,"detach":true"#)
    try stage.attach(other, "r", with: #""window":300"#)
    _ = host.hear()
    host.data(2, bytes: 2_000)
    caller.leave()
    #expect(host.hear() == ["credit 2 \(mebibyte + 1_256)"])
    host.data(2, bytes: mebibyte - 300)
    #expect(host.hear() == ["credit 2 \(mebibyte - 44)"])
    #expect(other.hear() == ["data 1 |2000 bytes"])
    stage.audit()
  }

  @Test func aRepeatPacesAndAfterItTheOpenerAgain() {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, again) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run + #","window":1000"#)
    _ = host.hear()
    host.data(2, bytes: 1_000)
    #expect(host.hear() == [])
    again.call("a", with: run + #","window":4000"#)
    #expect(host.hear() == ["credit 2 3000"])
    stage.audit()
    again.leave()
    host.data(2, bytes: 2_000)
    #expect(host.hear() == [], "the opener stands at less than 0")
    caller.credit(1, 4_000)
    #expect(caller.hear() == ["data 1 |1000 bytes", "data 1 |2000 bytes"])
    #expect(host.hear() == ["credit 2 1000"])
    stage.audit()
  }

  @Test func withAWindowOfZeroAsMuchIsHeldAsForAnyCall() {
    let stage = RunStage()
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    caller.call("a", with: run + #","window":0"#)
    #expect(host.hear() == ["call 2 a window=65536"])
    host.data(2, bytes: 60_000)
    host.data(2, bytes: 10_000)
    #expect(host.hear() == [])
    host.end(2)
    #expect(caller.hear() == [])
    stage.audit()
    caller.credit(1, 100_000)
    #expect(caller.hear() == ["data 1 |60000 bytes", "data 1 |10000 bytes", "data 1 end"])
    stage.audit()
  }

  @Test func theSidecarsOwnErrorsWaitOnlyForWhatIsBeforeThem() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run + #","window":0"#)
    try stage.attach(other, "r", .tail, with: #""window":0"#)
    _ = host.hear()
    host.data(2, bytes: 50)
    try stage.attach(other, "r", .tail, with: #""window":0"#)
    host.leave()
    #expect(other.hear() == ["error 3 host_lost"])
    #expect(caller.hear() == [])
    caller.credit(1, 1)
    #expect(caller.hear() == ["data 1 |50 bytes", "error 1 host_lost"])
    stage.audit()
  }

  @Test func aHostThatSendsMoreThanItMayEndsTheRun() {
    let stage = RunStage()
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    caller.call("a", with: run + #","window":100"#)
    _ = host.hear()
    host.data(2, bytes: 50)
    host.data(2, bytes: 50)
    #expect(caller.hear() == ["data 1 |50 bytes", "error 1 window_exceeded"])
    #expect(host.hear().first == "cancel 2 window_exceeded")
    stage.audit()
  }

  @Test func aReaderWithoutRoomWaitsForItsTurnAndTheHostWithIt() {
    var limits = Limits()
    limits.connectionHighMarkBytes = mebibyte
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let caller = stage.network.peer()
    caller.call("a", with: run + #","window":\#(1 << 31)"#)
    _ = host.hear()
    caller.call("a")
    #expect(host.hear() == ["call 4 a"])
    host.data(4, bytes: mebibyte)
    host.data(2, bytes: mebibyte)
    #expect(host.hear() == [], "the reader has not read what waits for it already")
    stage.audit()
    #expect(caller.hear() == ["data 3 |1048576 bytes", "data 1 |1048576 bytes"])
    stage.audit()
    #expect(host.hear() == ["credit 2 1048832"])
    host.end(2)
    #expect(caller.hear() == ["data 1 end"])
  }

  @Test func whatALeavingReaderHeldUpGoesOn() {
    var limits = Limits()
    limits.connectionHighMarkBytes = mebibyte
    let stage = RunStage(limits: limits)
    let host = stage.network.host("a")
    let (caller, again) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run)
    caller.call("a")
    _ = host.hear()
    host.data(4, bytes: mebibyte)
    host.data(2, bytes: mebibyte)
    #expect(host.hear() == [])
    again.call("a", with: run)
    #expect(again.hear() == ["data 1 |1048576 bytes"])
    #expect(host.hear() == [], "the second reader has permitted no more")
    stage.audit()
    again.credit(1, mebibyte)
    #expect(host.hear() == ["credit 2 1048576"])
    stage.audit()
    again.leave()
    host.data(2, bytes: mebibyte)
    caller.leave()
    #expect(host.hear().contains("credit 2 1049088"))
    stage.audit()
  }

  @Test func theOpenerGivesInputAndItEndsWithItsId() {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, again) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run + #","input":true,"detach":true"#)
    #expect(host.hear() == ["call 2 a input"])
    caller.data(1, bytes: 50)
    again.call("a", with: run + #","input":true"#)
    again.data(1, bytes: 20)
    #expect(host.hear() == ["data 2 |50 bytes"])
    host.credit(2, 10_000_000)
    caller.data(1, bytes: 1_000_000)
    #expect(caller.hear() == ["credit 1 1000562"])
    caller.leave()
    #expect(host.hear() == ["data 2 |1000000 bytes", "data 2 end"])
    stage.audit()
  }

  @Test func inputOfARepeatIsTakenAndDropped() throws {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, again) = (stage.network.peer(), stage.network.peer())
    caller.call("a", with: run + #","input":true"#)
    again.call("a", with: run + #","input":true"#)
    again.data(1, bytes: 600_000)
    #expect(again.hear() == ["credit 1 600256"])
    try stage.attach(again, "r")
    again.data(3, bytes: 1)
    #expect(again.hear() == ["error 3 no_input"])
    #expect(host.hear() == ["call 2 a input"])
    host.end(2)
    caller.data(1, bytes: 1)
    #expect(caller.hear() == ["data 1 end"], "it has crossed the end")
  }

  @Test func inputEndsWhileTheCallStillWaits() {
    let stage = RunStage()
    let host = stage.network.host("a")
    let (caller, other) = (stage.network.peer(), stage.network.peer())
    other.call("a:s")
    caller.call("a:s", with: run + #","input":true,"detach":true"#)
    caller.data(1, bytes: 50)
    caller.leave()
    stage.audit()
    host.end(2)
    #expect(
      host.hear() == ["call 2 a:s new", "call 4 a:s input", "data 4 |50 bytes", "data 4 end"])
  }
}
