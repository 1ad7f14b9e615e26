import Wire

@testable import Auditing

/// What peers do with signals.
extension Simulation {
  func signal(_ peer: SimulatedPeer) throws(Violation) {
    let (target, field) = signalTarget(peer)
    guard !peer.hasNoFeatures, let target, let field else { return }
    var name = pick(["interrupt", "interrupt", "steer.note", "steer.note", "pause", "cancel"])!
    if case .session(let session) = target, ledger.paused.contains(session), chance(70) {
      name = "resume"
    }
    // Whose time has come is not followed among thousands.
    if mood.isCrowd, name == "pause" { name = "x.y" }
    callCount += 1
    let isSure = chance(70) || name == "pause" || name == "resume"
    let id = isSure ? peer.newID(gap: 0) : nil
    let signal = SimulatedSignal(callCount, name, target, sender: peer, id: id)
    tally.count("signals \(name)")
    var fields = #"\#(field),"name":"\#(name)""#
    let parent = chance(20) ? parent(at: peer) : nil
    if let parent {
      fields += #","parent":\#(parent)"#
      signal.hasParent = true
      signal.from = peer.hosted[parent]?.to ?? ""
    } else if chance(15), let own = ownName(peer) {
      fields += #","from":"\#(own)""#
      signal.from = own
    }
    if let id { fields = #""id":\#(id),"# + fields }
    let content = message("g\(signal.number)", chance(90) ? number(1...300) : 60_000)
    signal.length = content.count
    try say(peer, #"{"op":"signal",\#(fields)}"#, content) { [unowned self] in
      ledger.signalled(signal, events)
      if name == "cancel" { expectCancel(target, of: peer) }
    }
  }

  /// One of its calls, a session or an agent.
  private func signalTarget(
    _ peer: SimulatedPeer
  ) -> (SimulatedSignal.Target?, String?) {
    switch number(0...9) {
    case 0..<4:
      guard let id = pick(peer.everMade.keys.sorted()), let call = peer.everMade[id],
        !call.isSystem, call.run == nil
      else { return (nil, nil) }
      return (.call(call), #""call":\#(id)"#)
    case 4..<9:
      let known = ledger.instances.keys.sorted()
      let session = chance(90) ? pick(known) ?? "a:s1" : "\(pick(mood.names)!):\(session())"
      return (.session(session), #""to":"\#(session)""#)
    default:
      let agent = pick(mood.names)!
      return (.agent(agent), #""to":"\#(agent)""#)
    }
  }

  /// What a `cancel` ends, the sidecar may say of.
  private func expectCancel(_ target: SimulatedSignal.Target, of peer: SimulatedPeer) {
    switch target {
    case .call(let call): call.causes.insert(.cancelled)
    case .session(let session):
      if ledger.maySteer(session.prefix { $0 != ":" }, peer) { ledger.delete(session) }
    case .agent: break
    }
  }

  func answerSignal(_ peer: SimulatedPeer) throws(Violation) {
    guard let id = pick(peer.readSignals.keys.sorted()) else { return }
    try answerSignal(id, peer)
  }

  func answerSignal(_ id: UInt64, _ peer: SimulatedPeer) throws(Violation) {
    peer.readSignals[id] = nil
    tally.count("signals answered")
    if chance(75) {
      return try say(peer, #"{"op":"ok","id":\#(id)}"#) { [ledger] in
        ledger.answeredSignal(id, "", peer)
      }
    }
    let reason = "said-signal-\(id)"
    try say(peer, #"{"op":"error","id":\#(id),"code":"aborted","reason":"\#(reason)"}"#) {
      [ledger] in
      ledger.answeredSignal(id, reason, peer)
    }
  }

  /// Somebody no longer wants to know.
  func cancelSignal(_ peer: SimulatedPeer) throws(Violation) {
    guard let id = pick(peer.signals.keys.sorted()), let signal = peer.signals[id] else { return }
    try say(peer, #"{"op":"cancel","id":\#(id)}"#) { signal.isCancelled = true }
  }
}
