internal import Wire

/// How much is kept of runs, and for how long.
extension Router {
  /// Forgets what a run has too much of, and then what all of them have [RUN-2].
  func trim(_ index: RunIndex) {
    let run = runs.at(index)
    while run.pointee.log.count > 1, isTooMuch(run.pointee.log), !isDue(run) {
      removeFirst(of: index)
    }
    runs.shelve(index)
    while keptBytes > limits.runsBytesMax {
      if runs.firstIdle >= 0 {
        forgetRun(runs.firstIdle)
      } else if runs.largest >= 0 {
        removeFirst(of: runs.largest)
      } else {
        return
      }
    }
  }

  func isTooMuch(_ log: RunLog) -> Bool {
    log.count > limits.runFramesMax || log.bytes > limits.runBytesMax
  }

  /// Whether the oldest frame has still to go to the reader that paces the host, which is given no
  /// more than that can take.
  private func isDue(_ run: UnsafeMutablePointer<Run>) -> Bool {
    run.pointee.pacer >= 0
      && readings.at(run.pointee.pacer).pointee.nextFrame <= run.pointee.log.first
  }

  /// Forgets a run's oldest frame; who has still to read it is told [RUN-4]. Of one that has ended
  /// nothing is left without its end.
  private func removeFirst(of index: RunIndex) {
    let run = runs.at(index)
    keptBytes -= run.pointee.log.removeFirst()
    var place = run.pointee.firstReading
    while place >= 0 {
      let reading = readings.at(place)
      place = reading.pointee.next
      if reading.pointee.nextFrame < run.pointee.log.first {
        fail(reading.pointee.call, truncated(run))
      }
    }
    guard run.pointee.isOpen || run.pointee.log.count > 0 else { return forgetRun(index) }
    runs.shelve(index)
  }

  // MARK: Ended runs

  /// A run that has ended has no readers: it is kept for some time more.
  func fallIdle(_ index: RunIndex) {
    let run = runs.at(index)
    guard !runs.isIdle(index) else { return }
    run.pointee.idleSince = now
    runs.shelve(index)
    setKeptTimer()
  }

  func runKeptPassed() {
    keptTimer = -1
    while runs.firstIdle >= 0, keptUntil(runs.firstIdle) <= now { forgetRun(runs.firstIdle) }
    setKeptTimer()
  }

  /// Forgets an ended run that nobody reads.
  func forgetRun(_ index: RunIndex) {
    keptBytes -= runs.at(index).pointee.log.bytes
    runs.remove(index)
  }

  private func keptUntil(_ index: RunIndex) -> UInt64 {
    runs.at(index).pointee.idleSince + UInt64(limits.runKeptMs)
  }

  /// One timer for all: those that fell idle first are due first.
  private func setKeptTimer() {
    guard keptTimer < 0, runs.firstIdle >= 0 else { return }
    keptTimer = timers.set(.runKept, 0, due: keptUntil(runs.firstIdle))
  }
}
