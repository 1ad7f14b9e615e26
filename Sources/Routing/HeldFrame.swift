internal import Glibc
internal import Wire

/// A frame that waits: for its turn in a mailbox, for a window, or for room in a connection's
/// buffer.
///
/// It keeps the header's fields as they will be written, without `op` and `id`: the receiver's id
/// is often not known yet. A plain record in its own memory, freed by whoever takes it from its
/// queue.
struct HeldFrame {
  var next: UnsafeMutablePointer<HeldFrame>?
  /// The header's fields, then, unless there is a block, the content.
  var bytes: UnsafeMutableRawPointer
  var fieldsLength: Int
  var contentLength: Int
  var block: Unmanaged<ContentBlock>?
  /// What it takes from the receiver's window.
  var cost: Int
  var isError: Bool
  var isLast: Bool
  /// Its message goes on in the next frame.
  var isPart: Bool
  /// When a published message is worth nothing any more, on the router's clock; 0: never.
  var expires: UInt64 = 0

  var size: Int { fieldsLength + contentLength }

  static func make(
    fields: UnsafeRawBufferPointer, content: Content, cost: Int, isError: Bool, isLast: Bool,
    isPart: Bool = false
  ) -> UnsafeMutablePointer<HeldFrame> {
    let copied = content.block == nil ? content.count : 0
    let bytes = malloc(max(fields.count + copied, 1))!
    if fields.count > 0 { memcpy(bytes, fields.baseAddress!, fields.count) }
    if copied > 0 { memcpy(bytes + fields.count, content.bytes.baseAddress!, copied) }
    let frame = UnsafeMutablePointer<HeldFrame>.allocate(capacity: 1)
    frame.initialize(
      to: HeldFrame(
        next: nil, bytes: bytes, fieldsLength: fields.count, contentLength: content.count,
        block: content.block.map { Unmanaged.passRetained($0) }, cost: cost, isError: isError,
        isLast: isLast, isPart: isPart))
    return frame
  }

  var fields: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: bytes, count: fieldsLength)
  }

  var content: Content {
    if let block { return Content(block.takeUnretainedValue()) }
    return Content(UnsafeRawBufferPointer(start: bytes + fieldsLength, count: contentLength))
  }

  static func free(_ frame: UnsafeMutablePointer<HeldFrame>) {
    Glibc.free(frame.pointee.bytes)
    frame.pointee.block?.release()
    frame.deallocate()
  }
}

/// One direction of a call, on its way through the sidecar: a window on each side and what waits
/// between them. Of a subscription's messages, only the reader's side.
struct Direction {
  /// What the receiver still permits the sidecar to send. May be overdrawn by one frame.
  var window: Int
  /// What the sidecar still permits the sender to send.
  var allowance: Int
  /// Credit is granted in steps, so that it does not cost a frame for each frame.
  var step: Int
  var first: UnsafeMutablePointer<HeldFrame>?
  var last: UnsafeMutablePointer<HeldFrame>?
  var heldBytes = 0
  var heldCost = 0
  /// Links of the receiving connection's line of directions that wait for room in its buffer.
  var isInLine = false
  var previousInLine: Int32 = -1
  var nextInLine: Int32 = -1
  /// Its place among those that the receiving connection keeps without credit; -1: none.
  var starvedPlace: Int32 = -1

  /// What the sender may be permitted whatever the receiver's window, as long as it is held here.
  var floor = Int.min

  init(window: Int, allowance: Int) {
    self.window = window
    self.allowance = allowance
    step = max(1, allowance / 2)
  }

  var isEmpty: Bool { first == nil }

  mutating func append(_ frame: UnsafeMutablePointer<HeldFrame>) {
    if let last { last.pointee.next = frame } else { first = frame }
    last = frame
    heldBytes += frame.pointee.size
    heldCost += frame.pointee.cost
  }

  mutating func removeFirst() -> UnsafeMutablePointer<HeldFrame>? {
    guard let frame = first else { return nil }
    first = frame.pointee.next
    if first == nil { last = nil }
    heldBytes -= frame.pointee.size
    heldCost -= frame.pointee.cost
    return frame
  }
}
