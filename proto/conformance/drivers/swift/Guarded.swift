import Synchronization

/// A value that any task may look at and change.
final class Guarded<Value: Sendable>: Sendable {
  private let mutex: Mutex<Value>

  init(_ value: Value) { mutex = Mutex(value) }

  var value: Value { mutex.withLock { $0 } }

  func set(_ value: Value) { mutex.withLock { $0 = value } }

  func change<Result: Sendable>(_ body: @Sendable (inout Value) -> Result) -> Result {
    mutex.withLock { value in body(&value) }
  }
}

/// Things by name.
final class Table<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private let entries = Guarded<[Key: Value]>([:])

  init() {}

  var all: [Value] { Array(entries.value.values) }

  subscript(key: Key) -> Value? {
    get { entries.value[key] }
    set { entries.change { $0[key] = newValue } }
  }
}

/// Something that happens once, with a value; the first counts.
final class Happening<Value: Sendable>: Sendable {
  private enum State: Sendable {
    case open([CheckedContinuation<Value, Never>])
    case happened(Value)
  }

  private let state = Guarded(State.open([]))

  init() {}

  /// False if it has happened before.
  @discardableResult
  func happen(_ value: Value) -> Bool {
    let waiters = state.change { state -> [CheckedContinuation<Value, Never>]? in
      guard case .open(let waiters) = state else { return nil }
      state = .happened(value)
      return waiters
    }
    for waiter in waiters ?? [] { waiter.resume(returning: value) }
    return waiters != nil
  }

  func value() async -> Value {
    await withCheckedContinuation { continuation in
      let value = state.change { state -> Value? in
        switch state {
        case .happened(let value): return value
        case .open(let waiters):
          state = .open(waiters + [continuation])
          return nil
        }
      }
      if let value { continuation.resume(returning: value) }
    }
  }
}

/// Lets those who come take turns, in the order in which they came.
final class Turns: Sendable {
  private let last = Guarded<Happening<Void>?>(nil)

  init() {}

  func take<Result>(_ body: () async throws -> Result) async rethrows -> Result {
    let own = Happening<Void>()
    let before = last.change { last in
      let before = last
      last = own
      return before
    }
    await before?.value()
    defer { own.happen(()) }
    return try await body()
  }
}
