import CoagentClient
import Testing

/// Long contents, lazy calls, and errors among the replies.
@Suite struct Contents {
  @Test func aMessageLongerThanAFrameFollowsItsCallInParts() async throws {
    try await FakeSidecar.running(contentBytesMax: 300_000) { sidecar in
      try await withClient(sidecar.url) { client in
        let text = String(repeating: "x", count: 400_000)
        async let reply = client.call("a", text, type: "Long")
        let heard = try await sidecar.heard("call")
        #expect(heard["input"] == "true" && heard.content.isEmpty && heard["type"] == "Long")
        let first = try await sidecar.heard("data")
        #expect(first["part"] == "true" && first["type"] == "Long")
        #expect(first["content_type"] == "text/plain" && first.content.utf8.count == 256 << 10)
        let second = try await sidecar.heard("data")
        #expect(second["part"] == nil && second["type"] == nil)
        #expect(first.content.utf8.count + second.content.utf8.count == 400_000)
        #expect(try await sidecar.heard("data")["end"] == "true")
        await sidecar.say(#"{"op":"data","id":1,"end":true}"#, "1")
        #expect(try await reply.decode(Int.self) == 1)
      }
    }
  }

  @Test func inputComesBehindALongFirstMessage() async throws {
    try await FakeSidecar.running(contentBytesMax: 300_000) { sidecar in
      try await withClient(sidecar.url) { client in
        let text = String(repeating: "x", count: 400_000)
        let call = try await client.open("a", Message(text: text))
        try await call.send("more")
        try await call.finishInput()
        _ = try await sidecar.heard("call")
        for bytes in [256 << 10, 400_000 - (256 << 10), 4, 0] {
          let heard = try await sidecar.heard("data")
          #expect(heard.content.utf8.count == bytes)
        }
        call.cancel()
        #expect(try await sidecar.heard("cancel").id == 1)
      }
    }
  }

  @Test func textThatIsNoneIsRefusedWhereATypeIsWanted() throws {
    let broken = Message([0x61, 0xFF], contentType: Message.textType)
    #expect(broken.text == "a\u{FFFD}")
    #expect(try broken.decode([UInt8].self) == [0x61, 0xFF])
    let refused = try #require(throws: AgentError.self) { try broken.decode(String.self) }
    #expect(refused.code == .invalidArgument && refused.reason == "bad_content")
  }

  @Test func aLazyCallIsStartedByItsFirstReader() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        var options = CallOptions()
        options.isLazy = true
        options.windowBytes = 5_000
        let call = try await client.open("a", Message(text: "?"), options: options)
        let heard = try await sidecar.heard("call")
        #expect(heard["lazy"] == "true" && heard["window"] == "0")
        async let reply = call.whole()
        #expect(try await sidecar.heard("credit")["bytes"] == "5000")
        await sidecar.say(#"{"op":"data","id":1,"end":true}"#, "1")
        #expect(try await reply.decode(Int.self) == 1)
      }
    }
  }

  @Test func errorsAtAPositionAreValuesToWhoWantsThem() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let call = try await client.open("a")
        _ = try await sidecar.heard("call")
        await sidecar.say(#"{"op":"data","id":1}"#, "1")
        await sidecar.say(
          #"{"op":"error","id":1,"code":"aborted","reason":"conflict","more":true}"#)
        await sidecar.say(#"{"op":"data","id":1}"#, "2")
        await sidecar.say(#"{"op":"error","id":1,"code":"internal","reason":"agent_error"}"#)
        var outcomes = call.outcomes.makeAsyncIterator()
        #expect(try await outcomes.next()?.get().text == "1")
        guard case .failure(let error) = try await outcomes.next() else {
          Issue.record("no error at its position")
          return
        }
        #expect(error.code == .aborted && error.address == "a" && !outcomes.isOver)
        #expect(try await outcomes.next()?.get().text == "2")
        await #expect(throws: AgentError.self) { try await outcomes.next() }
        #expect(outcomes.isOver)
      }
    }
  }

  @Test func aReaderThatIsCancelledGivesUpTheCall() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let call = try await client.open("a")
        let reading = Task { try await call.whole() }
        _ = try await sidecar.heard("call")
        reading.cancel()
        #expect(try await sidecar.heard("cancel").id == 1)
        await #expect(throws: CancellationError.self) { try await reading.value }
      }
    }
  }

  @Test func contentLongerThanWasAgreedEndsTheConnection() async throws {
    try await FakeSidecar.running(contentBytesMax: 1_000) { sidecar in
      try await withClient(sidecar.url) { client in
        let reply = Task { try await client.call("a", "?") }
        _ = try await sidecar.heard("call")
        await sidecar.say(#"{"op":"data","id":1}"#, String(repeating: "x", count: 1_001))
        #expect(try await sidecar.heard("error")["reason"] == "content_length")
        await #expect(throws: AgentError.self) { try await reply.value }
      }
    }
  }
}
