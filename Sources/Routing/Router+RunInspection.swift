internal import Discovery
public import Wire

/// One run, as it is shown.
public struct RunView {
  public enum State: String, Sendable {
    case waiting, running, ended
  }

  /// Good until the router's next event, as the other bytes are.
  public let id: UnsafeRawBufferPointer
  public let principal: Principal
  public let to: UnsafeRawBufferPointer
  public let type: UnsafeRawBufferPointer
  public let state: State
  /// How many there were so far, and the oldest that can be read from.
  public let frames: Int
  public let first: Int
  public let bytes: Int
  public let readers: Int
  public let isDetached: Bool
  public let ageMs: UInt64
  /// How long ago it ended; 0 while it has not.
  public let endedMs: UInt64
  /// What it ended with; nil: it ended well, or has not.
  public let code: ErrorCode?
}

/// What the sidecar's own agents may see of runs. None of it is for the hot path.
extension Router {
  /// Runs under way, ended ones that are kept, and what is kept of both.
  public var runCounts: (open: Int, ended: Int, bytes: Int) {
    var open = 0
    runs.records.forEach { _, run in if run.pointee.isOpen { open += 1 } }
    return (open, runs.count - open, keptBytes)
  }

  /// A principal's run of that name; for the operator, if it has none, another's.
  public func run(_ id: UnsafeRawBufferPointer, seenBy principal: Principal) -> RunView? {
    var found = runs.find(id, of: principal)
    if found == nil, principal == operatorPrincipal {
      runs.records.forEach { index, run in
        if run.pointee.id.elementsEqual(id) { found = index }
      }
    }
    return found.map(view(ofRun:))
  }

  /// The first `limit` runs behind the name `after`, by the bytes of their names, and whether there
  /// are more; of one principal, or of all, where those of one name are not parted.
  public func runs(
    of principal: Principal?, in state: RunView.State?, after: UnsafeRawBufferPointer, limit: Int
  ) -> (views: [RunView], more: Bool) {
    func forEachWanted(_ body: (RunIndex, UnsafeMutablePointer<Run>) -> Void) {
      runs.records.forEach { index, run in
        if let principal, runs.owner(of: index) != principal { return }
        if let state, self.state(of: run.pointee) != state { return }
        if Registry.precedes(after, run.pointee.id) { body(index, run) }
      }
    }
    var first = FirstFew(limit) { [unowned self] in precedes($0, $1) }
    forEachWanted { index, _ in first.offer(index) }
    var found = first.sorted
    var more = first.hasMore
    if more, let last = found.last {
      // What a page ends with the next begins behind: those of the same name belong on this one.
      let name = runs.at(last).pointee.id
      more = false
      forEachWanted { index, run in
        if Registry.precedes(name, run.pointee.id) {
          more = true
        } else if precedes(last, index) {
          found.append(index)
        }
      }
    }
    return (found.map(view(ofRun:)), more)
  }

  private func precedes(_ one: RunIndex, _ other: RunIndex) -> Bool {
    let (a, b) = (runs.at(one).pointee, runs.at(other).pointee)
    if Registry.precedes(a.id, b.id) { return true }
    return a.owner < b.owner && !Registry.precedes(b.id, a.id)
  }

  private func state(of run: Run) -> RunView.State {
    guard run.isOpen else { return .ended }
    return calls.at(run.root).pointee.state == .waiting ? .waiting : .running
  }

  private func view(ofRun index: RunIndex) -> RunView {
    let run = runs.at(index).pointee
    return RunView(
      id: run.id, principal: runs.owner(of: index), to: UnsafeRawBufferPointer(run.to),
      type: words.bytes(of: run.type), state: state(of: run), frames: run.log.end,
      first: run.log.firstWhole, bytes: run.log.bytes, readers: Int(run.readingCount),
      isDetached: run.isDetached, ageMs: now - min(run.created, now),
      endedMs: run.isOpen ? 0 : now - min(run.ended, now), code: run.code)
  }
}
