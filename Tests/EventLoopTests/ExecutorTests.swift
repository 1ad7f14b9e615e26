import EventLoop
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct ExecutorTests {
  @LoopActor
  final class Tally {
    var count = 0
    var wasElsewhere = false

    func add() {
      self.count += 1
      if !LoopActor.isCurrent { self.wasElsewhere = true }
    }
  }

  @Test func jobsOfManyThreadsAllRunOnTheLoop() async {
    let tally = Tally()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<16 {
        group.addTask {
          for _ in 0..<500 { await tally.add() }
        }
      }
    }
    #expect(await tally.count == 8000)
    #expect(await !tally.wasElsewhere)
  }

  @Test func isCurrentIsFalseOffTheLoop() async {
    #expect(!LoopActor.isCurrent)
    #expect(await Task { @LoopActor in LoopActor.isCurrent }.value)
  }

  @Test @LoopActor func tasksThatStartEachOtherOnTheLoopNeedNoEventFromOutside() async {
    func count(_ left: Int) async -> Int {
      if left == 0 { return 0 }
      return await Task { @LoopActor in await count(left - 1) + 1 }.value
    }
    #expect(await count(200) == 200)
  }

  @Test @LoopActor func endlessJobsDoNotStarveTimers() async {
    final class Flag: Sendable { let isUp = Atomic(false) }
    let flag = Flag()
    let timer = LoopTimer { flag.isUp.store(true, ordering: .relaxed) }
    timer.start(afterMs: 5)
    var turns = 0
    while !flag.isUp.load(ordering: .relaxed) {
      await Task.yield()
      turns += 1
    }
    #expect(turns > 0)
    timer.close()
  }

  @Test func isolationIsRecoveredOnTheLoopOnly() async {
    let answer = await Task { @LoopActor in
      LoopActor.assumeIsolated { LoopClock.turnMs > 0 }
    }.value
    #expect(answer)
    await #expect(processExitsWith: .failure) {
      LoopActor.assumeIsolated { LoopActor.requestTurn() }
    }
  }

  @Test func theLoopRunsOnTheThreadThatClaimsIt() async {
    await #expect(processExitsWith: .exitCode(7)) {
      Thread.detachNewThread {
        let mine = pthread_self()
        LoopActor.runOnThisThread {
          Task { @LoopActor in
            await Task.yield()
            exit(pthread_self() == mine ? 7 : 8)
          }
        }
      }
      // The exit comes from the loop's thread.
      try await Task.sleep(for: .seconds(60))
    }
  }

  @Test func aSecondThreadForTheLoopIsAMistake() async {
    await #expect(processExitsWith: .failure) {
      await Task { @LoopActor in }.value
      LoopActor.runOnThisThread {}
    }
  }
}
