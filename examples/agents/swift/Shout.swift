import CoagentClient

/// What the README shows: an agent and its caller in one program.
func runShout() async throws {
  let client = try await Client.connect()
  try await client.register("shout", AgentProfile("Upper-cases words")) { request, reply in
    for word in try request.decode(String.self).split(separator: " ") {
      try await reply.send(word.uppercased() + " ")  // suspends while the caller grants no credit
    }
  }
  for try await word in client.stream("shout", "hello world") {
    print(word.text)
  }
  do {
    _ = try await client.call("nobody", "anyone?", as: String.self)
  } catch let error as AgentError where error.code == .notFound {
    print(error)
  }
  await client.close()
}
