import ArgumentParser
import CoagentClient

struct Ping: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask the sidecar for a sign of life.")

  @Option(name: .shortAndLong, help: "How often.")
  var count = 1

  @Flag(help: "One JSON object on a line, for programs.")
  var json = false

  @OptionGroup var reach: Reach

  func run() async throws {
    let (count, json) = (count, json)
    try await reach.run { client in
      let server = await client.server?.server ?? ""
      for number in 0..<max(1, count) {
        if number > 0 { try await Task.sleep(for: .seconds(1)) }
        let us = try await client.ping().microseconds
        if json {
          let line = JSON.object([
            .init("server", .string(server)), .init("url", .string(client.url)),
            .init("us", .integer(Int64(us))),
          ])
          Output.write(Pretty.compact(line))
          Output.line()
        } else {
          Output.line("\(server) at \(client.url): \(Figure.time(us: us))")
        }
        Output.flush()
      }
    }
  }
}

extension Duration {
  var microseconds: Double {
    Double(components.seconds) * 1e6 + Double(components.attoseconds) / 1e12
  }
}

struct Completion: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the completion script for a shell.",
    discussion:
      "For example: coagent completion bash > ~/.local/share/bash-completion/completions/coagent")

  @Argument(help: "bash, zsh or fish.")
  var shell: String

  func run() throws {
    guard let shell = CompletionShell(rawValue: shell) else {
      throw ValidationError("'\(shell)' is none of bash, zsh, fish")
    }
    Output.line(Coagent.completionScript(for: shell))
  }
}
