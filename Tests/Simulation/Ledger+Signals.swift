import Wire

@testable import Auditing

/// Whom signals concern, and what hosts and senders are told of them [SPEC: Signals].
extension Ledger {
  // MARK: What peers do

  /// A `signal` has arrived: who is to get it is known from what went past.
  func signalled(_ signal: SimulatedSignal, _ event: Int) {
    signal.event = event
    if let id = signal.id { signal.sender.signals[id] = signal }
    arriving = signal
    switch (signal.name, signal.target) {
    case ("pause", _), ("cancel", _): break
    case ("resume", .session(let session)):
      signal.hasResumed = paused.remove(session) != nil
    case (_, .call(let target)):
      let call = target.worker
      // What was spliced has ended for who opened it.
      if target.caller.made[target.callerID!] === target, isRunning(call) {
        signal.recipients = [.init(peer: call.host!, call: call)]
      }
    case ("interrupt", .session(let session)):
      let maySteer = self.maySteer(session.prefix { $0 != ":" }, signal.sender)
      for call in calls where call.session == session && isRunning(call) {
        guard maySteer || isOwn(call, of: signal.sender) else { continue }
        signal.recipients.append(.init(peer: call.host!, call: call))
      }
    case (_, .session(let session)):
      if let instance = instances[session], instance.closing == nil,
        let peer = peers.first(where: { $0.number == instance.peer })
      {
        signal.recipients = [.init(peer: peer, call: nil)]
      }
    case (_, .agent(let agent)):
      for peer in peers where isHosted(agent[...], by: peer) {
        signal.recipients.append(.init(peer: peer, call: nil))
      }
    }
  }

  /// Its host has it, and nobody has cancelled it.
  private func isRunning(_ call: SimulatedCall) -> Bool {
    call.isAtHost && call.cancelled == 0 && !(call.hasEnded && !call.isUnheard)
  }

  /// Of who is gone nobody knows any more what it has opened, but of a run.
  private func isOwn(_ call: SimulatedCall, of peer: SimulatedPeer) -> Bool {
    if let run = call.run { return run.principal == "\(peer.principal)" }
    return !call.origin.isLost && call.origin.principal == peer.principal
  }

  func maySteer(_ agent: Substring, _ peer: SimulatedPeer) -> Bool {
    if peer.principal == Self.operatorPrincipal { return true }
    return peers.contains { isHosted(agent, by: $0) && $0.principal == peer.principal }
  }

  /// A host has answered; the reason is empty for `ok`.
  func answeredSignal(_ id: UInt64, _ reason: String, _ peer: SimulatedPeer) {
    guard let signal = peer.givenSignals.removeValue(forKey: id) else { return }
    peer.hasEnded(id)
    let count = signal.recipients.count
    signal.recipients.removeAll { $0.peer === peer && $0.id == id }
    if signal.recipients.count < count { settle(signal, reason) }
  }

  private func settle(_ signal: SimulatedSignal, _ reason: String) {
    guard !signal.hasEnded, signal.id != nil, signal.due == nil, !signal.sender.isLost else {
      return
    }
    if !reason.isEmpty || signal.recipients.isEmpty {
      signal.due = reason
      dueSignals.append(signal)
    }
  }

  /// That its host has ended the call counts as `ok`.
  func signalsMetEnd(of call: SimulatedCall) {
    guard let host = call.host else { return }
    for (_, signal) in host.givenSignals.sorted(by: { $0.key < $1.key }) {
      let count = signal.recipients.count
      signal.recipients.removeAll { $0.call === call }
      if signal.recipients.count < count { settle(signal, "") }
    }
  }

  /// A host is lost with what it had to answer.
  func signalsLost(at peer: SimulatedPeer) {
    for (id, signal) in peer.givenSignals.sorted(by: { $0.key < $1.key }) {
      signal.recipients.removeAll { $0.peer === peer && $0.id == id }
      settle(signal, "host_lost")
    }
    peer.givenSignals = [:]
  }

  // MARK: What the sidecar writes

  func gaveSignal(_ frame: SimulatedFrame, _ id: UInt64, to peer: SimulatedPeer) throws(Violation) {
    try give(id, peer)
    guard let signal = arriving, frame.text == "g\(signal.number)" else {
      throw Violation("p\(peer.number) got the signal \(frame.text) out of its turn")
    }
    let what = "the signal \(signal.number) \(signal.name)"
    try require(
      frame.type.isEmpty && frame.name == signal.name && frame.length == signal.length
        && frame.from == signal.from, "\(what) is not what was sent: \(frame)")
    let place = signal.recipients.firstIndex { recipient in
      recipient.peer === peer && recipient.id == nil
        && (recipient.call.map { $0.hostID == frame.call } ?? (frame.to == signal.target.word))
    }
    guard let place else { throw Violation("\(what) went to p\(peer.number), wrongly or twice") }
    signal.recipients[place].id = id
    peer.givenSignals[id] = signal
    try require(
      peer.givenSignals.count <= Limits.signalsUnansweredMax, "p\(peer.number) has too many signals"
    )
    try require(!peer.hasNoFeatures, "\(what) went to one that takes none")
    let key = "\(signal.sender.number)>\(signal.target.word)>\(peer.number)"
    try require(signal.number >= lastSignal[key] ?? 0, "\(what) overtook another")
    lastSignal[key] = signal.number
  }

