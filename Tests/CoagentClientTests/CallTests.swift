import CoagentClient
import Testing

@Suite struct Calls {
  @Test func aTextTravelsAsTextWithThirtySeconds() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let reply = client.call("echo", "hello")
        let heard = try await sidecar.heard("call")
        #expect(heard["to"] == "echo" && heard.content == "hello")
        #expect(heard["content_type"] == "text/plain" && heard["timeout_ms"] == "30000")
        let fields = #""content_type":"text/plain","end":true"#
        await sidecar.say(#"{"op":"data","id":\#(heard.id),\#(fields)}"#, "HELLO")
        #expect(try await reply.text == "HELLO")
      }
    }
  }

  private func timed(_ timeout: Duration?) -> CallOptions {
    var options = CallOptions()
    options.timeout = timeout
    return options
  }

  @Test func onlyWhoWantsItCallsWithoutEnd() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        for (timeout, words) in [(nil, "30000"), (.unlimited, nil), (.seconds(7), "7000")]
          as [(Duration?, String?)]
        {
          async let reply = client.call("a", Message(text: "?"), options: timed(timeout))
          let heard = try await sidecar.heard("call")
          #expect(heard["timeout_ms"] == words)
          await sidecar.say(#"{"op":"data","id":\#(heard.id),"end":true}"#)
          _ = try await reply
        }
        async let reply = client.call("a", "?", timeout: nil)
        let heard = try await sidecar.heard("call")
        #expect(heard["timeout_ms"] == nil)
        await sidecar.say(#"{"op":"data","id":\#(heard.id),"end":true}"#)
        _ = try await reply
      }
    }
  }

  @Test func aValueTravelsAsJSONUnderItsTypesName() async throws {
    struct Point: Codable, Equatable {
      var x: Int
      var y: Int
    }
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let reply = client.call("mirror", Point(x: 1, y: 2), as: Point.self)
        let heard = try await sidecar.heard("call")
        #expect(heard["type"] == "Point" && heard["content_type"] == nil)
        await sidecar.say(#"{"op":"data","id":1,"end":true}"#, #"{"x":2,"y":1}"#)
        #expect(try await reply == Point(x: 2, y: 1))
      }
    }
  }

  @Test func severalTextsAreOneAndOthersAList() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let texts = client.call("a", "?")
        _ = try await sidecar.heard("call")
        await sidecar.say(#"{"op":"data","id":1,"content_type":"text/plain","part":true}"#, "Hi ")
        await sidecar.say(#"{"op":"data","id":1}"#, "the")
        await sidecar.say(#"{"op":"data","id":1,"content_type":"text/plain"}"#, "re")
        await sidecar.say(#"{"op":"data","id":1,"end":true}"#)
        #expect(try await texts.text == "Hi there")
        #expect(try await texts.messages.count == 2)

        async let list = client.call("a", "?", as: [Int].self)
        _ = try await sidecar.heard("call")
        await sidecar.say(#"{"op":"data","id":3}"#, "1")
        await sidecar.say(#"{"op":"data","id":3,"end":true}"#, "2")
        #expect(try await list == [1, 2])

        async let none = client.call("a", "?", as: Int?.self)
        _ = try await sidecar.heard("call")
        await sidecar.say(#"{"op":"data","id":5,"end":true}"#)
        #expect(try await none == nil)
      }
    }
  }

  @Test func anErrorHasItsCodeReasonDetailsCauseAndAddress() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let reply = client.call("faulty", "?")
        _ = try await sidecar.heard("call")
        let details = #"{"type":"ValueError","causes":"KeyError: x <- OSError: disk"}"#
        let fields = #""code":"internal","reason":"agent_error","message":"bad""#
        await sidecar.say(#"{"op":"error","id":1,\#(fields),"details":\#(details)}"#)
        do {
          _ = try await reply
          Issue.record("no error was thrown")
        } catch let error as AgentError {
          #expect(error.code == .internal && error.reason == "agent_error")
          #expect(error.message == "bad" && error.address == "faulty")
          #expect(error.details["type"] == "ValueError")
          #expect(error.causes == ["KeyError: x", "OSError: disk"])
        }
      }
    }
  }

  @Test func onlyWhatNobodyHasSeenIsRepeated() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let reply = Task { try await client.call("a", "?") }
        let refusal = #""code":"unavailable","reason":"draining","message":"soon","retry":true"#
        #expect(try await sidecar.heard("call").id == 1)
        await sidecar.say(#"{"op":"error","id":1,\#(refusal)}"#)
        #expect(try await sidecar.heard("call").id == 3)
        let loss = #""code":"unavailable","reason":"host_lost","message":"gone""#
        await sidecar.say(#"{"op":"error","id":3,\#(loss)}"#)
        await #expect(throws: AgentError.self) { try await reply.value }
        // The next frame is the next call's, not a repetition.
        async let next = client.call("b", "?")
        #expect(try await sidecar.heard("call")["to"] == "b")
        await sidecar.say(#"{"op":"data","id":5,"end":true}"#)
        _ = try await next
      }
    }
  }

  @Test func cancellingTheTaskCancelsTheCall() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let task = Task { try await client.call("slow", "?") }
        _ = try await sidecar.heard("call")
        task.cancel()
        #expect(try await sidecar.heard("cancel").id == 1)
        await #expect(throws: CancellationError.self) { try await task.value }
      }
    }
  }

  @Test func sendsAreAcknowledgedOrNot() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let sent: Void = client.send("a:s", "one")
        let heard = try await sidecar.heard("send")
        #expect(heard.id == 1 && heard["to"] == "a:s" && heard.content == "one")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        try await sent

        try await client.observe("a:s", [1, 2], acknowledged: false)
        let observed = try await sidecar.heard("send")
        #expect(observed["observe"] == "true" && observed["id"] == nil)

        let lost = Task { try await client.send("nobody", "two") }
        _ = try await sidecar.heard("send")
        await sidecar.say(#"{"op":"error","id":3,"code":"not_found","reason":"unknown_agent"}"#)
        await #expect(throws: AgentError(.unknownAgent, "", address: "nobody")) {
          try await lost.value
        }
      }
    }
  }
}

