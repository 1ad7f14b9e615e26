/// Records by number, in chunks that never move: a pointer to a record is good until it is freed.
///
/// Freed numbers are used again, last first, so the records in use stay close together.
struct Slab<Element: ~Copyable>: ~Copyable {
  private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<Element>>
  private var chunkCount: Int32 = 0
  private var chunkRoom: Int32 = 8
  private var live: UnsafeMutablePointer<Bool>
  private var free: [Int32] = []
  private var used: Int32 = 0
  private(set) var count = 0
  private static var chunkBits: Int32 { 8 }
  private static var chunkSize: Int32 { 1 << chunkBits }

  init() {
    chunks = .allocate(capacity: 8)
    live = .allocate(capacity: 8 << Int(Self.chunkBits))
  }

  deinit {
    for index in 0..<used where live[Int(index)] { at(index).deinitialize(count: 1) }
    for chunk in 0..<chunkCount { chunks[Int(chunk)].deallocate() }
    chunks.deallocate()
    live.deallocate()
  }

  @inline(__always)
  func at(_ index: Int32) -> UnsafeMutablePointer<Element> {
    assert(isUsed(index), "a record that is not in use")
    return chunks[Int(index >> Self.chunkBits)] + Int(index & (Self.chunkSize - 1))
  }

  @inline(__always)
  func isUsed(_ index: Int32) -> Bool {
    index >= 0 && index < used && live[Int(index)]
  }

  mutating func insert(_ element: consuming Element) -> Int32 {
    count += 1
    let index: Int32
    if let last = free.popLast() {
      index = last
    } else {
      if used == chunkCount << Self.chunkBits { addChunk() }
      index = used
      used += 1
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

  func forEach(_ body: (Int32, UnsafeMutablePointer<Element>) -> Void) {
    for index in 0..<used where live[Int(index)] { body(index, at(index)) }
  }

  /// The numbers in use, in order. For listings, not for the hot path.
  func indices() -> [Int32] {
    (0..<used).filter { live[Int($0)] }
  }

  private mutating func addChunk() {
    if chunkCount == chunkRoom {
      let chunks = self.chunks
      let live = self.live
      self.chunks = .allocate(capacity: Int(chunkRoom) * 2)
      self.chunks.moveInitialize(from: chunks, count: Int(chunkCount))
      self.live = .allocate(capacity: Int(chunkRoom) * 2 << Int(Self.chunkBits))
      self.live.moveInitialize(from: live, count: Int(used))
      chunks.deallocate()
      live.deallocate()
      chunkRoom *= 2
    }
    chunks[Int(chunkCount)] = .allocate(capacity: Int(Self.chunkSize))
    chunkCount += 1
  }
}
