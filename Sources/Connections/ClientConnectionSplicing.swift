internal import Wire

/// The half of a client's connection that delegates parts of its replies.
extension ClientConnection {
  /// Puts the replies of an own call into those of the hosted call that is its parent, in this
  /// place; with `end` as the rest, whereby the hosted call has ended here.
  ///
  /// No event comes for the own call any more. False, and nothing is written, when it has ended, or
  /// the hosted one has.
  public func splice(
    _ own: UInt64, into id: UInt64, isUnordered: Bool, end: Bool
  ) -> Bool {
    guard self.own[own]?.request == .call, hosted[id] != nil else { return false }
    self.own[own] = nil
    if end { hosted[id] = nil }
    var writer = HeaderWriter(out, "splice", id: id)
    writer.integer("call", own)
    if isUnordered { writer.truth("unordered") }
    if end { writer.truth("end") }
    writer.finish()
    return true
  }
}
