import ArgumentParser
import CoagentClient

struct Stats: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats", abstract: "Show the sidecar's counts, queues and latencies.")

  @Flag(help: "Again every second, with rates.")
  var watch = false

  @Flag(help: "JSON, for programs.")
  var json = false

  @OptionGroup var reach: Reach

  func run() async throws {
    let (watch, json) = (watch, json)
    try await reach.run { client in
      var last: JSON?
      repeat {
        let message = Message(Array("{}".utf8), type: "StatsQuery")
        let reply = try await client.call("stats", message)
        let stats = try reply.json()
        if json {
          Output.write(Pretty.compact(stats))
          Output.line()
        } else {
          if watch && Output.isTerminal { Output.write("\u{1B}[H\u{1B}[J") }
          Self.print(stats, since: last)
        }
        Output.flush()
        last = stats
        if watch { try await Task.sleep(for: .seconds(1)) }
      } while watch
    }
  }

  private static func print(_ stats: JSON, since last: JSON?) {
    let calls = stats["calls"] ?? .null
    let sends = stats["sends"] ?? .null
    let runs = stats["runs"] ?? .null
    let topics = stats["topics"] ?? .null
    let agents = stats["agents"]?.elements ?? []
    Output.line(
      Output.styled("coagentd \(stats.text("version").replacing("coagentd/", with: ""))", .bold)
        + "  pid \(stats["pid"]?.integer ?? 0), up \(stats.time("uptime_ms")), "
        + "\(Figure.bytes(Double(stats["memory_bytes"]?.integer ?? 0))) of memory")
    Output.line(
      "  \(stats.number("connections")) connections, \(agents.count) agents on "
        + "\(stats.number("replicas")) replicas, \(stats.number("sessions")) sessions")
    Output.line(
      "  calls    \(calls.number("open")) open, \(calls.number("waiting")) waiting, "
        + "\(calls.number("total")) in all\(rate("calls", "total", stats, last)), "
        + "\(calls.number("failed")) failed\(failures(calls))")
    Output.line("  sends    \(sends.number("total")) in all, \(sends.number("lost")) lost")
    Output.line(
      "  runs     \(runs.number("open")) open, \(runs.number("ended")) ended, "
        + "\(Figure.bytes(Double(runs["bytes"]?.integer ?? 0))) kept")
    Output.line(
      "  topics   \(topics.number("subscriptions")) subscriptions, "
        + "\(topics.number("published")) published, \(topics.number("delivered")) delivered, "
        + "\(topics.number("dropped")) dropped, \(topics.number("untaken")) for nobody")
    Output.line("  latency  \(latency(stats["latency_us"]))")
    for (name, unit) in [("bytes", true), ("frames", false)] {
      let both = ["in", "out"].map { way in
        let value = stats[name]?[way]?.integer ?? 0
        let text = unit ? Figure.bytes(Double(value)) : Figure.count(value)
        return "\(text) \(way)\(rate(name, way, stats, last))"
      }
      let label = name + String(repeating: " ", count: 9 - name.count)
      Output.line("  \(label)" + both.joined(separator: ", "))
    }
    if agents.isEmpty { return }
    Output.line()
    printAgents(agents)
  }

  private static func printAgents(_ agents: [JSON]) {
    var table = Table(
      ["AGENT", "REPLICAS", "OPEN", "WAITING", "TOTAL", "FAILED", "P50", "P99"],
      numeric: [1, 2, 3, 4, 5, 6, 7])
    for agent in agents {
      let latency = agent["latency_us"] ?? .null
      table.add([
        agent.text("name"), agent.number("replicas"), agent.number("open"),
        agent.number("waiting"), agent.number("total"), agent.number("failed"),
        Figure.time(us: Double(latency["p50"]?.integer ?? 0)),
        Figure.time(us: Double(latency["p99"]?.integer ?? 0)),
      ])
    }
    table.print()
  }

  private static func failures(_ calls: JSON) -> String {
    let codes = (calls["by_code"]?.members ?? []).filter { ($0.value.integer ?? 0) > 0 }
    if codes.isEmpty { return "" }
    let list = codes.map { "\($0.name) \(Figure.count($0.value.integer ?? 0))" }
    return " (\(list.joined(separator: ", ")))"
  }

  private static func latency(_ latency: JSON?) -> String {
    guard let latency, latency["count"]?.integer ?? 0 > 0 else { return "–" }
    let parts = ["p50", "p90", "p99", "max"].map { name in
      "\(name) \(Figure.time(us: Double(latency[name]?.integer ?? 0)))"
    }
    return parts.joined(separator: ", ")
  }

  private static func rate(_ name: String, _ field: String, _ now: JSON, _ last: JSON?) -> String {
    guard let last, let new = now[name]?[field]?.integer, let old = last[name]?[field]?.integer,
      let newMs = now["uptime_ms"]?.integer, let oldMs = last["uptime_ms"]?.integer, newMs > oldMs
    else { return "" }
    let perSecond = Double(new - old) * 1_000 / Double(newMs - oldMs)
    return name == "bytes"
      ? " (\(Figure.bytes(perSecond))/s)" : " (\(Figure.count(Int64(perSecond)))/s)"
  }
}
