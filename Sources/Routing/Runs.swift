internal import Wire

typealias RunIndex = Int32
typealias ReadingIndex = Int32

/// A call whose replies are kept, for many readers, early and late.
///
/// The call itself, its *root*, is placed and answered like any other; only that its replies go to
/// the log, and from there to who reads: each a `Call` record of its own, without a host. Links are
/// numbers of other records, -1 for none.
struct Run {
  /// Its key among the runs of its principal; good as long as the run is in the table.
  var id = UnsafeRawBufferPointer(start: nil, count: 0)
  /// Its principal, by the table's number.
  let owner: UInt32
  /// The address it was called at, in memory of its own.
  let to: UnsafeMutableRawBufferPointer
  /// A word of the router's `words`.
  let type: Int32
  /// Of what makes a repeat the same call.
  let digest: RunDigest
  let isDetached: Bool
  /// The call that is under way; -1 once it has ended.
  var root: CallIndex
  var log = RunLog()
  /// What is held of calls that are spliced into its own.
  var heldBytes = 0
  /// The code it ended with; nil: it has not, or well.
  var code: ErrorCode?
  /// The sidecar has ended it of itself.
  var isOwnEnd = false
  var firstReading: ReadingIndex = -1
  var lastReading: ReadingIndex = -1
  var readingCount: Int32 = 0
  /// Whose window its host goes by; -1: nobody's.
  var pacer: ReadingIndex = -1
  /// Who opened it, and gives it input.
  var opener: ReadingIndex = -1
  /// Runs while it has no readers and would end for that.
  var graceTimer: TimerIndex = -1
  let created: UInt64
  var ended: UInt64 = 0
  /// When it was last put among those that nobody reads.
  var idleSince: UInt64 = 0
  /// The list that it is in, and its neighbours there.
  var shelf: Int8 = -1
  var previous: RunIndex = -1
  var next: RunIndex = -1

  var isOpen: Bool { root >= 0 }
}

/// One reader of a run: what is special to a call that reads from a log.
struct Reading {
  let call: CallIndex
  let run: RunIndex
  /// The number of the frame that it gets next.
  var nextFrame: Int
  /// What it has still to get takes this from its window; counted while it may pace.
  var behind = 0
  /// It stands for the call that opened the run: its window may pace the host.
  let standsForOpener: Bool
  /// Its cancel ends the run.
  let endsRun: Bool
  /// It came in the middle of a message and waits for the next.
  var isSkipping = false
  let input: Input
  /// What it is permitted of input that is dropped.
  var inputAllowance = Limits.windowBytesDefault
  var previous: ReadingIndex = -1
  var next: ReadingIndex = -1

  /// What becomes of the input that it sends.
  enum Input {
    /// It may send none.
    case refused
    /// It was sent before: it is taken and dropped.
    case dropped
    /// It is the call's.
    case passedOn
  }
}
