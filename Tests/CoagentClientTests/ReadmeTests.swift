import CoagentClient
import Locking
import TestSupport
import Testing

/// The sidecar that this build made, beside the tests that it made.
private let program = CommandLine.arguments.first.flatMap { tests in
  tests.firstRange(of: "/debug/").map { String(tests[..<$0.upperBound]) + "coagentd" }
}

/// What the README connects to is a sidecar of the test's own.
private func withClient(_ body: (Client) async throws -> Void) async throws {
  try await withLocalClient(program: program, body)
}

private struct Document: Codable, Sendable { var text: String }

private actor Counter: OperationsAgent {
  private var total = 0

  static let operations = Operations<Counter>()
    .on("add", "Adds to the total") { (counter, number: Int) in await counter.add(number) }
    .on("reset") { counter in await counter.reset() }

  func add(_ number: Int) -> Int {
    total += number
    return total
  }

  func reset() { total = 0 }

  func closed(_ reason: CloseReason) {}  // idle cancelled shutdown connectionLost replaced ended
}

/// The code of clients/swift/README.md against a real sidecar.
@Suite struct Readme {
  /// What the code prints.
  private let lines = Locked<[String]>([])

  private func print(_ words: String...) {
    lines.withLock { $0.append(words.joined(separator: " ")) }
  }

  @Test func quickStart() async throws {
    try await withClient { client in
      try await client.register(
        "demo.shout", AgentProfile("Upper-cases words"), streaming: String.self
      ) { (text: String, reply) in
        for word in text.split(separator: " ") {
          try await reply.send(word.uppercased())  // suspends while the caller gives no credit
        }
      }

      for try await word in client.stream("demo.shout", "hello world", timeout: .seconds(5)) {
        print(word.text)
      }
      print(try await client.call("demo.shout", "joined up", as: String.self))
      do {
        _ = try await client.call("demo.missing")
      } catch let error as AgentError where error.code == .notFound {
        print(error.code.rawValue, error.reason)
      }
    }
    #expect(
      lines.withLock { $0 } == ["HELLO", "WORLD", "JOINEDUP", "not_found unknown_agent"])
  }

  @Test func bothDirectionsAndContext() async throws {
    try await withClient { client in
      try await client.register("interpreter") { request, reply in
        for try await message in request.input { try await reply.send("<\(message.text)>") }
      }
      let call = try await client.open("interpreter")
      try await call.send("hello")  // suspends while the agent gives no credit
      try await call.finishInput()
      for try await line in call.replies { print(line.text) }

      try await client.register("words", streaming: String.self) { (text: String, reply) in
        for word in text.split(separator: " ") { try await reply.send(String(word)) }
      }
      try await client.register("summary", streaming: String.self) { (document: Document, reply) in
        for try await word in client.stream("words", document.text) {  // a child call
          try await reply.send(word.text)
        }
      }
      let words = try await client.stream("summary", Document(text: "a b")).whole()
      print(words.messages.map(\.text).joined(separator: "|"))
    }
    #expect(lines.withLock { $0 } == ["<hello>", "a|b"])
  }

  /// One thought, and no end of it.
  private func thoughts(about question: String) -> Thoughts { Thoughts(question: question) }

  private struct Thoughts: AsyncSequence, AsyncIteratorProtocol {
    var question: String?

    mutating func next() async throws -> String? {
      defer { question = nil }
      if let question { return "because \(question)" }
      // Cancelled, it just ends.
      try? await Task.sleep(for: .seconds(600))
      return nil
    }

    func makeAsyncIterator() -> Thoughts { self }
  }

  @Test func signals() async throws {
    try await withClient { client in
      let thinker = ClosureAgent { request, reply, context in
        do {
          try await context.interruptible {
            for try await thought in thoughts(about: request.text) { try await reply.send(thought) }
          }
        } catch let interrupted as Interrupted {
          try await reply.send("in short: \(interrupted.signal.text)")
        }
      }
      try await client.register("thinker", agent: thinker)

      let call = try await client.open("thinker", Message(text: "why?"))
      var heard = call.replies.makeAsyncIterator()
      print(try await heard.next()?.text ?? "")
      try await call.interrupt("be brief")
      while let thought = try await heard.next() { print(thought.text) }
    }
    #expect(lines.withLock { $0 } == ["because why?", "in short: be brief"])
  }

  @Test func sessionsAndErrors() async throws {
    try await withClient { client in
      try await client.register("counter", perSession: { _ in Counter() })
      let total = try await client.call("counter:alice", 2, as: Int.self, type: "add")
      #expect(total == 2)

      try await client.register(
        "billing.refunds",
        returning: { _ -> Int in
          throw AgentError(.resourceExhausted, reason: "no_money", "come back")
        })
      let order = Document(text: "refund")
      do {
        _ = try await client.call("billing.refunds", order)
      } catch let error as AgentError where error.code == .resourceExhausted {
        print("later:", error.reason)
      }
    }
    #expect(lines.withLock { $0 } == ["later: no_money"])
  }

  @Test func local() async throws {
    try await withClient { client in
      try await client.register("upper") { (text: String) in text.uppercased() }
      #expect(try await client.call("upper", "hello", as: String.self) == "HELLO")
    }
  }

  /// Every line of what the README marks as checked stands above, in its order.
  @Test func whatIsMarkedAsCheckedStandsAbove() throws {
    let source = try Self.lines("Tests/CoagentClientTests/ReadmeTests.swift")
      .map { $0.hasPrefix("private actor") ? String($0.dropFirst("private ".count)) : $0 }
    var rest: ArraySlice<String>?
    var checked = 0
    var isNext = false
    for line in try Self.lines("clients/swift/README.md") {
      if line.hasPrefix("<!-- checked") {
        isNext = true
      } else if isNext, line == "```swift" {
        (rest, isNext) = (source[...], false)
        checked += 1
      } else if line == "```" {
        rest = nil
      } else if let lines = rest, line != "import CoagentClient", !line.hasPrefix("try await with")
      {
        let at = lines.firstIndex(of: line)
        #expect(at != nil, "the README has what is not tested: \(line)")
        rest = lines[(at.map { $0 + 1 } ?? lines.startIndex)...]
      }
    }
    #expect(checked == 7)
  }

  /// Without what stands before and behind.
  private static func lines(_ path: String) throws -> [String] {
    try Files.bytes(Proto.repository() + "/" + path).split(separator: 0x0A)
      .map { line in
        let isSpace = { (byte: UInt8) in byte == 0x20 }
        return String(decoding: line.drop(while: isSpace), as: UTF8.self)
      }
  }
}
