import CoagentClient
import Glibc

/// All example agents in one process, on one connection.
///
///     swift run example-agents
@main
struct ExampleAgents {
  static func main() async throws {
    var options = ClientOptions()
    options.name = "example-agents"
    options.wait = .seconds(10)
    let client = try await Client.connect(options: options)
    try await registerWords(client)
    try await Counter.register(client)
    try await registerPlanner(client)
    try await registerFaulty(client)
    try await registerSlow(client)
    say("example agents are registered at \(client.url)")
    try await client.serveUntilSignal()
  }
}

/// Prints a line at once, whoever reads the output.
func say(_ text: String) {
  var line = text + "\n"
  line.withUTF8 { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}
