/// What a timer is for; it names the record that the timer belongs to.
public enum TimerKind: UInt8, Sendable {
  /// A call's time is over.
  case deadline
  /// A cancelled call has held its place long enough.
  case cancelGrace
  /// A session may have been idle long enough.
  case idle
  /// A host has had time enough to close a session.
  case closeGrace
  /// An agent has been without a replica long enough to be forgotten.
  case noReplica
  /// A run has had no readers long enough.
  case runGrace
  /// Runs that have ended may have been kept long enough.
  case runKept
  /// A connection has been given bytes that it does not read.
  case undrained
  /// A connection has said goodbye and its time is over.
  case goodbye
  /// A connection has not said hello, or has been silent.
  case liveness
  /// The sidecar's own drain.
  case drain
  /// Changes wait to be told to those who watch.
  case watch
}

/// The number of a timer that is set.
public typealias TimerIndex = Int32

/// Timers in slots of 10 ms: a hierarchy of five wheels of 64 slots each (Varghese and Lauck,
/// 1987).
///
/// Setting and cancelling cost a link and an unlink, however many there are. Time is what the owner
/// says it is, in milliseconds.
struct TimerWheel: ~Copyable {
  struct Entry {
    var tick: UInt64
    var previous: Int32
    var next: Int32
    var index: Int32
    var slot: Int16
    var kind: TimerKind
  }

  private static let slotMs: UInt64 = 10
  private static let bits: UInt64 = 6
  private static let levels = 5

  private var entries = Slab<Entry>()
  private var heads = [Int32](repeating: -1, count: 64 * Self.levels)
  private var occupied = [UInt64](repeating: 0, count: Self.levels)
  private var tick: UInt64

  init(now: UInt64) {
    tick = now / Self.slotMs
  }

  var count: Int { entries.count }

  /// Sets a timer that fires not before `due`; returns its number, for `cancel`.
  mutating func set(_ kind: TimerKind, _ index: Int32, due: UInt64) -> TimerIndex {
    let wanted = max((due + Self.slotMs - 1) / Self.slotMs, tick + 1)
    let timer = entries.insert(
      Entry(tick: wanted, previous: -1, next: -1, index: index, slot: 0, kind: kind))
    link(timer)
    return timer
  }

  mutating func cancel(_ timer: TimerIndex) {
    unlink(timer)
    entries.remove(timer)
  }

  /// When the owner should call `advance` next, in milliseconds; nil when nothing is set.
  func nextDue() -> UInt64? {
    guard entries.count > 0 else { return nil }
    return nextTick().map { $0 * Self.slotMs }
  }

  /// Moves time on to `now` and takes one timer that is due; call until it returns nil. A timer
  /// that was returned is gone.
  mutating func advance(to now: UInt64) -> (kind: TimerKind, index: Int32)? {
    let target = now / Self.slotMs
    while true {
      let head = heads[Int(tick & 63)]
      if head >= 0, entries.at(head).pointee.tick <= tick {
        let entry = entries.at(head).pointee
        cancel(head)
        return (entry.kind, entry.index)
      }
      guard let next = nextTick(), next <= target else {
        tick = max(tick, target)
        return nil
      }
      tick = next
      cascade()
    }
  }

  // The next tick at which something fires or moves a level down.
  private func nextTick() -> UInt64? {
    var next: UInt64?
    for level in 0..<Self.levels where occupied[level] != 0 {
      let shift = Self.bits * UInt64(level)
      let position = tick >> shift
      let from = (position + 1) & 63
      let ahead = (occupied[level] >> from) | (from == 0 ? 0 : occupied[level] << (64 - from))
      let candidate = (position + 1 + UInt64(ahead.trailingZeroBitCount)) << shift
      next = min(next ?? candidate, candidate)
    }
    return next
  }

  // Entries of the higher wheels whose slot begins at this tick go where they now belong.
  private mutating func cascade() {
    for level in 1..<Self.levels {
      let shift = Self.bits * UInt64(level)
      guard tick & ((1 << shift) - 1) == 0 else { return }
      let slot = 64 * level + Int((tick >> shift) & 63)
      while heads[slot] >= 0 {
        let timer = heads[slot]
        unlink(timer)
        link(timer)
      }
    }
  }

  private mutating func link(_ timer: Int32) {
    let entry = entries.at(timer)
    let wanted = max(entry.pointee.tick, tick)
    var level = 0
    while level < Self.levels - 1, (wanted - tick) >> (Self.bits * UInt64(level + 1)) != 0 {
      level += 1
    }
    let shift = Self.bits * UInt64(level)
    // What lies beyond the last wheel waits in its last slot and is placed again from there.
    let position = min(wanted >> shift, (tick >> shift) + 63)
    let slot = 64 * level + Int(position & 63)
    entry.pointee.slot = Int16(slot)
    entry.pointee.previous = -1
    entry.pointee.next = heads[slot]
    if heads[slot] >= 0 { entries.at(heads[slot]).pointee.previous = timer }
    heads[slot] = timer
    occupied[level] |= 1 << UInt64(position & 63)
  }

  private mutating func unlink(_ timer: Int32) {
    let entry = entries.at(timer).pointee
    if entry.previous >= 0 {
      entries.at(entry.previous).pointee.next = entry.next
    } else {
      heads[Int(entry.slot)] = entry.next
      if entry.next < 0 { occupied[Int(entry.slot) / 64] &= ~(1 << UInt64(entry.slot & 63)) }
    }
    if entry.next >= 0 { entries.at(entry.next).pointee.previous = entry.previous }
  }
}
