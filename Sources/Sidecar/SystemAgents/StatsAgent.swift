internal import Routing
internal import Wire

/// What the owner of the process knows, for `stats`.
public struct ProcessFigures: Sendable {
  public var version = ""
  public var uptimeMs: UInt64 = 0
  public var pid = 0
  public var bytesIn: UInt64 = 0
  public var bytesOut: UInt64 = 0
  public var framesIn: UInt64 = 0
  public var framesOut: UInt64 = 0
  /// Resident.
  public var memoryBytes: UInt64 = 0

  public init() {}
}

/// `stats`: counts, queues and latencies, of all and of each agent.
final class StatsAgent: SystemAgent {
  let name = "stats"
  let description = "Counts, queues and latencies"
  let operations = #"[{"name":"StatsQuery","description":"Everything that is counted"}]"#

  private let router: Router
  private let figures: () -> ProcessFigures

  init(_ router: Router, figures: @escaping () -> ProcessFigures) {
    self.router = router
    self.figures = figures
  }

  func handle(_ call: SystemCall, _ host: SystemHost) {
    host.answer(call) { () throws(SystemFailure) in
      guard call.type == "StatsQuery" else { throw .unhandled(name, call.type) }
      _ = try SystemRequest.object(call.content)
      return SystemReply("StatsReply") { write(figures(), &$0) }
    }
  }

  private func write(_ figures: ProcessFigures, _ writer: inout JSONWriter) {
    var agents = JSONWriter()
    var replicas = 0
    var waiting = 0
    agents.beginArray()
    router.forEachAgent { agent in
      replicas += agent.replicas
      waiting += agent.waiting
      Self.write(agent, &agents)
    }
    agents.endArray()

    writer.beginObject()
    writer.member("version", figures.version)
    writer.member("uptime_ms", figures.uptimeMs)
    writer.member("pid", figures.pid)
    writer.member("connections", router.clientCount)
    writer.member("replicas", replicas)
    writer.member("sessions", router.sessionCount)
    writeCalls(waiting, &writer)
    writer.key("sends")
    writer.beginObject()
    writer.member("total", router.metrics.sends)
    writer.member("lost", router.metrics.sendsLost)
    writer.endObject()
    writeRuns(&writer)
    writeTopics(&writer)
    writer.key("signals")
    writer.beginObject()
    writer.member("total", router.metrics.signals.total)
    writer.member("lost", router.metrics.signals.lost)
    writer.endObject()
    writer.key("latency_us")
    Self.write(router.metrics.calls.latency, &writer)
    writer.key("bytes")
    Self.write(in: figures.bytesIn, out: figures.bytesOut, &writer)
    writer.key("frames")
    Self.write(in: figures.framesIn, out: figures.framesOut, &writer)
    writer.member("memory_bytes", figures.memoryBytes)
    writer.key("agents")
    writer.raw(agents.bytes)
    writer.endObject()
  }

  private func writeCalls(_ waiting: Int, _ writer: inout JSONWriter) {
    let metrics = router.metrics
    writer.key("calls")
    writer.beginObject()
    writer.member("open", metrics.calls.open)
    writer.member("waiting", waiting)
    writer.member("total", metrics.calls.total)
    writer.member("failed", metrics.calls.failed)
    writer.key("by_code")
    writer.beginObject()
    for (code, count) in zip(ErrorCode.allCases, metrics.failedByCode) where count > 0 {
      writer.key(code.rawValue)
      writer.integer(count)
    }
    writer.endObject()
    writer.endObject()
  }

  private func writeRuns(_ writer: inout JSONWriter) {
    let runs = router.runCounts
    writer.key("runs")
    writer.beginObject()
    writer.member("open", runs.open)
    writer.member("ended", runs.ended)
    writer.member("bytes", runs.bytes)
    writer.endObject()
  }

  private func writeTopics(_ writer: inout JSONWriter) {
    let metrics = router.metrics.topics
    writer.key("topics")
    writer.beginObject()
    writer.member("subscriptions", router.subscriptionCount)
    writer.member("published", metrics.published)
    writer.member("lost", metrics.lost)
    writer.member("untaken", metrics.untaken)
    writer.member("delivered", metrics.delivered)
    writer.member("dropped", metrics.dropped)
    writer.endObject()
  }

  private static func write(_ agent: AgentView, _ writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("name", agent.name)
    writer.member("replicas", agent.replicas)
    writer.member("open", agent.metrics.open)
    writer.member("waiting", agent.waiting)
    writer.member("total", agent.metrics.total)
    writer.member("failed", agent.metrics.failed)
    writer.key("latency_us")
    write(agent.metrics.latency, &writer)
    writer.endObject()
  }

  private static func write(_ latency: LatencyHistogram, _ writer: inout JSONWriter) {
    let quantiles = latency.quantiles([0.5, 0.9, 0.99])
    writer.beginObject()
    writer.member("p50", quantiles[0])
    writer.member("p90", quantiles[1])
    writer.member("p99", quantiles[2])
    writer.member("max", latency.max)
    writer.member("count", latency.count)
    writer.endObject()
  }

  private static func write(in: UInt64, out: UInt64, _ writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("in", `in`)
    writer.member("out", out)
    writer.endObject()
  }
}
