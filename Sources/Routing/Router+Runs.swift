internal import Wire

/// Runs: calls whose replies are kept. Here is how they are opened and repeated, found and ended;
/// their readers are in `Router+Reading`, and how long they are kept in `Router+Keeping`.
extension Router {
  // MARK: Opening

  /// What the field `run` demands of a call [RUN-1].
  func checkRun(_ header: Header) -> Failure? {
    let id = header[.run]
    guard Address.isSession(id) else {
      return Failure(
        .badField,
        "run \"\(id.text)\" is no name of a run: 1 to \(Limits.sessionBytesMax) bytes without"
          + " spaces and control characters", detail: ("field", .text("run")))
    }
    guard !header[.lazy] else {
      return Failure(.badField, "a run is never lazy", detail: ("field", .text("lazy")))
    }
    return nil
  }

  func findRun(_ connection: ConnectionIndex, _ header: Header) -> RunIndex? {
    runs.find(header[.run], of: connections.at(connection).pointee.principal)
  }

  /// Whether there is room for one more run at this agent; the one unread for longest makes it
  /// [RUN-1, RUN-11].
  func checkNewRun(_ target: Target) -> Failure? {
    if agents[Int(target.agent)].isSystem {
      return Failure(
        .badField, "the sidecar's own agents have no runs", detail: ("field", .text("run")))
    }
    guard runs.count >= limits.runsMax else { return nil }
    guard runs.firstIdle >= 0 else {
      return Failure(.tooManyRuns, "\(limits.runsMax) runs are open", mayRetry: true)
    }
    forgetRun(runs.firstIdle)
    return nil
  }

  /// A call that has just been admitted becomes the root of a run, and its caller the first reader
  /// [RUN-3].
  func becomeRun(_ root: CallIndex, _ header: Header, _ content: Content) {
    let record = calls.at(root)
    let caller = record.pointee.caller
    let to = UnsafeMutableRawBufferPointer.allocate(byteCount: header[.to].count, alignment: 1)
    to.copyMemory(from: header[.to])
    let run = Run(
      owner: runs.number(of: connections.at(caller).pointee.principal), to: to,
      type: record.pointee.type, digest: Self.digest(header, content),
      isDetached: header[.detach], root: root, created: now)
    let index = runs.insert(run, named: header[.run])

    let id = record.pointee.callerID
    let window = record.pointee.replies.window
    record.pointee.caller = -1
    record.pointee.isHeldBack = false
    record.pointee.run = index
    connections.at(caller).pointee.ids.remove(id)
    let reader = makeReader(caller, id, window: window)
    runs.at(index).pointee.opener = addReading(
      reader, to: index, from: 0, standsForOpener: true, endsRun: !header[.detach],
      input: .passedOn)
    reckon(index)
  }

  /// The same call again reads the run from its beginning; another under its name is refused
  /// [RUN-8].
  func repeatRun(
    _ index: RunIndex, _ connection: ConnectionIndex, _ id: UInt64, _ header: Header,
    _ content: Content, _ parent: CallIndex
  ) -> Failure? {
    let run = runs.at(index)
    guard run.pointee.digest == Self.digest(header, content) else {
      return Failure(
        .runDiffers, "run \"\(header[.run].text)\" is of another call",
        detail: ("run", .text(header[.run].text)))
    }
    if let failure = checkStart(index, 0) { return failure }
    let reader = makeReader(connection, id, window: requestedWindow(header))
    if parent >= 0, !header[.detach] { adopt(reader, parent) }
    calls.at(reader).pointee.deadline = deadline(header, header[.detach] ? -1 : parent)
    startTimer(reader)
    addReading(
      reader, to: index, from: 0, standsForOpener: true, endsRun: !header[.detach],
      input: header[.input] ? .dropped : .refused)
    startReading(reader)
    return nil
  }

