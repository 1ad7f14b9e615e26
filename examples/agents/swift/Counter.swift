import CoagentClient

/// counter: adds up, for each session on its own.
///
///     coagent call counter:alice -d 2
///     coagent call counter:alice -d 3        # 5
///     coagent call counter:bob -d 1          # 1
actor Counter: OperationsAgent {
  private var total = 0

  /// An only operation also takes messages without a type, or no message at all.
  static let operations = Operations<Counter>()
    .on("add", "Adds a number and returns the sum so far.") { (counter, number: Int?) in
      await counter.add(number ?? 1)
    }

  private func add(_ number: Int) -> Int {
    total += number
    return total
  }

  func closed(_ reason: CloseReason) {
    say("counter: a session ended (\(reason)) at \(total)")
  }

  static func register(_ client: Client) async throws {
    var profile = AgentProfile("Adds up numbers, for each session on its own")
    profile.idle = .seconds(60)
    try await client.register("counter", profile, perSession: { _ in Counter() })
  }
}
