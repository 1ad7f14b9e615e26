import Wire

/// What the ledger learns of what peers do, when it arrives.
extension Ledger {
  /// A `call` or `send`.
  func opened(_ call: SimulatedCall) {
    add(call)
    let peer = call.caller
    if !call.isSend, call.run == nil { peer.made[call.callerID!] = call }
    call.wasHeldBack = call.isHeldBack
    if call.timeoutMs > 0 { call.deadline = now + call.timeoutMs }
    if let id = call.parentID {
      call.hasParent = true
      if let parent = peer.hosted[id] {
        call.from = parent.to
        call.parent = parent
        call.servesRun = parent.isTimedByRun && !call.isDetached
      }
    }
    if let parent = call.parent, !call.isDetached, !call.isSend, parent.deadline > 0 {
      call.deadline = call.deadline == 0 ? parent.deadline : min(call.deadline, parent.deadline)
    }
    call.isExempt = call.parent?.serves(call.agent) ?? false
    if !call.isLazy { arrive(call) }
  }

  /// A host's `data` or `error` for a call.
  func hostSays(_ said: Expected, _ call: SimulatedCall) {
    guard !call.hostHasEnded else { return }
    let isPermitted = said.cost == 0 || call.replyAllowance > 0
    if !isPermitted {
      call.causes.insert(.overdrawn)
      cutOff(call, "window_exceeded")
    }
    call.replyAllowance -= said.cost
    if !call.isUnheard, !call.hasEnded, isPermitted, !call.isCutOff { replies(said, call) }
    if let run = call.run, isPermitted, call.cancelled == 0 { keep(said, of: run) }
    if said.isEnd { hostEnded(call) }
  }

  /// A run's frames are as its host says them, unless others are among them.
  private func keep(_ said: Expected, of run: SimulatedRun) {
    if said.isUnordered { run.call.isWoven = true }
    run.said.append(said)
    run.lastKnown = now
  }

  private func replies(_ said: Expected, _ call: SimulatedCall) {
    guard said.isUnordered else { return call.replies.append(said) }
    call.isWoven = true
    var message = said
    message.isUnordered = false
    message.isEnd = false
    call.lane.append(message)
    guard said.isEnd else { return }
    var end = Expected()
    end.isEnd = true
    call.replies.append(end)
  }

  /// A call's host is done with it.
  func hostEnded(_ call: SimulatedCall) {
    call.hostHasEnded = true
    signalsMetEnd(of: call)
    call.inputs.removeAll()
    call.host?.hosted[call.hostID] = nil
    call.host?.everHosted[call.hostID] = nil
    call.host?.hasEnded(call.hostID)
    for child in calls where child.parent === call && child.outer == nil { child.parent = nil }
  }

  /// Somebody deletes a session.
  func delete(_ session: String) {
    deleted = session
    paused.remove(session)
  }

  /// A host has closed a session, as it was told to by `id`.
  func answeredClose(_ id: UInt64, _ session: String, _ peer: SimulatedPeer) {
    if instances[session]?.closing?.id == id, instances[session]?.peer == peer.number {
      instances[session] = nil
    }
  }

  func lost(_ peer: SimulatedPeer) {
    peer.isLost = true
    peers.removeAll { $0 === peer }
    signalsLost(at: peer)
    ended(peer.subscriptions.values)
    instances = instances.filter { $0.value.peer != peer.number }
    for call in calls {
      if call.host === peer, !call.hostHasEnded {
        cutOff(call, "host_lost")
        call.hostHasEnded = true
        if call.isSend { call.hasEnded = true }
        for child in calls where child.parent === call && child.outer == nil {
          child.parent = nil
        }
      }
      if call.caller === peer, !call.isUnheard, call.outer == nil, !call.hasEnded { end(call) }
    }
  }
}
