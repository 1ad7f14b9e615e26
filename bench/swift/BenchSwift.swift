import CoagentClient

/// A pair written with CoagentClient, as its users write it; the same work as `c/load`.
///
///     bench-swift host   --url unix:/path
///     bench-swift caller --url unix:/path --depth 64 --size 16 --seconds 1
///     bench-swift caller --url unix:/path --parts 20000 --seconds 1
@main
struct BenchSwift {
  struct WrongReply: Error {
    var what: String
  }

  static func main() async throws {
    let arguments = try Arguments.read(Array(CommandLine.arguments.dropFirst()))
    let client = try await Client.connect(arguments.url)
    if arguments.role == "host" {
      try await host(client)
    } else {
      try await call(client, arguments)
    }
    await client.close()
  }

  private static func host(_ client: Client) async throws {
    var profile = AgentProfile()
    profile.concurrency = 100_000
    try await client.register("bench.echo", profile, returning: { $0.text })
    try await client.register("bench.stream", profile) { request, reply in
      for _ in 1..<(try request.decode(Int.self)) { try await reply.part("t") }
      try await reply.send("t")
    }
    say("ready")
    try await client.serve()
  }

  private static func call(_ client: Client, _ arguments: Arguments) async throws {
    let measurement = Measurement(arguments)
    if arguments.parts > 0 {
      let parts = arguments.parts
      try await measurement.work(1) { try await stream(client, parts, measurement) }
    } else {
      let value = String(repeating: "x", count: max(arguments.size - 2, 0))
      try await measurement.work(arguments.depth) { try await echo(client, value) }
    }
    say(measurement.report)
  }

  private static func echo(_ client: Client, _ value: String) async throws {
    let reply = try await client.call("bench.echo", value, as: String.self)
    if reply != value { throw WrongReply(what: "another content came back") }
  }

  private static func stream(
    _ client: Client, _ parts: Int, _ measurement: Measurement
  ) async throws {
    var received = 0
    for try await _ in client.stream("bench.stream", parts).parts {
      measurement.part()
      received += 1
    }
    if received != parts { throw WrongReply(what: "\(received) of \(parts) parts came") }
  }
}
