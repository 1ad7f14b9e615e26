import CoagentClient
import Testing

/// What is made again by itself, and what never is.
@Suite struct Repetitions {
  private func refusal(_ id: Int64, _ details: String = "") -> String {
    let fields = #""code":"unavailable","reason":"no_replica","message":"soon","retry":true"#
    return #"{"op":"error","id":\#(id),\#(fields)\#(details)}"#
  }

  @Test func aStreamThatNobodyHasSeenIsMadeAgain() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let texts = Task { () -> [String] in
          var texts: [String] = []
          for try await message in client.stream("a", "?", timeout: .seconds(20)) {
            texts.append(message.text)
          }
          return texts
        }
        #expect(try await sidecar.heard("call")["timeout_ms"] == "20000")
        await sidecar.say(refusal(1, #","details":{"retry_after_ms":5}"#))
        let again = try await sidecar.heard("call")
        // The time does not begin anew.
        #expect(Int(again["timeout_ms"] ?? "").map { $0 < 20_000 && $0 > 10_000 } == true)
        await sidecar.say(#"{"op":"data","id":3}"#, "1")
        // Somebody has seen it: this error is the end.
        await sidecar.say(refusal(3))
        await #expect(throws: AgentError.self) { try await texts.value }
        async let next = client.call("b", "?")
        #expect(try await sidecar.heard("call")["to"] == "b")
        await sidecar.say(#"{"op":"data","id":5,"end":true}"#)
        _ = try await next
      }
    }
  }

  @Test func threeTimesAtMost() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let reply = Task { try await client.call("a", "?") }
        for id in [1, 3, 5, 7] as [Int64] {
          let heard = try await sidecar.heard("call")
          #expect(heard.id == id)
          await sidecar.say(refusal(id))
        }
        await #expect(
          throws: AgentError(.unavailable, reason: "no_replica", "soon", retry: true, address: "a")
        ) {
          try await reply.value
        }
      }
    }
  }

  @Test func whatSendsInputIsNotMadeAgain() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let call = try await client.open("a")
        #expect(try await sidecar.heard("call")["input"] == "true")
        await sidecar.say(refusal(1))
        await #expect(throws: AgentError.self) { try await call.whole() }
        async let next = client.call("b", "?")
        #expect(try await sidecar.heard("call")["to"] == "b")
        await sidecar.say(#"{"op":"data","id":3,"end":true}"#)
        _ = try await next
      }
    }
  }

  @Test func aSendThatNobodyHasSeenIsMadeAgain() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let sent: Void = client.send("a", "?")
        #expect(try await sidecar.heard("send").id == 1)
        await sidecar.say(refusal(1))
        #expect(try await sidecar.heard("send").id == 3)
        await sidecar.say(#"{"op":"ok","id":3}"#)
        try await sent
      }
    }
  }

  @Test func aRegistrationGoesOnOverALoss() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let registration = client.register("mine", returning: { _ in 1 })
        #expect(try await sidecar.heard("register").id == 1)
        await sidecar.drop()
        #expect(try await sidecar.heard("register").id == 1)
        await sidecar.say(#"{"op":"ok","id":1}"#)
        _ = try await registration
        // It was registered once, and calls find it.
        await sidecar.say(#"{"op":"call","id":2,"to":"mine"}"#)
        #expect(try await sidecar.heard("data").content == "1")
      }
    }
  }

  @Test func aCallWaitsForAConnectionNoLongerThanItsTime() async throws {
    try await FakeSidecar.running { sidecar in
      var options = ClientOptions()
      options.wait = .seconds(1)
      try await withClient(sidecar.url, options: options) { client in
        // With the server gone there is no next connection.
        let lost = Task { try await client.call("a", "?", timeout: .seconds(60)) }
        _ = try await sidecar.heard("call")
        await sidecar.stop()
        await #expect(throws: AgentError.self) { try await lost.value }
        do {
          _ = try await client.call("a", "?", timeout: .milliseconds(20))
          Issue.record("a call without a connection was answered")
        } catch let error as AgentError {
          #expect(error.code == .deadlineExceeded && error.reason == "deadline")
        }
      }
    }
  }
}
