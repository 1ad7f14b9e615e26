internal import Glibc

/// Finds a number by a key of bytes: open addressing, keys compared by memcmp.
///
/// Keys are never `String`s: Swift compares those by canonical equivalence, and two spellings of
/// one letter are two names here. `salt` tells apart equal keys of different owners (a session's
/// agent).
public struct ByteTable: ~Copyable {
  private struct Entry {
    var key: UnsafeMutableRawPointer?
    var length: UInt32
    var salt: UInt32
    var hash: UInt32
    var value: Int32
  }

  private var entries: UnsafeMutablePointer<Entry>
  private var capacity: Int
  public private(set) var count = 0
  private let seed: UInt64

  public init() {
    capacity = 16
    entries = Self.blank(16)
    seed = UInt64.random(in: 1...UInt64.max)
  }

  deinit {
    for index in 0..<capacity { free(entries[index].key) }
    entries.deallocate()
  }

  /// The value stored under `key`, or nil.
  public func find(_ key: UnsafeRawBufferPointer, salt: UInt32 = 0) -> Int32? {
    let slot = locate(key, salt, hash(key, salt))
    return entries[slot].key == nil ? nil : entries[slot].value
  }

  /// Stores `value` under a key that is not there yet; the key is copied. Returns the copy, which
  /// stays where it is until the key is removed.
  @discardableResult
  public mutating func insert(
    _ key: UnsafeRawBufferPointer, salt: UInt32 = 0, _ value: Int32
  ) -> UnsafeRawBufferPointer {
    if (count + 1) * 4 > capacity * 3 { grow() }
    let hash = hash(key, salt)
    let slot = locate(key, salt, hash)
    precondition(entries[slot].key == nil, "key inserted twice")
    let copy = malloc(max(key.count, 1))!
    if key.count > 0 { memcpy(copy, key.baseAddress!, key.count) }
    entries[slot] = Entry(
      key: copy, length: UInt32(key.count), salt: salt, hash: hash, value: value)
    count += 1
    return UnsafeRawBufferPointer(start: copy, count: key.count)
  }

  /// Removes `key`; its copy is freed.
  public mutating func remove(_ key: UnsafeRawBufferPointer, salt: UInt32 = 0) {
    var hole = locate(key, salt, hash(key, salt))
    guard let copy = entries[hole].key else { return }
    count -= 1
    // Close the gap: entries behind it that would no longer be found move up (Knuth, 6.4 R).
    var next = (hole + 1) & (capacity - 1)
    while entries[next].key != nil {
      let home = Int(entries[next].hash) & (capacity - 1)
      if (next &- home) & (capacity - 1) >= (next &- hole) & (capacity - 1) {
        entries[hole] = entries[next]
        hole = next
      }
      next = (next + 1) & (capacity - 1)
    }
    entries[hole].key = nil
    free(copy)
  }

  private func locate(_ key: UnsafeRawBufferPointer, _ salt: UInt32, _ hash: UInt32) -> Int {
    var slot = Int(hash) & (capacity - 1)
    while let stored = entries[slot].key {
      if entries[slot].hash == hash, entries[slot].salt == salt,
        entries[slot].length == UInt32(key.count),
        key.count == 0 || memcmp(stored, key.baseAddress!, key.count) == 0
      {
        return slot
      }
      slot = (slot + 1) & (capacity - 1)
    }
    return slot
  }

  /// A seeded multiply-and-fold hash (after wyhash), so that peers cannot aim at one slot.
  private func hash(_ key: UnsafeRawBufferPointer, _ salt: UInt32) -> UInt32 {
    var state = seed ^ (UInt64(salt) &* 0x9E37_79B9_7F4A_7C15)
    guard var at = key.baseAddress, key.count > 0 else { return Self.fold(state, 0) }
    let end = at + key.count
    while end - at > 16 {
      state = Self.mix(
        at.loadUnaligned(as: UInt64.self) ^ 0xA076_1D64_78BD_642F,
        at.loadUnaligned(fromByteOffset: 8, as: UInt64.self) ^ state)
      at += 16
    }
    // The last 1 to 16 bytes as two words, which may overlap.
    let left = end - at
    let first: UInt64
    let second: UInt64
    if left >= 8 {
      first = at.loadUnaligned(as: UInt64.self)
      second = (end - 8).loadUnaligned(as: UInt64.self)
    } else if left >= 4 {
      first = UInt64(at.loadUnaligned(as: UInt32.self))
      second = UInt64((end - 4).loadUnaligned(as: UInt32.self))
    } else {
      first = UInt64(at.load(as: UInt8.self)) << 8 | UInt64((end - 1).load(as: UInt8.self))
      second = UInt64((at + left / 2).load(as: UInt8.self))
    }
    state = Self.mix(first ^ 0xE703_7ED1_A0B4_28DB, second ^ state)
    return Self.fold(state, UInt64(key.count))
  }

  private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }

  private static func fold(_ state: UInt64, _ length: UInt64) -> UInt32 {
    let mixed = mix(state ^ length, 0x8EBC_6AF0_9C88_C6E3)
    return UInt32(truncatingIfNeeded: mixed ^ mixed >> 32)
  }

  private mutating func grow() {
    let old = entries
    let oldCapacity = capacity
    capacity *= 2
    entries = Self.blank(capacity)
    for index in 0..<oldCapacity where old[index].key != nil {
      var slot = Int(old[index].hash) & (capacity - 1)
      while entries[slot].key != nil { slot = (slot + 1) & (capacity - 1) }
      entries[slot] = old[index]
    }
    old.deallocate()
  }

  private static func blank(_ capacity: Int) -> UnsafeMutablePointer<Entry> {
    let entries = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
    entries.initialize(
      repeating: Entry(key: nil, length: 0, salt: 0, hash: 0, value: 0), count: capacity)
    return entries
  }
}
