import CoagentClient

// planner: asks other agents, and streams what comes of it on.
//
//     coagent stream planner -d 'buy milk'
//
// Its calls are children of the one it handles: they have no more time, and end with it.

func registerPlanner(_ client: Client) async throws {
  try await client.register(
    "planner", AgentProfile("Turns a goal into numbered steps, with the help of words")
  ) { request, reply in
    let goal = try request.decode(String.self)
    let number = try await client.call("counter:plans", 1, as: Int.self)
    try await reply.send("Plan \(number): \(goal)\n")
    var step = 0
    for try await word in client.stream("words", goal) {
      step += 1
      let word = word.text.split(separator: " ").joined(separator: " ")
      try await reply.send("  \(step). \(word)\n")
    }
  }
}
