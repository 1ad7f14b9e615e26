internal import Connections
public import Hosting
internal import Locking
internal import Wire

/// Signals, as tasks send them.
extension Client {
  /// Signals an agent, a session or a run; returns when the sidecar has answered, and throws what
  /// it answered. A signal that nobody has seen is repeated.
  public func signal(
    _ target: SignalTarget, _ name: String, _ payload: Message?, options: SignalOptions
  ) async throws {
    try await repeating(options) { time in
      let link = try await signalLink(within: time, for: parent(Self.asking(options)))
      let concerned: SignalCommand.Concerned =
        switch target {
        case .address(let to): .target(.address(to))
        case .run(let run): .target(.run(run))
        }
      try await send(concerned, name, payload, options, within: time, on: link) { command in
        link.mailbox.post(command)
      }
    }
  }

  /// Signals a call that was opened here, by the connection that has it.
  func signal(
    _ lane: Lane, _ name: String, _ payload: Message?, options: SignalOptions = SignalOptions()
  ) async throws {
    try await repeating(options) { time in
      try await send(.lane(lane), name, payload, options, within: time, on: nil) { command in
        lane.post(command)
        return true
      }
    }
  }

  private func repeating(
    _ options: SignalOptions, _ body: (Duration) async throws -> Void
  ) async throws {
    let end = ContinuousClock.now + options.timeout
    var repeats = 0
    while true {
      do {
        return try await body(max(.zero, end - .now))
      } catch let error as AgentError where error.retry && repeats < options.repeatsMax {
        try await Task.sleep(for: error.pauseBeforeRepeating(repeats))
        repeats += 1
      }
    }
  }

  private static func asking(_ options: SignalOptions) -> CallOptions {
    var asking = CallOptions()
    asking.from = options.from
    asking.isIndependent = options.isIndependent
    return asking
  }

  /// A connection that takes nothing new takes signals still.
  private func signalLink(
    within time: Duration, for context: AgentContext?
  ) async throws -> Link {
    if let leaving = state.withLock({ $0.leaving }) { return leaving }
    return try await link(within: time, for: context)
  }

  private func send(
    _ concerned: SignalCommand.Concerned, _ name: String, _ payload: Message?,
    _ options: SignalOptions, within time: Duration, on link: Link?,
    _ post: (Command) -> Bool
  ) async throws {
    var signal = SignalCommand(
      concerned: concerned, name: name, payload: try payload.map { try Self.piece(of: $0) })
    signal.from = options.from
    if let link {
      var call = OutgoingCall(to: "", first: nil)
      try inherit(Self.asking(options), into: &call, link)
      signal.parent = call.parent
    }
    let answer = options.isAcknowledged ? Answer() : nil
    guard post(.signal(signal, answer)) else { throw Self.lost }
    guard let answer else { return }
    let late = AgentError(.deadline, "the signal was not answered in time")
    let alarm = Task {
      try await Task.sleep(for: time)
      answer.give(late)
    }
    defer { alarm.cancel() }
    do {
      try await answer.value()
    } catch {
      // Whoever does not wait any more says so; where it was answered, that is dropped.
      if error is CancellationError || error as? AgentError == late {
        _ = post(.cancel(signal.lane))
      }
      throw error
    }
  }
}

/// A signal on its way to the loop.
struct SignalCommand: Sendable {
  enum Concerned: Sendable {
    case target(OutgoingSignal.Target)
    case lane(Lane)
  }

  let concerned: Concerned
  let name: String
  let payload: Piece?
  var from = ""
  var parent: UInt64?
  /// Its own id, once it is written.
  let lane = Lane()

  init(concerned: Concerned, name: String, payload: Piece?) {
    self.concerned = concerned
    self.name = name
    self.payload = payload
  }
}
