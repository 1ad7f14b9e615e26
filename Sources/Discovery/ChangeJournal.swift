internal import Wire

/// The last changes of what discovery shows, one for each revision.
///
/// Bounded in number and, beyond the changes that are kept in any case, in bytes: who is further
/// behind gets everything anew.
struct ChangeJournal {
  struct Change {
    let name: [UInt8]
    /// How the agent was before; nil if it was not listed.
    let before: Appearance?
  }

  /// What is worth knowing of a card that is gone.
  struct Appearance {
    let labels: Labels
    let fingerprint: Int

    init(_ card: Card) {
      labels = card.labels
      fingerprint = card.fingerprint
    }
  }

  /// `discovery_changes_kept` in proto/limits.json.
  static let keptAtLeast = 1024
  // Enough for thousands of agents that come at once, as after a restart.
  static let changesMax = 16_384
  static let bytesMax = 4 << 20

  private var changes: [Change?] = []
  private var first = 0
  private var bytes = 0
  /// Of the newest change, or where numbering began.
  private(set) var revision: UInt64

  init(revision: UInt64) {
    self.revision = revision
  }

  mutating func append(_ name: UnsafeRawBufferPointer, before: Card?) {
    revision += 1
    let change = Change(name: Array(name), before: before.map(Appearance.init))
    changes.append(change)
    bytes += Self.cost(change)
    while count > Self.changesMax || (bytes > Self.bytesMax && count > Self.keptAtLeast) {
      dropFirst()
    }
  }

  private var count: Int { changes.count - first }

  private mutating func dropFirst() {
    guard let oldest = changes[first] else { return }
    bytes -= Self.cost(oldest)
    changes[first] = nil
    first += 1
    if first * 2 > changes.count + 64 {
      changes.removeFirst(first)
      first = 0
    }
  }

  private static func cost(_ change: Change) -> Int {
    change.name.count + (change.before?.labels.cost ?? 0) + 64
  }

  func knows(_ since: UInt64) -> Bool {
    since <= revision && revision - since <= UInt64(count)
  }

  /// For each name that changed after `since`, how it was then; nil when that is not known now.
  func before(since: UInt64) -> [[UInt8]: Appearance?]? {
    guard knows(since) else { return nil }
    var found: [[UInt8]: Appearance?] = [:]
    for change in changes[(changes.count - Int(revision - since))...] {
      guard let change else { continue }
      if found[change.name] == nil { found[change.name] = .some(change.before) }
    }
    return found
  }
}
