import CoagentClient

// faulty: fails for most fruit, so that the caller sees what becomes of an error.
//
// coagent call faulty -d '"anything"'    # internal/agent_error, with type and cause

private struct UnknownFruit: Error, CustomStringConvertible {
  let description = "unknown fruit"
}

/// An error that tells what it came from.
private struct NoPrice: CausedError, CustomStringConvertible {
  let fruit: String
  let cause: (any Error)?
  var description: String { "no price for \(fruit)" }
}

private let prices = ["apple": 3]

func registerFaulty(_ client: Client) async throws {
  try await client.register(
    "faulty", AgentProfile("Throws an error with a cause"),
    returning: { request in
      let fruit = try request.decode(String.self)
      guard let price = prices[fruit] else { throw NoPrice(fruit: fruit, cause: UnknownFruit()) }
      return price
    })
}
