import ArgumentParser
import CoagentClient

struct Processes: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ps", abstract: "List sessions and running calls.")

  @Argument(help: "Only sessions of this agent.")
  var agent: String?

  @Option(help: "How many of each to show.")
  var limit = 1_000

  @Flag(help: "One JSON object, for programs.")
  var json = false

  @OptionGroup var reach: Reach

  func run() async throws {
    var query: [JSON.Member] = [.init("limit", .integer(Int64(limit)))]
    if let agent { query.append(.init("agent", .string(agent))) }
    let (sessionQuery, callQuery) = (JSON.object(query), JSON.object([query[0]]))
    let json = json
    try await reach.run { client in
      let sessions = try await client.call(
        "sessions", Message(json: sessionQuery, type: "SessionList")
      ).json()
      let calls = try await client.call(
        "sessions", Message(json: callQuery, type: "CallList")
      ).json()
      if json {
        let both = JSON.object([
          .init("sessions", sessions["sessions"] ?? .array([])),
          .init("calls", calls["calls"] ?? .array([])),
          .init("more", .truth(sessions["more"] == .truth(true) || calls["more"] == .truth(true))),
        ])
        Output.write(Pretty.compact(both))
        Output.line()
      } else {
        Self.printSessions(sessions)
        Output.line()
        Self.printCalls(calls)
      }
    }
  }

  private static func printSessions(_ reply: JSON) {
    var table = Table(
      ["SESSION", "STATE", "RUNNING", "WAITING", "IDLE", "AGE", "HOST"], numeric: [2, 3, 4, 5])
    for session in reply["sessions"]?.elements ?? [] {
      table.add([
        session.text("address"), session.text("state"), session.number("running"),
        session.number("waiting"), session.time("idle_ms"), session.time("age_ms"),
        session.text("connection"),
      ])
    }
    table.print()
    if reply["more"]?.truth == true { Output.line("… and more (--limit)") }
  }

  private static func printCalls(_ reply: JSON) {
    var table = Table(
      ["CALL", "TO", "TYPE", "STATE", "AGE", "TIME LEFT", "FROM", "CALLER", "HOST"],
      numeric: [0, 4, 5])
    for call in reply["calls"]?.elements ?? [] {
      let left = call["timeout_ms"]?.integer ?? 0
      table.add([
        call.number("call"), call.text("to"), call.text("type"), call.text("state"),
        call.time("age_ms"), left > 0 ? Figure.time(ms: left) : "–", call.text("from"),
        call.text("caller"), call.text("host"),
      ])
    }
    table.print()
    if reply["more"]?.truth == true { Output.line("… and more (--limit)") }
  }
}

extension JSON {
  func text(_ name: String) -> String { self[name]?.text ?? "" }
  func number(_ name: String) -> String { Figure.count(self[name]?.integer ?? 0) }
  func time(_ name: String) -> String { Figure.time(ms: self[name]?.integer ?? 0) }
}

struct Remove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm", abstract: "Close a session; its running calls are cancelled.")

  @Argument(help: "The sessions, name:session.")
  var addresses: [String]

  @OptionGroup var reach: Reach

  func run() async throws {
    let addresses = addresses
    try await reach.run { client in
      for address in addresses {
        let query = JSON.object([.init("address", .string(address))])
        _ = try await client.call("sessions", Message(json: query, type: "SessionDelete"))
        if Output.isTerminal { Output.line("closed \(address)") }
      }
    }
  }
}
