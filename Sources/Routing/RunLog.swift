internal import Wire

/// What a run has replied: its frames by number, the newest of them.
///
/// A ring of frames, each written once and read by as many as want to. A plain record that owns its
/// frames; whoever has it frees them with `removeAll`.
struct RunLog {
  private var ring: UnsafeMutablePointer<UnsafeMutablePointer<HeldFrame>>?
  private var capacity = 0
  /// The number of the oldest frame that is kept, and how many are.
  private(set) var first = 0
  private(set) var count = 0
  /// What the kept frames count for, in bytes.
  private(set) var bytes = 0
  /// Whether the oldest kept frame goes on with a message that began before it.
  private var beginsInside = false

  /// The number that the next frame gets: how many there were so far.
  var end: Int { first + count }

  /// The newest frame leaves its message open.
  var isInside: Bool {
    count > 0 ? self[end - 1].pointee.isPart : beginsInside
  }

  /// The newest frame goes on with a message that began before it.
  var isLastInside: Bool {
    count > 1 ? self[end - 2].pointee.isPart : beginsInside
  }

  /// The frame of a number from `first` to `end`.
  subscript(number: Int) -> UnsafeMutablePointer<HeldFrame> {
    assert(number >= first && number < end, "a frame that is not kept")
    return ring![number & (capacity - 1)]
  }

  /// What a frame counts for while it is kept.
  static func bytes(of frame: HeldFrame) -> Int {
    frame.contentLength + max(frame.fieldsLength, Limits.frameCostBytes)
  }

  mutating func append(_ frame: UnsafeMutablePointer<HeldFrame>) {
    if count == capacity { grow() }
    ring![end & (capacity - 1)] = frame
    count += 1
    bytes += Self.bytes(of: frame.pointee)
  }

  /// Forgets the oldest frame; returns what it counted for.
  mutating func removeFirst() -> Int {
    let frame = self[first]
    let freed = Self.bytes(of: frame.pointee)
    beginsInside = frame.pointee.isPart
    HeldFrame.free(frame)
    first += 1
    count -= 1
    bytes -= freed
    return freed
  }

  mutating func removeAll() {
    while count > 0 { _ = removeFirst() }
    ring?.deallocate()
    ring = nil
    capacity = 0
  }

  /// The oldest number from which whole messages are kept.
  var firstWhole: Int {
    guard beginsInside else { return first }
    var number = first
    // An error ends the message that it breaks into, and stands for itself.
    while number < end, !self[number].pointee.isError {
      number += 1
      if !self[number - 1].pointee.isPart { break }
    }
    return number
  }

  /// What the frames from `number` on take from a window.
  func cost(from number: Int) -> Int {
    var cost = 0
    for number in max(number, first)..<max(number, end) { cost += self[number].pointee.cost }
    return cost
  }

  private mutating func grow() {
    let grown = max(capacity * 2, 1)
    let room = UnsafeMutablePointer<UnsafeMutablePointer<HeldFrame>>.allocate(capacity: grown)
    for number in first..<end { room[number & (grown - 1)] = self[number] }
    ring?.deallocate()
    ring = room
    capacity = grown
  }
}
