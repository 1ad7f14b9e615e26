/// Records by number, in chunks that never move: a pointer to a record is good until it is freed.
///
/// Freed numbers are used again, last first, so the records in use stay close together.
struct Slab<Element: ~Copyable>: ~Copyable {
  private var chunks: [UnsafeMutablePointer<Element>] = []
  private var free: [Int32] = []
  private var live: [Bool] = []
  private var used: Int32 = 0
  private(set) var count = 0
  private static var chunkBits: Int32 { 8 }
  private static var chunkSize: Int32 { 1 << chunkBits }

  deinit {
    // Records hold trivial values or are freed one by one by their owner before this.
    for chunk in chunks { chunk.deallocate() }
  }

  @inline(__always)
  func at(_ index: Int32) -> UnsafeMutablePointer<Element> {
    chunks[Int(index >> Self.chunkBits)] + Int(index & (Self.chunkSize - 1))
  }

  mutating func insert(_ element: consuming Element) -> Int32 {
    count += 1
    let index: Int32
    if let last = free.popLast() {
      index = last
    } else {
      if used == Int32(chunks.count) << Self.chunkBits {
        chunks.append(.allocate(capacity: Int(Self.chunkSize)))
      }
      index = used
      used += 1
      live.append(false)
    }
    live[Int(index)] = true
    at(index).initialize(to: element)
    return index
  }

  mutating func remove(_ index: Int32) {
    at(index).deinitialize(count: 1)
    live[Int(index)] = false
    free.append(index)
    count -= 1
  }

  func isUsed(_ index: Int32) -> Bool {
    live[Int(index)]
  }

  func forEach(_ body: (Int32, UnsafeMutablePointer<Element>) -> Void) {
    for index in 0..<used where live[Int(index)] { body(index, at(index)) }
  }

  /// The numbers in use, in order. For listings, not for the hot path.
  func indices() -> [Int32] {
    (0..<used).filter { live[Int($0)] }
  }
}
