/// Counts of times in buckets that double in width, eight for each doubling: what is told of them
/// is within a sixteenth of the truth.
public struct LatencyHistogram: Sendable {
  private var buckets: [UInt32] = []
  public private(set) var count: UInt64 = 0
  /// The longest, in microseconds.
  public private(set) var max: UInt64 = 0

  public init() {}

  /// Adds one time, in microseconds.
  public mutating func record(_ microseconds: UInt64) {
    if buckets.isEmpty { buckets = [UInt32](repeating: 0, count: Self.bucketCount) }
    buckets[Self.bucket(of: microseconds)] &+= 1
    count += 1
    if microseconds > max { max = microseconds }
  }

  /// For each share (0…1, ascending) the time that so many of the counted do not exceed, in
  /// microseconds; 0 if there are none.
  public func quantiles(_ shares: [Double]) -> [UInt64] {
    var found: [UInt64] = []
    var seen: UInt64 = 0
    var bucket = -1
    for share in shares {
      let wanted = UInt64((Double(count) * share).rounded(.up))
      while seen < wanted, bucket + 1 < buckets.count {
        bucket += 1
        seen += UInt64(buckets[bucket])
      }
      found.append(bucket < 0 ? 0 : min(Self.middle(of: bucket), max))
    }
    return found
  }

  // Up to 2^36 µs, which is nineteen hours; what takes longer is counted as that.
  private static let exponentMax = 36
  private static let bucketCount = (exponentMax - 2) * 8

  private static func bucket(of value: UInt64) -> Int {
    guard value >= 8 else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    let step = Int(value >> UInt64(exponent - 3)) & 7
    return Swift.min((exponent - 2) * 8 + step, bucketCount - 1)
  }

  private static func middle(of bucket: Int) -> UInt64 {
    guard bucket >= 16 else { return UInt64(bucket) }
    let width = UInt64(1) << UInt64(bucket / 8 - 1)
    return UInt64(8 + bucket % 8) * width + width / 2
  }
}
