import CoagentClient

// relay: passes an errand on to the agents of its path, and streams back what the last one says.
//
//     coagent stream relay.swift -d '{"path": ["relay.python"], "text": "there and back"}'

struct Errand: Codable {
  var text: String
  var path: [String]?
  /// Asks for one answer, and not for a stream.
  var whole: Bool?
}

func registerRelay(_ client: Client) async throws {
  try await client.register(
    "relay.swift", AgentProfile("Passes an errand on, in Swift")
  ) { request, reply in
    var errand = try request.decode(Errand.self)
    guard let next = errand.path?.first else {
      for word in errand.text.split(separator: " ") { try await reply.send("swift: \(word) ") }
      return
    }
    errand.path?.removeFirst()
    if errand.whole == true {
      let answer = try await client.call(next, errand, as: String.self)
      return try await reply.send("swift > \(answer)")
    }
    for try await word in client.stream(next, errand) {
      try await reply.send("swift > \(word.text)")
    }
  }
}
