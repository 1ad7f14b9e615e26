import Wire

@testable import Auditing

/// Whether what the sidecar says of itself is true.
extension Ledger {
  static let operatorPrincipal = Principal.user(1)

  /// The sidecar ends a call with that reason.
  func checkWord(_ reason: String, _ call: SimulatedCall) throws(Violation) {
    words[reason, default: 0] += 1
    if !isTrue(reason, of: call) {
      throw Violation("call \(call.number) to \(call.to) ended without cause: \(reason)")
    }
  }

  private func isTrue(_ reason: String, of call: SimulatedCall) -> Bool {
    switch reason {
    case "cancelled":
      call.causes.contains(.cancelled) || (call.session != nil && call.session == deleted)
    case "deadline": (call.deadline > 0 && now >= call.deadline) || call.isTimedByRun
    case "host_lost": call.host?.isLost ?? false
    case "no_replica", "unknown_agent": call.isSystem ? false : !isHosted(call.agent)
    case "parent_ended", "call_depth": call.hasParent
    case "call_cycle": call.hasParent && call.session != nil
    case "window_exceeded": call.causes.contains(.overdrawn)
    case "no_input": call.causes.contains(.unwantedInput)
    case "bad_field": call.causes.contains(.unreadable)
    case "internal": call.causes.contains(.spoiltByHost)
    case "from_not_registered": !call.hasParent && !call.from.isEmpty
    case "draining": isDraining || call.caller.hasSaidGoodbye
    case "shutdown": isDraining || call.caller.hasSaidGoodbye || call.host?.hasSaidGoodbye ?? false
    case "too_many_ids": openIDs(of: call.caller) >= limits.openIDsMax
    case "too_many_sessions":
      // One that its host has not closed in time is gone too.
      call.session.map { instances[$0] == nil || instances[$0]!.closing != nil } ?? false
    case "mailbox_full": !call.isSystem
    case "reader_overrun": true
    case "not_permitted": call.isSystem && call.caller.principal != Self.operatorPrincipal
    case "unhandled_type", "bad_content", "unknown_session", "unknown_run": call.isSystem
    default: false
    }
  }

  func isHosted(_ agent: Substring) -> Bool { peers.contains { isHosted(agent, by: $0) } }

  func isHosted(_ agent: Substring, by peer: SimulatedPeer) -> Bool {
    peer.registrations.values.contains { $0.name == agent && $0.isConfirmed && $0.isActive }
  }

  /// Ids of a client's own that may be open.
  func openIDs(of peer: SimulatedPeer) -> Int {
    peer.made.count + peer.sent.count + peer.signals.count
      + peer.registrations.count { !$0.value.hasEnded }
      + peer.subscriptions.count { !$0.value.hasEnded }
  }
}
