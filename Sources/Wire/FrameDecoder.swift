internal import Glibc

/// What makes a frame untrustworthy. The connection is told why and closed.
public enum FrameFault: Error, Sendable, Equatable {
  case headerLength(Int, max: Int)
  case contentLength(Int, max: Int)
  case header(HeaderFault)

  public var reason: Reason {
    switch self {
    case .headerLength: .headerLength
    case .contentLength: .contentLength
    case .header: .badHeader
    }
  }

  public var message: String {
    switch self {
    case .headerLength(let length, let max):
      "header of \(length) bytes; a header here has 2 to \(max)"
    case .contentLength(let length, let max):
      "content of \(length) bytes exceeds \(max)"
    case .header(let fault):
      "the header \(fault.message)"
    }
  }
}

/// Finds the frames in a stream of bytes, in place.
///
/// The owner of the socket lends bytes with `begin`, takes frames with `next` until it says
/// `.needsMore`, and ends with `finish`, which keeps what is unfinished; it may also end earlier,
/// and take the frames that are left later. A frame's header and content are valid until the
/// following `next` or `finish`. A content too large for the lent bytes is gathered in a block,
/// which the owner can also read into directly (`contentRoom`).
public final class FrameDecoder {
  public enum Step: Equatable {
    case frame
    case needsMore
    case fault(FrameFault)
  }

  /// The frame that `next` found.
  public let header = Header()
  public private(set) var content = Content.none
  /// Its whole size on the wire, with both lengths.
  public private(set) var frameBytes = 0

  private let headerMax: Int
  /// The longest content, in bytes, of frames that begin from now on.
  public var contentMax: Int
  private var isFirst: Bool
  private let firstHeaderMax: Int
  private var lent = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  // What came and is not used up: most often the start of a frame whose rest has not come yet. It
  // is only as large as what came. `carryHead..<carryEnd` of it counts, and `carrySpent` bytes of
  // that are the frame that `next` found last.
  private var carry: UnsafeMutableRawPointer?
  private var carryHead = 0
  private var carryEnd = 0
  private var carryCapacity = 0
  private var carrySpent = 0
  // The header of the frame that has begun is known to be good.
  private var isJudged = false
  // The large content being gathered; its header waits in `carry`.
  private var block: ContentBlock?
  private var fault: FrameFault?

  /// - Parameters:
  ///   - headerMax: the longest header, in bytes.
  ///   - contentMax: the longest content, in bytes.
  ///   - firstHeaderMax: the longest first header; a first frame has no content. Nil: as the
  ///     others.
  public init(headerMax: Int, contentMax: Int, firstHeaderMax: Int? = nil) {
    self.headerMax = headerMax
    self.contentMax = contentMax
    self.firstHeaderMax = firstHeaderMax ?? headerMax
    isFirst = firstHeaderMax != nil
  }

  deinit {
    free(carry)
  }

  /// Whether a frame has begun that `next` has not found yet.
  public var isInsideFrame: Bool { carryCount > carrySpent }

  /// Where the rest of a large content may be read to directly; nil when nothing large is under
  /// way. What is read there is reported with `committedContent`, not with `begin`.
  public func contentRoom() -> UnsafeMutableRawBufferPointer? {
    guard let block, !block.isComplete else { return nil }
    return block.room()
  }

  public func committedContent(_ count: Int) {
    block!.commit(count)
  }

  /// Lends the bytes just read, until `finish`. They are changed: escapes are decoded in place.
  public func begin(_ bytes: UnsafeMutableRawBufferPointer) {
    precondition(lent.count == 0, "begin before finish")
    lent = bytes
  }

  /// The next whole frame, if there is one.
  public func next() -> Step {
    if let fault { return .fault(fault) }
    if carrySpent > 0 { dropSpent() }
    if block != nil { return nextInBlock() }
    return carryCount > 0 ? nextFromCarry() : nextInPlace()
  }

  /// Keeps what is left of the lent bytes; they may be reused after this.
  public func finish() {
    if carrySpent > 0 { dropSpent() }
    // A connection that falls idle keeps nothing of what it has sent.
    content = .none
    if lent.count > 0, fault == nil {
      precondition(block == nil, "finish while a content still wanted the lent bytes")
      keep(lent.count)
    }
    lent = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  }

  private func nextInPlace() -> Step {
    guard lent.count >= 8 else { return .needsMore }
    let (headerSize, contentSize) = Self.lengths(lent.baseAddress!)
    if let fault = check(headerSize, contentSize) { return failed(fault) }
    let size = 8 + headerSize + contentSize
    if lent.count >= size {
      let whole = UnsafeMutableRawBufferPointer(rebasing: lent[..<size])
      advance(size)
      return read(whole, headerSize)
    }
    if contentSize > Self.gatheredMin, lent.count >= 8 + headerSize {
      keep(8 + headerSize)
      return startBlock(headerSize, contentSize)
    }
    return judge(UnsafeRawBufferPointer(lent), headerSize)
  }

