internal import EventLoop
private import Foundation

public struct WaitedTooLong: Error, CustomStringConvertible {
  public let description: String
}

/// Comes back in the first turn of the loop in which `condition` holds; it is looked at after the
/// events of every turn and before the loop waits for more, and at a bound of time it throws.
@LoopActor
public func wait(
  for what: String, seconds: UInt64 = 120, _ condition: @escaping @LoopActor () -> Bool
) async throws {
  if condition() { return }
  var hooks: [LoopHook] = []
  var bound: LoopTimer?
  let held: Bool = await withCheckedContinuation { continuation in
    var isOver = false
    func finish(_ held: Bool) {
      if isOver { return }
      isOver = true
      continuation.resume(returning: held)
    }
    hooks = [LoopHook.Moment.afterEvents, .beforeWaiting].map { moment in
      LoopHook(moment) { if condition() { finish(true) } }
    }
    bound = LoopTimer { finish(condition()) }
    bound?.start(afterMs: seconds * 1000)
  }
  for hook in hooks { hook.remove() }
  bound?.close()
  if !held { throw WaitedTooLong(description: "still waiting for \(what) after \(seconds) s") }
}

/// A directory of the test's own, short enough for socket paths, gone with the value.
public final class TemporaryDirectory: Sendable {
  public let path: String

  public init() {
    self.path = NSTemporaryDirectory() + "cl-" + UUID().uuidString.prefix(8)
    try? FileManager.default.createDirectory(
      atPath: self.path, withIntermediateDirectories: true)
  }

  public func file(_ name: String) -> String { self.path + "/" + name }

  deinit { try? FileManager.default.removeItem(atPath: self.path) }
}
