import ArgumentParser
import CoagentClient

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct Bench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure calls through the running sidecar.",
    discussion: """
      Registers an agent that sends back what it gets, and calls it from a second connection: both
      ends and the sidecar share this machine, so the figures are those of the whole way.
      """)

  @Option(help: "How long each measurement takes.")
  var seconds = 2.0

  @Option(help: "Only measurements with this word in their name, such as call or stream.")
  var only = ""

  @Flag(help: "One JSON list, for programs.")
  var json = false

  @OptionGroup var reach: Reach

  func run() async throws {
    let only = only
    let (reach, json, duration) = (reach, json, Duration.milliseconds(Int64(seconds * 1_000)))
    try await reach.run { client in
      let host = try await reach.connect()
      let name = "coagent-bench.echo-\(getpid())"
      try await host.register(name, AgentProfile("Sends back what it gets")) { request, reply in
        if request.type == "Stream" {
          for _ in 0..<Self.streamed { try await reply.part("token ") }
        } else if let message = request.message {
          try await reply.send(message)
        }
      }
      var results: [Result] = []
      let measurements: [(String, @Sendable () async throws -> Result)] = [
        ("ping", { try await Self.pings(client, duration) }),
        ("call, one at a time", { try await Self.calls(client, name, 16, 1, duration) }),
        ("call, 64 at once", { try await Self.calls(client, name, 16, 64, duration) }),
        ("call of 4 KiB, 64 at once", { try await Self.calls(client, name, 4_096, 64, duration) }),
        ("call of 1 MiB, 4 at once", { try await Self.calls(client, name, 1 << 20, 4, duration) }),
        ("stream of parts", { try await Self.parts(client, name, duration) }),
      ]
      let chosen = measurements.filter { only.isEmpty || $0.0.contains(only) }
      for (index, (label, measure)) in chosen.enumerated() {
        Output.progress("\(index + 1)/\(chosen.count)  \(label) …")
        var result = try await measure()
        result.label = label
        results.append(result)
      }
      Output.endProgress()
      await host.close()
      Self.show(results, json)
    }
  }

  private static let streamed = 1_000

  private struct Result: Sendable {
    var label = ""
    var count: Int
    var seconds: Double
    /// Of each call, in microseconds, sorted; empty where only the rate counts.
    var times: [Double]

    var rate: Double { Double(count) / seconds }

    func time(_ quantile: Double) -> Double {
      times.isEmpty ? 0 : times[min(times.count - 1, Int(Double(times.count) * quantile))]
    }
  }

  private static func pings(_ client: Client, _ duration: Duration) async throws -> Result {
    var times: [Double] = []
    let start = ContinuousClock.now
    while ContinuousClock.now - start < duration {
      times.append(try await client.ping().microseconds)
    }
    let seconds = (ContinuousClock.now - start).microseconds / 1e6
    return Result(count: times.count, seconds: seconds, times: times.sorted())
  }

  private static func calls(
    _ client: Client, _ name: String, _ bytes: Int, _ width: Int, _ duration: Duration
  ) async throws -> Result {
    let message = Message([UInt8](repeating: 0x20, count: bytes), contentType: Message.bytesType)
    for _ in 0..<50 { _ = try await client.call(name, message) }
    let start = ContinuousClock.now
    let times = try await withThrowingTaskGroup(of: [Double].self) { group in
      for _ in 0..<width {
        group.addTask {
          var times: [Double] = []
          var now = ContinuousClock.now
          while now - start < duration {
            _ = try await client.call(name, message)
            let end = ContinuousClock.now
            times.append((end - now).microseconds)
            now = end
          }
          return times
        }
      }
      return try await group.reduce(into: []) { $0 += $1 }
    }
    let seconds = (ContinuousClock.now - start).microseconds / 1e6
    return Result(count: times.count, seconds: seconds, times: times.sorted())
  }

  private static func parts(
    _ client: Client, _ name: String, _ duration: Duration
  ) async throws -> Result {
    let message = Message([], type: "Stream")
    var count = 0
    let start = ContinuousClock.now
    while ContinuousClock.now - start < duration {
      for try await _ in client.stream(name, message).parts { count += 1 }
    }
    let seconds = (ContinuousClock.now - start).microseconds / 1e6
    return Result(count: count, seconds: seconds, times: [])
  }

  private static func show(_ results: [Result], _ json: Bool) {
    if json {
      let lines = results.map { result in
        JSON.object([
          .init("measurement", .string(result.label)),
          .init("count", .integer(Int64(result.count))),
          .init("per_second", .number(result.rate.rounded())),
          .init("p50_us", .number(result.time(0.5))), .init("p99_us", .number(result.time(0.99))),
        ])
      }
      Output.write(Pretty.compact(.array(lines)))
      Output.line()
      return
    }
    var table = Table(["MEASUREMENT", "PER SECOND", "P50", "P99"], numeric: [1, 2, 3])
    for result in results {
      let times =
        result.times.isEmpty
        ? ["–", "–"] : [0.5, 0.99].map { Figure.time(us: result.time($0)) }
      table.add([result.label, Figure.count(Int64(result.rate))] + times)
    }
    table.print()
  }
}
