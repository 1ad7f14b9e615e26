internal import EventLoop
internal import Hosting
internal import Wire

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Hears of SIGINT and SIGTERM, which then do not end the process, until it is stopped.
public struct SignalWatch: Sendable {
  private let sources: [SignalSource]

  /// Calls `body`, on the event loop, for each signal.
  @LoopActor
  private init(_ body: @escaping @Sendable () -> Void) throws {
    do {
      sources = try [SIGINT, SIGTERM].map { try SignalSource($0) { body() } }
    } catch {
      throw AgentError(.internal, "cannot wait for signals: \(error)")
    }
  }

  public static func start(_ body: @escaping @Sendable () -> Void) async throws -> SignalWatch {
    try await SignalWatch(body)
  }

  /// The signals do again what they did.
  public func stop() async {
    await close()
  }

  @LoopActor
  private func close() {
    for source in sources { source.close() }
  }
}
