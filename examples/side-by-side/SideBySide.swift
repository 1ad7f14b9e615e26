import CoagentClient

// side-by-side: every verb once, as clients/README.md has them.
//
//     swift run example-stories side-by-side

private actor Counter: OperationsAgent {
  private var total = 0

  static let operations = Operations<Counter>()
    .on("add") { (counter, number: Int) in await counter.add(number) }

  private func add(_ number: Int) -> Int {
    total += number
    return total
  }
}

func tellSideBySide() async throws {
  var options = ClientOptions()
  options.name = "side-by-side"
  let client = try await Client.connect(options: options)
  try await register(with: client)

  let value = try await client.call("side.upper", "hello", as: String.self, timeout: .seconds(5))
  print("called:", value)
  for try await word in client.stream("side.words", "one two") {
    print("streamed:", word.text)
  }
  let listed = try await client.call("side.words", "one two").messages
  print("listed:", listed.count)
  let exchange = try await client.open("side.mirror")
  try await exchange.send("a")
  try await exchange.finishInput()
  for try await message in exchange.replies {
    print("both ways:", message.text)
  }
  print("context:", try await client.call("side.hello", "ann", as: String.self))
  for try await word in client.stream("side.report", "one two") {
    print("spliced:", word.text)
  }
  print("handed over:", try await client.call("side.front", "hello", as: String.self))

  try await converse(with: client)
  try await look(with: client)
  try await fail(with: client)
  await client.drain(timeout: .seconds(5))
}

private func converse(with client: Client) async throws {
  try await client.send("side.counter:ann", 2, type: "add")
  let total = try await client.call("side.counter:ann", 3, as: Int.self, type: "add")
  print("session:", total)
  for try await thought in client.stream("side.thinker:ann", "why") {
    print("interrupted:", thought.text)
    if thought.text == "thinking" {
      try await client.interrupt("side.thinker:ann", "be brief")
    }
  }
  for try await word in client.stream("side.words", "one two", options: .run("side-1")) {
    print("run:", word.text)
  }
  for try await word in client.attach("side-1") {
    print("attached:", word.text)
  }
}

private func look(with client: Client) async throws {
  let cards = try await client.discover("side", detailed: true)
  print("discovered:", cards.count, cards[1].name, cards[1].operations[0].name)
  for try await change in client.watch("side") {
    print("watched:", change.registered.count, change.isSnapshot)
    break
  }
  let news = try await client.subscribe("side.>")
  try await client.publish("side.news", "rain")
  for try await each in news {
    print("published:", each.topic, each.message.text)
    break
  }
}

private func register(with client: Client) async throws {
  try await client.register("side.upper", AgentProfile("Upper-cases a text")) { (text: String) in
    text.uppercased()
  }
  try await client.register("side.words", streaming: String.self) { (text: String, reply) in
    for word in text.split(separator: " ") { try await reply.send(String(word)) }
  }
  try await client.register("side.mirror") { request, reply in
    for try await message in request.input { try await reply.send("<\(message.text)>") }
  }
  try await client.register("side.hello") { (name: String) in
    let loud = try await client.call("side.upper", name, as: String.self)
    return "hello \(loud)"
  }
  try await client.register("side.busy") { _, _ in
    try await Task.sleep(for: .seconds(3_600))
  }
  try await client.register("side.refuse") { _, _ in
    throw AgentError(.aborted, reason: "busy", "not now")
  }
  try await client.register("side.thinker") { _, reply in try await think(reply) }
  try await client.register("side.report", streaming: String.self) { (text: String, reply) in
    let words = try await client.delegate("side.words", text)
    try await reply.send("begin")
    try await reply.splice(words)
    try await reply.send("end")
  }
  try await client.register("side.front") { (text: String) in
    try await client.delegate("side.upper", text)
  }
  var profile = AgentProfile()
  profile.idle = .seconds(60)
  try await client.register("side.counter", profile, perSession: { _ in Counter() })
}

private func think(_ reply: ReplyStream) async throws {
  guard let context = AgentContext.current else { return }
  do {
    try await context.interruptible {
      try await reply.send("thinking")
      try await Task.sleep(for: .seconds(3_600))
    }
  } catch let interrupted as Interrupted {
    try await reply.send("in short: \(interrupted.signal.text)")
  }
}

private func fail(with client: Client) async throws {
  do {
    _ = try await client.call("side.nobody")
  } catch let error as AgentError where error.code == .notFound {
    print("error:", error.code.rawValue, error.reason)
  }
  do {
    _ = try await client.call("side.refuse", "x")
  } catch let error as AgentError {
    print("error:", error.code.rawValue, error.reason)
  }
  do {
    _ = try await client.call("side.busy", timeout: .milliseconds(50))
  } catch let error as AgentError where error.code == .deadlineExceeded {
    print("late:", error.code.rawValue)
  }
  let task = Task { try await client.call("side.busy") }
  task.cancel()
  do {
    _ = try await task.value
  } catch is CancellationError {
    print("cancelled")
  }
}
