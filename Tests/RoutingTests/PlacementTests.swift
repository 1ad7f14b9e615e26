import Testing
import Wire

@testable import Routing

/// Which replica a call goes to, and who is next when a place is free.
@Suite struct PlacementTests {
  @Test func callsAreSpreadOverReplicas() {
    let network = Network()
    let hosts = (0..<3).map { _ in network.host("a") }
    let caller = network.peer()
    for _ in 0..<300 { caller.call("a") }
    let counts = hosts.map { $0.hear().count }
    #expect(counts.reduce(0, +) == 300)
    #expect(counts.allSatisfy { $0 > 80 && $0 < 120 }, "\(counts)")
  }

  @Test func aReplicaThatAnswersGetsMoreThanOneThatHangs() {
    let network = Network()
    let quick = network.host("a")
    let hanging = network.host("a")
    let caller = network.peer()
    var answered = 0
    for _ in 0..<200 {
      caller.call("a")
      for frame in quick.hear() {
        quick.end(UInt64(frame.split(separator: " ")[1])!)
        answered += 1
      }
    }
    // Only when both of two random choices are the hanging one does it get a call.
    #expect(answered > 120)
    #expect(hanging.hear().count == 200 - answered)
  }

  @Test func aReplicaThatFailsItsCallsDoesNotGetThemAll() {
    let network = Network()
    let failing = network.host("a")
    let working = network.host("a")
    let caller = network.peer()
    var failed = 0
    for _ in 0..<400 {
      caller.call("a")
      for frame in failing.hear() {
        failing.say(#"{"op":"error","id":\#(frame.split(separator: " ")[1]),"code":"internal"}"#)
        failed += 1
      }
    }
    #expect(failed < 160)
    #expect(working.hear().count == 400 - failed)
  }

  @Test func anAnswerMakesAFailingReplicaWhole() {
    let network = Network()
    let first = network.host("a")
    let caller = network.peer()
    for id in [UInt64(2), 4, 6] {
      caller.call("a")
      _ = first.hear()
      first.say(#"{"op":"error","id":\#(id),"code":"internal"}"#)
    }
    caller.call("a")
    _ = first.hear()
    first.end(8)
    let second = network.host("a")
    for _ in 0..<100 { caller.call("a") }
    #expect(first.hear().count > 35)
    #expect(second.hear().count > 35)
  }

  @Test func endingACancelledCallIsNoFailure() {
    let network = Network()
    let first = network.host("a")
    let caller = network.peer()
    for id in [UInt64(2), 4, 6, 8] {
      caller.cancel(caller.call("a"))
      _ = first.hear()
      first.say(#"{"op":"error","id":\#(id),"code":"cancelled"}"#)
    }
    _ = network.host("a")
    for _ in 0..<100 { caller.call("a") }
    #expect(first.hear().count > 35)
  }

  @Test func aFullReplicaIsPassedOver() {
    let network = Network()
    let small = network.host("a", with: #""concurrency":1"#)
    let large = network.host("a", with: #""concurrency":30"#)
    let caller = network.peer()
    for _ in 0..<31 { caller.call("a") }
    #expect(small.hear().count == 1)
    #expect(large.hear().count == 30)
    caller.call("a")
    #expect(small.hear() == [])
    small.end(2)
    #expect(small.hear() == ["call 4 a"])
  }

  @Test func aSessionIsMadeWhereThereIsRoom() {
    let network = Network()
    let small = network.host("a", with: #""concurrency":1"#)
    let caller = network.peer()
    caller.call("a")
    #expect(small.hear() == ["call 2 a"])
    let large = network.host("a")
    for _ in 0..<3 { caller.call("a") }
    #expect(large.hear().count == 3)
    caller.call("a:s")
    #expect(large.hear() == ["call 8 a:s new"])
  }

  @Test func sessionsAreSpreadOverIdleReplicas() {
    let network = Network()
    let hosts = (0..<3).map { _ in network.host("a") }
    let caller = network.peer()
    for number in 0..<30 {
      caller.call("a:s\(number)")
      for host in hosts {
        for frame in host.hear() { host.end(UInt64(frame.split(separator: " ")[1])!) }
      }
      #expect(caller.hear().count == 1)
    }
    for number in 0..<30 { caller.call("a:s\(number)") }
    #expect(hosts.map { $0.hear().count } == [10, 10, 10])
  }

  @Test func theLineAndSessionsTakeTurnsAtAPlace() {
    let network = Network()
    let host = network.host("a", with: #""concurrency":1"#)
    let caller = network.peer()
    caller.call("a:x")
    for _ in 0..<6 { caller.call("a:x") }
    caller.call("a:y")
    for _ in 0..<4 { caller.call("a") }
    var order: [Substring] = []
    var id: UInt64 = 0
    while order.count < 12 {
      order += host.hear().map { $0.split(separator: " ")[2] }
      id += 2
      host.end(id)
    }
    // The first was there before the others; then the line and a session in turn, and of the
    // sessions each in turn.
    #expect(order[..<9].filter { $0 == "a" }.count == 4, "\(order)")
    #expect(order[..<6].contains("a:y"), "\(order)")
    #expect(order.filter { $0 == "a:x" }.count == 7)
  }

  @Test func aSessionWithMuchToDoLeavesRoomForOthers() {
    let network = Network()
    let host = network.host("a", with: #""concurrency":1"#)
    let caller = network.peer()
    for _ in 0..<5 { caller.call("a:x") }
    for name in ["y", "z"] { caller.call("a:\(name)") }
    var order: [Substring] = []
    for turn in 1...7 {
      order += host.hear().map { $0.split(separator: " ")[2] }
      host.end(UInt64(turn) * 2)
    }
    #expect(Set(order[..<4]) == ["a:x", "a:y", "a:z"], "\(order)")
  }

  // MARK: Beyond concurrency

  @Test func aCallBelowAnAncestorOfTheSameAgentNeedsNoPlace() {
    let network = Network()
    let host = network.host("a", with: #""concurrency":1"#)
    let caller = network.peer()
    caller.call("a")
    #expect(host.hear() == ["call 2 a"])
    host.call("a", with: #""parent":2"#)
    #expect(host.hear() == ["call 4 a from=a"])
    caller.call("a")
    #expect(host.hear() == [], "who is nobody's child waits")
  }

  @Test func aSendBelowAnAncestorWaitsForAPlace() {
    let network = Network()
    let host = network.host("a", with: #""concurrency":1"#)
    network.peer().call("a")
    #expect(host.hear() == ["call 2 a"])
    host.send("a", with: #""parent":2"#)
    #expect(host.hear() == [])
    host.end(2)
    #expect(host.hear() == ["call 4 a from=a oneway"])
  }

  @Test func aChildThatWaitedForItsHostToReadNeedsNoPlaceEither() {
    var limits = Limits()
    limits.connectionHighMarkBytes = 300_000
    let network = Network(limits: limits)
    let host = network.host("a", with: #""concurrency":1"#)
    let other = network.host("b")
    let caller = network.peer()
    caller.call("a")
    #expect(host.hear() == ["call 2 a"])
    // Replies that it does not read yet make the host a congested one.
    host.call("b", with: #""window":1000000"#)
    _ = other.hear()
    for _ in 0..<3 { other.data(2, bytes: 120_000) }
    caller.call("a")
    host.call("a", with: #""parent":2"#)
    #expect(host.out.pending > 300_000)
    let heard = host.hear()
    // The child would wait for its own parent otherwise; the call before it does wait.
    #expect(heard.last == "call 4 a from=a")
    #expect(heard.count == 4)
    host.end(4)
    host.end(2)
    #expect(host.hear().last == "call 6 a")
  }

  @Test func whatIsNotUrgentAnyMoreDoesNotStandBeforeWhatIs() {
    var limits = Limits()
    limits.connectionHighMarkBytes = 300_000
    let network = Network(limits: limits)
    let host = network.host("a", with: #""concurrency":1"#)
    let other = network.host("b")
    let caller = network.peer()
    caller.call("a")
    #expect(host.hear() == ["call 2 a"])
    host.call("b", with: #""window":1000000"#)
    _ = other.hear()
    for _ in 0..<3 { other.data(2, bytes: 120_000) }
    // Both wait until the host has read; the first of them, with what is before it, for its parent.
    caller.call("a:x")
    caller.call("a:y")
    host.call("a:x", with: #""parent":2"#)
    let second = host.call("a:y", with: #""parent":2"#)
    host.cancel(second)
    #expect(
      host.hear().filter { $0.hasPrefix("call") } == ["call 4 a:x new"])
    host.end(4)
    #expect(host.hear() == ["call 6 a:x from=a"])
  }

  // MARK: Registrations that end

  @Test func aChildOfACallInFlightMayGoToAHostThatLeaves() {
    let network = Network()
    let host = network.peer()
    host.register("a")
    let caller = network.peer()
    caller.call("a")
    #expect(host.hear() == ["call 2 a"])
    host.cancel(1)
    #expect(host.hear() == ["error 1 cancelled"])
    caller.call("a")
    #expect(caller.hear() == ["error 3 retry no_replica"])
    host.call("a", with: #""parent":2"#)
    #expect(host.hear() == ["call 4 a from=a"])
    host.call("a:s", with: #""parent":4"#)
    #expect(host.hear() == ["call 6 a:s from=a new"])
    for id in [UInt64(6), 4, 2] { host.end(id) }
    #expect(host.hear() == ["close 8 a:s shutdown", "data 5 end", "data 3 end"])
    #expect(network.router.replicas.count == 1, "until the session is closed")
    host.say(#"{"op":"ok","id":8}"#)
    #expect(network.router.replicas.count == 0)
  }

  @Test func whatWaitsForALeavingReplicaGoesToAnother() {
    let network = Network()
    let first = network.peer()
    first.register("a", with: #""session_concurrency":1"#)
    let caller = network.peer()
    caller.call("a:s")
    caller.call("a:s")
    #expect(first.hear() == ["call 2 a:s new"])
    let second = network.host("a")
    first.cancel(1)
    #expect(first.hear() == ["error 1 cancelled"])
    first.end(2)
    #expect(first.hear() == ["close 4 a:s shutdown"])
    #expect(second.hear() == [])
    first.say(#"{"op":"ok","id":4}"#)
    #expect(second.hear() == ["call 2 a:s new"])
    #expect(network.router.replicas.count == 1)
  }
}
