internal import Glibc

/// The bytes on their way to one connection: frames in order, small contents copied, large ones
/// referred to.
///
/// Whoever encodes appends; whoever owns the socket takes vectors and says how much went out. An
/// empty buffer holds no memory, so an idle connection costs nothing here.
public final class OutBuffer {
  private var start: UnsafeMutableRawPointer?
  private var capacity = 0
  private var head = 0  // the first byte not yet consumed
  private var tail = 0  // where the next byte goes
  // A block's bytes go out when the copied bytes before `at` have. Empty for all but large
  // contents.
  private var blocks: [(at: Int, block: ContentBlock)] = []
  private var firstBlock = 0
  private var firstBlockSent = 0

  /// Bytes appended and not yet consumed.
  public private(set) var pending = 0

  /// Frames that have been appended, ever.
  public internal(set) var frames: UInt64 = 0

  public init() {}

  deinit {
    free(start)
  }

  public var isEmpty: Bool { pending == 0 }

  /// Room for `size` bytes; they count once `commit`ted. Valid until the next call.
  public func reserve(_ size: Int) -> UnsafeMutableRawPointer {
    if tail + size > capacity { makeRoom(size) }
    return start! + tail
  }

  public func commit(_ written: Int) {
    tail += written
    pending += written
  }

  public func append(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0 else { return }
    memcpy(reserve(bytes.count), bytes.baseAddress!, bytes.count)
    commit(bytes.count)
  }

  public func append(_ block: ContentBlock) {
    blocks.append((at: tail, block: block))
    pending += block.count
  }

  /// Small content is copied, a block is referred to.
  public func append(_ content: Content) {
    if let block = content.block, block.count > Self.copiedMax {
      append(block)
    } else {
      append(content.bytes)
    }
  }

  /// Fills `vectors` with the bytes to send next; returns how many vectors that took.
  public func nextVectors(_ vectors: UnsafeMutableBufferPointer<UnsafeRawBufferPointer>) -> Int {
    guard pending > 0 else { return 0 }
    var filled = 0
    var from = head
    var skip = firstBlockSent
    var index = firstBlock
    while filled < vectors.count {
      let until = index < blocks.count ? blocks[index].at : tail
      if until > from {
        vectors[filled] = UnsafeRawBufferPointer(start: start! + from, count: until - from)
        filled += 1
        from = until
      } else if index < blocks.count {
        vectors[filled] = UnsafeRawBufferPointer(rebasing: blocks[index].block.bytes[skip...])
        filled += 1
        skip = 0
        index += 1
      } else {
        break
      }
    }
    return filled
  }

  /// The first `sent` pending bytes are with the socket.
  public func consume(_ sent: Int) {
    precondition(sent <= pending, "consumed more than was pending")
    pending -= sent
    var left = sent
    while left > 0 {
      let until = firstBlock < blocks.count ? blocks[firstBlock].at : tail
      if until > head {
        let taken = min(left, until - head)
        head += taken
        left -= taken
      } else {
        let taken = min(left, blocks[firstBlock].block.count - firstBlockSent)
        firstBlockSent += taken
        left -= taken
        if firstBlockSent == blocks[firstBlock].block.count { dropFirstBlock() }
      }
    }
    if pending == 0 { rewind() }
  }

  /// Copies all pending bytes, in order, to `room`, which has as many, and consumes them.
  public func copyOut(to room: UnsafeMutableRawBufferPointer) {
    precondition(room.count == pending, "room for other than the pending bytes")
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 16) { vectors in
      var written = 0
      while pending > 0 {
        let count = nextVectors(vectors)
        var taken = 0
        for vector in vectors[..<count] where vector.count > 0 {
          memcpy(room.baseAddress! + written, vector.baseAddress!, vector.count)
          written += vector.count
          taken += vector.count
        }
        consume(taken)
      }
    }
  }

  private func dropFirstBlock() {
    firstBlock += 1
    firstBlockSent = 0
    if firstBlock > 64 {
      blocks.removeFirst(firstBlock)
      firstBlock = 0
    }
  }

  private func rewind() {
    head = 0
    tail = 0
    blocks.removeAll(keepingCapacity: false)
    firstBlock = 0
  }

  /// Takes all that was copied in, when nothing else uses this buffer; valid until the next append.
  public func takeAll() -> UnsafeRawBufferPointer {
    precondition(blocks.isEmpty, "blocks cannot be taken as bytes")
    let bytes = UnsafeRawBufferPointer(start: start.map { $0 + head }, count: tail - head)
    pending = 0
    rewind()
    return bytes
  }

  /// Gives the memory of an empty buffer back, to be called when a connection falls idle.
  public func releaseMemory() {
    guard pending == 0, start != nil else { return }
    free(start)
    start = nil
    capacity = 0
  }

  private func makeRoom(_ size: Int) {
    let used = tail - head
    // Only over at least as many sent bytes as are moved: a slow reader must not cost a move a
    // frame.
    if head > 0, head >= used, used + size <= capacity {
      memmove(start!, start! + head, used)
    } else {
      var next = max(capacity, Self.firstCapacity)
      while next < used + size { next *= 2 }
      let grown = malloc(next)!
      if used > 0 { memcpy(grown, start! + head, used) }
      free(start)
      start = grown
      capacity = next
    }
    for index in firstBlock..<blocks.count { blocks[index].at -= head }
    head = 0
    tail = used
  }

  /// Contents up to this many bytes are copied: cheaper than one more vector.
  public static let copiedMax = 4096
  private static let firstCapacity = 4096
}
