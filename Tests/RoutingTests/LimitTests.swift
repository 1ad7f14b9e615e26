import Testing
import Wire

@testable import Routing

/// Every queue has a limit: what is said at each, and that it can be used again afterwards.
@Suite struct LimitTests {
  @Test func idsAreCountedWhileTheyAreOpen() {
    var limits = Limits()
    limits.openIDsMax = 3
    let network = Network(limits: limits)
    let host = network.host("a")
    let caller = network.peer()
    for _ in 0..<3 { caller.call("a") }
    caller.call("a")
    #expect(caller.hear() == ["error 7 retry too_many_ids"])
    _ = host.hear()
    host.end(2)
    #expect(caller.hear() == ["data 1 end"])
    caller.call("a")
    #expect(caller.hear() == [])
  }

  @Test func idsThatTheSidecarOpenedDoNotCount() {
    var limits = Limits()
    limits.openIDsMax = 3
    let network = Network(limits: limits)
    let host = network.host("a")
    let caller = network.peer()
    for _ in 0..<3 { caller.call("a") }
    let other = network.host("b")
    #expect(host.hear().count == 3)
    host.call("b")
    #expect(host.hear() == [])
    #expect(other.hear() == ["call 2 b"])
  }

  @Test func namesAreCountedWhileTheyAreRegistered() {
    var limits = Limits()
    limits.namesMax = 2
    let network = Network(limits: limits)
    let host = network.host("a", "b")
    host.say(#"{"op":"register","id":5,"name":"c"}"#)
    #expect(host.hear() == ["error 5 too_many_names"])
    host.cancel(1)
    host.say(#"{"op":"register","id":7,"name":"c"}"#)
    #expect(host.hear() == ["error 1 cancelled", "ok 7"])
  }

  @Test func sessionsAreCountedWhileTheyLive() {
    var limits = Limits()
    limits.sessionsMax = 2
    let network = Network(limits: limits)
    let host = network.host("a", with: #""idle_ms":1000"#)
    let caller = network.peer()
    for name in ["x", "y", "z"] { caller.call("a:\(name)") }
    #expect(caller.hear() == ["error 5 retry too_many_sessions"])
    #expect(host.hear() == ["call 2 a:x new", "call 4 a:y new"])
    host.end(2)
    network.pass(1_100)
    #expect(host.hear() == ["close 6 a:x idle"])
    host.say(#"{"op":"ok","id":6}"#)
    caller.call("a:z")
    #expect(host.hear() == ["call 8 a:z new"])
  }

  @Test func aConnectionsBytesInMailboxesAreBounded() {
    var limits = Limits()
    limits.mailboxBytesPerConnectionMax = 10_000
    let network = Network(limits: limits)
    let host = network.host("a", "b", with: #""concurrency":1"#)
    let greedy = network.peer()
    let modest = network.peer()
    for name in ["a", "b"] { greedy.call(name, bytes: 9_000) }
    #expect(host.hear().count == 2)
    greedy.call("a", bytes: 6_000)
    greedy.call("b:s", bytes: 4_001)
    #expect(greedy.hear() == ["error 7 retry mailbox_full"])
    greedy.call("b:s", bytes: 4_000)
    greedy.call("b", bytes: 1)
    #expect(greedy.hear() == ["error 11 retry mailbox_full"])
    modest.call("b", bytes: 9_000)
    #expect(modest.hear() == [])
    // What its host has no longer counts.
    host.end(2)
    #expect(host.hear() == ["call 6 a |6000 bytes"])
    greedy.call("a", bytes: 6_000)
    #expect(greedy.hear() == ["data 1 end"])
    greedy.cancel(9)
    greedy.cancel(13)
    #expect(greedy.hear() == ["error 9 cancelled", "error 13 cancelled"])
    #expect(network.router.connections.at(greedy.index).pointee.mailboxBytes == 0)
  }

  @Test func inputForACallThatWaitsCountsInTheMailbox() {
    var limits = Limits()
    limits.mailboxBytesPerConnectionMax = 10_000
    let network = Network(limits: limits)
    let host = network.host("a", with: #""concurrency":1"#)
    let caller = network.peer()
    caller.call("a")
    for fields in [#""input":true"#, #""input":true,"lazy":true"#] {
      let id = caller.call("a", with: fields)
      caller.data(id, bytes: 4_000)
      caller.data(id, bytes: 4_000)
      #expect(caller.hear() == [])
      caller.data(id, bytes: 4_000)
      #expect(caller.hear() == ["error \(id) retry mailbox_full"])
      #expect(network.router.connections.at(caller.index).pointee.mailboxBytes == 0)
    }
    let id = caller.call("a", with: #""input":true"#, bytes: 3_000)
    caller.data(id, bytes: 4_000)
    #expect(host.hear() == ["call 2 a"])
    host.end(2)
    #expect(host.hear() == ["call 4 a input |3000 bytes", "data 4 |4000 bytes"])
    #expect(network.router.connections.at(caller.index).pointee.mailboxBytes == 0)
  }

  @Test func whatASenderLeavesBehindIsNotCountedAgainstItsSuccessor() {
    let network = Network()
    let host = network.host("a", with: #""concurrency":1"#)
    network.peer().call("a")
    _ = host.hear()
    let sender = network.peer()
    sender.send("a", text: "something")
    sender.leave()
    let successor = network.peer()
    #expect(successor.index == sender.index)
    host.end(2)
    #expect(host.hear() == ["call 4 a oneway |something"])
    #expect(network.router.connections.at(successor.index).pointee.mailboxBytes == 0)
  }

  @Test func aMailboxTakesOneMessageOfAnySize() {
    var limits = Limits()
    limits.mailboxBytesMax = 100
    let network = Network(limits: limits)
    let host = network.host("a", with: #""concurrency":1"#)
    let caller = network.peer()
    caller.call("a:s")
    caller.call("a:s", bytes: 1_000)
    caller.call("a:s")
    #expect(caller.hear() == ["error 5 retry mailbox_full"])
    #expect(host.hear() == ["call 2 a:s new"])
  }

  @Test func anErrorAboutSomethingLongFitsIntoAFrame() {
    let network = Network()
    let caller = network.peer()
    let long = String(repeating: "x", count: 32_750)
    caller.say(#"{"op":"\#(long)"}"#)
    caller.say(#"{"op":"call","id":1,"to":"\#(long.prefix(32_000))"}"#)
    caller.say(#"{"op":"register","id":3,"name":"\#(long.prefix(32_000))"}"#)
    #expect(caller.hear() == ["error unknown_op", "error 1 bad_address", "error 3 bad_address"])
  }

  @Test func aRegistrationIsMeasuredWithItsHeader() {
    let network = Network()
    let host = network.peer()
    let header = #"{"op":"register","id":1,"name":"a"}"#
    let room = Limits().registrationBytesMax - header.utf8.count
    let operations = #"[{"name":"b"}]"#
    host.say(header, text: String(repeating: " ", count: room - operations.utf8.count) + operations)
    #expect(host.hear() == ["ok 1"])
    host.say(
      #"{"op":"register","id":3,"name":"b"}"#,
      text: String(repeating: " ", count: room + 1 - operations.utf8.count) + operations)
    #expect(host.hear() == ["error 3 too_large"])
  }
}
