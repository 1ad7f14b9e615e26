internal import Glibc

/// Content too large to copy: one counted run of bytes, shared by all the frames that carry it.
///
/// It is filled by one decoder and then never changes. Memory is taken as bytes arrive, not on the
/// word of a length prefix.
public final class ContentBlock: @unchecked Sendable {
  // Written only by the decoder that fills the block, before anyone else has a reference to it.
  private var start: UnsafeMutableRawPointer
  private var capacity: Int
  public private(set) var count = 0

  /// A block that will hold `expected` bytes.
  public init(expecting expected: Int) {
    capacity = min(expected, Self.firstCapacity)
    start = malloc(max(capacity, 1))!
    self.expected = expected
  }

  public convenience init(copying bytes: UnsafeRawBufferPointer) {
    self.init(expecting: bytes.count)
    append(bytes)
  }

  deinit {
    free(start)
  }

  public let expected: Int
  public var isComplete: Bool { count == expected }
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

  /// Room for more of the expected bytes, to be read into and then `commit`ted.
  public func room() -> UnsafeMutableRawBufferPointer {
    if count == capacity { grow(to: min(expected, capacity * 2)) }
    return UnsafeMutableRawBufferPointer(start: start + count, count: capacity - count)
  }

  public func commit(_ read: Int) {
    precondition(read <= capacity - count, "more bytes than there was room for")
    count += read
  }

  /// Appends what fits of `more`; returns how many bytes were taken.
  @discardableResult
  public func append(_ more: UnsafeRawBufferPointer) -> Int {
    let taken = min(more.count, expected - count)
    guard taken > 0 else { return 0 }
    if count + taken > capacity { grow(to: min(expected, max(count + taken, capacity * 2))) }
    memcpy(start + count, more.baseAddress!, taken)
    count += taken
    return taken
  }

  private func grow(to size: Int) {
    start = realloc(start, size)!
    capacity = size
  }

  private static let firstCapacity = 256 << 10
}

/// A frame's content: bytes in the decoder's buffer, or a counted block when it was too large for
/// it.
public struct Content {
  public let bytes: UnsafeRawBufferPointer
  public let block: ContentBlock?

  public init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
    block = nil
  }

  public init(_ block: ContentBlock) {
    bytes = block.bytes
    self.block = block
  }

  public static var none: Content { Content(UnsafeRawBufferPointer(start: nil, count: 0)) }
  public var count: Int { bytes.count }
  public var isEmpty: Bool { bytes.count == 0 }
}