  /// A call that reads a run, under an id of a connection.
  private func makeReader(
    _ connection: ConnectionIndex, _ id: UInt64, window: Int
  ) -> CallIndex {
    var call = Call(
      state: .reading, caller: connection, callerID: id, agent: -1, origin: connection,
      originSerial: connections.at(connection).pointee.serial, opened: nowMicros,
      replies: Direction(window: window, allowance: 0), input: Direction(window: 0, allowance: 0))
    call.isHeldBack = window == 0
    // What it reads is counted, it is not.
    call.isCounted = true
    let index = calls.insert(call)
    connections.at(connection).pointee.ids.insert(id, .made, index)
    return index
  }

  private static func digest(_ header: Header, _ content: Content) -> RunDigest {
    var digest = RunDigest()
    digest.add(header[.to])
    digest.add(header[.type])
    digest.add(content.bytes)
    return digest
  }

  // MARK: Finding

  /// What a run's name stands for.
  enum RunLookup {
    case unknown
    case ended
    /// Its root is under way.
    case open(CallIndex)
  }

  func lookUpRun(_ id: UnsafeRawBufferPointer, of principal: Principal) -> RunLookup {
    guard let index = runs.find(id, of: principal) else { return .unknown }
    let root = runs.at(index).pointee.root
    return root < 0 ? .ended : .open(root)
  }

  /// The call under way that one of its readers stands for; nil: it has ended.
  func openRoot(of reader: CallIndex) -> CallIndex? {
    let reading = readings.at(calls.at(reader).pointee.reading)
    let root = runs.at(reading.pointee.run).pointee.root
    return root < 0 ? nil : root
  }

  /// The address that the run of a reader was called at.
  func addressOfRun(_ reader: CallIndex) -> UnsafeRawBufferPointer {
    let reading = readings.at(calls.at(reader).pointee.reading)
    return UnsafeRawBufferPointer(runs.at(reading.pointee.run).pointee.to)
  }

  /// Where a run's call gets its input from; -1: from nobody any more.
  func inputSource(of index: RunIndex) -> (connection: ConnectionIndex, id: UInt64) {
    let opener = runs.at(index).pointee.opener
    guard opener >= 0 else { return (-1, 0) }
    let reader = calls.at(readings.at(opener).pointee.call)
    return (reader.pointee.caller, reader.pointee.callerID)
  }

  // MARK: Ending

  /// `cancel` from a reader ends its reading, and if it stands for the opener, the run [RUN-6].
  func cancelReader(_ reader: CallIndex, _ failure: Failure, word: String) {
    let endsRun = readings.at(calls.at(reader).pointee.reading).pointee.endsRun
    let root = endsRun ? openRoot(of: reader) : nil
    fail(reader, failure)
    if let root { fail(root, failure, word: word) }
  }

  /// The sidecar ends the call of a run: its readers learn it after what came before.
  func failRun(_ root: CallIndex, _ failure: Failure) {
    let index = calls.at(root).pointee.run
    runs.at(index).pointee.isOwnEnd = true
    drop(root, .reply)
    keep(root, makeError(failure))
  }

  /// A run has had no readers for too long [RUN-6].
  func runGracePassed(_ index: RunIndex) {
    let run = runs.at(index)
    run.pointee.graceTimer = -1
    fail(run.pointee.root, Failure(.callerLost, "nobody has read the run for some time"))
  }

  /// The call of a run is over; what it replied stays.
  func closeRun(_ index: RunIndex) {
    let run = runs.at(index)
    let root = calls.at(run.pointee.root)
    unstarve(index)
    stopGrace(run)
    run.pointee.code = root.pointee.failure
    run.pointee.ended = now
    run.pointee.root = -1
    run.pointee.opener = -1
    root.pointee.run = -1
  }

  func stopGrace(_ run: UnsafeMutablePointer<Run>) {
    guard run.pointee.graceTimer >= 0 else { return }
    timers.cancel(run.pointee.graceTimer)
    run.pointee.graceTimer = -1
  }
}
