import Wire

@testable import Routing

/// Runs: logs against their sums and limits, readers against their places in them, and timers
/// against what they wait for. Nobody stands still who could go on.
extension RouterAudit {
  func checkRuns() throws(Violation) {
    var kept = 0
    var readings = 0
    for index in router.runs.records.indices() {
      try checkLog(index)
      try checkReaders(ofRun: index)
      try checkEnd(index)
      try checkPace(index)
      let run = router.runs.at(index).pointee
      kept += run.log.bytes
      readings += Int(run.readingCount)
      let found = router.runs.find(run.id, of: router.runs.owner(of: index))
      try require(found == index, "run \(run.id.text) is not in the table")
    }
    try require(
      kept == router.keptBytes, "\(router.keptBytes) bytes kept of runs, really \(kept)")
    try require(kept <= router.limits.runsBytesMax, "\(kept) bytes are kept of runs")
    try require(readings == router.readings.count, "a reader of no run")
    try require(router.runs.count <= router.limits.runsMax, "\(router.runs.count) runs")
    for index in calls {
      let call = call(index).pointee
      try require(
        (call.state == .reading) == (call.reading >= 0), "call \(index) reads and is \(call.state)")
      try require(call.run < 0 || router.runs.isUsed(call.run), "call \(index) of no run")
    }
    try checkIdle()
  }

  func checkNoRuns() throws(Violation) {
    try require(router.runs.count == 0, "\(router.runs.count) runs are left")
    try require(router.keptBytes == 0, "\(router.keptBytes) bytes of runs are left")
  }

  private func checkLog(_ index: RunIndex) throws(Violation) {
    let run = router.runs.at(index).pointee
    var bytes = 0
    for number in run.log.first..<run.log.end {
      bytes += RunLog.bytes(of: run.log[number].pointee)
      let isLast = !run.isOpen && number == run.log.end - 1
      try require(
        run.log[number].pointee.isLast == isLast, "run \(run.id.text): its end at \(number)")
    }
    try require(
      bytes == run.log.bytes, "run \(run.id.text): \(run.log.bytes) kept, really \(bytes)")
    let isTooMuch =
      run.log.count > 1
      && (run.log.count > router.limits.runFramesMax || bytes > router.limits.runBytesMax)
    guard isTooMuch else { return }
    let pacer = run.pacer < 0 ? nil : router.readings.at(run.pacer).pointee
    try require(pacer?.nextFrame == run.log.first, "run \(run.id.text) is kept for nobody")
  }

  private func checkReaders(ofRun index: RunIndex) throws(Violation) {
    let run = router.runs.at(index).pointee
    let name = run.id.text
    var place = run.firstReading
    var previous: ReadingIndex = -1
    var pacer: ReadingIndex = -1
    var count: Int32 = 0
    while place >= 0 {
      let reading = router.readings.at(place).pointee
      let call = call(reading.call).pointee
      try require(reading.run == index && reading.previous == previous, "run \(name): its readers")
      try require(call.reading == place && call.caller >= 0, "run \(name): a reader is nobody")
      try require(reading.nextFrame >= run.log.first, "run \(name): a reader is overtaken")
      if reading.standsForOpener {
        let cost = run.log.cost(from: reading.nextFrame)
        try require(reading.behind == cost, "run \(name): \(reading.behind) due, really \(cost)")
        pacer = place
      }
      if reading.nextFrame < run.log.end {
        let isFree = run.log[reading.nextFrame].pointee.cost == 0 || call.replies.window > 0
        try require(
          call.isHeldBack || !isFree || call.replies.isInLine, "run \(name): a reader stands still")
      }
      count += 1
      previous = place
      place = reading.next
    }
    try require(previous == run.lastReading, "run \(name): its last reader")
    try require(count == run.readingCount, "run \(name): \(run.readingCount), really \(count) read")
    if run.isOpen { try require(run.pacer == pacer, "run \(name): who paces it") }
  }

  private func checkEnd(_ index: RunIndex) throws(Violation) {
    let run = router.runs.at(index).pointee
    let name = run.id.text
    let mayEnd = run.isOpen && run.readingCount == 0 && !run.isDetached
    try require(mayEnd == (run.graceTimer >= 0), "run \(name): its grace")
    let isIdle = !run.isOpen && run.readingCount == 0
    try require(isIdle == router.runs.isIdle(index), "run \(name): among those that nobody reads")
    guard run.isOpen else { return }
    let root = call(run.root).pointee
    try require(
      root.run == index && root.caller < 0 && root.reading < 0, "run \(name): its call is another's"
    )
    try require(
      root.state == .running || root.state == .waiting || root.state == .delivering,
      "run \(name): its call is \(root.state)")
  }

  /// A host is permitted what the reader that paces it leaves room for [RUN-5].
  private func checkPace(_ index: RunIndex) throws(Violation) {
    let run = router.runs.at(index).pointee
    guard run.isOpen else { return }
    let name = run.id.text
    let root = call(run.root).pointee
    let pacer = run.pacer < 0 ? nil : router.readings.at(run.pacer).pointee
    let window = pacer.map { call($0.call).pointee.replies.window } ?? Limits.windowBytesDefault
    try require(root.replies.window == window, "run \(name): the window of its call")
    guard root.state == .running, !root.isWoven else { return }
    let reach = max(min(window, Limits.windowBytesDefault), root.replies.floor)
    let room = reach - (pacer?.behind ?? 0) - root.replies.heldCost - root.replies.allowance
    let isDue = room >= root.replies.step || (root.replies.allowance <= 0 && room > 0)
    let connection = router.pacingConnection(index)
    let isCongested = connection >= 0 && router.isCongested(connection)
    try require(!isDue || isCongested, "run \(name): \(room) are not granted")
  }

  /// Ended runs that nobody reads, in the order in which they go.
  private func checkIdle() throws(Violation) {
    var index = router.runs.firstIdle
    try require(index < 0 || router.keptTimer >= 0, "ended runs are kept for ever")
    var count = 0
    var since: UInt64 = 0
    while index >= 0 {
      let run = router.runs.at(index).pointee
      try require(run.idleSince >= since, "run \(run.id.text) is kept out of order")
      since = run.idleSince
      count += 1
      index = run.next
    }
    let idle = router.runs.records.indices().count { router.runs.isIdle($0) }
    try require(count == idle, "\(count) runs in the list of those that nobody reads, of \(idle)")
  }
}
