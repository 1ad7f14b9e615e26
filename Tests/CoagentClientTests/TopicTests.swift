import CoagentClient
import Testing

/// Topics: publishing, reading and feeding agents, against a scripted sidecar.
@Suite struct Topics {
  @Test func aPublishSaysAllThatWasGiven() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let published: Void = client.publish(
          "orders.new", "note", source: "4711", timeout: .milliseconds(250))
        let heard = try await sidecar.heard("publish")
        #expect(heard["topic"] == "orders.new" && heard["source"] == "4711")
        #expect(heard["content_type"] == "text/plain" && heard.content == "note")
        #expect(heard["timeout_ms"] == "250" && heard.id == 1)
        await sidecar.say(#"{"op":"ok","id":1}"#)
        try await published
        var options = PublishOptions()
        options.isAcknowledged = false
        options.from = "shop"
        try await client.publish("t", Message(encoding: 1), options: options)
        let second = try await sidecar.heard("publish")
        #expect(second.id == 0 && second["source"] == "default" && second["from"] == "shop")
      }
    }
  }

  @Test func aRefusedPublishThrows() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let publishing = Task { try await client.publish("a..b", 1) }
        _ = try await sidecar.heard("publish")
        let refusal = #""code":"invalid_argument","reason":"bad_topic","message":"no""#
        await sidecar.say(#"{"op":"error","id":1,\#(refusal)}"#)
        await #expect(
          throws: AgentError(.invalidArgument, reason: "bad_topic", "no", address: "a..b")
        ) { try await publishing.value }
      }
    }
  }

  /// A subscription that the sidecar took.
  private func subscribed(
    _ client: Client, _ sidecar: FakeSidecar, _ topic: String, windowBytes: Int? = nil
  ) async throws -> Subscription {
    let subscribing = Task { try await client.subscribe(topic, windowBytes: windowBytes) }
    let heard = try await sidecar.heard("subscribe")
    #expect(heard["topic"] == topic)
    await sidecar.say(#"{"op":"ok","id":\#(heard.id)}"#)
    return try await subscribing.value
  }

  private func message(_ fields: String = "") -> String {
    #"{"op":"data","id":1,"topic":"t.a","source":"s"\#(fields)}"#
  }

  @Test func messagesSayWhereTheyComeFrom() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let subscription = try await subscribed(client, sidecar, "t.>")
        var messages = subscription.makeAsyncIterator()
        await sidecar.say(message(#","from":"shop:1","type":"T","dropped":3"#), "1")
        await sidecar.say(message(), "2")
        let first = try #require(try await messages.next())
        #expect(first.topic == "t.a" && first.source == "s" && first.from == "shop:1")
        #expect(first.dropped == 3 && first.message.type == "T")
        let second = try #require(try await messages.next())
        #expect(second.message.text == "2" && second.from == "" && second.dropped == 0)
        subscription.cancel()
        #expect(try await sidecar.heard("cancel").id == 1)
        #expect(try await messages.next() == nil)
      }
    }
  }

  @Test func aSubscriptionThatNobodyHoldsEnds() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        do {
          let subscription = try await subscribed(client, sidecar, "t")
          await sidecar.say(message(), "1")
          for try await _ in subscription { break }
        }
        #expect(try await sidecar.heard("cancel").id == 1)
      }
    }
  }

  @Test func theNewestIsAskedForWhenItIsWanted() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let subscription = try await subscribed(client, sidecar, "t", windowBytes: 1)
        await sidecar.say(message(), "1")
        var messages = subscription.makeAsyncIterator()
        _ = try await messages.next()
        // No credit until the next is asked for: the ping's answer is the first thing to be heard.
        await sidecar.say(#"{"op":"ping"}"#)
        _ = try await sidecar.heard("pong")
        let next = Task {
          var messages = subscription.makeAsyncIterator()
          return try await messages.next()
        }
        let credit = try await sidecar.heard("credit")
        #expect(credit["bytes"] == "257")
        await sidecar.say(message(#","dropped":7"#), "9")
        #expect(try await next.value?.dropped == 7)
      }
    }
  }

  @Test func aSubscriptionGoesOnOverALostConnection() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let subscription = try await subscribed(client, sidecar, "t.*", windowBytes: 1)
        await sidecar.say(message(), "1")
        let next = Task {
          var messages = subscription.makeAsyncIterator()
          _ = try await messages.next()
          return try await messages.next()?.message.text
        }
        #expect(try await sidecar.heard("credit")["bytes"] == "257")
        await sidecar.drop()
        let again = try await sidecar.heard("subscribe")
        #expect(again["topic"] == "t.*" && again["window"] == "1" && again.id == 1)
        await sidecar.say(#"{"op":"ok","id":1}"#)
        await sidecar.say(message(), "2")
        #expect(try await next.value == "2")
        let waiting = Task {
          var messages = subscription.makeAsyncIterator()
          return try await messages.next()
        }
        _ = try await sidecar.heard("credit")
        await client.close()
        await #expect(throws: AgentError.self) { try await waiting.value }
      }
    }
  }

  @Test func aRefusedSubscriptionThrows() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let subscribing = Task { try await client.subscribe("a..b") }
        _ = try await sidecar.heard("subscribe")
        let refusal = #""code":"invalid_argument","reason":"bad_topic","message":"no""#
        await sidecar.say(#"{"op":"error","id":1,\#(refusal)}"#)
        await #expect(throws: AgentError.self) { _ = try await subscribing.value }
      }
    }
  }

  @Test func topicsFeedAnAgentOnEveryConnection() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        var profile = AgentProfile()
        profile.topics = ["chat.>", "news"]
        let registering = Task { [profile] in
          try await client.register("room", profile) { request, _ in
            try await client.publish(
              "chat.heard", "\(request.topic) \(request.source) \(request.text)", source: "r")
          }
        }
        for _ in 0..<2 {
          #expect(try await sidecar.heard("register")["name"] == "room")
          for topic in ["chat.>", "news"] {
            let heard = try await sidecar.heard("subscribe")
            #expect(heard["topic"] == topic && heard["agent"] == "room")
          }
          for id in [1, 3, 5] { await sidecar.say(#"{"op":"ok","id":\#(id)}"#) }
          _ = try await registering.value
          let fields = #""topic":"chat.said","source":"r1","oneway":true"#
          await sidecar.say(
            #"{"op":"call","id":2,"to":"room:r1","content_type":"text/plain",\#(fields)}"#, "hi")
          let heard = try await sidecar.heard("publish")
          #expect(heard["parent"] == "2" && heard.content == "chat.said r1 hi")
          await sidecar.say(#"{"op":"ok","id":\#(heard.id)}"#)
          #expect(try await sidecar.heard("data")["end"] == "true")
          await sidecar.drop()
        }
      }
    }
  }

  @Test func anAgentThatCannotBeFedIsWithdrawn() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        var profile = AgentProfile()
        profile.topics = ["a..b"]
        let registering = Task { [profile] in
          try await client.register("room", profile) { request, _ in }
        }
        _ = try await sidecar.heard("register")
        _ = try await sidecar.heard("subscribe")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        let refusal = #""code":"invalid_argument","reason":"bad_topic","message":"no""#
        await sidecar.say(#"{"op":"error","id":3,\#(refusal)}"#)
        #expect(try await sidecar.heard("cancel").id == 1)
        await #expect(throws: AgentError.self) { _ = try await registering.value }
      }
    }
  }

  /// What docs/topics.md shows, against a real sidecar.
  private actor Room: Agent {
    private var said: [String] = []

    func handle(_ request: Request, reply: ReplyStream, in context: AgentContext) async throws {
      said.append(request.text)
      try await context.publish("chat.heard", said.count, source: request.source)
    }
  }

  @Test func aRoomHearsWhatIsSaidInIt() async throws {
    let tests = try #require(CommandLine.arguments.first)
    let folder = try #require(tests.firstRange(of: "/debug/"))
    let lines = try await withLocalClient(program: tests[..<folder.upperBound] + "coagentd") {
      client in
      let chat = try await client.subscribe("chat.>")
      var profile = AgentProfile("Hears what is said")
      profile.topics = ["chat.said"]
      try await client.register("room", profile, perSession: { _ in Room() })
      try await client.publish("chat.said", "hi", source: "r1")
      var lines: [String] = []
      for try await each in chat {
        lines.append("\(each.topic) \(each.source) \(each.message.text) \(each.from)")
        if lines.count == 2 { break }
      }
      return lines
    }
    #expect(lines == ["chat.said r1 hi ", "chat.heard r1 1 room:r1"])
  }
}
