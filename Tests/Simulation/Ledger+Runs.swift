import Wire

@testable import Auditing

/// What readers of runs get: the same frames, each from where it began, without a gap [SPEC: Runs].
extension Ledger {
  /// A call with a run, or one that reads a run, has arrived.
  func openedReading(_ reading: SimulatedCall, opening run: SimulatedRun?) {
    add(reading)
    reading.caller.made[reading.callerID!] = reading
    guard let run, !run.call.isKnown else { return }
    run.call.isKnown = true
    opened(run.call)
    reserve(run.call)
    // Nobody waits for the call itself; its readers' ends are looked at.
    run.call.isUnread = true
    run.call.hasEnded = true
    run.call.wasSpliced = true
    run.lastKnown = now
  }

  /// A frame for a reader.
  func toReading(_ frame: SimulatedFrame, _ reading: SimulatedCall) throws(Violation) {
    let name = "reader \(reading.number) of \(reading.run?.name ?? "a run")"
    let said = Expected(frame)
    if frame.op == .error, !frame.has(.more), !frame.reason.hasPrefix("said") {
      words["run \(frame.reason)", default: 0] += 1
      return end(reading)
    }
    if said.cost > 0 {
      try require(reading.window > 0, "\(name) got a frame with a window of \(reading.window)")
      reading.window -= said.cost
    }
    if let run = reading.run, let from = reading.readsFrom {
      let number = from + reading.framesRead
      reading.framesRead += 1
      if let before = run.seen[number] {
        try require(before == said, "\(name): frame \(number) is \(said), and was \(before)")
      }
      run.seen[number] = said
      if !run.call.isWoven, number < run.said.count {
        try require(
          run.said[number] == said, "\(name): frame \(number) is \(said), not \(run.said[number])")
      }
      run.lastKnown = now
    }
    if said.isEnd { end(reading) }
  }

  /// The call of a run that was forgotten is made anew.
  func renewRun(_ call: SimulatedCall) -> Bool {
    guard let run = call.run, call.host != nil, call.hostHasEnded || call.cancelled > 0,
      now >= run.lastKnown + UInt64(limits.runKeptMs)
    else { return false }
    setApart(call)
    call.host = nil
    call.hostHasEnded = false
    call.isCancelled = false
    call.cancelled = 0
    call.isRead = false
    call.endIsSent = false
    call.isWoven = false
    call.isCutOff = false
    call.partIsOpen = false
    call.openSource = nil
    for inner in call.inners { endDown(inner) }
    (call.woven, call.unorderedInners, call.delegated) = ([], [], [])
    (call.replies, call.lane) = ([], [])
    run.seen = [:]
    run.said = []
    run.lastKnown = now
    if !calls.contains(where: { $0 === call }) { calls.append(call) }
    arrive(call)
    return true
  }

  /// What a host that was told to stop still says of a run that was made anew is about the old one.
  private func setApart(_ call: SimulatedCall) {
    guard let host = call.host, !call.hostHasEnded, !host.isLost else { return }
    let old = SimulatedCall(
      call.number, to: call.to, isSend: false, caller: call.caller, callerID: nil)
    (old.host, old.hostID) = (host, call.hostID)
    (old.isCancelled, old.cancelled) = (true, call.cancelled)
    (old.isRead, old.endIsSent) = (call.isRead, call.endIsSent)
    old.replyAllowance = call.replyAllowance
    old.replyAllowanceRead = call.replyAllowanceRead
    (old.isUnread, old.hasEnded) = (true, true)
    host.hosted[old.hostID] = old
    host.everHosted[old.hostID] = old
    for signal in host.givenSignals.values {
      for place in signal.recipients.indices where signal.recipients[place].call === call {
        signal.recipients[place].call = old
      }
    }
  }
}
