/// What goes before its turn among the replies of a call: its own messages that are not bound to
/// their place, and calls spliced in that are not.
struct Lane {
  /// The call's own; only the queue of it is used.
  var messages = Direction(window: 0, allowance: 0)
  /// Unordered inner calls that have not ended.
  var inners = 0
  /// Those of them that may have something to deliver, as they came; all that have are here.
  private var ready: [CallIndex] = []
  private var head = 0

  /// The one that has waited longest.
  var firstReady: CallIndex? { head < ready.count ? ready[head] : nil }

  var allReady: ArraySlice<CallIndex> { ready[head...] }

  mutating func addReady(_ inner: CallIndex) {
    ready.append(inner)
  }

  mutating func removeFirstReady() {
    head += 1
    guard head == ready.count || head >= 64 && head * 2 >= ready.count else { return }
    ready.removeFirst(head)
    head = 0
  }

  /// All of them end with their outer.
  mutating func forgetInners() {
    inners = 0
    ready = []
    head = 0
  }

  /// One that has ended, wherever it stands.
  mutating func removeReady(_ inner: CallIndex) {
    if firstReady == inner { return removeFirstReady() }
    if let place = ready[head...].firstIndex(of: inner) { ready.remove(at: place) }
  }
}
