import CoagentClient

// agents-calling-agents: what an agent asks of others belongs to the call that it handles.
//
//     swift run example-stories agents-calling-agents
//
// Child calls have no more time than their parent, carry its trace and ext on, and end with it.

private let traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

private actor Counter: Agent {
  private var total = 0

  func handle(_ request: Request, reply: ReplyStream, in context: AgentContext) async throws {
    total += try request.decode(Int.self)
    try await reply.send(total)
  }
}

private struct Words: Agent {
  let asked: Notes
  let cancelled: Notes

  func handle(_ request: Request, reply: ReplyStream, in context: AgentContext) async throws {
    let trace = context.trace == traceParent ? "the same" : "another"
    let time = context.timeLeft == nil ? "no" : "a"
    let customer = context.ext["customer"]?.description ?? "nobody"
    await asked.add("by \(context.from), for \(customer), \(trace) trace, \(time) deadline")
    try await cancelled.noting(request.name) {
      for word in request.text.split(separator: " ") {
        try await reply.send(String(word))
        if word == "ever" { try await Task.sleep(for: .seconds(3_600)) }
      }
    }
  }
}

private struct Planner: Agent {
  let cancelled: Notes

  func handle(_ request: Request, reply: ReplyStream, in context: AgentContext) async throws {
    try await cancelled.noting(request.name) {
      let number = try await context.call("team.counter:plans", 1, as: Int.self)
      try await reply.send("plan \(number): \(request.text)")
      var step = 0
      for try await word in context.stream("team.words", request.text) {
        step += 1
        try await reply.send("  \(step). \(word.text)")
      }
    }
  }
}

extension Notes {
  /// Notes the name of an agent whose caller left while `body` ran.
  nonisolated fileprivate func noting(_ name: String, _ body: () async throws -> Void) async throws
  {
    do {
      try await body()
    } catch {
      if Task.isCancelled { await add(name) }
      throw error
    }
  }
}

func tellAgentsCallingAgents() async throws {
  let client = try await Client.connect()
  let asked = Notes()
  let cancelled = Notes()
  try await client.register("team.counter", perSession: { _ in Counter() })
  try await client.register("team.words", agent: Words(asked: asked, cancelled: cancelled))
  try await client.register("team.planner", agent: Planner(cancelled: cancelled))
  var asking = CallOptions()
  asking.timeout = .seconds(10)
  asking.trace = traceParent
  asking.ext = ["customer": "ann"]

  let shopping = Message(text: "buy fresh milk")
  for try await line in client.stream("team.planner", shopping, options: asking) {
    print(line.text)
  }
  print("words was asked", await asked.next())

  let waiting = Message(text: "wait for ever")
  for try await line in client.stream("team.planner", waiting, options: asking) {
    print(line.text)
    if line.text == "  3. ever" { break }  // Cancels the planner, and with it what it called.
  }
  for name in await cancelled.sorted(2) { print("cancelled:", name) }
  await client.close()
}
