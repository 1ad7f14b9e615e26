import CoagentClient

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Ctrl-C: cancels what runs, so that it is cancelled down to the agents; twice ends the program.
enum Interrupt {
  /// Runs `body` in a task that Ctrl-C (or SIGTERM) cancels.
  static func cancelling<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    let task = Task { try await body() }
    let signals = try await SignalWatch.start {
      if task.isCancelled { _exit(Complaint.interrupted) }
      task.cancel()
    }
    let result = await task.result
    await signals.stop()
    // Whatever it looked like to those who were interrupted.
    if task.isCancelled, case .failure = result { throw CancellationError() }
    return try result.get()
  }
}
