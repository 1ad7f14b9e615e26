internal import Wire

/// The readers of runs, and what their windows mean to the host.
extension Router {
  // MARK: Coming and going

  /// Why a run cannot be read from a number on: those frames are gone [RUN-4].
  func checkStart(_ index: RunIndex, _ number: Int) -> Failure? {
    let run = runs.at(index)
    return number < run.pointee.log.first ? truncated(run) : nil
  }

  func truncated(_ run: UnsafeMutablePointer<Run>) -> Failure {
    let first = run.pointee.log.firstWhole
    return Failure(
      .truncated, "run \"\(run.pointee.id.text)\" is kept from frame \(first) on",
      detail: ("first", .integer(UInt64(first))))
  }

  /// Makes a call, which nobody serves, a reader of a run. `startReading` is next.
  @discardableResult
  func addReading(
    _ reader: CallIndex, to index: RunIndex, from number: Int, standsForOpener: Bool,
    endsRun: Bool, input: Reading.Input, isSkipping: Bool = false
  ) -> ReadingIndex {
    let run = runs.at(index)
    let last = run.pointee.lastReading
    var reading = Reading(
      call: reader, run: index, nextFrame: number, standsForOpener: standsForOpener,
      endsRun: endsRun, input: input)
    // Whoever asks for more than there will ever be gets the end.
    if !run.pointee.isOpen { reading.nextFrame = min(number, run.pointee.log.end - 1) }
    reading.isSkipping = isSkipping
    reading.previous = last
    if standsForOpener { reading.behind = run.pointee.log.cost(from: reading.nextFrame) }
    let place = readings.insert(reading)
    calls.at(reader).pointee.reading = place
    if last >= 0 {
      readings.at(last).pointee.next = place
    } else {
      run.pointee.firstReading = place
    }
    run.pointee.lastReading = place
    run.pointee.readingCount += 1
    stopGrace(run)
    runs.shelve(index)
    if standsForOpener, run.pointee.isOpen {
      unstarve(index)
      run.pointee.pacer = place
    }
    return place
  }

  /// Gives a new reader what there is.
  func startReading(_ reader: CallIndex) {
    let index = readings.at(calls.at(reader).pointee.reading).pointee.run
    pumpReader(reader)
    goOn(index)
  }

  /// A reader reads no more, while its connection is still known.
  func stopReading(_ reader: CallIndex) {
    let place = calls.at(reader).pointee.reading
    let reading = readings.at(place).pointee
    let run = runs.at(reading.run)
    let wasPacer = run.pointee.pacer == place
    if wasPacer { unstarve(reading.run) }
    if reading.previous >= 0 {
      readings.at(reading.previous).pointee.next = reading.next
    } else {
      run.pointee.firstReading = reading.next
    }
    if reading.next >= 0 {
      readings.at(reading.next).pointee.previous = reading.previous
    } else {
      run.pointee.lastReading = reading.previous
    }
    run.pointee.readingCount -= 1
    calls.at(reader).pointee.reading = -1
    readings.remove(place)
    if wasPacer {
      run.pointee.pacer = nextPacer(run)
      if isTooMuch(run.pointee.log) {
        // Not in the middle of an event: other readers may lose what they read.
        untrimmed.append(reading.run)
        relieved.append(calls.at(reader).pointee.caller)
      }
    }
    if run.pointee.readingCount == 0 { unread(reading.run) }
    if run.pointee.opener == place {
      run.pointee.opener = -1
      if run.pointee.isOpen { endInput(run.pointee.root) }
    }
    pace(reading.run)
  }

  /// The last that came of those that stand for the opener.
  private func nextPacer(_ run: UnsafeMutablePointer<Run>) -> ReadingIndex {
    var place = run.pointee.lastReading
    while place >= 0, !readings.at(place).pointee.standsForOpener {
      place = readings.at(place).pointee.previous
    }
    return place
  }

