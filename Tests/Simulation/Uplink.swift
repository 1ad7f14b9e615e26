import Wire

/// Frames on their way from a peer to the sidecar: bytes that arrive when the simulation lets them,
/// in pieces that cut frames anywhere.
struct Uplink {
  /// A frame, and what the ledger learns once it has arrived whole.
  struct Frame {
    let text: String
    let meaning: () -> Void
  }

  private var bytes: [UInt8] = []
  private var sent = 0
  private var frames: [Frame] = []
  private var first = 0

  /// Bytes that have not arrived.
  var pending: Int { bytes.count - sent }

  mutating func append(_ header: String, _ content: [UInt8], meaning: @escaping () -> Void) {
    append(length: header.utf8.count)
    append(length: content.count)
    bytes += header.utf8
    bytes += content
    frames.append(Frame(text: "\(header) \(content.count)", meaning: meaning))
  }

  /// What is no frame.
  mutating func append(garbage: [UInt8]) {
    bytes += garbage
  }

  private mutating func append(length: Int) {
    for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
  }

  /// The next bytes, at most `count`.
  mutating func take(_ count: Int) -> [UInt8] {
    let end = min(bytes.count, count > pending ? bytes.count : sent + count)
    let taken = Array(bytes[sent..<end])
    sent = end
    if sent == bytes.count {
      bytes.removeAll(keepingCapacity: bytes.count < 64 << 10)
      sent = 0
    }
    return taken
  }

  /// The frame that has arrived; nil for one that a peer should not have been able to write.
  mutating func arrived() -> Frame? {
    guard first < frames.count else { return nil }
    defer {
      first += 1
      if first == frames.count {
        frames.removeAll(keepingCapacity: true)
        first = 0
      }
    }
    return frames[first]
  }
}
