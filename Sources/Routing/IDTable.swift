/// What the open ids of one connection stand for: open addressing by id.
///
/// An id's place is a multiple of it that nobody outside knows: clients choose their ids, and may
/// not aim them at one place. An empty table holds no memory to speak of.
struct IDTable: ~Copyable {
  /// What an id opened.
  enum Kind: UInt8 {
    /// A call this connection made, or a send that waits for its `ok`.
    case made
    /// A call this connection handles.
    case hosted
    /// A registration.
    case registration
    /// A `close` that waits for its `ok`.
    case closing
    /// A subscription.
    case subscription
    /// A signal of this connection's that waits for its answer.
    case signal
    /// A signal that this connection was given and has to answer.
    case givenSignal
  }

  struct Entry {
    var id: UInt64
    var index: Int32
    var kind: Kind
  }

  /// What an empty table keeps, in entries of 16 bytes: a client that again and again has this many
  /// calls in flight, and then none, should not make the table anew each time.
  private static let keptCapacity = 256

  private var entries: UnsafeMutablePointer<Entry>?
  private var capacity = 0
  private var shift: UInt64 = 64
  private let multiplier = UInt64.random(in: 0...UInt64.max) | 1
  private(set) var count = 0

  deinit {
    entries?.deallocate()
  }

  @inline(__always)
  func find(_ id: UInt64) -> Entry? {
    guard count > 0, let entries else { return nil }
    var slot = home(id)
    while entries[slot].id != id {
      if entries[slot].id == 0 { return nil }
      slot = (slot + 1) & (capacity - 1)
    }
    return entries[slot]
  }

  mutating func insert(_ id: UInt64, _ kind: Kind, _ index: Int32) {
    if (count + 1) * 2 > capacity { resize(to: max(capacity * 2, 16)) }
    place(Entry(id: id, index: index, kind: kind))
    count += 1
  }

  mutating func remove(_ id: UInt64) {
    guard count > 0, let entries else { return }
    var hole = home(id)
    while entries[hole].id != id {
      if entries[hole].id == 0 { return }
      hole = (hole + 1) & (capacity - 1)
    }
    count -= 1
    if count == 0, capacity > Self.keptCapacity {
      entries.deallocate()
      self.entries = nil
      capacity = 0
      return
    }
    var next = (hole + 1) & (capacity - 1)
    while entries[next].id != 0 {
      let home = home(entries[next].id)
      if (next &- home) & (capacity - 1) >= (next &- hole) & (capacity - 1) {
        entries[hole] = entries[next]
        hole = next
      }
      next = (next + 1) & (capacity - 1)
    }
    entries[hole].id = 0
  }

  /// All entries, by id. For the end of a connection and for listings.
  func all() -> [Entry] {
    guard let entries else { return [] }
    return (0..<capacity).map { entries[$0] }.filter { $0.id != 0 }.sorted { $0.id < $1.id }
  }

  @inline(__always)
  private func home(_ id: UInt64) -> Int {
    Int(truncatingIfNeeded: (id &* multiplier) &>> shift)
  }

  private mutating func place(_ entry: Entry) {
    var slot = home(entry.id)
    while entries![slot].id != 0 { slot = (slot + 1) & (capacity - 1) }
    entries![slot] = entry
  }

  private mutating func resize(to size: Int) {
    let old = entries
    let oldCapacity = capacity
    entries = .allocate(capacity: size)
    entries!.initialize(repeating: Entry(id: 0, index: 0, kind: .made), count: size)
    capacity = size
    shift = UInt64(64 - size.trailingZeroBitCount)
    guard let old else { return }
    for slot in 0..<oldCapacity where old[slot].id != 0 { place(old[slot]) }
    old.deallocate()
  }
}
