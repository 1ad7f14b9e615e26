/// A connection's own fault: it is told once, without an id, and closed.
public struct ConnectionFault: Error, Sendable {
  public let reason: Reason
  public let message: String
  /// One pair for programs, which goes into `details`.
  public let detail: (key: StaticString, value: String)?

  public init(
    _ reason: Reason, _ message: String, detail: (key: StaticString, value: String)? = nil
  ) {
    self.reason = reason
    self.message = message
    self.detail = detail
  }

  public init(_ fault: FrameFault) {
    self.init(fault.reason, fault.message)
  }
}
