import CoagentClient

// streaming: replies that come piece by piece, one that is left early, and both directions.
//
//     swift run example-stories streaming

func tellStreaming() async throws {
  let client = try await Client.connect()
  let notes = Notes()

  try await client.register("recite") { request, reply in
    for word in request.text.split(separator: " ") {
      try await reply.send(String(word))  // A message. Suspends while the caller grants no credit.
    }
  }
  try await client.register("spell") { request, reply in
    for letter in request.text {
      try await reply.part(String(letter))  // A piece of one message, such as a model's token.
    }
  }
  try await client.register("count") { _, reply in
    do {
      for number in 1... { try await reply.send(number) }
    } catch {
      await notes.add("the caller has left")
      throw error
    }
  }
  try await client.register("shout") { request, reply in
    for try await word in request.input { try await reply.send(word.text.uppercased()) }
  }

  for try await word in client.stream("recite", "each word by itself") {
    print("message:", word.text)
  }

  for try await piece in client.stream("spell", "abc").parts where !piece.message.text.isEmpty {
    print("part:", piece.message.text)
  }
  print("whole:", try await client.call("spell", "abc", as: String.self))

  for try await number in client.stream("count") {
    print("number:", number.text)
    if number.text == "3" { break }  // Leaving is cancelling, down to the agent.
  }
  print("count:", await notes.next())

  let exchange = try await client.open("shout")
  var answers = exchange.replies.makeAsyncIterator()
  for word in ["hello", "world"] {
    try await exchange.send(word)
    print("\(word): \(try await answers.next()?.text ?? "")")
  }
  try await exchange.finishInput()
  await client.close()
}
