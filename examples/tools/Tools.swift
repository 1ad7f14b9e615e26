import CoagentClient

// tools: an agent that uses what it finds.
//
//     swift run example-stories tools
//
// It asks who is there and what they can do, and takes each operation for a tool: a name, a
// description and a JSON Schema, as a language model is given them. A model would choose the tool
// and its arguments; here a rule does, and so the answers are always the same.

private struct Pair: Codable {
  var a: Int
  var b: Int

  static let schema: JSON = [
    "type": "object", "properties": ["a": ["type": "integer"], "b": ["type": "integer"]],
  ]
}

private struct Text: Codable {
  var text: String

  static let schema: JSON = ["type": "object", "properties": ["text": ["type": "string"]]]
}

/// An operation of an agent, as a model would be shown it.
private struct Tool: CustomStringConvertible {
  var address: String
  var name: String
  var purpose: String
  /// The names of the schema's properties with their types.
  var parameters: [(name: String, type: String)]

  init(_ agent: AgentCard, _ operation: AgentOperation) {
    address = agent.name
    name = operation.name
    purpose = operation.description
    parameters = (operation.input?["properties"]?.members ?? []).sorted { $0.name < $1.name }
      .map { ($0.name, $0.value["type"]?.text ?? "any") }
  }

  var description: String {
    let parameters = parameters.map { "\($0.name): \($0.type)" }.joined(separator: ", ")
    return "\(name)(\(parameters)): \(purpose)"
  }

  /// The question's numbers and quoted texts, each where the schema has a place for it.
  func arguments(_ question: String) -> JSON {
    var numbers = question.matches(of: /\d+/).compactMap { Int64($0.output) }[...]
    var texts = question.matches(of: /'([^']*)'/).map { String($0.output.1) }[...]
    return .object(
      parameters.map { parameter in
        let value: JSON? =
          parameter.type == "integer"
          ? numbers.popFirst().map(JSON.integer) : texts.popFirst().map(JSON.string)
        return JSON.Member(parameter.name, value ?? .null)
      })
  }
}

private func registerTools(_ client: Client) async throws {
  var math = AgentProfile()
  math.operations = [
    AgentOperation("add", "The sum of two numbers", input: Pair.schema),
    AgentOperation("multiply", "The product of two numbers", input: Pair.schema),
  ]
  try await client.register(
    "tools.math", math,
    returning: { request in
      let pair = try request.decode(Pair.self)
      return request.type == "add" ? pair.a + pair.b : pair.a * pair.b
    })

  var writing = AgentProfile()
  writing.operations = [
    AgentOperation("reverse", "A text from its end to its beginning", input: Text.schema)
  ]
  try await client.register(
    "tools.writing", writing,
    returning: { request in String(try request.decode(Text.self).text.reversed()) })
}

func tellTools() async throws {
  let client = try await Client.connect()
  try await registerTools(client)

  try await client.register("assistant") { request, reply in
    let question = request.text
    let agents = try await client.discover("tools", detailed: true)
    let tools = agents.flatMap { agent in agent.operations.map { Tool(agent, $0) } }
    if question == "what can you do?" {
      for tool in tools { try await reply.send("  \(tool)") }
      return
    }
    let words = question.split(separator: " ").map(String.init)
    guard let tool = tools.first(where: { words.contains($0.name) }) else {
      return try await reply.send("  I have no tool for that")
    }
    let message = Message(json: tool.arguments(question), type: tool.name)
    let answer = try await client.call(tool.address, message).messages[0].text
    try await reply.send("  \(tool.name) of \(tool.address): \(answer)")
  }

  let questions = [
    "what can you do?", "please add 19 and 23", "and multiply 6 by 7", "now reverse 'stressed'",
    "what is love?",
  ]
  for question in questions {
    print(question)
    for try await line in client.stream("assistant", question) { print(line.text) }
  }
  await client.close()
}
