internal import Wire

/// What is counted of one agent's calls, or of all.
public struct AgentMetrics: Sendable {
  public internal(set) var total: UInt64 = 0
  public internal(set) var failed: UInt64 = 0
  public internal(set) var open: Int = 0
  public internal(set) var latency = LatencyHistogram()

  public init() {}
}

/// What is counted of published messages.
public struct TopicMetrics: Sendable {
  public internal(set) var published: UInt64 = 0
  /// Refused, and so read by nobody.
  public internal(set) var lost: UInt64 = 0
  /// Those for which there was no recipient.
  public internal(set) var untaken: UInt64 = 0
  /// One for each recipient of each message.
  public internal(set) var delivered: UInt64 = 0
  /// Those among the delivered that went for want of a window.
  public internal(set) var dropped: UInt64 = 0

  public init() {}
}

/// What is counted of everything the router does.
public struct RouterMetrics: Sendable {
  public internal(set) var calls = AgentMetrics()
  public internal(set) var failedByCode = [UInt64](repeating: 0, count: ErrorCode.allCases.count)
  public internal(set) var sends: UInt64 = 0
  public internal(set) var sendsLost: UInt64 = 0
  public internal(set) var framesIn: UInt64 = 0
  public internal(set) var topics = TopicMetrics()
  public internal(set) var signals = SignalMetrics()

  public init() {}
}
