import TestSupport
import Testing

@testable import Routing

@Suite struct TimerWheelTests {
  @Test func aTimerFiresInTheSlotThatIsNotBeforeItsTime() {
    var wheel = TimerWheel(now: 1_003)
    _ = wheel.set(.deadline, 7, due: 1_015)
    #expect(wheel.nextDue() == 1_020)
    #expect(wheel.advance(to: 1_019) == nil)
    let fired = wheel.advance(to: 1_020)
    #expect(fired?.kind == .deadline)
    #expect(fired?.index == 7)
    #expect(wheel.advance(to: 1_020) == nil)
    #expect(wheel.count == 0)
    #expect(wheel.nextDue() == nil)
  }

  @Test func aTimerForNowOrThePastFiresInTheNextSlot() {
    var wheel = TimerWheel(now: 500)
    _ = wheel.set(.idle, 1, due: 500)
    _ = wheel.set(.idle, 2, due: 0)
    #expect(wheel.advance(to: 509) == nil)
    #expect([wheel.advance(to: 510)?.index, wheel.advance(to: 510)?.index].contains(1))
    #expect(wheel.count == 0)
  }

  @Test func aCancelledTimerNeverFires() {
    var wheel = TimerWheel(now: 0)
    let timers = (0..<100).map { wheel.set(.idle, $0, due: UInt64($0) * 50) }
    for index in stride(from: 0, to: 100, by: 2) { wheel.cancel(timers[index]) }
    var fired: [Int32] = []
    while let (_, index) = wheel.advance(to: 10_000) { fired.append(index) }
    #expect(fired == (0..<100).filter { $0 % 2 == 1 })
  }

  @Test func timersAreFoundAcrossOneLongSilence() {
    var wheel = TimerWheel(now: 0)
    let dues: [UInt64] = [10, 640, 650, 40_960, 2_621_440, 167_772_160, 10_737_418_240]
    for (index, due) in dues.enumerated() { _ = wheel.set(.idle, Int32(index), due: due) }
    var fired: [Int32] = []
    while let (_, index) = wheel.advance(to: 20_000_000_000) { fired.append(index) }
    #expect(fired == (0..<7).map { Int32($0) })
  }

  @Test func aTimerBeyondTheLastWheelFiresInItsTimeAndNotBefore() {
    // The wheels together span 64^5 slots of 10 ms, some 124 days.
    let due: UInt64 = 64 * 64 * 64 * 64 * 64 * 10 * 3 + 12_340
    var wheel = TimerWheel(now: 77)
    _ = wheel.set(.idle, 5, due: due)
    while let next = wheel.nextDue(), next < due { #expect(wheel.advance(to: next) == nil) }
    #expect(wheel.nextDue() == due)
    #expect(wheel.advance(to: due)?.index == 5)
  }

  /// Against a list that is searched: set, cancel and let time pass at random, near and far.
  @Test func theWheelAgreesWithASortedList() {
    var random = SeededGenerator(for: "theWheelAgreesWithASortedList")
    for _ in 0..<20 {
      var now = UInt64.random(in: 0...1_000_000, using: &random)
      var wheel = TimerWheel(now: now)
      var list: [(timer: TimerIndex, index: Int32, due: UInt64)] = []
      var fired: [Int32] = []
      var nextIndex: Int32 = 0
      for _ in 0..<600 {
        switch UInt64.random(in: 0..<10, using: &random) {
        case 0..<5:
          let far = UInt64(1) << UInt64.random(in: 0...40, using: &random)
          let due = now + UInt64.random(in: 0...far, using: &random)
          let timer = wheel.set(.deadline, nextIndex, due: due)
          list.append((timer, nextIndex, Self.slot(of: due, after: now)))
          nextIndex += 1
        case 5..<7 where !list.isEmpty:
          let place = Int.random(in: 0..<list.count, using: &random)
          wheel.cancel(list.remove(at: place).timer)
        default:
          let far = UInt64(1) << UInt64.random(in: 0...38, using: &random)
          now += UInt64.random(in: 0...far, using: &random)
          fired.removeAll()
          while let (_, index) = wheel.advance(to: now) { fired.append(index) }
          let expected = list.filter { $0.due <= now }
          let due = Dictionary(uniqueKeysWithValues: expected.map { ($0.index, $0.due) })
          #expect(Set(fired) == Set(due.keys))
          #expect(fired.count == expected.count)
          #expect(zip(fired, fired.dropFirst()).allSatisfy { due[$0]! <= due[$1]! }, "out of order")
          list.removeAll { $0.due <= now }
        }
        #expect(wheel.count == list.count)
        if let soonest = list.map(\.due).min() {
          // It may ask to be woken earlier, to move timers down, but never later.
          #expect(wheel.nextDue()! <= soonest)
          #expect(wheel.nextDue()! > now / 10 * 10)
        } else {
          #expect(wheel.nextDue() == nil)
        }
      }
    }
  }

  private static func slot(of due: UInt64, after now: UInt64) -> UInt64 {
    max((due + 9) / 10, now / 10 + 1) * 10
  }
}
