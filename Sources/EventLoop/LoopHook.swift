/// Work that belongs to every turn of the loop, such as flushing what its events have written.
///
/// Hooks of one moment run in the order in which they were added, after the Swift jobs of the turn.
/// `remove` ends it; a hook that is not removed lives as long as the process.
@LoopActor
public final class LoopHook {
  public enum Moment: Sendable {
    /// After timers and before the loop waits for events: the last chance to write what they
    /// caused.
    case beforeWaiting
    /// After all events that were there have been delivered.
    case afterEvents
  }

  let moment: Moment
  private(set) var run: (@LoopActor () -> Void)?

  public init(_ moment: Moment, _ run: @escaping @LoopActor () -> Void) {
    self.moment = moment
    self.run = run
    LoopExecutor.shared.hooks.add(self)
    OpenHandles.opened(.hook)
  }

  /// Nothing is run from now on, and what the work captured is let go.
  public func remove() {
    if self.run == nil { return }
    self.run = nil
    LoopExecutor.shared.hooks.remove(self)
    OpenHandles.closed(.hook)
  }
}

struct LoopHooks {
  private var beforeWaiting: [LoopHook] = []
  private var afterEvents: [LoopHook] = []

  @LoopActor
  func run(_ moment: LoopHook.Moment) {
    // A copy of the list, so that hooks may come and go while it is run.
    for hook in moment == .beforeWaiting ? self.beforeWaiting : self.afterEvents {
      if let run = hook.run { run() }
    }
  }

  @LoopActor
  mutating func add(_ hook: LoopHook) {
    switch hook.moment {
    case .beforeWaiting: self.beforeWaiting.append(hook)
    case .afterEvents: self.afterEvents.append(hook)
    }
  }

  @LoopActor
  mutating func remove(_ hook: LoopHook) {
    self.beforeWaiting.removeAll { $0 === hook }
    self.afterEvents.removeAll { $0 === hook }
  }
}
