import TestSupport
import Testing
import Wire

@testable import Routing

extension LatencyHistogram {
  fileprivate func quantile(_ share: Double) -> UInt64 { quantiles([share])[0] }
}

@Suite struct LatencyHistogramTests {
  @Test func nothingCountedIsZero() {
    let histogram = LatencyHistogram()
    #expect(histogram.count == 0)
    #expect(histogram.quantile(0.5) == 0)
    #expect(histogram.max == 0)
  }

  @Test(arguments: [UInt64(0), 1, 2, 3, 5, 7, 8])
  func smallTimesAreExact(time: UInt64) {
    var histogram = LatencyHistogram()
    histogram.record(time)
    #expect(histogram.quantile(0.5) == time)
    #expect(histogram.quantile(1) == time)
  }

  @Test func anyTimeIsToldWithinATenth() {
    var random = SeededGenerator(for: "anyTimeIsToldWithinATenth")
    for _ in 0..<5_000 {
      let bits = UInt64.random(in: 0...35, using: &random)
      let time = UInt64.random(in: 0...(1 << bits), using: &random)
      var histogram = LatencyHistogram()
      histogram.record(time)
      // A second, far greater one, so that the greatest does not hide the bucket's own bound.
      histogram.record(1 << 40)
      let told = histogram.quantile(0.5)
      let error = told > time ? told - time : time - told
      #expect(error * 10 <= time, "\(time) was told as \(told)")
    }
  }

  @Test func quantilesOfManyTimesAreWithinATenth() {
    var random = SeededGenerator(for: "quantilesOfManyTimesAreWithinATenth")
    var histogram = LatencyHistogram()
    var times: [UInt64] = []
    for _ in 0..<3_000 {
      let time = UInt64.random(
        in: 1...(1 << UInt64.random(in: 0...24, using: &random)), using: &random)
      histogram.record(time)
      times.append(time)
    }
    times.sort()
    for share in [0.01, 0.5, 0.9, 0.99, 1] {
      let exact = Double(times[Int((Double(times.count) * share).rounded(.up)) - 1])
      let told = Double(histogram.quantile(share))
      #expect(abs(told - exact) <= exact / 10 + 0.5, "\(share): \(exact) was told as \(told)")
    }
    #expect(histogram.max == times.last)
    #expect(histogram.count == 3_000)
  }

  @Test func timesBeyondTheLastBucketAreCountedInIt() {
    var histogram = LatencyHistogram()
    histogram.record(.max)
    #expect(histogram.max == .max)
    #expect(histogram.count == 1)
    // Nineteen hours, and the next longer bucket would be twenty.
    #expect(histogram.quantile(0.5) / 3_600_000_000 == 18)
  }
}

@Suite struct DirectionTests {
  private func frame(_ text: String, cost: Int) -> UnsafeMutablePointer<HeldFrame> {
    var text = text
    return text.withUTF8 { bytes in
      HeldFrame.make(
        fields: UnsafeRawBufferPointer(bytes), content: .none, cost: cost, isError: false,
        isLast: false)
    }
  }

  @Test func framesComeOutInTheOrderInWhichTheyWentIn() {
    var direction = Direction(window: 1_000, allowance: 500)
    #expect(direction.isEmpty)
    for text in ["a", "bb", "ccc"] { direction.append(frame(text, cost: 256 + text.utf8.count)) }
    #expect(direction.heldBytes == 6)
    #expect(direction.heldCost == 3 * 256 + 6)
    var texts: [String] = []
    while let first = direction.removeFirst() {
      texts.append(first.pointee.fields.text)
      HeldFrame.free(first)
    }
    #expect(texts == ["a", "bb", "ccc"])
    #expect(direction.isEmpty)
    #expect(direction.heldBytes == 0)
    #expect(direction.heldCost == 0)
  }

  @Test func itCanBeFilledAgainOnceItWasEmptied() {
    var direction = Direction(window: 0, allowance: 0)
    for text in ["a", "b"] {
      direction.append(frame(text, cost: 1))
      let taken = direction.removeFirst()!
      #expect(taken.pointee.fields.text == text)
      #expect(direction.removeFirst() == nil)
      HeldFrame.free(taken)
    }
  }

  @Test func creditIsGrantedInStepsOfHalfAWindow() {
    #expect(Direction(window: 0, allowance: 1_000).step == 500)
    #expect(Direction(window: 0, allowance: 1).step == 1)
    #expect(Direction(window: 0, allowance: -5).step == 1)
  }
}
