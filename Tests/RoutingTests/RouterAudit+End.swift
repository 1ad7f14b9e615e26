import Wire

@testable import Routing

/// That nothing is left when everybody has gone.
extension RouterAudit {
  /// The calls there are, for people.
  var leftCalls: String {
    calls.map { index in
      let call = call(index).pointee
      let type = router.words.bytes(of: call.type).text
      return "\(type) to \(router.address(of: index).text) is \(call.state)"
        + (call.host >= 0 ? " at \(router.name(of: call.host))" : "")
        + (call.session >= 0 ? " (\(router.sessions.at(call.session).pointee.state))" : "")
    }.joined(separator: ", ")
  }

  /// Nothing is left of anything: no call, session, byte or replica.
  func checkEmpty() throws(Violation) {
    try require(router.calls.count == 0, leftCalls)
    try require(router.sessions.count == 0, "\(router.sessions.count) sessions are left")
    try require(router.replicas.count == 0, "\(router.replicas.count) replicas are left")
    try require(router.timers.count == 0, "\(router.timers.count) timers are left")
    try checkNoTopics()
    try checkNoSignals()
    for index in router.connections.indices() {
      let state = router.connections.at(index)
      try require(state.pointee.heldBytes == 0, "\(state.pointee.heldBytes) bytes are held")
      try require(
        state.pointee.mailboxBytes == 0, "\(state.pointee.mailboxBytes) bytes in mailboxes")
      try require(state.pointee.ids.count == 0, "\(state.pointee.ids.count) ids are open")
      try require(state.pointee.firstInLine == -1, "somebody waits for room")
      try require(state.pointee.replicas.isEmpty, "replicas of a connection")
      try require(state.pointee.leavingReplicas.isEmpty, "leaving replicas of a connection")
    }
    for state in router.agents {
      try require(state.line.count == 0, "a line is left")
      try require(state.leaving.isEmpty, "an agent has replicas that leave")
      try require(state.metrics.open == 0, "\(state.metrics.open) calls count as open")
    }
    try require(router.metrics.calls.open == 0, "\(router.metrics.calls.open) calls count as open")
  }
}
