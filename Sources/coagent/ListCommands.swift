import ArgumentParser
import CoagentClient

struct List: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls", abstract: "List the agents of a namespace.")

  @Argument(help: "The namespace; none for the top.")
  var namespace = ""

  @Flag(name: .shortAndLong, help: "Everything below it, not only its own agents.")
  var recursive = false

  @Flag(name: .shortAndLong, help: "Version, replicas, labels and operations too.")
  var long = false

  @Flag(help: "The agent of the namespace's own name too.")
  var inclusive = false

  @Option(
    name: .customLong("label"),
    help: ArgumentHelp("Only agents with this label.", valueName: "key=value"))
  var labels: [String] = []

  @Flag(help: "One JSON object, for programs.")
  var json = false

  @OptionGroup var reach: Reach

  func run() async throws {
    let query = try Discovery.query(
      namespace, recursive: recursive, inclusive: inclusive, detailed: long, labels: labels)
    var options = CallOptions()
    options.timeout = .seconds(30)
    let message = Message(json: query, type: "DiscoveryQuery")
    let reply = try await reach.reply("discovery", message, options)
    if json {
      for message in reply.messages { Output.write(message.content) }
      Output.line()
      return
    }
    let agents = try reply.json()["agents"]?.elements ?? []
    if agents.isEmpty {
      let hint = recursive ? "" : " (coagent ls -r shows all namespaces)"
      Output.complain("no agents\(namespace.isEmpty ? "" : " in \(namespace)")\(hint)")
    } else if long {
      Self.printLong(agents)
    } else {
      var table = Table(["NAME", "DESCRIPTION"])
      for agent in agents {
        table.add([agent["name"]?.text ?? "", (agent["description"]?.text ?? "").firstLine])
      }
      table.print()
    }
  }

  private static func printLong(_ agents: [JSON]) {
    var table = Table(
      ["NAME", "VERSION", "REPLICAS", "OPERATIONS", "LABELS", "DESCRIPTION"], numeric: [2])
    for agent in agents {
      let card = AgentCard(agent)
      table.add([
        card.name, card.version, "\(card.replicas)",
        card.operations.map(\.name).joined(separator: ","), Discovery.text(card.labels),
        card.description.firstLine,
      ])
    }
    table.print()
  }
}

/// Questions to the agent `discovery`.
enum Discovery {
  static func query(
    _ namespace: String, recursive: Bool, inclusive: Bool, detailed: Bool, labels: [String]
  ) throws -> JSON {
    .object([
      .init("namespace", .string(namespace)), .init("recursive", .truth(recursive)),
      .init("inclusive", .truth(inclusive)), .init("detailed", .truth(detailed)),
      .init("labels", .object(try labels.map(Self.label))),
    ])
  }

  private static func label(_ text: String) throws -> JSON.Member {
    guard let sign = text.firstIndex(of: "="), sign > text.startIndex else {
      throw ValidationError("--label \(text): a label is key=value")
    }
    return .init(String(text[..<sign]), .string(String(text[text.index(after: sign)...])))
  }

  static func text(_ labels: [String: String]) -> String {
    labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
  }
}

extension String {
  var firstLine: String { utf8.contains(0x0A) ? String(prefix { !$0.isNewline }) : self }
}

struct Describe: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe", abstract: "Show what an agent says of itself.")

  @Argument(help: "The agent's name.")
  var name: String

  @Flag(help: "One JSON object, for programs.")
  var json = false

  @OptionGroup var reach: Reach

  func run() async throws {
    let query = try Discovery.query(
      name, recursive: false, inclusive: true, detailed: true, labels: [])
    let reply = try await reach.ask("discovery", "DiscoveryQuery", query)
    let found = reply["agents"]?.elements?.first { $0["name"]?.text == name }
    guard let found else {
      throw AgentError(.unknownAgent, "no agent is registered as '\(name)'")
    }
    if json {
      Output.write(Pretty.compact(found))
      Output.line()
    } else {
      Self.print(AgentCard(found))
    }
  }

  private static func print(_ card: AgentCard) {
    Output.line(Output.styled(card.name, .bold))
    if !card.description.isEmpty { Output.line("  \(card.description)") }
    Output.line()
    if !card.version.isEmpty { Output.line("  version     \(card.version)") }
    Output.line("  replicas    \(card.replicas)")
    if !card.labels.isEmpty { Output.line("  labels      \(Discovery.text(card.labels))") }
    for operation in card.operations {
      Output.line()
      let name = Output.styled(operation.name, .bold)
      Output.line("  \(name)\(operation.streaming ? "  (streams its replies)" : "")")
      if !operation.description.isEmpty { Output.line("    \(operation.description)") }
      for (label, schema) in [("input", operation.input), ("output", operation.output)] {
        if let schema { Output.line("    \(label) " + Pretty.text(schema, indent: "    ")) }
      }
    }
  }
}

struct Watch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Show agents as they come and go.")

  @Argument(help: "The namespace; none for all agents.")
  var namespace = ""

  @Flag(help: "One JSON object on a line, for programs.")
  var json = false

  @OptionGroup var reach: Reach

  func run() async throws {
    let (namespace, json) = (namespace, json)
    try await reach.run(reconnects: true) { client in
      for try await change in client.watch(namespace, recursive: true, inclusive: true) {
        Self.show(
          change.registered, gone: change.deregistered, json,
          change.isSnapshot ? "snapshot" : "change")
        Output.flush()
      }
    }
  }

  private static func show(_ cards: [AgentCard], gone: [String], _ json: Bool, _ kind: String) {
    if json {
      let registered = cards.map { card in
        JSON.object([
          .init("name", .string(card.name)), .init("description", .string(card.description)),
        ])
      }
      let line = JSON.object([
        .init("kind", .string(kind)), .init("registered", .array(registered)),
        .init("deregistered", .array(gone.map { .string($0) })),
      ])
      Output.write(Pretty.compact(line))
      Output.line()
      return
    }
    for name in gone { Output.line(Output.styled("- \(name)", .red)) }
    for card in cards {
      let description = Output.styled(card.description.firstLine, .dim)
      Output.line(Output.styled("+ \(card.name)", .green) + "  \(description)")
    }
  }
}
