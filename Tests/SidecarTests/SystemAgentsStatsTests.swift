import Routing
import Sidecar
import Testing
import Wire

/// `stats`, and the histogram behind it.
struct SystemAgentsStatsTests {
  @Test func everythingIsCounted() throws {
    let stage = SystemStage()
    stage.core.figures = {
      var figures = ProcessFigures()
      figures.version = "1.2.3"
      figures.uptimeMs = 5
      figures.pid = 42
      figures.bytesIn = 1
      figures.bytesOut = 2
      figures.framesIn = 3
      figures.framesOut = 4
      figures.memoryBytes = 6
      return figures
    }
    let host = try stage.connect()
    let caller = try stage.connect()
    host.register("bot")
    _ = try host.take()
    caller.open("call", #""to":"nobody""#)
    caller.open("call", #""to":"bot""#)
    stage.advance(by: 100)
    let answered = try #require(try host.take().last?.id)
    host.send(#"{"op":"data","id":\#(answered),"end":true}"#)
    caller.open("call", #""to":"bot:1""#)
    caller.open("call", #""to":"bot:1""#)
    let failing = try #require(try host.take().last?.id)
    host.send(
      #"{"op":"error","id":\#(failing),"code":"internal","reason":"agent_error","message":"x"}"#)
    caller.send(#"{"op":"send","to":"bot:1"}"#)
    caller.send(#"{"op":"send","to":"nobody"}"#)

    let stats = try caller.ask("stats", "StatsQuery", "{}").json
    #expect(stats["version"] == .string("1.2.3"))
    #expect(stats["uptime_ms"] == .integer(5))
    #expect(stats["pid"] == .integer(42))
    #expect(stats["connections"] == .integer(2))
    #expect(stats["replicas"] == .integer(1))
    #expect(stats["sessions"] == .integer(1))
    #expect(stats["calls"]?["waiting"] == .integer(1))
    #expect(stats["calls"]?["by_code"]?["internal"] == .integer(1))
    #expect(stats["calls"]?["by_code"]?["not_found"] == .integer(1))
    #expect(stats["sends"] == .object([.init("total", .integer(2)), .init("lost", .integer(1))]))
    #expect(stats["bytes"] == .object([.init("in", .integer(1)), .init("out", .integer(2))]))
    #expect(stats["frames"] == .object([.init("in", .integer(3)), .init("out", .integer(4))]))
    #expect(stats["memory_bytes"] == .integer(6))

    #expect(stats["agents"]?.elements?.count == 1)
    let bot = try #require(stats["agents"]?.elements?.first)
    #expect(bot["name"] == .string("bot"))
    #expect(bot["replicas"] == .integer(1))
    #expect(bot["open"] == .integer(2))
    #expect(bot["waiting"] == .integer(1))
    #expect(bot["total"] == .integer(4))
    #expect(bot["failed"] == .integer(1))
    #expect(bot["latency_us"]?["count"] == .integer(1))
    #expect(bot["latency_us"]?["max"] == .integer(100_000))
    let median = try #require(bot["latency_us"]?["p50"]?.integer)
    #expect((94_000...100_000).contains(median))
  }

  @Test func quantilesAreWithinATenth() {
    for scale: UInt64 in [1, 37, 1_000, 999_983] {
      var histogram = LatencyHistogram()
      for time: UInt64 in 1...1000 { histogram.record(time * scale) }
      let found = histogram.quantiles([0.001, 0.5, 0.9, 0.99, 1])
      for (time, share) in zip(found, [0.001, 0.5, 0.9, 0.99, 1]) {
        let exact = share * 1000 * Double(scale)
        #expect(abs(Double(time) - exact) <= exact / 10)
      }
      #expect(histogram.count == 1000)
      #expect(histogram.max == 1000 * scale)
    }
  }

  @Test func anEmptyHistogramIsAllZeros() {
    let histogram = LatencyHistogram()
    #expect(histogram.quantiles([0.5, 0.99]) == [0, 0])
    #expect(histogram.max == 0)
  }

  @Test func theLongestTimesStillCount() {
    var histogram = LatencyHistogram()
    histogram.record(0)
    histogram.record(.max)
    #expect(histogram.quantiles([0.5]) == [0])
    #expect(histogram.quantiles([1])[0] > 30_000_000_000)
    #expect(histogram.max == .max)
  }
}
