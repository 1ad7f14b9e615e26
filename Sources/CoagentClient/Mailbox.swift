internal import Connections
internal import EventLoop
internal import Hosting
internal import Locking
internal import Wire

/// The id of an own call, which it has once the loop has written it, and the connection whose id it
/// is.
final class Lane: Sendable {
  @LoopActor var id: UInt64 = 0
  private let state: Locked<(mailbox: Mailbox?, isCancelled: Bool)>

  init(_ mailbox: Mailbox? = nil) { state = Locked((mailbox, false)) }

  /// Where there is no connection, or none any more, nothing is done.
  func post(_ command: Command) {
    state.withLock { $0.mailbox }?.post(command)
  }

  func cancel() {
    state.withLock { $0.isCancelled = true }
    post(.cancel(self))
  }

  /// Its caller has had enough.
  var isCancelled: Bool { state.withLock { $0.isCancelled } }

  /// It goes on by another connection.
  func move(to mailbox: Mailbox) {
    state.withLock { $0.mailbox = mailbox }
  }
}

/// The ends of an own call, as the loop needs them.
struct OwnEnds: Sendable {
  let lane: Lane
  let inbox: Inbox
  let outlet: Outlet?
  /// Told when the call is written, or why it cannot be.
  var written: Answer?
  /// Told when a message that travels in parts has gone out, or the call has ended.
  var sent: Answer?
}

/// What tasks ask of the loop.
enum Command: Sendable {
  case call(OutgoingCall, OwnEnds, RunReading?)
  /// A call that reads a run goes on.
  case goOn(CutCall)
  case send(OutgoingCall, Answer?)
  case register(RegisteredAgent, Answer)
  case publish(OutgoingPublication, Answer?)
  case subscribe(TopicReader, Lane, Answer)
  case signal(SignalCommand, Answer?)
  /// A signal has been given to an agent here; the line that it stood in, its id, its answer.
  case signalled(String, UInt64?, AgentError?)
  case cancel(Lane)
  /// A frame of an own call's input.
  case input(Lane, Piece)
  case endInput(Lane)
  case consumedReplies(Lane, Int)
  /// A frame of a hosted call's replies.
  case reply(UInt64, Outlet.Frame)
  case consumedInput(UInt64, Int)
  /// A hosted call has come to its end.
  case finish(UInt64, AgentError?)
  /// The instance of a closed session is freed.
  case closed(UInt64)
  case ping(Answer)
  case leave(Duration)
}

/// One answer that somebody waits for: nil for yes, or why not.
final class Answer: Sendable {
  private enum State {
    case open
    case waiting(CheckedContinuation<AgentError?, Never>)
    case given(AgentError?)
    case over
  }

  private let state = Locked(State.open)

  init() {}

  /// The first answer counts.
  func give(_ error: AgentError?) {
    let waiter = state.withLock { state -> CheckedContinuation<AgentError?, Never>? in
      switch state {
      case .open:
        state = .given(error)
        return nil
      case .waiting(let continuation):
        state = .over
        return continuation
      case .given, .over: return nil
      }
    }
    waiter?.resume(returning: error)
  }

  /// Waits for the answer, or for the end of the task; once.
  func value() async throws {
    let error = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let given = state.withLock { state -> AgentError?? in
          switch state {
          case .given(let error):
            state = .over
            return .some(error)
          case .open:
            state = .waiting(continuation)
            return nil
          case .waiting, .over: preconditionFailure("an answer was awaited twice")
          }
        }
        if let given { continuation.resume(returning: given) }
      }
    } onCancel: {
      give(AgentError(.cancelled, "the task was cancelled"))
    }
    try Task.checkCancellation()
    if let error { throw error }
  }
}

/// Commands on their way to the loop: one wake-up for all that come together.
final class Mailbox: Sendable {
  private struct State {
    var commands: [Command] = []
    var isOpen = true
  }

  private let state = Locked(State())
  private let wake: @Sendable () -> Void

  init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

  /// False when the connection is over; nothing will be done then.
  @discardableResult
  func post(_ command: Command) -> Bool {
    let (isOpen, isFirst) = state.withLock { state in
      guard state.isOpen else { return (false, false) }
      state.commands.append(command)
      return (true, state.commands.count == 1)
    }
    if isFirst { wake() }
    return isOpen
  }

  func take() -> [Command] {
    state.withLock { state in
      var taken: [Command] = []
      swap(&taken, &state.commands)
      return taken
    }
  }

  /// Nothing is taken from now on; returns what was still under way.
  func close() -> [Command] {
    state.withLock { state in
      state.isOpen = false
      defer { state.commands = [] }
      return state.commands
    }
  }
}
