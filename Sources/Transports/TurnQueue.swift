internal import EventLoop
internal import Wire

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// What the connections have to do in a turn of the loop besides their events: go on reading what
/// the last turn had no time for, write what was appended, report ends, give memory back.
@LoopActor
final class TurnQueue {
  static let shared = TurnQueue()

  /// Every connection reads into this one; nothing stays in it beyond the event.
  static let readBuffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: FrameConnection.readBytesPerTurnMax, alignment: 64)

  /// Counts turns, so that a connection can tell whether its share is a new one.
  private(set) var number: UInt64 = 1

  /// Whose share of this turn is used up, and who was in that list in the last turn.
  private var postponed: [FrameConnection] = []
  private var ready: [FrameConnection] = []
  private var dirty: [FrameConnection] = []
  private var ended: [FrameConnection] = []
  private var batch: [FrameConnection] = []
  private var warm: [FrameConnection] = []
  private var cooling: LoopTimer?

  private static let vectorsMax = 64
  private let vectors = UnsafeMutableBufferPointer<UnsafeRawBufferPointer>.allocate(
    capacity: TurnQueue.vectorsMax)
  private let slices = UnsafeMutableBufferPointer<WriteSlice>.allocate(
    capacity: TurnQueue.vectorsMax)

  private init() {
    // Both live as long as the process, like the queue.
    _ = LoopHook(.afterEvents) { TurnQueue.shared.didDeliverEvents() }
    _ = LoopHook(.beforeWaiting) { TurnQueue.shared.willWait() }
  }

  func resumeNextTurn(_ connection: FrameConnection) {
    self.postponed.append(connection)
    LoopActor.requestTurn()
  }

  func flushThisTurn(_ connection: FrameConnection) {
    self.dirty.append(connection)
  }

  func didEnd(_ connection: FrameConnection) {
    self.ended.append(connection)
    LoopActor.requestTurn()
  }

  private func didDeliverEvents() {
    // Whoever does what frames and ends lead to after events may have had its hook before this one.
    if !self.ready.isEmpty || !self.ended.isEmpty { LoopActor.requestTurn() }
    if !self.ready.isEmpty {
      for connection in self.ready { connection.resumeReading() }
      self.ready.removeAll(keepingCapacity: true)
    }
    if !self.ended.isEmpty {
      let ended = self.ended
      self.ended.removeAll()
      for connection in ended { connection.reportEnd() }
    }
  }

  private func willWait() {
    self.number &+= 1
    swap(&self.ready, &self.postponed)
    // What was asked for during the events of the last turn is answered by this one already.
    if !self.ready.isEmpty { LoopActor.requestTurn() }
    self.flush()
  }

  /// Writes what was appended since, for all who asked.
  func flush() {
    if self.dirty.isEmpty { return }
    swap(&self.dirty, &self.batch)
    for connection in self.batch {
      connection.needsFlush = false
      connection.flush()
      if !connection.isWarm { self.warmed(connection) }
    }
    self.batch.removeAll(keepingCapacity: true)
  }

  /// Offers at most `bytesMax` bytes of `out` to the kernel, in one system call.
  func write(
    _ out: OutBuffer, to stream: ByteStream, bytesMax: Int
  ) throws(StreamError) -> (offered: Int, taken: Int) {
    let count = out.nextVectors(self.vectors)
    var offered = 0
    var used = 0
    while used < count && offered < bytesMax {
      let vector = self.vectors[used]
      let size = min(vector.count, bytesMax - offered)
      self.slices[used] = WriteSlice(vector.baseAddress, count: size)
      offered += size
      used += 1
    }
    let taken = try stream.tryWrite(UnsafeBufferPointer(rebasing: self.slices[..<used]))
    return (offered, taken)
  }

  // MARK: - Memory

  private static let coolingMs: UInt64 = 1_000

  /// A connection that has written keeps its buffer for the next time, but not for long: idle
  /// connections are many.
  private func warmed(_ connection: FrameConnection) {
    connection.isWarm = true
    self.warm.append(connection)
    if self.cooling == nil { self.cooling = LoopTimer { TurnQueue.shared.cool() } }
    if self.warm.count == 1 { self.cooling?.start(afterMs: Self.coolingMs) }
  }

  private func cool() {
    let now = LoopClock.turnMs
    self.warm.removeAll { connection in
      let isInUse = !connection.out.isEmpty || connection.drainedMs + Self.coolingMs > now
      if isInUse && connection.state != .closed { return false }
      connection.out.releaseMemory()
      connection.isWarm = false
      return true
    }
    if !self.warm.isEmpty { self.cooling?.start(afterMs: Self.coolingMs) }
  }
}

/// The next few bytes of an out buffer, copied, because the buffer moves as it grows.
@LoopActor
final class Parcel {
  private static let bytesMax = 16 << 10
  private nonisolated(unsafe) let memory: UnsafeMutableRawBufferPointer
  let count: Int

  init(takingFrom out: OutBuffer) {
    let size = min(out.pending, Self.bytesMax)
    self.memory = .allocate(byteCount: size, alignment: 16)
    self.count = size
    var filled = 0
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 64) { vectors in
      for vector in vectors[..<out.nextVectors(vectors)] where filled < size {
        let part = min(vector.count, size - filled)
        memcpy(self.memory.baseAddress! + filled, vector.baseAddress!, part)
        filled += part
      }
    }
    precondition(filled == size, "an out buffer of more than 64 tiny vectors")
    out.consume(size)
  }

  func write(to stream: ByteStream, writer: any ByteWriter) throws(StreamError) {
    var slice = WriteSlice(self.memory.baseAddress, count: self.count)
    try withUnsafeMutablePointer(to: &slice) { pointer throws(StreamError) in
      try stream.write(
        UnsafeBufferPointer(start: pointer, count: 1), keeping: self, writer: writer)
    }
  }

  deinit { self.memory.deallocate() }
}
