internal import CLibuv

/// What all handles of the loop share: who owns the memory, and how it ends.
///
/// libuv holds a reference from the moment a handle is made until its close callback has run, so a
/// handle that nobody closes never goes away, which the counters in `OpenHandles` show. Only
/// `close` closes; `deinit` merely asserts that it happened.
@LoopActor
public class LoopHandle {
  let kind: OpenHandles.Kind
  /// libuv's structure. It must not move, so it has its own allocation.
  let memory: UnsafeMutableRawPointer
  public private(set) final var isClosing = false
  private final var isFreed = false

  var asHandle: UnsafeMutablePointer<uv_handle_t> {
    self.memory.assumingMemoryBound(to: uv_handle_t.self)
  }

  /// Takes over memory that a `uv_*_init` has just filled.
  init(kind: OpenHandles.Kind, memory: UnsafeMutableRawPointer) {
    self.kind = kind
    self.memory = memory
    self.asHandle.pointee.data = Unmanaged.passRetained(self).toOpaque()
    OpenHandles.opened(kind)
  }

  /// Ends the handle. Callbacks still owed arrive first, with `ECANCELED`. Closing twice is
  /// allowed.
  public func close() {
    if self.isClosing { return }
    self.isClosing = true
    self.willClose()
    uv_close(self.asHandle) { raw in
      let handle = Unmanaged<LoopHandle>.fromOpaque(raw!.pointee.data!)
      LoopActor.assumeIsolated { handle.takeUnretainedValue().finishClosing() }
      handle.release()
    }
  }

  /// For what must happen while the descriptor is still open.
  func willClose() {}

  /// For letting go of closures and delegates, which may hold this handle's owner.
  func didClose() {}

  private func finishClosing() {
    self.didClose()
    self.memory.deallocate()
    self.isFreed = true
    OpenHandles.closed(self.kind)
  }

  deinit {
    let isFreed = self.isFreed
    assert(isFreed, "a handle of the loop went away without being closed")
  }
}

/// How many handles are open, by kind: zero of each after a test means that nothing leaks.
@LoopActor
public enum OpenHandles {
  public enum Kind: Int, CaseIterable, Sendable {
    case stream, listener, timer, wakeup, signal, process, hook
  }

  private static var counts = [Int](repeating: 0, count: Kind.allCases.count)

  public static func count(of kind: Kind) -> Int { self.counts[kind.rawValue] }

  public static var total: Int { self.counts.reduce(0, +) }

  /// For messages, for example `stream: 2, timer: 1`; empty when nothing is open.
  public static var summary: String {
    Kind.allCases.filter { self.count(of: $0) > 0 }
      .map { "\($0): \(self.count(of: $0))" }.joined(separator: ", ")
  }

  static func opened(_ kind: Kind) { self.counts[kind.rawValue] += 1 }

  static func closed(_ kind: Kind) { self.counts[kind.rawValue] -= 1 }
}