@Suite struct Streams {
  @Test func repliesArriveOneByOne() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        var words = client.stream("words", "a b").makeAsyncIterator()
        async let heard = sidecar.answer(
          "call", (#"{"op":"data","id":1,"type":"Word"}"#, #""a""#))
        let message = try await words.next()
        #expect(try await heard["timeout_ms"] == nil)
        #expect(message?.type == "Word" && message?.text == #""a""#)
        await sidecar.say(#"{"op":"data","id":1,"end":true}"#, #""b""#)
        #expect(try await words.next()?.decode(String.self) == "b")
        #expect(try await words.next() == nil)
      }
    }
  }

  @Test func leavingTheLoopCancelsTheCall() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let reading = Task {
          for try await message in client.stream("words", "?") {
            return message.text
          }
          return ""
        }
        _ = try await sidecar.heard("call")
        await sidecar.say(#"{"op":"data","id":1}"#, "1")
        #expect(try await reading.value == "1")
        #expect(try await sidecar.heard("cancel").id == 1)
      }
    }
  }

  @Test func creditIsGrantedForWhatWasRead() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        var replies = client.stream("a", "?", windowBytes: 1).makeAsyncIterator()
        async let heard = sidecar.answer("call", (#"{"op":"data","id":1}"#, "12345"))
        _ = try await replies.next()
        #expect(try await heard["window"] == "1")
        #expect(try await sidecar.heard("credit")["bytes"] == "261")
      }
    }
  }

  @Test func partsAreSeenAsTheyComeAndJoinedForMessages() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        var parts = client.stream("a", "?").parts.makeAsyncIterator()
        let header = #"{"op":"data","id":1,"content_type":"text/plain","part":true}"#
        async let heard = sidecar.answer("call", (header, "To"))
        let token = try await parts.next()
        _ = try await heard
        #expect(token?.message.text == "To" && token?.isFirst == true && token?.isLast == false)
        await sidecar.say(#"{"op":"data","id":1,"end":true}"#, "ken")
        let last = try await parts.next()
        #expect(last?.message.text == "ken" && last?.isFirst == false && last?.isLast == true)
        #expect(try await parts.next() == nil)
      }
    }
  }

  @Test func anErrorAtAPositionIsThrownThereAndTheStreamGoesOn() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        var replies = client.stream("a", "?").makeAsyncIterator()
        async let heard = sidecar.answer(
          "call", (#"{"op":"data","id":1}"#, "1"),
          (#"{"op":"error","id":1,"code":"aborted","more":true}"#, ""),
          (#"{"op":"data","id":1,"end":true}"#, "2"))
        #expect(try await replies.next()?.text == "1")
        _ = try await heard
        await #expect(throws: AgentError.self) { try await replies.next() }
        #expect(try await replies.next()?.text == "2")
        #expect(try await replies.next() == nil)
      }
    }
  }

  @Test func inputIsSentAsCreditAllowsAndEnded() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let call = try await client.open("sum", windowBytes: nil)
        let heard = try await sidecar.heard("call")
        #expect(heard["input"] == "true" && heard.content == "")
        let big = String(repeating: "x", count: 1 << 20)
        try await call.send(Message(text: big))
        for part in 1...4 {
          let heard = try await sidecar.heard("data")
          #expect(heard.content.utf8.count == 256 << 10 && (heard["part"] == nil) == (part == 4))
        }
        // The window is overdrawn now: the next message waits for credit.
        async let second: Void = call.send(7)
        await sidecar.say(#"{"op":"credit","id":1,"bytes":1048576}"#)
        try await second
        try await call.finishInput()
        #expect(try await sidecar.heard("data").content == "7")
        #expect(try await sidecar.heard("data")["end"] == "true")
        await #expect(throws: AgentError.self) { try await call.send(8) }
        await sidecar.say(#"{"op":"data","id":1,"end":true}"#, "15")
        #expect(try await call.whole().decode(Int.self) == 15)
      }
    }
  }
}

