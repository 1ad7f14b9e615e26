internal import CLibuv
internal import Locking

/// Wakes the loop from any thread. Several sends before the loop comes to it are one wake-up, so
/// `onWake` must take everything that is there.
@LoopActor
public final class Wakeup: LoopHandle {
  /// A send must not race the close of the handle, so both happen under this lock.
  private let isOpen = Locked(true)
  private nonisolated let address: UInt
  private var onWake: (@LoopActor () -> Void)?

  /// Throws `EMFILE` and the like when the loop cannot make its wake-up descriptor.
  public init(onWake: @escaping @LoopActor () -> Void) throws(StreamError) {
    let async = UnsafeMutablePointer<uv_async_t>.allocate(capacity: 1)
    let status = uv_async_init(LoopExecutor.shared.loop, async) { raw in
      let me = Unmanaged<Wakeup>.fromOpaque(raw!.pointee.data!).takeUnretainedValue()
      LoopActor.assumeIsolated { me.didWake() }
    }
    if status < 0 {
      async.deallocate()
      throw StreamError(code: status)
    }
    self.onWake = onWake
    self.address = UInt(bitPattern: async)
    super.init(kind: .wakeup, memory: async)
  }

  /// From any thread. Does nothing once the wake-up is closed.
  public nonisolated func send() {
    self.isOpen.withLock { isOpen in
      guard isOpen else { return }
      let async = UnsafeMutablePointer<uv_async_t>(bitPattern: self.address)
      mustSucceed(uv_async_send(async), "uv_async_send")
    }
  }

  private func didWake() {
    if !self.isClosing { self.onWake?() }
  }

  override func willClose() { self.isOpen.withLock { $0 = false } }

  override func didClose() { self.onWake = nil }
}