  private func nextFromCarry() -> Step {
    guard extendCarry(to: 8) else { return .needsMore }
    let (headerSize, contentSize) = Self.lengths(carry! + carryHead)
    if let fault = check(headerSize, contentSize) { return failed(fault) }
    let size = 8 + headerSize + contentSize
    if contentSize > Self.gatheredMin, carryCount < size {
      guard extendCarry(to: 8 + headerSize) else { return .needsMore }
      return startBlock(headerSize, contentSize)
    }
    guard extendCarry(to: size) else {
      return judge(UnsafeRawBufferPointer(start: carry! + carryHead, count: carryCount), headerSize)
    }
    carrySpent = size
    return read(UnsafeMutableRawBufferPointer(start: carry! + carryHead, count: size), headerSize)
  }

  private func startBlock(_ headerSize: Int, _ contentSize: Int) -> Step {
    let block = ContentBlock(expecting: contentSize)
    // A carried frame may already hold some of its content behind the header.
    let contentStart = carryHead + 8 + headerSize
    block.append(
      UnsafeRawBufferPointer(start: carry! + contentStart, count: carryEnd - contentStart))
    carryEnd = contentStart
    self.block = block
    let text = UnsafeMutableRawBufferPointer(start: carry! + carryHead + 8, count: headerSize)
    if let fault = header.scan(text) { return failed(.header(fault)) }
    return nextInBlock()
  }

  private func nextInBlock() -> Step {
    let block = self.block!
    advance(block.append(UnsafeRawBufferPointer(lent)))
    guard block.isComplete else { return .needsMore }
    self.block = nil
    carrySpent = carryCount
    content = Content(block)
    frameBytes = carryCount + block.count
    isFirst = false
    return .frame
  }

  /// Judges the header of a frame that is not whole yet, as soon as it is there [FRM-5]: once, and
  /// in a copy, for reading changes it.
  private func judge(_ begun: UnsafeRawBufferPointer, _ headerSize: Int) -> Step {
    guard !isJudged, begun.count >= 8 + headerSize else { return .needsMore }
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: headerSize, alignment: 1)
    defer { copy.deallocate() }
    copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: begun[8..<8 + headerSize]))
    if let fault = Header().scan(copy) { return failed(.header(fault)) }
    isJudged = true
    return .needsMore
  }

  private func read(_ whole: UnsafeMutableRawBufferPointer, _ headerSize: Int) -> Step {
    let text = UnsafeMutableRawBufferPointer(rebasing: whole[8..<8 + headerSize])
    if let fault = header.scan(text) { return failed(.header(fault)) }
    isJudged = false
    content = Content(UnsafeRawBufferPointer(rebasing: whole[(8 + headerSize)...]))
    frameBytes = whole.count
    isFirst = false
    return .frame
  }

  private func check(_ headerSize: Int, _ contentSize: Int) -> FrameFault? {
    let headerMax = isFirst ? firstHeaderMax : headerMax
    let contentMax = isFirst ? 0 : contentMax
    if headerSize < 2 || headerSize > headerMax {
      return .headerLength(headerSize, max: headerMax)
    }
    return contentSize > contentMax ? .contentLength(contentSize, max: contentMax) : nil
  }

  private func failed(_ fault: FrameFault) -> Step {
    self.fault = fault
    return .fault(fault)
  }

  private static func lengths(_ start: UnsafeMutableRawPointer) -> (header: Int, content: Int) {
    let header = UInt32(bigEndian: start.loadUnaligned(as: UInt32.self))
    let content = UInt32(bigEndian: start.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    return (Int(header), Int(content))
  }

  private func advance(_ count: Int) {
    lent = UnsafeMutableRawBufferPointer(rebasing: lent[count...])
  }

  private var carryCount: Int { carryEnd - carryHead }

  /// Takes lent bytes until `count` are carried; false when there are not so many.
  private func extendCarry(to count: Int) -> Bool {
    if carryCount < count { keep(min(count - carryCount, lent.count)) }
    return carryCount >= count
  }

  /// Copies the first `count` lent bytes behind what is carried.
  private func keep(_ count: Int) {
    guard count > 0 else { return }
    if carryEnd + count > carryCapacity, carryHead > 0 {
      memmove(carry!, carry! + carryHead, carryCount)
      carryEnd = carryCount
      carryHead = 0
    }
    if carryEnd + count > carryCapacity {
      carryCapacity = max(carryEnd + count, min(carryCapacity * 2, 1 << 20), 256)
      carry = realloc(carry, carryCapacity)
    }
    memcpy(carry! + carryEnd, lent.baseAddress!, count)
    carryEnd += count
    advance(count)
  }

  /// Forgets the frame found last, and gives the memory back when it was the only one.
  private func dropSpent() {
    carryHead += carrySpent
    carrySpent = 0
    guard carryHead == carryEnd else { return }
    free(carry)
    carry = nil
    carryHead = 0
    carryEnd = 0
    carryCapacity = 0
  }

  /// Contents above this are gathered in a block when they have not come whole.
  private static let gatheredMin = 32 << 10
}
