private import Dispatch
private import Synchronization

/// An event that a test waits for, with a bound.
///
/// Whoever sees the event calls `happened`, from any thread, the first time counts; one task waits.
public final class Awaited<Value: Sendable>: Sendable {
  public struct TimedOut: Error, CustomStringConvertible {
    public let description: String
  }

  private enum State {
    case nothing
    case waiting(CheckedContinuation<Value, any Error>)
    case happened(Value)
    case over
  }

  private let state = Mutex<State>(.nothing)
  private let what: String

  /// - Parameter what: the event in words, for the report when it does not come.
  public init(_ what: String) {
    self.what = what
  }

  public func happened(_ value: sending Value) {
    let value = value
    state.withLock { state in
      switch state {
      case .nothing: state = .happened(value)
      case .waiting(let continuation):
        state = .over
        continuation.resume(returning: value)
      case .happened, .over: break
      }
    }
  }

  /// Waits until it happened; throws `TimedOut` when it has not within `seconds`.
  public func value(seconds: Int = 5) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      let isWaiting = state.withLock { state in
        switch state {
        case .happened(let value):
          state = .over
          continuation.resume(returning: value)
          return false
        case .nothing:
          state = .waiting(continuation)
          return true
        case .waiting, .over: preconditionFailure("awaited twice: \(what)")
        }
      }
      guard isWaiting else { return }
      DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(seconds)) { [self] in
        state.withLock { state in
          guard case .waiting(let continuation) = state else { return }
          state = .over
          continuation.resume(throwing: TimedOut(description: "not within \(seconds) s: \(what)"))
        }
      }
    }
  }
}

extension Awaited where Value == Void {
  public func happened() { happened(()) }
}
