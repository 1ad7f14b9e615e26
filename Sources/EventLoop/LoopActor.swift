internal import CLibuv

/// The isolation of everything that touches the event loop.
///
/// Objects of the loop are `@LoopActor` classes: they call each other synchronously, on one thread,
/// and the compiler rejects anyone else who tries. There is one loop in a process, and it lives as
/// long as the process: nothing ever stops it, a program drains its connections and exits.
///
/// A program that wants the loop on its main thread calls `runOnThisThread` before anything else
/// uses the actor; in any other program the first use starts a thread for it.
@globalActor
public actor LoopActor {
  public static let shared = LoopActor()

  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    LoopExecutor.shared.asUnownedSerialExecutor()
  }

  /// Whether the caller runs on the loop's thread.
  public static nonisolated var isCurrent: Bool { LoopExecutor.shared.isOnLoopThread }

  /// Runs the loop on the calling thread for the rest of the process; `start` is its first work.
  ///
  /// Traps when the loop already runs on another thread.
  public static nonisolated func runOnThisThread(_ start: @LoopActor () -> Void) -> Never {
    LoopExecutor.shared.claimThisThread()
    LoopActor.assumeIsolated(start)
    LoopExecutor.shared.run()
  }

  /// Recovers loop isolation inside a C callback. Traps when called off the loop's thread.
  @inline(__always)
  public static nonisolated func assumeIsolated<Result, Failure: Error>(
    _ body: @LoopActor () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(LoopExecutor.shared.isOnLoopThread, "not on the loop's thread")
    typealias Isolated = @LoopActor () throws(Failure) -> Result
    typealias Plain = () throws(Failure) -> Result
    return try withoutActuallyEscaping(body) { (body: @escaping Isolated) throws(Failure) in
      // The two types differ in what the compiler checks, not in how they are called.
      try unsafeBitCast(body, to: Plain.self)()
    }
  }

  /// Makes the loop look for events without waiting, and so run another turn, after this one.
  @LoopActor
  public static func requestTurn() {
    LoopExecutor.shared.requestTurn()
  }
}

/// The loop's own view of time.
public enum LoopClock {
  /// Milliseconds on a monotonic clock, as of the beginning of this turn (no system call).
  @LoopActor
  public static var turnMs: UInt64 { uv_now(LoopExecutor.shared.loop) }

  /// Nanoseconds on the same kind of clock, read now. From any thread.
  public static var nowNs: UInt64 { uv_hrtime() }

  /// Reads the clock anew after a long piece of work, so that timers set now count from now.
  @LoopActor
  public static func refresh() { uv_update_time(LoopExecutor.shared.loop) }
}
