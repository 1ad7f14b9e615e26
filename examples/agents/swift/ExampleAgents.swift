import CoagentClient
import Glibc

/// All example agents in one process, on one connection; or those that are named.
///
///     swift run example-agents
///     swift run example-agents planner
///     swift run example-agents shout      # one that also calls itself, and ends
@main
struct ExampleAgents {
  static func main() async throws {
    let wanted = CommandLine.arguments.dropFirst()
    if wanted == ["shout"] { return try await runShout() }
    var options = ClientOptions()
    options.name = "example-agents"
    options.wait = .seconds(10)
    let client = try await Client.connect(options: options)
    let examples: [(name: String, register: (Client) async throws -> Void)] = [
      ("words", registerWords), ("counter", Counter.register), ("planner", registerPlanner),
      ("faulty", registerFaulty), ("slow", registerSlow), ("relay", registerRelay),
    ]
    for example in examples where wanted.isEmpty || wanted.contains(example.name) {
      try await example.register(client)
    }
    say("example agents are registered at \(client.url)")
    try await client.serveUntilSignal()
  }
}

/// Prints a line at once, whoever reads the output.
func say(_ text: String) {
  var line = text + "\n"
  line.withUTF8 { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}
