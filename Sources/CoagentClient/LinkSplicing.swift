internal import Connections
internal import EventLoop
internal import Hosting

/// Parts of replies that agents here delegate.
extension Link {
  /// Puts the replies of an own call into those of a hosted one; with `isLast` as the rest.
  func splice(_ call: Call, into id: UInt64, isUnordered: Bool, isLast: Bool) {
    guard let lane = call.carried as? Lane, let ends = calls[lane.id]?.ends else {
      return loseSplice(into: id)
    }
    guard machine.splice(lane.id, into: id, isUnordered: isUnordered, end: isLast) else {
      // The hosted call has ended meanwhile: nobody wants what was delegated.
      machine.cancel(lane.id)
      return
    }
    calls[lane.id] = nil
    runReadings[lane.id] = nil
    ends.inbox.finish()
  }

  /// The delegated call was over before it could be spliced, which only its own client brings
  /// about: its replies are incomplete, and whoever waits for them must hear of it.
  private func loseSplice(into id: UInt64) {
    let error = AgentError(.cancelled, "a delegated call was cancelled before it was spliced")
    hosted[id]?.outlet.close(error)
    machine.fail(id, ClientFailure(error))
  }
}
