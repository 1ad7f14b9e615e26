import Testing
import Wire

@testable import Routing

/// Calls that end early, and connections that end with everything open.
@Suite struct EndingTests {
  // MARK: Hosts

  @Test func aLostHostEndsEverythingItHad() {
    let network = Network()
    let host = network.host("a", with: #""concurrency":6,"session_concurrency":2"#)
    let caller = network.peer()
    caller.call("a")
    caller.call("a", with: #""window":0"#)
    caller.call("a", with: #""input":true"#)
    caller.call("a:s")
    caller.call("a:s")
    caller.call("a:s")
    caller.call("a:t", with: #""lazy":true"#)
    caller.send("a", text: "to the host")
    for _ in 0..<2 { caller.call("a") }
    caller.send("a", text: "in the line")
    _ = host.hear()
    host.data(4, bytes: 100)
    caller.data(5, bytes: 100)
    caller.cancel(1)
    #expect(caller.hear() == ["error 1 cancelled"])
    host.leave()
    #expect(
      Set(caller.hear()) == [
        "error 3 host_lost", "error 5 host_lost", "error 7 host_lost", "error 9 host_lost",
        "error 11 retry no_replica", "error 15 retry no_replica", "error 17 retry no_replica",
      ])
    #expect(network.router.calls.count == 1, "the lazy one")
    #expect(network.router.metrics.sendsLost == 2)
    caller.credit(13, 1)
    #expect(caller.hear() == ["error 13 retry no_replica"])
    network.pass(60_010)
    #expect(network.router.isAtRest)
    caller.call("a")
    #expect(caller.hear() == ["error 19 unknown_agent"])
  }

  @Test func whatWaitedForALostHostGoesToTheNext() {
    let network = Network()
    let first = network.host("a", with: #""concurrency":1"#)
    let caller = network.peer()
    caller.call("a:s")
    caller.call("a:s")
    caller.call("a")
    #expect(first.hear() == ["call 2 a:s new"])
    let second = network.peer()
    second.say(#"{"op":"register","id":1,"name":"a","concurrency":1}"#)
    #expect(second.hear() == ["ok 1", "call 2 a"])
    first.leave()
    #expect(caller.hear() == ["error 1 host_lost"])
    second.end(2)
    #expect(second.hear() == ["call 4 a:s new"])
  }

  @Test func aHostThatSendsItsLastFrameWithoutWindowHasStillEndedTheCall() {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    caller.call("a:s", with: #""window":1"#)
    caller.call("a:s")
    #expect(host.hear() == ["call 2 a:s window=1 new"])
    host.data(2, bytes: 1)
    host.say(#"{"op":"data","id":2,"end":true}"#, bytes: 1)
    #expect(caller.hear() == ["data 1 |.", "error 1 window_exceeded"])
    // Nothing to cancel: the session goes on at once.
    #expect(host.hear() == ["call 4 a:s"])
  }

  @Test func inputThatWaitedIsNotSentBehindACancel() {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    caller.call("a", with: #""input":true"#)
    for _ in 0..<8 { caller.data(1, bytes: 60_000) }
    caller.cancel(1)
    // What was in its buffer is on the way; what waited behind that is not.
    let heard = host.hear()
    #expect(heard.count == 7)
    #expect(heard.last == "cancel 2 cancelled")
    #expect(network.router.connections.at(host.index).pointee.heldBytes == 0)
  }

  // MARK: Calls to oneself

  @Test func aConnectionMayCallItsOwnAgent() {
    let network = Network()
    let peer = network.host("a")
    peer.call("a", bytes: 3)
    #expect(peer.hear() == ["call 2 a |..."])
    peer.say(#"{"op":"data","id":2,"end":true}"#, bytes: 2)
    #expect(peer.hear() == ["data 3 end |.."])
    #expect(network.router.isAtRest)
  }

  @Test func aConnectionThatCallsItselfMayBeLost() {
    let network = Network()
    let peer = network.host("a", with: #""concurrency":2"#)
    peer.call("a:s", with: #""input":true,"timeout_ms":1000"#)
    peer.call("a", with: #""window":0"#)
    #expect(peer.hear().count == 2)
    peer.call("a", with: #""parent":2"#)
    peer.call("a:s")
    peer.call("a", with: #""lazy":true"#)
    peer.send("a")
    peer.data(4, bytes: 10)
    peer.leave()
    network.pass(61_000)
    #expect(network.router.isAtRest)
  }

  @Test func anAgentMayCallItselfBelowItsOwnCall() {
    let network = Network()
    let host = network.host("a", with: #""concurrency":1"#)
    let caller = network.peer()
    caller.call("a")
    #expect(host.hear() == ["call 2 a"])
    for depth in 1...10 {
      host.call("a", with: #""parent":\#(depth * 2)"#)
      #expect(host.hear() == ["call \(depth * 2 + 2) a from=a"])
    }
    for depth in stride(from: 11, through: 1, by: -1) { host.end(UInt64(depth * 2)) }
    #expect(caller.hear() == ["data 1 end"])
    #expect(network.router.isAtRest)
  }

  // MARK: Trees

  @Test func aDeepTreeIsCancelledFromTheTopDown() {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    caller.call("a")
    _ = host.hear()
    // Two children for each call, seven deep.
    var level: [UInt64] = [2]
    var opened: UInt64 = 2
    for _ in 0..<7 {
      var next: [UInt64] = []
      for parent in level {
        for _ in 0..<2 {
          host.call("a", with: #""parent":\#(parent)"#)
          opened += 2
          next.append(opened)
        }
      }
      level = next
    }
    #expect(host.hear().count == 254)
    caller.cancel(1)
    #expect(caller.hear() == ["error 1 cancelled"])
    let heard = host.hear()
    #expect(heard.first == "cancel 2 cancelled")
    #expect(heard.filter { $0.hasSuffix(" parent_ended") }.count == 2 * 254)
    for id in stride(from: UInt64(2), through: opened, by: 2) { host.end(id) }
    #expect(network.router.isAtRest)
  }

  @Test func aCallHasAtMost64Ancestors() {
    let network = Network()
    let host = network.host("a")
    network.peer().call("a")
    _ = host.hear()
    for depth in 1...64 { host.call("a", with: #""parent":\#(depth * 2)"#) }
    #expect(host.hear().last == "call 130 a from=a")
    host.call("a", with: #""parent":130"#)
    #expect(host.hear() == ["error 131 call_depth path=a a a a a a a a"])
  }

  @Test func theDeadlineOfTheTopEndsTheWholeTree() {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    caller.call("a", with: #""timeout_ms":500"#)
    _ = host.hear()
    for depth in 1...5 { host.call("a", with: #""parent":\#(depth * 2)"#) }
    host.call("a:other", with: #""parent":2,"detach":true"#)
    #expect(host.hear().last == "call 14 a:other from=a new")
    network.pass(500)
    #expect(caller.hear() == ["error 1 deadline"])
    #expect(host.hear().count == 6 + 5)
    for id in stride(from: UInt64(2), through: 12, by: 2) { host.end(id) }
    #expect(network.router.calls.count == 1, "the detached one")
  }

  // MARK: Sends

  @Test func aSendThatIsCancelledByItsDeadlineLeavesNoTimerBehind() {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    caller.send("a:s", with: #""timeout_ms":1000"#)
    caller.send("a", with: #""timeout_ms":1000"#)
    #expect(host.hear().count == 2)
    #expect(network.router.timers.count == 3)
    host.say(#"{"op":"goodbye"}"#)
    network.router.goodbye(host.index, timeoutMs: 100)
    network.pass(200)
    network.pass(20_000)
    #expect(network.router.calls.count == 1, "a session's call has no bound")
    host.end(2)
    #expect(network.router.calls.count == 0)
    host.leave()
    network.pass(60_010)
    #expect(network.router.isAtRest)
    #expect(network.router.metrics.sendsLost == 2)
  }

  @Test func anAbandonedCallIsNoLostSend() {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    caller.cancel(caller.call("a:s"))
    _ = host.hear()
    network.router.endDrain()
    #expect(network.router.metrics.sendsLost == 0)
  }

  // MARK: Sessions

  @Test func aLazyCallKeepsItsSessionsName() {
    let network = Network()
    let host = network.host("a", with: #""idle_ms":1000"#)
    let caller = network.peer()
    caller.call("a:s", with: #""lazy":true"#)
    caller.call("a:s")
    #expect(host.hear() == ["call 2 a:s new"])
    host.end(2)
    network.pass(1_100)
    #expect(host.hear() == ["close 4 a:s idle"])
    host.say(#"{"op":"ok","id":4}"#)
    // Another one might take its place now.
    caller.call("a:t")
    #expect(host.hear() == ["call 6 a:t new"])
    caller.credit(1, 1_000)
    #expect(host.hear() == ["call 8 a:s new"])
    host.end(8)
    host.end(6)
    network.pass(1_100)
    #expect(host.hear() == ["close 10 a:t idle", "close 12 a:s idle"])
  }

  @Test func aSessionWhoseFirstMessageNeverLeftNeedsNoClose() {
    let network = Network()
    let host = network.host("a", with: #""concurrency":1,"idle_ms":1000"#)
    let caller = network.peer()
    caller.call("a")
    caller.call("a:s")
    #expect(host.hear() == ["call 2 a"])
    caller.cancel(3)
    #expect(network.router.sessions.count == 0)
    network.pass(2_000)
    #expect(host.hear() == [])
  }

  @Test func aSessionIsIdleFromTheMomentItsLastMessageStoppedWaiting() {
    let network = Network()
    let host = network.host("a", with: #""concurrency":1,"idle_ms":1000"#)
    let caller = network.peer()
    caller.call("a:s")
    #expect(host.hear() == ["call 2 a:s new"])
    host.end(2)
    caller.call("a")
    caller.call("a:s")
    #expect(host.hear() == ["call 4 a"])
    network.pass(900)
    caller.cancel(5)
    #expect(caller.hear() == ["data 1 end", "error 5 cancelled"])
    network.pass(900)
    #expect(host.hear() == [])
    network.pass(110)
    #expect(host.hear() == ["close 6 a:s idle"])
  }

  @Test func deletingASessionEndsASendItRuns() {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    caller.send("a:s", with: #""timeout_ms":60000"#)
    caller.call("a:s")
    #expect(host.hear() == ["call 2 a:s timeout=60000 new oneway"])
    #expect(network.router.deleteSession(named: "a:s"))
    #expect(host.hear() == ["cancel 2 cancelled", "close 4 a:s cancelled"])
    #expect(caller.hear() == ["error 1 cancelled"])
    host.say(#"{"op":"ok","id":4}"#)
    caller.call("a:s")
    #expect(host.hear() == ["call 6 a:s new"])
    network.pass(5_010)
    #expect(network.router.calls.count == 1, "the send's place is free")
  }

  // MARK: Leaving

  @Test func goodbyeLetsWhatRunsFinishAndThenEndsTheRest() {
    let network = Network()
    let host = network.host("a", "b")
    let caller = network.peer()
    for name in ["a", "a:s", "b"] { caller.call(name) }
    _ = host.hear()
    caller.send("b")
    #expect(host.hear() == ["call 8 b oneway"])
    network.router.goodbye(host.index, timeoutMs: 1_000)
    caller.call("a:s")
    caller.call("b")
    #expect(caller.hear() == ["error 9 retry no_replica"])
    host.call("a")
    #expect(host.hear() == ["error 5 draining"])
    host.end(2)
    host.end(4)
    #expect(host.hear() == ["close 10 a:s shutdown"])
    #expect(caller.hear() == ["data 1 end", "data 3 end"])
    network.pass(1_010)
    #expect(caller.hear() == ["error 5 shutdown"])
    #expect(host.hear() == ["cancel 6 shutdown", "cancel 8 shutdown"])
    host.leave()
    #expect(caller.hear() == ["error 7 retry no_replica"])
    network.pass(60_010)
    #expect(network.router.isAtRest)
  }

  @Test func aDrainEndsWhenItsTimeIsOverWhateverHostsDo() {
    let network = Network()
    let host = network.host("a", with: #""concurrency":2"#)
    let caller = network.peer()
    for name in ["a:s", "a", "a"] { caller.call(name) }
    _ = host.hear()
    network.router.beginDrain(timeoutMs: 1_000)
    caller.call("a")
    host.call("a", with: #""parent":2"#)
    #expect(host.hear() == ["goodbye timeout=1000 shutdown", "call 6 a from=a:s"])
    #expect(caller.hear() == ["goodbye timeout=1000 shutdown", "error 7 retry draining"])
    #expect(network.router.isBusy)
    network.router.endDrain()
    #expect(
      caller.hear() == ["error 1 shutdown", "error 3 shutdown", "error 5 retry shutdown"])
    #expect(!network.router.isBusy, "a host that never ends its call is not waited for")
  }
}

extension Router {
  /// Nothing is open, nothing waits, and no timer is set but those of agents that are gone.
  var isAtRest: Bool {
    calls.count == 0 && sessions.count == 0 && timers.count == 0
      && connections.indices().allSatisfy {
        let state = connections.at($0)
        return state.pointee.heldBytes == 0 && state.pointee.mailboxBytes == 0
          && state.pointee.givenIDs == 0
      }
  }

  func deleteSession(named name: String) -> Bool {
    var name = name
    return name.withUTF8 { deleteSession(UnsafeRawBufferPointer($0)) }
  }
}
