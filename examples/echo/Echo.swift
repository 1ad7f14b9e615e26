import CoagentClient

// echo: an agent, calls to it, their answers, and what goes wrong.
//
//     swift run example-stories echo

private struct Person: Codable {
  var name: String
  var born: Int
}

func tellEcho() async throws {
  let client = try await Client.connect()
  try await client.register("echo", AgentProfile("Answers what it is told")) { request, reply in
    guard let message = request.message, message != Message(text: "") else {
      throw AgentError(.invalidArgument, reason: "nothing_said", "say something")
    }
    try await reply.send(message)
  }

  // Text stays text, JSON stays JSON, bytes stay bytes.
  print("text:", try await client.call("echo", "good morning", as: String.self))
  let ada = Person(name: "Ada", born: 1815)
  let person = try await client.call("echo", ada, as: Person.self)
  print("json: \(person.name), born \(person.born)")
  let bytes = try await client.call("echo", [0xC0, 0xFF, 0xEE] as [UInt8], as: [UInt8].self)
  print("bytes:", bytes.map { String($0, radix: 16) }.joined())

  // An agent's error is thrown here with the code that it chose; so are the sidecar's own.
  for address in ["echo", "nobody"] {
    do {
      _ = try await client.call(address, "")
    } catch let error as AgentError {
      print("\(address): \(error.code.rawValue)/\(error.reason)")
    }
  }
  await client.close()
}
