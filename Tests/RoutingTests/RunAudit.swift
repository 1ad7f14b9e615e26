import Testing
import Wire

@testable import Routing

/// Reads all that a router keeps of runs, and expects it to agree: sums with what they are sums of,
/// links with their ends, timers with what they wait for, and nobody to stand still who could go on.
struct RunAudit {
  let router: Router

  func run(_ sourceLocation: SourceLocation = #_sourceLocation) {
    var kept = 0
    var readings = 0
    for index in router.runs.records.indices() {
      checkLog(index, sourceLocation)
      checkReaders(index, sourceLocation)
      checkEnd(index, sourceLocation)
      checkPace(index, sourceLocation)
      let run = router.runs.at(index).pointee
      kept += run.log.bytes
      readings += Int(run.readingCount)
      #expect(
        router.runs.find(run.id, of: router.runs.owner(of: index)) == index,
        sourceLocation: sourceLocation)
    }
    #expect(kept == router.keptBytes, sourceLocation: sourceLocation)
    #expect(kept <= router.limits.runsBytesMax, sourceLocation: sourceLocation)
    #expect(readings == router.readings.count, sourceLocation: sourceLocation)
    checkIdle(sourceLocation)
    for call in router.calls.indices() {
      let call = router.calls.at(call).pointee
      #expect((call.state == .reading) == (call.reading >= 0), sourceLocation: sourceLocation)
      #expect(call.run < 0 || router.runs.isUsed(call.run), sourceLocation: sourceLocation)
    }
  }

  private func checkLog(_ index: RunIndex, _ sourceLocation: SourceLocation) {
    let run = router.runs.at(index).pointee
    var bytes = 0
    for number in run.log.first..<run.log.end {
      bytes += RunLog.bytes(of: run.log[number].pointee)
      let isLast = !run.isOpen && number == run.log.end - 1
      #expect(run.log[number].pointee.isLast == isLast, sourceLocation: sourceLocation)
    }
    #expect(bytes == run.log.bytes, sourceLocation: sourceLocation)
    let isTooMuch =
      run.log.count > 1
      && (run.log.count > router.limits.runFramesMax || bytes > router.limits.runBytesMax)
    if isTooMuch {
      let pacer = run.pacer < 0 ? nil : router.readings.at(run.pacer).pointee
      #expect(pacer?.nextFrame == run.log.first, "kept for nobody", sourceLocation: sourceLocation)
    }
  }

  private func checkReaders(_ index: RunIndex, _ sourceLocation: SourceLocation) {
    let run = router.runs.at(index).pointee
    var place = run.firstReading
    var previous: ReadingIndex = -1
    var pacer: ReadingIndex = -1
    var count: Int32 = 0
    while place >= 0 {
      let reading = router.readings.at(place).pointee
      let call = router.calls.at(reading.call).pointee
      #expect(reading.run == index && reading.previous == previous, sourceLocation: sourceLocation)
      #expect(call.reading == place && call.caller >= 0, sourceLocation: sourceLocation)
      let entry = router.connections.at(call.caller).pointee.ids.find(call.callerID)
      #expect(entry?.index == reading.call && entry?.kind == .made, sourceLocation: sourceLocation)
      #expect(reading.nextFrame >= run.log.first, "overtaken", sourceLocation: sourceLocation)
      if reading.standsForOpener {
        #expect(
          reading.behind == run.log.cost(from: reading.nextFrame), sourceLocation: sourceLocation)
        pacer = place
      }
      if reading.nextFrame < run.log.end {
        let isFree = run.log[reading.nextFrame].pointee.cost == 0 || call.replies.window > 0
        #expect(
          call.isHeldBack || !isFree || call.replies.isInLine, "a reader stands still",
          sourceLocation: sourceLocation)
      }
      count += 1
      previous = place
      place = reading.next
    }
    #expect(previous == run.lastReading, sourceLocation: sourceLocation)
    #expect(count == run.readingCount, sourceLocation: sourceLocation)
    if run.isOpen { #expect(run.pacer == pacer, sourceLocation: sourceLocation) }
  }

  private func checkEnd(_ index: RunIndex, _ sourceLocation: SourceLocation) {
    let run = router.runs.at(index).pointee
    let mayEnd = run.isOpen && run.readingCount == 0 && !run.isDetached
    #expect(mayEnd == (run.graceTimer >= 0), sourceLocation: sourceLocation)
    #expect(
      (!run.isOpen && run.readingCount == 0) == router.runs.isIdle(index),
      sourceLocation: sourceLocation)
    guard run.isOpen else { return }
    let root = router.calls.at(run.root).pointee
    #expect(
      root.run == index && root.caller < 0 && root.reading < 0, sourceLocation: sourceLocation)
    #expect(root.state == .running || root.state == .waiting, sourceLocation: sourceLocation)
  }

  /// A host is permitted what the reader that paces it leaves room for [RUN-5].
  private func checkPace(_ index: RunIndex, _ sourceLocation: SourceLocation) {
    let run = router.runs.at(index).pointee
    guard run.isOpen else { return }
    let root = router.calls.at(run.root).pointee
    let pacer = run.pacer < 0 ? nil : router.readings.at(run.pacer).pointee
    let window = pacer.map { router.calls.at($0.call).pointee.replies.window }
    #expect(root.replies.window == window ?? Limits.windowBytesDefault)
    guard root.host >= 0 else { return }
    let reach = max(min(root.replies.window, Limits.windowBytesDefault), root.replies.floor)
    let room = reach - (pacer?.behind ?? 0) - root.replies.heldCost - root.replies.allowance
    let isDue = room >= root.replies.step || (root.replies.allowance <= 0 && room > 0)
    let connection = router.pacingConnection(index)
    let isCongested = connection >= 0 && router.isCongested(connection)
    #expect(!isDue || isCongested, "\(room) are not granted", sourceLocation: sourceLocation)
    if root.replies.starvedPlace >= 0 {
      #expect(isCongested, sourceLocation: sourceLocation)
      let starved = router.connections.at(connection).pointee.starved
      #expect(
        starved[Int(root.replies.starvedPlace)] == router.token(run.root, .reply),
        sourceLocation: sourceLocation)
    }
  }

  /// Ended runs that nobody reads, in the order in which they go.
  private func checkIdle(_ sourceLocation: SourceLocation) {
    var index = router.runs.firstIdle
    if index >= 0 { #expect(router.keptTimer >= 0, sourceLocation: sourceLocation) }
    var count = 0
    var since: UInt64 = 0
    while index >= 0 {
      let run = router.runs.at(index).pointee
      #expect(run.idleSince >= since, sourceLocation: sourceLocation)
      since = run.idleSince
      count += 1
      index = run.next
    }
    let idle = router.runs.records.indices().count { router.runs.isIdle($0) }
    #expect(count == idle, sourceLocation: sourceLocation)
  }
}
