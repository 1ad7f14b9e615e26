internal import Discovery
internal import Wire

/// Mailboxes of sessions and lines of agents: what waits there, how much of it may, and whom it is
/// charged to.
extension Router {
  /// Keeps a call's opening frame, unless the mailbox or the connection has enough waiting
  /// [CAL-10].
  func wait(_ call: CallIndex, _ opening: Opening, _ line: WaitingLine) -> Failure? {
    let size: Int
    switch opening {
    case .header(let header, let content):
      size = content.count
      if let failure = checkRoom(call, size, line) { return failure }
      calls.at(call).pointee.opening = holdOpening(call, header, content)
    case .held:
      let record = calls.at(call)
      size = record.pointee.opening!.pointee.contentLength + record.pointee.input.heldBytes
      if let failure = checkRoom(call, size, line) { return failure }
    }
    calls.at(call).pointee.state = .waiting
    calls.at(call).pointee.waitingBytes = size
    calls.at(call).pointee.isUrgent = isExempt(call)
    return nil
  }

  private func checkRoom(_ call: CallIndex, _ size: Int, _ line: WaitingLine) -> Failure? {
    let isFull =
      line.count >= limits.mailboxMessagesMax
      || (line.count > 0 && line.bytes + size > limits.mailboxBytesMax)
    let origin = calls.at(call).pointee.origin
    let inMailboxes = connections.at(origin).pointee.mailboxBytes
    let isGreedy = inMailboxes > 0 && inMailboxes + size > limits.mailboxBytesPerConnectionMax
    guard isFull || isGreedy else { return nil }
    let what =
      isFull
      ? "\(line.count) messages of \(line.bytes) bytes wait already"
      : "\(inMailboxes) bytes of this connection wait already"
    return Failure(
      .mailboxFull, "\(address(of: call).text): \(what)", mayRetry: true,
      detail: ("retry_after_ms", .integer(100)))
  }

  func append(_ call: CallIndex, to line: inout WaitingLine) {
    insert(call, into: &line, behind: line.last)
  }

  /// Puts an urgent call before all that are not.
  func insertUrgent(_ call: CallIndex, into line: inout WaitingLine) {
    var previous: CallIndex = -1
    for _ in 0..<line.urgent {
      previous = previous < 0 ? line.first : calls.at(previous).pointee.nextWaiting
    }
    insert(call, into: &line, behind: previous)
  }

  private func insert(
    _ call: CallIndex, into line: inout WaitingLine, behind previous: CallIndex
  ) {
    let record = calls.at(call)
    let next = previous < 0 ? line.first : calls.at(previous).pointee.nextWaiting
    record.pointee.previousWaiting = previous
    record.pointee.nextWaiting = next
    if previous >= 0 { calls.at(previous).pointee.nextWaiting = call } else { line.first = call }
    if next >= 0 { calls.at(next).pointee.previousWaiting = call } else { line.last = call }
    line.count += 1
    line.bytes += record.pointee.waitingBytes
    if record.pointee.isUrgent { line.urgent += 1 }
    countWaiting(record, record.pointee.waitingBytes)
  }

  func remove(_ call: CallIndex, from line: inout WaitingLine) {
    let record = calls.at(call)
    let (previous, next) = (record.pointee.previousWaiting, record.pointee.nextWaiting)
    if previous >= 0 { calls.at(previous).pointee.nextWaiting = next } else { line.first = next }
    if next >= 0 { calls.at(next).pointee.previousWaiting = previous } else { line.last = previous }
    record.pointee.previousWaiting = -1
    record.pointee.nextWaiting = -1
    line.count -= 1
    line.bytes -= record.pointee.waitingBytes
    if record.pointee.isUrgent { line.urgent -= 1 }
    countWaiting(record, -record.pointee.waitingBytes)
    record.pointee.waitingBytes = 0
  }

  /// Charges what waits to the connection that it came from, as long as that is there.
  private func countWaiting(_ record: UnsafeMutablePointer<Call>, _ bytes: Int) {
    let origin = record.pointee.origin
    guard origin >= 0, connections.isUsed(origin),
      connections.at(origin).pointee.serial == record.pointee.originSerial
    else { return }
    connections.at(origin).pointee.mailboxBytes += bytes
  }

  /// More has come for a call that has not started: it counts as waiting [DAT-10]. False when too
  /// much does.
  func addWaiting(_ call: CallIndex, _ bytes: Int) -> Bool {
    let record = calls.at(call)
    if connections.at(record.pointee.origin).pointee.mailboxBytes + bytes
      > limits.mailboxBytesPerConnectionMax
    {
      return false
    }
    record.pointee.waitingBytes += bytes
    countWaiting(record, bytes)
    guard record.pointee.state == .waiting else { return true }
    if record.pointee.session >= 0 {
      sessions.at(record.pointee.session).pointee.mailbox.bytes += bytes
    } else {
      agents[Int(record.pointee.agent)].line.bytes += bytes
    }
    return true
  }

  /// What a lazy call brought no longer counts as waiting.
  func uncharge(_ call: CallIndex) {
    let record = calls.at(call)
    countWaiting(record, -record.pointee.waitingBytes)
    record.pointee.waitingBytes = 0
  }

  /// Takes a waiting call out of its mailbox or line.
  func withdraw(_ call: CallIndex) {
    let index = calls.at(call).pointee.session
    if index >= 0 {
      let session = sessions.at(index)
      remove(call, from: &session.pointee.mailbox)
      session.pointee.lastUsed = now
      guard session.pointee.replica >= 0 else { return }
      replicas.at(session.pointee.replica).pointee.waiting -= 1
      if session.pointee.isQueued, calls.at(call).pointee.isUrgent,
        session.pointee.mailbox.urgent == 0
      {
        // It stands before others for the sake of this call.
        leaveQueue(index)
        queueUp(index)
      }
    } else {
      remove(call, from: &agents[Int(calls.at(call).pointee.agent)].line)
    }
  }

  func mailboxesFull() -> Failure {
    Failure(
      .mailboxFull,
      "more than \(limits.mailboxBytesPerConnectionMax) bytes of this connection wait",
      mayRetry: true, detail: ("retry_after_ms", .integer(100)))
  }
}
