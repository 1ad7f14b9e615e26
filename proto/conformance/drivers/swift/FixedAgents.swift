import CoagentClient

/// The agents that need no word from the runner.
enum FixedAgents {
  static func agent(_ kind: String) throws -> ClosureAgent {
    switch kind {
    case "echo": ClosureAgent(echo)
    case "mirror": ClosureAgent(mirror)
    case "generate": ClosureAgent(generate)
    case "collect": ClosureAgent(collect)
    case "hang": ClosureAgent(hang)
    case "fail": ClosureAgent(fail)
    case "relay": ClosureAgent(relay)
    case "delegate": ClosureAgent(delegate)
    case "hand_over": ClosureAgent(handOver)
    case "slow": ClosureAgent(slow)
    default: throw Unsupported(why: "no agent '\(kind)'")
    }
  }

  private static let echo: ClosureAgent.Body = { request, reply, _ in
    if let message = try await request.firstMessage() { try await reply.send(bare(message)) }
  }

  private static let mirror: ClosureAgent.Body = { request, reply, _ in
    for try await message in request.input { try await reply.send(bare(message)) }
  }

  /// What is said beside content and types goes one way only.
  private static func bare(_ message: Message) -> Message {
    Message(message.content, contentType: message.contentType, type: message.type)
  }

  private static let generate: ClosureAgent.Body = { request, reply, _ in
    struct Wanted: Decodable {
      let count: Int
      let bytes: Int
    }
    let wanted = try request.decode(Wanted.self)
    var sent = 0
    defer { Output.event("generated", ("count", count(sent))) }
    while sent < wanted.count {
      var content = [UInt8](repeating: 0, count: max(8, wanted.bytes))
      withUnsafeBytes(of: UInt64(sent).bigEndian) { number in
        content.replaceSubrange(0..<8, with: number)
      }
      try await reply.send(content)
      sent += 1
    }
  }

  private static let collect: ClosureAgent.Body = { request, reply, _ in
    var (messages, bytes) = (0, 0)
    var hash = SHA256()
    for try await message in request.input {
      messages += 1
      bytes += message.content.count
      hash.update(message.content)
    }
    let digest = Hex.text(hash.finish())
    let result = object(
      ("messages", count(messages)), ("bytes", count(bytes)), ("sha256", .string(digest)))
    try await reply.send(Message(json: result))
  }

  private static let hang: ClosureAgent.Body = { request, _, _ in
    Output.event("begun", ("address", .string(request.address)))
    defer { Output.event("ended", ("address", .string(request.address))) }
    try await Task.sleep(for: .seconds(86_400))
  }

  private static let fail: ClosureAgent.Body = { request, _, _ in
    throw OrdinaryError(
      "no price for \(request.text)", because: OrdinaryError("unknown fruit"))
  }

  private struct Errand: Codable, Sendable {
    let path: [String]
    let text: String
    var mark: String?

    /// What the first of the path is asked.
    var rest: Errand { Errand(path: Array(path.dropFirst()), text: text, mark: mark) }

    /// At the end of the path.
    func sendWords(_ reply: ReplyStream) async throws {
      for word in text.split(separator: " ") { try await reply.send(String(word)) }
    }
  }

  private static let relay: ClosureAgent.Body = { request, reply, context in
    let errand = try request.decode(Errand.self)
    guard let next = errand.path.first else { return try await errand.sendWords(reply) }
    for try await word in context.stream(next, errand.rest, type: "") {
      try await reply.send("swift>\(word.text)")
    }
  }

  private static let delegate: ClosureAgent.Body = { request, reply, context in
    let errand = try request.decode(Errand.self)
    guard let next = errand.path.first else { return try await errand.sendWords(reply) }
    try await reply.send("swift>")
    try await reply.splice(try await context.delegate(next, errand.rest, type: ""))
    try await reply.send("<swift")
  }

  private static let handOver: ClosureAgent.Body = { request, reply, context in
    let errand = try request.decode(Errand.self)
    guard let next = errand.path.first else { return try await errand.sendWords(reply) }
    try await reply.send("swift>")
    try await reply.handOff(to: try await context.delegate(next, errand.rest, type: ""))
  }

  private static let slow: ClosureAgent.Body = { request, _, _ in
    try await Task.sleep(for: .milliseconds(try request.decode(Int.self)))
  }
}

/// Keeps what it is given, for each session on its own.
actor Recorder: Agent {
  private var items: [JSON] = []
  private var running = 0
  private var mostRunning = 0

  func handle(_ request: Request, reply: ReplyStream, in context: AgentContext) async throws {
    running += 1
    mostRunning = max(mostRunning, running)
    defer { running -= 1 }
    switch request.type {
    case "add":
      items.append(try request.json())
      await Task.yield()
    case "show":
      let shown = object(("items", .array(items)), ("most_running", count(mostRunning)))
      try await reply.send(Message(json: shown))
    default: throw AgentError(.unhandledType, "a recorder knows add and show")
    }
  }
}

/// A total for each session.
actor Total: OperationsAgent {
  struct Person: Codable, Sendable { let name: String }

  private var total = 0

  static let operations = Operations<Total>()
    .on("add") { (total, number: Int) in await total.add(number) }
    .on("greet") { (_, person: Person) in "hello \(person.name)" }
    .on("count_up", streaming: Int.self) { (_, last: Int, reply) in
      for number in stride(from: 1, through: last, by: 1) { try await reply.send(number) }
    }

  private func add(_ number: Int) -> Int {
    total += number
    return total
  }
}
