import Discovery
import Wire

@testable import Routing

/// Timers against their records, credit against windows, and what may be left at rest.
extension RouterAudit {
  // MARK: Timers

  /// Timers that are set for the router's records.
  private func timers() -> [TimerIndex] {
    var timers: [TimerIndex] = []
    for index in calls where call(index).pointee.timer >= 0 {
      timers.append(call(index).pointee.timer)
    }
    for index in router.sessions.indices() where router.sessions.at(index).pointee.timer >= 0 {
      timers.append(router.sessions.at(index).pointee.timer)
    }
    for state in router.agents where state.goneTimer >= 0 { timers.append(state.goneTimer) }
    for index in router.connections.indices() {
      let timer = router.connections.at(index).pointee.goodbyeTimer
      if timer >= 0 { timers.append(timer) }
    }
    for index in router.runs.records.indices() {
      let timer = router.runs.at(index).pointee.graceTimer
      if timer >= 0 { timers.append(timer) }
    }
    if router.keptTimer >= 0 { timers.append(router.keptTimer) }
    return timers
  }

  private var routerTimers: Int { timers().count }

  /// Beside those of the router's records there are the core's: two for each connection at most,
  /// one for a drain and one for those who watch.
  func checkTimers() throws(Violation) {
    let timers = timers()
    try require(Set(timers).count == timers.count, "a timer belongs to two")
    let others = router.timers.count - timers.count
    try require(
      0...(2 * router.connections.count + 2) ~= others,
      "\(router.timers.count) timers, of which \(timers.count) are known")
  }

  // MARK: Credit

  /// What a sender may be permitted is granted once it is worth a frame [CRD-7].
  func checkCredit() throws(Violation) {
    for index in calls {
      let call = call(index).pointee
      guard call.state == .running else { continue }
      if call.isSpliced || call.isWoven {
        try checkGrantedWoven(index)
      } else if call.caller >= 0 {
        try checkGranted(call.replies, receiver: call.caller, "replies of \(index)")
      }
      if call.acceptsInput, !call.inputEnded, call.isAwaited {
        try checkGranted(call.input, receiver: call.host, "input of \(index)")
      }
    }
  }

  private func checkGranted(
    _ direction: Direction, receiver: Int32, _ what: String
  ) throws(Violation) {
    let reach = max(min(direction.window, Limits.windowBytesDefault), direction.floor)
    let room = reach - direction.heldCost - direction.allowance
    try require(room >= 0, "\(what): \(-room) more was granted than there is room for")
    let isDue = room >= direction.step || (direction.allowance <= 0 && room > 0)
    try require(!isDue || router.isCongested(receiver), "\(what): \(room) are not granted")
  }

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

  /// Nothing is left of anything but the sidecar's own agents.
  func checkEmpty() throws(Violation) {
    try require(router.calls.count == 0, leftCalls)
    try require(router.sessions.count == 0, "\(router.sessions.count) sessions are left")
    let replicas = router.replicas.indices().filter {
      router.connections.at(router.replicas.at($0).pointee.connection).pointee.principal != .sidecar
    }
    try require(replicas.isEmpty, "\(replicas.count) replicas are left")
    try require(routerTimers == 0, "\(routerTimers) timers are left")
    try checkNoTopics()
    try require(router.lanes.count == 0, "\(router.lanes.count) lanes are left")
    try checkNoSignals()
    try checkNoRuns()
    for index in router.connections.indices() {
      let state = router.connections.at(index)
      try require(state.pointee.heldBytes == 0, "\(state.pointee.heldBytes) bytes are held")
      try require(
        state.pointee.mailboxBytes == 0, "\(state.pointee.mailboxBytes) bytes in mailboxes")
      try require(state.pointee.firstInLine == -1, "somebody waits for room")
      try require(state.pointee.leavingReplicas.isEmpty, "leaving replicas of a connection")
      guard state.pointee.principal != .sidecar else { continue }
      try require(state.pointee.ids.count == 0, "\(state.pointee.ids.count) ids are open")
      try require(state.pointee.replicas.isEmpty, "replicas of a connection")
    }
    for state in router.agents {
      try require(state.line.count == 0, "a line is left")
      try require(state.leaving.isEmpty, "an agent has replicas that leave")
      try require(state.metrics.open == 0, "\(state.metrics.open) calls count as open")
    }
    try require(router.metrics.calls.open == 0, "\(router.metrics.calls.open) calls count as open")
  }
}
