import CoagentClient

// words: streams the words of a text, one at a time.
//
// coagent stream words -d 'each word on its own'

func registerWords(_ client: Client) async throws {
  try await client.register(
    "words", AgentProfile("Streams the words of a text, one at a time")
  ) { request, reply in
    for word in try request.decode(String.self).split(separator: " ") {
      try await reply.send("\(word) ")  // Waits here while the caller does not read.
      try await Task.sleep(for: .milliseconds(100))  // As if it had to think.
    }
  }
}