  /// The sender's answer. False when the id is no signal's.
  func signalEnded(_ frame: SimulatedFrame, _ id: UInt64, _ peer: SimulatedPeer) throws(Violation)
    -> Bool
  {
    guard let signal = peer.signals.removeValue(forKey: id) else { return false }
    peer.hasEnded(id)
    signal.hasEnded = true
    let reason = frame.op == .ok ? "" : frame.reason
    let what = "the signal \(signal.number) \(signal.name) to \(signal.target.word)"
    if let due = signal.due {
      try require(due == reason, "\(what) was answered \(reason), not \(due)")
    } else if reason.isEmpty, signal !== arriving {
      try require(signal.recipients.allSatisfy(isGivenUp), "\(what) was answered by nobody")
    } else if reason != "cancelled" || !signal.isCancelled, reason != "shutdown" || !isDraining {
      try require(signal === arriving, "\(what) was answered \(reason) by nobody")
      words["signal \(reason)", default: 0] += 1
      try checkSignalWord(reason, signal, what)
    }
    signal.due = nil
    return true
  }

  /// Whether its host has let the time pass that it has for ending a cancelled call.
  private func isGivenUp(_ recipient: SimulatedSignal.Recipient) -> Bool {
    guard let call = recipient.call, call.cancelled > 0 else { return false }
    return now >= call.cancelled + UInt64(limits.cancelGraceMs)
  }

  /// What the sidecar says of itself to a signal that has just come.
  private func checkSignalWord(
    _ reason: String, _ signal: SimulatedSignal, _ what: String
  ) throws(Violation) {
    let isTrue: Bool
    switch reason {
    case "":
      isTrue = ["cancel", "pause", "resume"].contains(signal.name)
      if signal.name == "pause", case .session(let session) = signal.target {
        paused.insert(session)
      }
    case "not_running": isTrue = signal.recipients.isEmpty
    case "unknown_session":
      isTrue = if case .session(let session) = signal.target { !isLive(session) } else { false }
    case "not_permitted": isTrue = signal.sender.principal != Self.operatorPrincipal
    case "unknown_agent", "no_replica":
      isTrue = !isHosted(signal.target.word.prefix { $0 != ":" })
    case "session_needed": isTrue = if case .session = signal.target { false } else { true }
    case "no_signals": isTrue = signal.recipients.contains { $0.peer.hasNoFeatures }
    case "too_many_signals": isTrue = !signal.recipients.isEmpty
    case "parent_ended", "call_depth": isTrue = signal.hasParent
    case "draining": isTrue = isDraining || signal.sender.hasSaidGoodbye
    case "from_not_registered": isTrue = !signal.from.isEmpty && !signal.hasParent
    case "too_many_ids": isTrue = openIDs(of: signal.sender) + 1 >= limits.openIDsMax
    default: isTrue = false
    }
    if signal.hasResumed, !reason.isEmpty { paused.insert(signal.target.word) }
    try require(isTrue, "\(what) was refused without cause: \(reason)")
  }

  /// After an event: what was due has been said, and who was to get it has it.
  func checkSignals() throws(Violation) {
    for signal in dueSignals where !signal.sender.isLost {
      try require(
        signal.hasEnded || isDraining, "the signal \(signal.number) was not answered")
    }
    dueSignals.removeAll(keepingCapacity: true)
    guard let signal = arriving else { return }
    arriving = nil
    if signal.id == nil { signal.recipients.removeAll { $0.id == nil } }
    for recipient in signal.recipients where recipient.id == nil {
      try require(
        signal.hasEnded || recipient.peer.isLost,
        "the signal \(signal.number) did not reach p\(recipient.peer.number)")
    }
    signal.recipients.removeAll { $0.id == nil }
  }

  // MARK: Pauses

  /// Whether the router knows a session for sure: it has an instance, or a call waits for it. Of
  /// sends nobody hears whether they wait still.
  private func isLive(_ session: String) -> Bool {
    if let instance = instances[session] {
      let grace = UInt64(limits.closeGraceMs)
      if instance.closing.map({ now < $0.at + grace }) ?? true { return true }
    }
    return calls.contains {
      $0.session == session && $0.isWaiting && $0.isOpen && !$0.mayHoldWords
    }
  }

  /// A pause ends with its session.
  func endPauses() {
    for session in paused.sorted() where !isLive(session) { paused.remove(session) }
  }
}
