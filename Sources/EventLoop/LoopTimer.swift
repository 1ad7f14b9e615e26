internal import CLibuv

/// Calls back once after a delay, or again and again. Times are those of the loop: a timer set in a
/// turn counts from the beginning of that turn.
@LoopActor
public final class LoopTimer: LoopHandle {
  private var onFire: (@LoopActor () -> Void)?

  private var timer: UnsafeMutablePointer<uv_timer_t> {
    self.memory.assumingMemoryBound(to: uv_timer_t.self)
  }

  /// A stopped timer. `onFire` is kept until the timer is closed.
  public init(onFire: @escaping @LoopActor () -> Void) {
    let timer = UnsafeMutablePointer<uv_timer_t>.allocate(capacity: 1)
    mustSucceed(uv_timer_init(LoopExecutor.shared.loop, timer), "uv_timer_init")
    self.onFire = onFire
    super.init(kind: .timer, memory: timer)
  }

  public var isActive: Bool { !self.isClosing && uv_is_active(self.asHandle) != 0 }

  /// Fires once, `delayMs` milliseconds from this turn's time. Replaces an earlier start.
  public func start(afterMs delayMs: UInt64) {
    self.start(delayMs, repeatMs: 0)
  }

  /// Fires every `periodMs` milliseconds (at least 1), the first time after one period.
  public func start(everyMs periodMs: UInt64) {
    precondition(periodMs > 0, "a period of 0 ms would never end")
    self.start(periodMs, repeatMs: periodMs)
  }

  private func start(_ delayMs: UInt64, repeatMs: UInt64) {
    precondition(!self.isClosing, "a closed timer was started")
    let status = uv_timer_start(
      self.timer,
      { raw in
        let me = Unmanaged<LoopTimer>.fromOpaque(raw!.pointee.data!).takeUnretainedValue()
        LoopActor.assumeIsolated { me.didFire() }
      }, delayMs, repeatMs)
    mustSucceed(status, "uv_timer_start")
  }

  /// Does not fire until it is started again. May be called at any time.
  public func stop() {
    if !self.isClosing { uv_timer_stop(self.timer) }
  }

  private func didFire() { self.onFire?() }

  override func didClose() { self.onFire = nil }
}
