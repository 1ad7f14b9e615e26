import EventLoop
import Foundation
import TestSupport
import Testing

@Suite @LoopActor struct TimerAndHookTests {
  final class Log {
    var entries: [String] = []
  }

  @Test func aTimerFiresOnce() async throws {
    let log = Log()
    let timer = LoopTimer { log.entries.append("fired") }
    timer.start(afterMs: 1)
    #expect(timer.isActive)
    let later = LoopTimer { log.entries.append("later") }
    later.start(afterMs: 15)
    try await wait(for: "the later timer") { log.entries.contains("later") }
    #expect(log.entries == ["fired", "later"])
    #expect(!timer.isActive)
    timer.close()
    later.close()
  }

  @Test func aRepeatingTimerFiresUntilItIsStopped() async throws {
    let log = Log()
    var timer: LoopTimer?
    timer = LoopTimer {
      log.entries.append("fired")
      if log.entries.count == 3 { timer?.stop() }
    }
    timer?.start(everyMs: 1)
    try await wait(for: "three firings") { log.entries.count == 3 }
    let later = LoopTimer { log.entries.append("later") }
    later.start(afterMs: 10)
    try await wait(for: "the later timer") { log.entries.last == "later" }
    #expect(log.entries.count == 4)
    timer?.close()
    timer = nil
    later.close()
  }

  @Test func startingATimerAgainReplacesItsDelay() async throws {
    let log = Log()
    let timer = LoopTimer { log.entries.append("fired") }
    timer.start(afterMs: 60_000)
    timer.start(afterMs: 1)
    try await wait(for: "the timer") { log.entries == ["fired"] }
    timer.close()
  }

  @Test func aClosedTimerLetsGoOfWhatItCaptured() async throws {
    weak var captured: Log?
    do {
      let log = Log()
      captured = log
      let timer = LoopTimer { log.entries.append("fired") }
      timer.start(afterMs: 60_000)
      timer.close()
      timer.close()
    }
    try await wait(for: "the capture to go") { captured == nil }
  }

  @Test func hooksRunInOrderAtTheirMoment() async throws {
    let log = Log()
    let hooks = [
      LoopHook(.afterEvents) { if log.entries.count == 1 { log.entries.append("after, first") } },
      LoopHook(.afterEvents) { if log.entries.count == 2 { log.entries.append("after, second") } },
      LoopHook(.beforeWaiting) { if log.entries.count == 3 { log.entries.append("before") } },
    ]
    let wakeup = try Wakeup { log.entries.append("event") }
    wakeup.send()
    try await wait(for: "all hooks") { log.entries.count == 4 }
    #expect(log.entries == ["event", "after, first", "after, second", "before"])
    for hook in hooks { hook.remove() }
    wakeup.close()
  }

  @Test func aRequestedTurnComesWithoutAnEvent() async throws {
    var turns = 0
    let hook = LoopHook(.afterEvents) {
      turns += 1
      if turns < 100 { LoopActor.requestTurn() }
    }
    LoopActor.requestTurn()
    // Without the requests it would take a hundred events, and here is only one to come.
    try await wait(for: "a hundred turns") { turns >= 100 }
    hook.remove()
  }

  @Test func aTurnThatAnEventAsksForComesToo() async throws {
    // The loop is not polled meanwhile: that would be an event.
    let another = Awaited<Void>("another turn, behind that of the event")
    var turns = 0
    var hasAsked = false
    let hook = LoopHook(.afterEvents) {
      if hasAsked { turns += 1 }
      if turns == 2 { another.happened() }
    }
    let wakeup = try Wakeup {
      hasAsked = true
      LoopActor.requestTurn()
    }
    wakeup.send()
    try await another.value()
    hook.remove()
    wakeup.close()
  }

  @Test func aHookMayRemoveItself() async throws {
    var runs = 0
    var hook: LoopHook?
    hook = LoopHook(.afterEvents) {
      runs += 1
      hook?.remove()
      LoopActor.requestTurn()
    }
    try await wait(for: "the hook") { runs > 0 }
    try await wait(for: "another turn") { true }
    #expect(runs == 1)
    hook = nil
  }

  @Test func manySendsWakeTheLoopAndNoneIsLost() async throws {
    var sum = 0
    final class Box: @unchecked Sendable {
      let lock = NSLock()
      var items: [Int] = []
      func put(_ item: Int) { self.lock.withLock { self.items.append(item) } }
      func take() -> [Int] {
        self.lock.withLock {
          defer { self.items.removeAll() }
          return self.items
        }
      }
    }
    let box = Box()
    let wakeup = try Wakeup { sum += box.take().reduce(0, +) }
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask { @concurrent in
          for number in 1...1000 {
            box.put(number)
            wakeup.send()
          }
        }
      }
    }
    try await wait(for: "all items") { sum == 4 * 500_500 }
    wakeup.close()
    wakeup.send()
  }

  @Test func sendsMayRaceTheCloseOfAWakeup() async throws {
    for _ in 0..<50 {
      let wakeup = try Wakeup {}
      let sender = Task.detached {
        for _ in 0..<200 { wakeup.send() }
      }
      await Task.yield()
      wakeup.close()
      await sender.value
    }
  }

  @Test func aSignalArrivesOnTheLoop() async throws {
    var count = 0
    let source = try SignalSource(SIGWINCH) { count += 1 }
    kill(getpid(), SIGWINCH)
    try await wait(for: "the signal") { count > 0 }
    source.close()
    #expect(throws: StreamError.invalid) { try SignalSource(SIGKILL) {} }
  }
}