  /// A run has lost its last reader.
  private func unread(_ index: RunIndex) {
    let run = runs.at(index)
    if !run.pointee.isOpen { return fallIdle(index) }
    guard !run.pointee.isDetached else { return }
    run.pointee.graceTimer = timers.set(
      .runGrace, index, due: now + UInt64(limits.runGraceMs))
  }

  // MARK: Frames

  /// Takes a frame of a run's call into the log, and gives it to who reads. With the last of them
  /// the run has ended; the call itself is the caller's to finish.
  func keep(_ root: CallIndex, _ frame: UnsafeMutablePointer<HeldFrame>) {
    let index = calls.at(root).pointee.run
    let run = runs.at(index)
    let number = run.pointee.log.end
    let cost = frame.pointee.cost
    if frame.pointee.isLast { closeRun(index) }
    keptBytes += RunLog.bytes(of: frame.pointee)
    run.pointee.log.append(frame)
    var place = run.pointee.firstReading
    while place >= 0 {
      let reading = readings.at(place)
      place = reading.pointee.next
      if !run.pointee.isOpen { reading.pointee.nextFrame = min(reading.pointee.nextFrame, number) }
      if reading.pointee.nextFrame <= number { reading.pointee.behind += cost }
      pumpReader(reading.pointee.call)
    }
    if !run.pointee.isOpen, run.pointee.readingCount == 0 { fallIdle(index) }
    trim(index)
    if runs.isUsed(index), runs.at(index).pointee.isOpen { reckon(index) }
  }

  /// Writes what a reader has still to get as far as its window and the buffer of its connection
  /// allow.
  func pumpReader(_ reader: CallIndex, atMost budget: Int = .max) {
    let record = calls.at(reader)
    let reading = readings.at(record.pointee.reading)
    let run = runs.at(reading.pointee.run)
    let state = connections.at(record.pointee.caller)
    var left = budget
    while reading.pointee.nextFrame < run.pointee.log.end {
      let frame = run.pointee.log[reading.pointee.nextFrame]
      if reading.pointee.isSkipping, skip(reading, frame) { continue }
      guard mayRead(record, frame, isOwnEnd: run.pointee.isOwnEnd) else { return }
      guard state.pointee.out.pending < Self.bufferedMax, left > 0 else {
        return joinLine(record.pointee.caller, token(reader, .reply))
      }
      left -= frame.pointee.size + Limits.frameCostBytes
      write(frame, to: record, isCutOff: reading.pointee.isSkipping)
      reading.pointee.nextFrame += 1
      reading.pointee.behind -= frame.pointee.cost
      if frame.pointee.isLast { return finish(reader) }
    }
  }

  /// Whether a reader's window lets a frame through [CRD-7, CRD-8, CRD-10].
  private func mayRead(
    _ reader: UnsafeMutablePointer<Call>, _ frame: UnsafeMutablePointer<HeldFrame>,
    isOwnEnd: Bool
  ) -> Bool {
    if reader.pointee.isHeldBack { return isOwnEnd && frame.pointee.isLast }
    return frame.pointee.cost == 0 || reader.pointee.replies.window > 0
  }

  private func write(
    _ frame: UnsafeMutablePointer<HeldFrame>, to reader: UnsafeMutablePointer<Call>,
    isCutOff: Bool
  ) {
    let caller = reader.pointee.caller
    guard isCutOff else {
      reader.pointee.replies.window -= frame.pointee.cost
      return write(
        frame, to: (caller, reader.pointee.callerID), isLast: frame.pointee.isLast,
        mayRetry: frame.pointee.mayRetry)
    }
    // The end of a message that it has no beginning of: the end is all it can use.
    var writer = HeaderWriter(
      connections.at(caller).pointee.out, "data", id: reader.pointee.callerID)
    writer.truth("end")
    writer.finish()
    markDirty(caller)
  }

