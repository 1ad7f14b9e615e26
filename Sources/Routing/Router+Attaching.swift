internal import Wire

/// Where a reader that comes to a run begins.
public enum RunStart {
  /// At the frame of that number.
  case from(Int)
  /// With the next message.
  case tail
}

/// Why a call does not become a reader.
public enum AttachRefusal: Error {
  case unknown
  /// Frames before this one are not kept any more.
  case truncated(first: Int)
}

/// How a call to the sidecar's own `runs` becomes a reader: none of its agents stands between the
/// log and who reads then.
extension Router {
  /// Makes a call that the sidecar's own host has under `id` read a run of its caller's, until the
  /// run or the caller ends it [RUN-3]. Its host has no more to do with it.
  ///
  /// - Parameter resumes: it stands for the call that opened the run.
  public func attach(
    ownCall id: UInt64, to name: UnsafeRawBufferPointer, _ start: RunStart, resumes: Bool
  ) throws(AttachRefusal) {
    guard let entry = connections.at(ownHost).pointee.ids.find(id), entry.kind == .hosted else {
      throw .unknown
    }
    let reader = entry.index
    let record = calls.at(reader)
    guard record.pointee.caller >= 0,
      let index = runs.find(name, of: connections.at(record.pointee.caller).pointee.principal)
    else { throw .unknown }
    let run = runs.at(index)
    let log = run.pointee.log
    if case .from(let number) = start, number < log.first {
      throw .truncated(first: log.firstWhole)
    }
    let input = record.pointee.acceptsInput ? Reading.Input.dropped : .refused
    // It has been answered: what follows is the run's.
    count(reader, failed: nil)
    releaseHost(reader, .answered)
    record.pointee.state = .reading
    record.pointee.acceptsInput = false
    record.pointee.hasParent = false
    let first: Int
    let isSkipping: Bool
    switch start {
    case .from(let number): (first, isSkipping) = (number, false)
    case .tail where run.pointee.isOpen: (first, isSkipping) = (log.end, log.isInside)
    case .tail: (first, isSkipping) = (log.end - 1, log.isLastInside)
    }
    addReading(
      reader, to: index, from: first, standsForOpener: resumes,
      endsRun: resumes && !run.pointee.isDetached, input: input, isSkipping: isSkipping)
    startReading(reader)
  }
}
