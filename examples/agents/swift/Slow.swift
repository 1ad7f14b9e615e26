import CoagentClient

// slow: never answers in time, but notices that nobody waits any more.
//
// coagent call slow --timeout 1          # deadline_exceeded after a second

func registerSlow(_ client: Client) async throws {
  try await client.register(
    "slow", AgentProfile("Takes a minute, and says so when its caller leaves before"),
    returning: { _ in
      let left = AgentContext.current?.timeLeft.map { "\($0)" } ?? "no end"
      say("slow: started, the caller gives it \(left)")
      do {
        try await Task.sleep(for: .seconds(60))
      } catch {
        say("slow: cancelled, the caller is gone")
        throw error
      }
      return "at last"
    })
}
