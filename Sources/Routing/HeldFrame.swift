internal import Glibc
internal import Wire

/// A frame that waits: for its turn in a mailbox, for a window, or for room in a connection's
/// buffer.
///
/// It keeps the header's fields as they will be written, without `op` and `id`: the receiver's id
/// is often not known yet. Nor, of a reply, the words that say where it ends: a reply that is
/// spliced into another ends otherwise. A plain record in one piece of memory, freed by whoever
/// takes it from its queue.
struct HeldFrame {
  var next: UnsafeMutablePointer<HeldFrame>?
  /// The header's fields, then, unless there is a block, the content: behind the record itself.
  var bytes: UnsafeMutableRawPointer
  var fieldsLength: Int
  var contentLength: Int
  var block: Unmanaged<ContentBlock>?
  /// What it takes from the receiver's window.
  var cost: Int
  var isError: Bool
  /// The terminal frame of a call.
  var isLast: Bool
  /// Its message goes on in the next frame.
  var isPart: Bool
  /// An error that says that no agent's code has seen the call.
  var mayRetry = false
  /// No frame but the place of another call's replies; -1: a frame.
  var inner: CallIndex = -1
  /// When a published message is worth nothing any more, on the router's clock; 0: never.
  var expires: UInt64 = 0

  var size: Int { fieldsLength + contentLength }

  static func make(
    fields: UnsafeRawBufferPointer, content: Content, cost: Int, isError: Bool, isLast: Bool,
    isPart: Bool = false
  ) -> UnsafeMutablePointer<HeldFrame> {
    let copied = content.block == nil ? content.count : 0
    let room = MemoryLayout<HeldFrame>.stride
    let memory = malloc(room + fields.count + copied)!
    let bytes = memory + room
    if fields.count > 0 { memcpy(bytes, fields.baseAddress!, fields.count) }
    if copied > 0 { memcpy(bytes + fields.count, content.bytes.baseAddress!, copied) }
    let frame = memory.bindMemory(to: HeldFrame.self, capacity: 1)
    frame.initialize(
      to: HeldFrame(
        next: nil, bytes: bytes, fieldsLength: fields.count, contentLength: content.count,
        block: content.block.map { Unmanaged.passRetained($0) }, cost: cost, isError: isError,
        isLast: isLast, isPart: isPart))
    return frame
  }

  /// The place of `inner`'s replies among those of another call.
  static func place(of inner: CallIndex) -> UnsafeMutablePointer<HeldFrame> {
    let frame = bare(isLast: false)
    frame.pointee.inner = inner
    return frame
  }

  /// A frame without fields and content: as the last, an end that carries no message.
  static func bare(isLast: Bool) -> UnsafeMutablePointer<HeldFrame> {
    make(
      fields: UnsafeRawBufferPointer(start: nil, count: 0), content: .none, cost: 0,
      isError: false, isLast: isLast)
  }

  var fields: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: bytes, count: fieldsLength)
  }

  var content: Content {
    if let block { return Content(block.takeUnretainedValue()) }
    return Content(UnsafeRawBufferPointer(start: bytes + fieldsLength, count: contentLength))
  }

  static func free(_ frame: UnsafeMutablePointer<HeldFrame>) {
    frame.pointee.block?.release()
    Glibc.free(frame)
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

  mutating func prepend(_ frame: UnsafeMutablePointer<HeldFrame>) {
    frame.pointee.next = first
    first = frame
    if last == nil { last = frame }
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
