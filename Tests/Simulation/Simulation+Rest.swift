import Discovery
import Routing
import Sidecar
import Wire

@testable import Auditing

/// How a simulation comes to rest.
extension Simulation {
  /// Everybody reads, ends, grants and closes what there is: then nothing may be open, and after
  /// that nothing may be left.
  func settle() throws(Violation) {
    isSettling = true
    for peer in alive { try arrive(peer, .max) }
    if chance(15) { try drain() }
    try resumeAll()
    try finishCalls()
    for call in ledger.calls where !call.isSend {
      try require(call.hasEnded, "call \(call.number) to \(call.to) never ends")
    }
    try require(audit.callCount == 0, audit.leftCalls)
    try endSubscriptions()
    for peer in alive {
      for id in peer.registrations.filter({ !$0.value.hasEnded }).keys.sorted() {
        try withdraw(id, of: peer)
      }
    }
    try finishCalls()
    // The longest of all times: a session's idleness, or that of a name without a host.
    for _ in 0..<8 {
      try pass(2_500)
      for peer in alive { try say(peer, #"{"op":"ping"}"#) { peer.pongs += 1 } }
      try finishCalls()
    }
    try audit.checkEmpty()
    while let peer = alive.last { try lose(peer) }
    try audit.checkEmpty()
    try require(core.connectionCount == 0, "\(core.connectionCount) connections are left")
    try require(audit.connectionCount == 1, "\(audit.connectionCount) connections are left")
    let listed = core.router.registry.listedCount
    try require(listed == 0, "\(listed) agents are listed")
  }

  private func drain() throws(Violation) {
    tally.count("drains")
    ledger.isDraining = true
    try event("the sidecar drains") { core.drain(timeoutMs: 100, now: ledger.now) }
    guard chance(50) else { return }
    try pass(200)
    for call in ledger.calls where !call.isSend {
      try require(call.hasEnded, "call \(call.number) outlives the drain")
    }
  }

  /// What may be paused goes on: its messages would wait for ever.
  private func resumeAll() throws(Violation) {
    guard tally["signals pause"] > 0 else { return }
    try connect(asOperator: true)
    let peer = alive[alive.count - 1]
    let sessions = mood.names.flatMap { name in (1...mood.sessions).map { "\(name):s\($0)" } }
    for session in sessions {
      let id = peer.newID(gap: 0)
      callCount += 1
      let signal = SimulatedSignal(callCount, "resume", .session(session), sender: peer, id: id)
      try say(peer, #"{"op":"signal","id":\#(id),"to":"\#(session)","name":"resume"}"#) {
        [unowned self] in
        ledger.signalled(signal, events)
      }
    }
  }

  /// Goes on until nobody has anything to do.
  func finishCalls() throws(Violation) {
    for _ in 0..<(mood.isCrowd ? 5_000 : 200) {
      var isBusy = false
      for peer in alive where !peer.isLost {
        if try finish(peer) { isBusy = true }
      }
      if !isBusy { return }
    }
    throw Violation("no rest is found")
  }

  private func finish(_ peer: SimulatedPeer) throws(Violation) -> Bool {
    var isBusy = false
    while !peer.out.isEmpty, !peer.isLost {
      try read(peer, .max)
      isBusy = true
    }
    for id in peer.readSignals.keys.sorted() {
      try answerSignal(id, peer)
      isBusy = true
    }
    for id in peer.closing.keys.sorted() {
      try answerClose(id, peer)
      isBusy = true
    }
    for id in peer.hosted.keys.sorted() {
      guard let call = peer.hosted[id], call.isRead, !call.endIsSent else { continue }
      var end = Expected()
      end.isEnd = true
      try answer(call, end)
      isBusy = true
    }
    for id in peer.made.keys.sorted() {
      guard let call = peer.made[id], !call.spliceIsSent else { continue }
      if call.isSystem, call.window > 1 << 20 {
        // One that watches goes on for ever.
        try cancel(call, id, of: peer)
      } else if call.window <= 1 << 20 || call.isHeldBack || call.arrival == nil {
        try grant(call, 1 << 24)
      } else {
        continue
      }
      isBusy = true
    }
    if try finishSubscriptions(peer) { isBusy = true }
    return isBusy
  }
}
