internal import Wire

/// The runs there are: by principal and name, and in lists by what would go first if there were too
/// much of them.
struct RunTable: ~Copyable {
  private(set) var records = Slab<Run>()
  private var names = ByteTable()
  private var numbers: [Principal: UInt32] = [:]
  private var owners: [Principal] = []
  /// List 0 is of the ended runs that nobody reads, the one that was so first first. The others
  /// are of the rest, each of those with about as many bytes in their log.
  private var heads = [RunIndex](repeating: -1, count: Self.shelfCount)
  private var tails = [RunIndex](repeating: -1, count: Self.shelfCount)
  private var occupied: UInt64 = 0
  private static let shelfCount = 64

  deinit {
    records.forEach { _, run in Self.release(run) }
  }

  var count: Int { records.count }

  func isUsed(_ index: RunIndex) -> Bool { records.isUsed(index) }

  func at(_ index: RunIndex) -> UnsafeMutablePointer<Run> { records.at(index) }

  // MARK: Names

  func find(_ id: UnsafeRawBufferPointer, of principal: Principal) -> RunIndex? {
    guard let number = numbers[principal] else { return nil }
    return names.find(id, salt: number)
  }

  /// The number that stands for a principal.
  mutating func number(of principal: Principal) -> UInt32 {
    if let number = numbers[principal] { return number }
    let number = UInt32(owners.count)
    owners.append(principal)
    numbers[principal] = number
    return number
  }

  func owner(of index: RunIndex) -> Principal {
    owners[Int(at(index).pointee.owner)]
  }

  mutating func insert(_ run: Run, named id: UnsafeRawBufferPointer) -> RunIndex {
    let index = records.insert(run)
    at(index).pointee.id = names.insert(id, salt: run.owner, index)
    shelve(index)
    return index
  }

  mutating func remove(_ index: RunIndex) {
    unshelve(index)
    let run = at(index)
    names.remove(run.pointee.id, salt: run.pointee.owner)
    Self.release(run)
    records.remove(index)
  }

  private static func release(_ run: UnsafeMutablePointer<Run>) {
    run.pointee.log.removeAll()
    run.pointee.to.deallocate()
  }

  // MARK: Lists

  /// The ended run that has gone unread for longest; -1: none.
  var firstIdle: RunIndex { heads[0] }

  func isIdle(_ index: RunIndex) -> Bool { at(index).pointee.shelf == 0 }

  /// One of the runs that keep most, of those that are open or read, to within a factor of two;
  /// -1: none of them keeps anything.
  var largest: RunIndex {
    let shelves = occupied & ~0b11
    return shelves == 0 ? -1 : heads[63 - shelves.leadingZeroBitCount]
  }

  /// Puts a run into the list where it belongs now, if it is not there.
  mutating func shelve(_ index: RunIndex) {
    let shelf = shelf(at(index).pointee)
    guard at(index).pointee.shelf != shelf else { return }
    unshelve(index)
    let run = at(index)
    let last = tails[Int(shelf)]
    run.pointee.shelf = shelf
    run.pointee.previous = last
    run.pointee.next = -1
    if last >= 0 { at(last).pointee.next = index } else { heads[Int(shelf)] = index }
    tails[Int(shelf)] = index
    occupied |= 1 << UInt64(shelf)
  }

  private mutating func unshelve(_ index: RunIndex) {
    let run = at(index)
    let shelf = Int(run.pointee.shelf)
    guard shelf >= 0 else { return }
    let (previous, next) = (run.pointee.previous, run.pointee.next)
    if previous >= 0 { at(previous).pointee.next = next } else { heads[shelf] = next }
    if next >= 0 { at(next).pointee.previous = previous } else { tails[shelf] = previous }
    if heads[shelf] < 0 { occupied &= ~(1 << UInt64(shelf)) }
    run.pointee.shelf = -1
  }

  /// 0: ended and unread; 1: nothing kept; from 2 on by the logarithm of what is.
  private func shelf(_ run: Run) -> Int8 {
    if !run.isOpen, run.readingCount == 0 { return 0 }
    let bytes = run.log.bytes
    return Int8(min(1 + Int.bitWidth - bytes.leadingZeroBitCount, Self.shelfCount - 1))
  }
}