  /// Lets the rest of a message pass by a reader that came in the middle of it.
  private func skip(
    _ reading: UnsafeMutablePointer<Reading>, _ frame: UnsafeMutablePointer<HeldFrame>
  ) -> Bool {
    if frame.pointee.isError {
      reading.pointee.isSkipping = false
      return false
    }
    if frame.pointee.isLast { return false }
    reading.pointee.nextFrame += 1
    reading.pointee.behind -= frame.pointee.cost
    if !frame.pointee.isPart { reading.pointee.isSkipping = false }
    return true
  }

  // MARK: Windows

  /// A reader permits more.
  func readerOfRunGrants(_ reader: CallIndex) {
    let index = readings.at(calls.at(reader).pointee.reading).pointee.run
    pumpReader(reader)
    goOn(index)
  }

  /// A reader's turn to write to its connection has come.
  func readerHasRoom(_ reader: CallIndex, atMost budget: Int) {
    let index = readings.at(calls.at(reader).pointee.reading).pointee.run
    pumpReader(reader, atMost: budget)
    goOn(index)
  }

  /// A reader has gone on, and what was kept for it may not be due any more.
  private func goOn(_ index: RunIndex) {
    guard runs.isUsed(index) else { return }
    if isTooMuch(runs.at(index).pointee.log) { trim(index) }
    pace(index)
  }

  /// The window that a run's call has is that of the reader who paces it, or, if there is none,
  /// one that is always open [RUN-5].
  func reckon(_ index: RunIndex) {
    let run = runs.at(index)
    let pacer = run.pointee.pacer
    direction(run.pointee.root, .reply).pointee.window =
      pacer < 0
      ? Limits.windowBytesDefault
      : calls.at(readings.at(pacer).pointee.call).pointee.replies.window
  }

  /// What the reader that paces a run's call has still to get, by what it will cost it.
  func behind(_ index: RunIndex) -> Int {
    let pacer = runs.at(index).pointee.pacer
    return pacer < 0 ? 0 : readings.at(pacer).pointee.behind
  }

  private func pace(_ index: RunIndex) {
    guard runs.isUsed(index), runs.at(index).pointee.isOpen else { return }
    reckon(index)
    let root = runs.at(index).pointee.root
    if calls.at(root).pointee.isWoven { goOnAtFront(root) } else { grant(root, .reply) }
  }

  /// The host waits no more for the connection of the reader that paces it.
  func unstarve(_ index: RunIndex) {
    let connection = pacingConnection(index)
    guard connection >= 0, runs.at(index).pointee.isOpen else { return }
    leaveStarved(connection, runs.at(index).pointee.root, .reply)
  }

  /// Where the reader is that paces a run's call; -1: nobody does.
  func pacingConnection(_ index: RunIndex) -> ConnectionIndex {
    let pacer = runs.at(index).pointee.pacer
    return pacer < 0 ? -1 : calls.at(readings.at(pacer).pointee.call).pointee.caller
  }

  // MARK: Input

  /// A reader sends input [RUN-8, DAT-9].
  func receiveReaderInput(_ reader: CallIndex, _ header: Header, _ content: Content) {
    let reading = readings.at(calls.at(reader).pointee.reading)
    switch reading.pointee.input {
    case .passedOn:
      // What comes after the end of the run has crossed that.
      guard let root = openRoot(of: reader) else { return }
      receiveInput(root, header, content)
    case .dropped:
      reading.pointee.inputAllowance -= cost(header, content)
      let room = Limits.windowBytesDefault - reading.pointee.inputAllowance
      guard room >= Limits.windowBytesDefault / 2 else { return }
      reading.pointee.inputAllowance += room
      let record = calls.at(reader)
      var writer = HeaderWriter(
        connections.at(record.pointee.caller).pointee.out, "credit", id: record.pointee.callerID)
      writer.integer("bytes", UInt64(room))
      writer.finish()
      markDirty(record.pointee.caller)
    case .refused:
      fail(reader, Failure(.noInput, "a reader of a run gives no input"))
    }
  }
}
