internal import Connections
internal import EventLoop
internal import Hosting
internal import Wire

/// How a call that reads a run goes on when its connection is lost.
struct RunReading: Sendable {
  enum Start: Sendable {
    /// The frame that comes next; the call opened the run, or reads what others opened.
    case frame(Int, isOpener: Bool)
    /// What comes next at the time; once it has, its number is not known.
    case tail(hasBegun: Bool)
  }

  let run: String
  var start: Start
  let windowBytes: Int
  let deadline: ContinuousClock.Instant?
  /// It has been taken up on another connection.
  var hasMoved = false

  /// The request to the agent `runs`.
  var request: Message {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("run", run)
    switch start {
    case .frame(let number, let isOpener):
      writer.key("from")
      writer.integer(Int64(number))
      if isOpener { writer.member("resume", true) }
    case .tail: writer.member("tail", true)
    }
    writer.endObject()
    return Message(writer.bytes, type: "Attach")
  }
}

/// A call that reads a run and has lost its connection.
struct CutCall: Sendable {
  let ends: OwnEnds
  let reading: RunReading

  /// Waits for the client's next connection, and goes on there.
  func goOn(_ client: Client?, after pause: Duration = .zero) {
    guard let client else {
      return end(AgentError(.connectionLost, "the client is gone"))
    }
    Task {
      do {
        try await Task.sleep(for: pause)
        let left = reading.deadline.map { $0 - .now }
        let link = try await client.link(within: left)
        if !link.mailbox.post(.goOn(self)) { goOn(client, after: .milliseconds(10)) }
      } catch let error as AgentError {
        end(error)
      } catch {
        end(AgentError(.cancelled, "the client was closed"))
      }
    }
  }

  func end(_ error: AgentError) {
    ends.inbox.finish(error)
  }
}

/// Calls that read runs, which outlive a connection.
extension Link {
  /// A frame of a run's replies has come: the next has the next number.
  func countFrame(_ id: UInt64) {
    guard !runReadings.isEmpty, let start = runReadings[id]?.start else { return }
    switch start {
    case .frame(let number, let isOpener):
      runReadings[id]?.start = .frame(number + 1, isOpener: isOpener)
    case .tail: runReadings[id]?.start = .tail(hasBegun: true)
    }
  }

  /// Whether a call that has ended here goes on elsewhere, or is made again.
  func goesOn(_ call: OwnCall, _ reading: RunReading, _ error: AgentError?) -> Bool {
    guard let error else { return false }
    if case .tail(hasBegun: true) = reading.start { return false }
    let cut = CutCall(ends: call.ends, reading: reading)
    call.ends.outlet?.close(error)
    if isLost {
      onCut(cut)
      return true
    }
    guard reading.hasMoved else { return false }
    if error.reason == "unknown_run" {
      cut.end(AgentError(.connectionLost, "the run '\(reading.run)' is not known any more"))
      return true
    }
    guard error.retry, let client = agents.client else { return false }
    cut.goOn(client, after: error.pauseBeforeRepeating(0))
    return true
  }

  /// Reads on where another connection was lost.
  func goOn(_ cut: CutCall) {
    var reading = cut.reading
    let lane = cut.ends.lane
    lane.move(to: mailbox)
    if lane.isCancelled { return cut.end(AgentError(.cancelled, "cancelled by its caller")) }
    reading.hasMoved = true
    let request = reading.request
    var call = OutgoingCall(to: "runs", first: Piece(request.content, type: request.type))
    call.windowBytes = max(0, reading.windowBytes - cut.ends.inbox.goOn())
    call.timeoutMs = reading.deadline.map { ($0 - .now).milliseconds }
    open(call, cut.ends, reading)
  }
}
