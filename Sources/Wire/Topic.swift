/// A topic, `orders.new`, or a pattern of topics, `orders.*`, as a slice of the bytes it was read
/// from.
///
/// Segments of `A–Z a–z 0–9 _ : = -` are joined by dots. In a pattern a segment may be `*`, which
/// is any one segment, and the last may be `>`, which is one segment or more.
public struct Topic {
  public let bytes: UnsafeRawBufferPointer
  /// It has wildcards: it can be subscribed to, and nothing can be published to it.
  public let isPattern: Bool

  /// Nil when it breaks a rule (SPEC, TOP).
  public init?(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count >= 1, bytes.count <= Limits.topicBytesMax else { return nil }
    var segments = 1
    var length = 0
    // A wildcard is a segment of its own, and behind `>` there is none.
    var isWildcard = false
    var isPattern = false
    for (place, byte) in bytes.enumerated() {
      switch byte {
      case UInt8(ascii: "."):
        guard length > 0, segments < Limits.topicSegmentsMax else { return nil }
        segments += 1
        length = 0
        isWildcard = false
        continue
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ":"),
        UInt8(ascii: "="), UInt8(ascii: "-"):
        guard !isWildcard else { return nil }
      case UInt8(ascii: "*"), UInt8(ascii: ">"):
        guard length == 0, byte == UInt8(ascii: "*") || place == bytes.count - 1 else { return nil }
        isWildcard = true
        isPattern = true
      default: return nil
      }
      length += 1
    }
    guard length > 0 else { return nil }
    self.bytes = bytes
    self.isPattern = isPattern
  }

  /// What a topic must look like, for people.
  public static var rule: String {
    "segments of letters, digits, _ : = and -, joined by dots, at most \(Limits.topicSegmentsMax)"
      + " of them and \(Limits.topicBytesMax) bytes"
  }
}
