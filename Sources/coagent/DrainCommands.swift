import ArgumentParser
import CoagentClient

struct Connections: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "connections", abstract: "List who is connected to the sidecar.")

  @Flag(help: "One JSON object, for programs.")
  var json = false

  @OptionGroup var reach: Reach

  func run() async throws {
    let json = json
    try await reach.run { client in
      let connections = try await Self.all(client)
      if json {
        Output.write(Pretty.compact(.object([.init("connections", .array(connections))])))
        Output.line()
        return
      }
      var table = Table(
        ["CONNECTION", "NAME", "STATE", "AGENTS", "HANDLING", "CALLS", "AGE", "WHO", "CLIENT"],
        numeric: [4, 5, 6])
      for connection in connections {
        let agents = connection["agents"]?.elements?.compactMap(\.text) ?? []
        table.add([
          connection.text("connection"), connection.text("name"), connection.text("state"),
          agents.isEmpty ? "–" : agents.joined(separator: " "), connection.number("handling"),
          connection.number("calls"), connection.time("age_ms"), connection.text("principal"),
          connection.text("client"),
        ])
      }
      table.print()
    }
  }

  /// All connections, page by page.
  static func all(_ client: Client) async throws -> [JSON] {
    var found: [JSON] = []
    while true {
      var query: [JSON.Member] = []
      if let last = found.last { query.append(.init("after", .string(last.text("connection")))) }
      let reply = try await client.call(
        "sys.connections", Message(json: .object(query), type: "ConnectionList")
      ).json()
      let page = reply["connections"]?.elements ?? []
      found += page
      if page.isEmpty || reply["more"]?.truth != true { return found }
    }
  }
}

struct Drain: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Let a connection, or the sidecar, finish what it has.",
    discussion: """
      A connection is c7, as coagent connections lists it, its name, or agent@name where several
      have that name. What is new goes to other replicas at once; what runs has --timeout. Then
      its program can be ended: it stays connected until it is.

      Without a connection the sidecar itself takes nothing new, waits for what is in flight,
      and ends.
      """)

  @Argument(help: ArgumentHelp("The connection, or agent@connection.", valueName: "connection"))
  var connection: String?

  @Option(help: "How long what runs may take: 5, 200ms, 2m. As the sidecar is set unless given.")
  var timeout: Time?

  @OptionGroup var reach: Reach

  func run() async throws {
    let (named, timeout) = (connection, timeout)
    var options: [JSON.Member] = []
    if let timeout {
      let (seconds, attoseconds) = timeout.duration.components
      let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000
      options.append(.init("timeout_ms", .integer(milliseconds)))
    }
    try await reach.run { [options] client in
      if let named {
        try await Self.drain(named, options, client)
      } else {
        try await Self.drainAll(options, client)
      }
    }
  }

  // MARK: - The sidecar

  private static func drainAll(_ options: [JSON.Member], _ client: Client) async throws {
    var asking = CallOptions()
    asking.timeout = .unlimited
    let request = Message(json: .object(options), type: "Drain")
    var left: Int64?
    for try await message in client.stream("sys.daemon", request, options: asking) {
      let progress = try message.json()
      left = progress["in_flight"]?.integer ?? 0
      show(left ?? 0, "in flight", progress["left_ms"]?.integer)
    }
    Output.endProgress()
    Output.line((left ?? 0) == 0 ? "drained" : "ended with \(left ?? 0) in flight")
  }

  private static func show(_ count: Int64, _ what: String, _ leftMs: Int64?) {
    let time = leftMs.map { ", \(Figure.time(ms: $0)) left" } ?? ""
    let text = "draining: \(Figure.count(count)) \(what)\(time)"
    if Output.errorIsTerminal { Output.progress(text) } else { Output.complain(text) }
  }

  // MARK: - One connection

  private static func drain(
    _ named: String, _ options: [JSON.Member], _ client: Client
  ) async throws {
    let found = try find(named, among: try await Connections.all(client))
    let word = found.text("connection")
    let request = JSON.object([.init("connection", .string(word))] + options)
    let reply = try await client.call(
      "sys.connections", Message(json: request, type: "ConnectionDrain")
    ).json()
    let end = ContinuousClock.now + .milliseconds(reply["timeout_ms"]?.integer ?? 0)
    var shown: Int64?
    while true {
      let now = try await Connections.all(client).first { $0.text("connection") == word }
      guard let now, let handling = now["handling"]?.integer, handling > 0 else { break }
      if shown != handling {
        shown = handling
        let left = (end - .now).components
        show(
          handling, "calls at \(found.text("name"))",
          max(0, left.seconds * 1_000 + left.attoseconds / 1_000_000_000_000_000))
      }
      try await Task.sleep(for: .milliseconds(100))
    }
    Output.endProgress()
    Output.line("drained \(word) (\(found.text("name")))")
  }

  /// The connection of that word; or of that name, and with that agent if one is named.
  private static func find(_ named: String, among connections: [JSON]) throws -> JSON {
    if let found = connections.first(where: { $0.text("connection") == named }) { return found }
    let parts = named.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let (agent, name) = parts.count == 2 ? (String(parts[0]), String(parts[1])) : ("", named)
    let found = connections.filter { connection in
      let agents = connection["agents"]?.elements?.compactMap(\.text) ?? []
      return [connection.text("connection"), connection.text("name")].contains(name)
        && (agent.isEmpty || agents.contains(agent))
    }
    if found.count == 1 { return found[0] }
    if found.isEmpty {
      throw Complaint(
        "no connection \(named)\n  See who is there with: coagent connections", exitCode: 3)
    }
    let words = found.map { $0.text("connection") }.joined(separator: " ")
    throw Complaint("\(named) is the name of several: \(words)", exitCode: Complaint.usage)
  }
}
