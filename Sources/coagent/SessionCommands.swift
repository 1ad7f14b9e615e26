import ArgumentParser
import CoagentClient

struct Processes: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ps", abstract: "List sessions, running calls, and runs.")

  @Argument(help: "Only sessions of this agent.")
  var agent: String?

  @Flag(help: "Only runs.")
  var runs = false

  @Option(help: "How many of each to show.")
  var limit = 1_000

  @Flag(help: "One JSON object, for programs.")
  var json = false

  @OptionGroup var reach: Reach

  func validate() throws {
    if runs, agent != nil { throw ValidationError("Runs are listed without an agent.") }
  }

  func run() async throws {
    var query: [JSON.Member] = [.init("limit", .integer(Int64(limit)))]
    let counted = JSON.object(query)
    if let agent { query.append(.init("agent", .string(agent))) }
    let lists: [Listed] =
      runs
      ? [.runs(counted)]
      : [.sessions(JSON.object(query)), .calls(counted)] + (agent == nil ? [.runs(counted)] : [])
    let json = json
    try await reach.run { client in
      var replies: [(list: Listed, reply: JSON)] = []
      for list in lists {
        let message = Message(json: list.query, type: list.type)
        replies.append((list, try await client.call(list.agent, message).json()))
      }
      if json {
        Output.write(Pretty.compact(Self.joined(replies)))
        Output.line()
      } else {
        for (index, (list, reply)) in replies.enumerated() {
          if index > 0 { Output.line() }
          list.print(reply)
          if reply["more"]?.truth == true { Output.line("… and more (--limit)") }
        }
      }
    }
  }

  /// All lists as one object.
  private static func joined(_ replies: [(list: Listed, reply: JSON)]) -> JSON {
    var members = replies.map { list, reply in
      JSON.Member(list.name, reply[list.name] ?? .array([]))
    }
    members.append(.init("more", .truth(replies.contains { $0.reply["more"] == .truth(true) })))
    return .object(members)
  }
}

/// What is listed, and by which of the sidecar's agents.
private enum Listed {
  case sessions(JSON)
  case calls(JSON)
  case runs(JSON)

  var name: String {
    switch self {
    case .sessions: "sessions"
    case .calls: "calls"
    case .runs: "runs"
    }
  }

  var query: JSON {
    switch self {
    case .sessions(let query), .calls(let query), .runs(let query): query
    }
  }

  var agent: String {
    switch self {
    case .sessions, .calls: "sessions"
    case .runs: "runs"
    }
  }

  var type: String {
    switch self {
    case .sessions: "SessionList"
    case .calls: "CallList"
    case .runs: "RunList"
    }
  }

  func print(_ reply: JSON) {
    switch self {
    case .sessions: Self.printSessions(reply)
    case .calls: Self.printCalls(reply)
    case .runs: Self.printRuns(reply)
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
  }

  private static func printRuns(_ reply: JSON) {
    var table = Table(
      ["RUN", "TO", "TYPE", "STATE", "FRAMES", "READERS", "AGE", "ENDED", "CODE"],
      numeric: [4, 5, 6, 7])
    for run in reply["runs"]?.elements ?? [] {
      let isEnded = run.text("state") == "ended"
      table.add([
        run.text("run"), run.text("to"), run.text("type"), run.text("state"),
        run.number("frames"), run.number("readers"), run.time("age_ms"),
        isEnded ? run.time("ended_ms") : "–", isEnded ? run.code : "",
      ])
    }
    table.print()
  }
}

extension JSON {
  func text(_ name: String) -> String { self[name]?.text ?? "" }
  func number(_ name: String) -> String { Figure.count(self[name]?.integer ?? 0) }
  func time(_ name: String) -> String { Figure.time(ms: self[name]?.integer ?? 0) }
  /// What it ended with, for people.
  fileprivate var code: String { text("code").isEmpty ? "ok" : text("code") }
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
