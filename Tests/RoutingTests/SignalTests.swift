import Testing
import Wire

@testable import Auditing
@testable import Routing

/// Signals where conversations do not reach: congested hosts, contents that many share, sessions
/// that are paused while their hosts come and go.
@Suite struct SignalTests {
  private func signal(
    _ fields: String, from peer: Peer, id: UInt64? = nil, bytes: Int = 0
  ) throws {
    let number = id.map { #""id":\#($0),"# } ?? ""
    peer.say(#"{"op":"signal",\#(number)\#(fields)}"#, bytes: bytes)
    try RouterAudit(router: peer.network.router).run()
  }

  @Test func aCongestedHostGetsNoSignalAndItsSenderIsToldSo() throws {
    let network = Network()
    network.router.operatorPrincipal = .user(1)
    let host = network.host("a")
    let caller = network.peer()
    for _ in 0..<2 { caller.call("a", bytes: 4 << 20) }
    let id = caller.newID()
    try signal(#""call":1,"name":"interrupt""#, from: caller, id: id)
    #expect(caller.hear() == ["error \(id) retry too_many_signals"])
    #expect(host.hear().count == 2)
    let next = caller.newID()
    try signal(#""call":1,"name":"interrupt""#, from: caller, id: next)
    #expect(host.hear() == ["signal 6 call=2 name=interrupt"])
    host.say(#"{"op":"ok","id":6}"#)
    #expect(caller.hear() == ["ok \(next)"])
    host.end(2)
    host.end(4)
  }

  @Test func manyReplicasGetTheSameContent() throws {
    let network = Network()
    let hosts = (0..<50).map { _ in network.host("a") }
    let sender = network.peer()
    let id = sender.newID()
    try signal(#""to":"a","name":"config.load""#, from: sender, id: id, bytes: 60_000)
    for host in hosts {
      #expect(sender.hear() == [])
      #expect(host.hear() == ["signal 2 a name=config.load |60000 bytes"])
      host.say(#"{"op":"ok","id":2}"#)
    }
    #expect(sender.hear() == ["ok \(id)"])
    #expect(network.router.metrics.signals.total == 1)
    #expect(network.router.metrics.signals.lost == 0)
  }

  @Test func aHostThatGoesAnswersForAllItWasGiven() throws {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    let call = caller.call("a:s")
    let signals = (0..<3).map { _ in caller.newID() }
    for id in signals { try signal(#""to":"a:s","name":"x.y""#, from: caller, id: id) }
    #expect(host.hear().count == 4)
    host.leave()
    try RouterAudit(router: network.router).run()
    #expect(
      caller.hear()
        == signals.map { "error \($0) host_lost" }
        + ["error \(call) host_lost"])
    try RouterAudit(router: network.router).checkNoSignals()
  }

  @Test func aSenderThatGoesLeavesItsSignalsGiven() throws {
    let network = Network()
    let host = network.host("a")
    let sender = network.peer()
    let id = sender.newID()
    try signal(#""to":"a","name":"x.y""#, from: sender, id: id)
    sender.leave()
    try RouterAudit(router: network.router).run()
    #expect(host.hear() == ["signal 2 a name=x.y"])
    host.say(#"{"op":"ok","id":2}"#)
    try RouterAudit(router: network.router).checkNoSignals()
  }

  @Test func aPausedSessionStandsInNobodysWay() throws {
    let network = Network()
    let host = network.host("a", with: #""concurrency":1"#)
    let caller = network.peer()
    caller.call("a:s")
    caller.call("a:s")
    caller.call("a:t")
    try signal(#""to":"a:s","name":"pause""#, from: caller)
    #expect(host.hear() == ["call 2 a:s new"])
    host.end(2)
    try RouterAudit(router: network.router).run()
    #expect(host.hear() == ["call 4 a:t new"])
    host.end(4)
    #expect(host.hear() == [])
    try signal(#""to":"a:s","name":"resume""#, from: caller)
    #expect(host.hear() == ["call 6 a:s"])
    host.end(6)
  }

  @Test func aPausedSessionOfALeavingHostGoesToAnotherAndStaysPaused() throws {
    let network = Network()
    let first = network.host("a")
    let caller = network.peer()
    caller.call("a:s")
    #expect(first.hear() == ["call 2 a:s new"])
    first.end(2)
    try signal(#""to":"a:s","name":"pause""#, from: caller)
    caller.call("a:s")
    let second = network.host("a")
    network.router.goodbye(first.index, timeoutMs: 1_000)
    try RouterAudit(router: network.router).run()
    #expect(first.hear() == ["close 4 a:s shutdown"])
    first.say(#"{"op":"ok","id":4}"#)
    try RouterAudit(router: network.router).run()
    #expect(second.hear() == [])
    try signal(#""to":"a:s","name":"resume""#, from: caller)
    #expect(second.hear() == ["call 2 a:s new"])
    second.end(2)
  }

  @Test func pausingASessionThatOnlyLazyCallsNameHoldsThemToo() throws {
    let network = Network()
    let host = network.host("a")
    let caller = network.peer()
    let lazy = caller.call("a:s", with: #""lazy":true,"window":0"#)
    try signal(#""to":"a:s","name":"pause""#, from: caller)
    caller.credit(lazy, 1_000)
    try RouterAudit(router: network.router).run()
    #expect(host.hear() == [])
    try signal(#""to":"a:s","name":"resume""#, from: caller)
    #expect(host.hear() == ["call 2 a:s window=1000 new"])
    host.end(2)
    #expect(caller.hear() == ["data 1 end"])
  }
}
