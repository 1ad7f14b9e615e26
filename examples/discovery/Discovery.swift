import CoagentClient

// discovery: who is there, what they can do, and who comes and goes.
//
//     swift run example-stories discovery

private struct Search: Codable {
  var author: String
  var before: Int

  static let schema: JSON = [
    "type": "object",
    "properties": ["author": ["type": "string"], "before": ["type": "integer"]],
    "required": ["author", "before"],
  ]
}

func tellDiscovery() async throws {
  let client = try await Client.connect()

  var books = AgentProfile("Sells books")
  books.version = "1.2"
  books.operations = [
    AgentOperation(
      "find", "Titles of an author, up to a year", input: Search.schema, streaming: true)
  ]
  try await client.register("shop.books", books) { request, reply in
    let search = try request.decode(Search.self)
    try await reply.send("a book by \(search.author) before \(search.before)")
  }
  try await client.register("shop.music", AgentProfile("Sells records"), returning: stock)
  var jazz = AgentProfile()
  jazz.labels = ["mood": "blue"]
  try await client.register("shop.music.jazz", jazz, returning: stock)

  // Dots make namespaces.
  print("in shop:", names(try await client.discover("shop")))
  print("below shop:", names(try await client.discover("shop", recursive: true)))
  let blue = try await client.discover("shop", recursive: true, labels: ["mood": "blue"])
  print("in a blue mood:", names(blue))

  let card = try await client.discover("shop", detailed: true)[0]
  print("\(card.name) \(card.version): \(card.description)")
  for operation in card.operations {
    let properties = operation.input?["properties"]?.members ?? []
    let fields = properties.sorted { $0.name < $1.name }
      .map { "\($0.name): \($0.value["type"]?.text ?? "any")" }
    print("  \(operation.name)(\(fields.joined(separator: ", "))): \(operation.description)")
  }

  // A watch tells what there is, and then every change.
  var changes = client.watch("shop.music", recursive: true).makeAsyncIterator()
  print("there is:", names(try await changes.next()?.registered ?? []))
  let blues = try await client.register("shop.music.blues", returning: stock)
  print("came:", names(try await changes.next()?.registered ?? []))
  await blues.cancel()
  print("went:", try await changes.next()?.deregistered.joined(separator: ", ") ?? "")
  await client.close()
}

@concurrent
private func stock(_ request: Request) async throws -> String { "plenty" }

private func names(_ cards: [AgentCard]) -> String {
  cards.map(\.name).joined(separator: ", ")
}
