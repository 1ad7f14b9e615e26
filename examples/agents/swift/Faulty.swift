import CoagentClient

// faulty: always throws, so that the caller sees what becomes of an error.
//
// coagent call faulty -d 'apple'         # internal/agent_error, with its type
// coagent call faulty                    # invalid_argument, with a reason of its own

struct NoPrice: Error, CustomStringConvertible {
  let fruit: String
  var description: String { "no price for \(fruit)" }
}

func registerFaulty(_ client: Client) async throws {
  try await client.register("faulty", AgentProfile("Throws an error")) { request, _ in
    if request.text.isEmpty {
      throw AgentError(.invalidArgument, reason: "no_fruit", "name a fruit")
    }
    throw NoPrice(fruit: try request.decode(String.self))
  }
}
