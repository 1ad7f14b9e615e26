internal import Wire

/// Counts of times in buckets that double, each in four steps: within 25 % of the truth.
public struct LatencyHistogram: Sendable {
  private var buckets: [UInt32] = []
  public private(set) var count: UInt64 = 0
  public private(set) var max: UInt64 = 0

  public init() {}

  /// Adds one time, in microseconds.
  public mutating func record(_ microseconds: UInt64) {
    if buckets.isEmpty { buckets = [UInt32](repeating: 0, count: Self.bucketCount) }
    buckets[Self.bucket(of: microseconds)] &+= 1
    count += 1
    if microseconds > max { max = microseconds }
  }

  /// The time that `share` (0…1) of the counted ones do not exceed, in microseconds.
  public func quantile(_ share: Double) -> UInt64 {
    guard count > 0 else { return 0 }
    let wanted = UInt64((Double(count) * share).rounded(.up))
    var seen: UInt64 = 0
    for (index, bucket) in buckets.enumerated() {
      seen += UInt64(bucket)
      if seen >= wanted { return min(Self.upperBound(of: index), max) }
    }
    return max
  }

  private static let bucketCount = 4 * 40

  private static func bucket(of value: UInt64) -> Int {
    guard value >= 4 else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    let step = Int(value >> UInt64(exponent - 2)) & 3
    return min((exponent - 1) * 4 + step, bucketCount - 1)
  }

  private static func upperBound(of bucket: Int) -> UInt64 {
    guard bucket >= 4 else { return UInt64(bucket) }
    let exponent = UInt64(bucket / 4 + 1)
    return (UInt64(4 + bucket % 4 + 1) << (exponent - 2)) - 1
  }
}

/// What is counted of one agent's calls, or of all.
public struct AgentMetrics: Sendable {
  public internal(set) var total: UInt64 = 0
  public internal(set) var failed: UInt64 = 0
  public internal(set) var open: Int = 0
  public internal(set) var latency = LatencyHistogram()

  public init() {}
}

/// What is counted of everything the router does.
public struct RouterMetrics: Sendable {
  public internal(set) var calls = AgentMetrics()
  public internal(set) var failedByCode = [UInt64](repeating: 0, count: ErrorCode.allCases.count)
  public internal(set) var sends: UInt64 = 0
  public internal(set) var sendsLost: UInt64 = 0
  public internal(set) var framesIn: UInt64 = 0

  public init() {}
}