@Suite struct Losses {
  @Test func openCallsEndAndLaterOnesUseTheNextConnection() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let lost = client.call("a", "?")
        _ = try await sidecar.heard("call")
        await sidecar.drop()
        do {
          _ = try await lost
          Issue.record("the call outlived its connection")
        } catch let error as AgentError {
          #expect(error.code == .unavailable && error.reason == "connection_lost")
        }
        async let next = client.call("b", "?")
        let heard = try await sidecar.heard("call")
        #expect(heard.id == 1 && heard["to"] == "b")
        await sidecar.say(#"{"op":"data","id":1,"end":true}"#, "1")
        #expect(try await next.decode(Int.self) == 1)
        #expect(await sidecar.connectionCount == 2)
      }
    }
  }

  @Test func agentsAreRegisteredAgain() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let registration = client.register("mine", returning: { _ in 1 })
        #expect(try await sidecar.heard("register")["name"] == "mine")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        _ = try await registration
        await sidecar.drop()
        #expect(try await sidecar.heard("register")["name"] == "mine")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        await sidecar.say(#"{"op":"call","id":2,"to":"mine"}"#, "0")
        #expect(try await sidecar.heard("data").content == "1")
      }
    }
  }

  @Test func nobodyThereIsSaidAtOnce() async throws {
    do {
      _ = try await Client.connect("unix:/nonexistent/socket")
      Issue.record("connected to nothing")
    } catch let error as AgentError {
      #expect(error.code == .unavailable && error.reason == "connection_lost")
      #expect(error.message.contains("unix:/nonexistent/socket"))
    }
  }

  @Test func aBadURLIsTheCallersMistake() async throws {
    await #expect(throws: AgentError.self) { try await Client.connect("http://localhost") }
  }

  @Test func aClosedClientMakesNoCalls() async throws {
    try await FakeSidecar.running { sidecar in
      let client = try await Client.connect(sidecar.url)
      await client.close()
      await #expect(throws: AgentError.self) { try await client.call("a", "?") }
    }
  }
}
