internal import Locking
internal import Wire

/// What an interrupt meets of a call that is being handled.
final class Interruption: Sendable {
  private struct State {
    /// The newest interrupt.
    var signal: Signal?
    /// Ends the handler; nil until it runs.
    var end: (@Sendable () -> Void)?
    var hasEnded = false
    /// What an interrupt ends, by ticket, innermost last.
    var blocks: [(ticket: Int, cancel: @Sendable () -> Void, by: Signal?)] = []
    var lastTicket = 0
    var children: [Child] = []
  }

  private struct Child {
    weak var call: Call?
  }

  private let state = Locked(State())

  var signal: Signal? { state.withLock { $0.signal } }
  /// Whether the handler has been ended by an interrupt.
  var hasEnded: Bool { state.withLock { $0.hasEnded } }

  /// The handler runs, and can be ended so.
  func begin(_ end: @escaping @Sendable () -> Void) {
    let isLate = state.withLock { state in
      state.end = end
      return state.hasEnded
    }
    if isLate { end() }
  }

  /// A call that the handler has made.
  func add(_ child: Call) {
    state.withLock { state in
      if state.children.count >= 16 { state.children.removeAll { $0.call == nil } }
      state.children.append(Child(call: child))
    }
  }

  /// Ends the calls in flight, and what stands inside of `interruptible`, or else the handler.
  /// That once: who was ended so is finishing.
  func interrupt(_ signal: Signal) {
    typealias Ends = (children: [Call], cancels: [@Sendable () -> Void])
    let ends = state.withLock { state -> Ends in
      state.signal = signal
      let children = state.children.compactMap(\.call)
      state.children = []
      if !state.blocks.isEmpty {
        for index in state.blocks.indices where state.blocks[index].by == nil {
          state.blocks[index].by = signal
        }
        return (children, state.blocks.map(\.cancel))
      }
      // Who was ended already is finishing.
      if state.hasEnded { return ([], []) }
      state.hasEnded = true
      return (children, state.end.map { [$0] } ?? [])
    }
    for call in ends.children { call.cancel() }
    for cancel in ends.cancels { cancel() }
  }

  /// Something begins that an interrupt ends.
  func enter(_ cancel: @escaping @Sendable () -> Void) -> Int {
    state.withLock { state in
      state.lastTicket += 1
      state.blocks.append((state.lastTicket, cancel, nil))
      return state.lastTicket
    }
  }

  /// It is over; returns what has interrupted it.
  func leave(_ ticket: Int) -> Signal? {
    state.withLock { state in
      guard let index = state.blocks.firstIndex(where: { $0.ticket == ticket }) else { return nil }
      return state.blocks.remove(at: index).by
    }
  }
}

extension AgentContext {
  /// The newest interrupt of the call; nil when there was none.
  public var interrupted: Signal? { interruption.signal }

  /// Does what an interrupt may end: `body` is cancelled then, with the calls in flight, and
  /// `Interrupted` is thrown. What comes behind is not cancelled: the agent may finish its reply.
  ///
  /// Without it, an interrupt for which there is no hook cancels the handler's task.
  public func interruptible<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let task = Task { try await body() }
    let ticket = interruption.enter { task.cancel() }
    let result = await withTaskCancellationHandler {
      await task.result
    } onCancel: {
      task.cancel()
    }
    let signal = interruption.leave(ticket)
    // Whatever it looked like to what was cancelled: some streams just end.
    if let signal, !Task.isCancelled { throw Interrupted(signal: signal) }
    return try result.get()
  }

  /// Whoever runs the handler says how it is ended.
  public func begin(ending end: @escaping @Sendable () -> Void) { interruption.begin(end) }

  /// The call is interrupted, and nothing else takes it.
  func interrupt(_ signal: Signal) { interruption.interrupt(signal) }

  /// A call has been made on behalf of this one, and ends when this is interrupted.
  public func made(_ call: Call) { interruption.add(call) }

  /// What the handler's error means: one that an interrupt has ended says so.
  func reported(_ error: any Error) -> AgentError {
    if error is Interrupted { return AgentError(.interrupted, "the call was interrupted") }
    let reported = AgentError(reporting: error)
    guard interruption.hasEnded, reported.code == .cancelled else { return reported }
    return AgentError(.interrupted, "the call was interrupted")
  }
}
