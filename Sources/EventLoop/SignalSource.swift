internal import CLibuv

/// Delivers a Unix signal to the loop, as an ordinary callback, for as long as it is open.
@LoopActor
public final class SignalSource: LoopHandle {
  private var onSignal: (@LoopActor () -> Void)?

  /// `signal` is the system's number, such as `SIGTERM`. Throws `EINVAL` for one that cannot be
  /// caught.
  public init(_ signal: Int32, onSignal: @escaping @LoopActor () -> Void) throws(StreamError) {
    let source = UnsafeMutablePointer<uv_signal_t>.allocate(capacity: 1)
    let status = uv_signal_init(LoopExecutor.shared.loop, source)
    if status < 0 {
      source.deallocate()
      throw StreamError(code: status)
    }
    self.onSignal = onSignal
    super.init(kind: .signal, memory: source)
    let started = uv_signal_start(
      source,
      { raw, _ in
        let me = Unmanaged<SignalSource>.fromOpaque(raw!.pointee.data!).takeUnretainedValue()
        LoopActor.assumeIsolated { me.didReceive() }
      }, signal)
    if started < 0 {
      self.close()
      throw StreamError(code: started)
    }
  }

  private func didReceive() {
    if !self.isClosing { self.onSignal?() }
  }

  override func didClose() { self.onSignal = nil }
}
