import CoagentClient

// sessions: each conversation has an instance, and a memory, of its own.
//
//     swift run example-stories sessions

/// Made by the first message of its session; handles one message at a time, in order.
private actor Tally: Agent {
  private let session: String
  private let notes: Notes
  private var added: [Int] = []
  private var sum: Int { added.reduce(0, +) }

  init(_ session: String, _ notes: Notes) {
    self.session = session
    self.notes = notes
  }

  func handle(_ request: Request, reply: ReplyStream, in context: AgentContext) async throws {
    switch request.type {
    case "add":
      let longer = added + [try request.decode(Int.self)]
      await Task.yield()  // Others run now, but nobody else in this session.
      added = longer
      try await reply.send(sum)
    case "show":
      try await reply.send(added)
    default:
      throw AgentError(.unhandledType, "tally does not know \(request.type)")
    }
  }

  func closed(_ reason: CloseReason) async {
    await notes.add("\(session) had \(sum) (\(reason.word))")
  }
}

func tellSessions() async throws {
  let client = try await Client.connect()
  let notes = Notes()
  let registration = try await client.register("tally", perSession: { Tally($0 ?? "", notes) })

  print("ann:", try await client.call("tally:ann", 2, as: Int.self, type: "add"))
  print("ann:", try await client.call("tally:ann", 3, as: Int.self, type: "add"))
  print("bob:", try await client.call("tally:bob", 10, as: Int.self, type: "add"))

  let sums = try await withThrowingTaskGroup(of: Int.self) { group in
    for _ in 1...5 {
      group.addTask { try await client.call("tally:eve", 1, as: Int.self, type: "add") }
    }
    return try await group.reduce(into: []) { $0.append($1) }.sorted()
  }
  print("eve, five calls at once:", spaced(sums))

  for number in 1...5 {
    try await client.send("tally:joe", number, type: "add")  // Nobody answers, but in order.
  }
  let shown = try await client.call("tally:joe", type: "show")
  print("joe, after five sends:", spaced(try shown.decode([Int].self)))

  // An operator ends a session, as `coagent rm tally:ann` does; the next message begins anew.
  _ = try await client.call("sessions", ["address": "tally:ann"], type: "SessionDelete")
  print("closed:", await notes.next())
  print("ann, anew:", try await client.call("tally:ann", 1, as: Int.self, type: "add"))

  // The agent goes, and its sessions with it. (One that is idle for long goes by itself.)
  await registration.cancel()
  for line in await notes.sorted(4) { print("closed:", line) }
  await client.close()
}

private func spaced(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: " ") }
