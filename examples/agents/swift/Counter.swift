import CoagentClient

/// counter: adds up, for each session on its own.
///
///     coagent call counter:alice -d 2
///     coagent call counter:alice -d 3        # 5
///     coagent call counter:bob -d 1          # 1
actor Counter: Agent {
  private var total = 0

  func handle(_ request: Request, reply: ReplyStream, in context: AgentContext) async throws {
    let number = request.message?.content.isEmpty == false ? try request.decode(Int.self) : 1
    total += number
    try await reply.send(total)
  }

  func closed(_ reason: CloseReason) {
    say("counter: a session ended (\(reason)) at \(total)")
  }

  static func register(_ client: Client) async throws {
    var profile = AgentProfile("Adds up numbers, for each session on its own")
    profile.idle = .seconds(60)
    profile.operations = [
      AgentOperation("add", "Adds a number and returns the sum so far.")
    ]
    try await client.register("counter", profile, perSession: { _ in Counter() })
  }
}
