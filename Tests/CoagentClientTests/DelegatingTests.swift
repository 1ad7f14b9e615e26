import CoagentClient
import Testing

/// Parts of replies that agents delegate.
@Suite struct Delegating {
  /// Registers `a`, which `body` handles, on a fake sidecar, and calls it with id 2.
  private func handling(
    _ body: @escaping @Sendable @concurrent (AgentContext, ReplyStream) async throws -> Void,
    _ test: (FakeSidecar) async throws -> Void
  ) async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let agent = ClosureAgent { _, reply, context in try await body(context, reply) }
        async let registration = client.register("a", agent: agent)
        _ = try await sidecar.heard("register")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        _ = try await registration
        await sidecar.say(#"{"op":"call","id":2,"to":"a"}"#)
        try await test(sidecar)
      }
    }
  }

  @Test func standsInItsPlaceUnread() async throws {
    try await handling { context, reply in
      let first = try await context.delegate("b", "go")
      let second = try await context.delegate("c")
      try await reply.send("A")
      try await reply.splice(first)
      try await reply.splice(second, outOfOrder: true)
      try await reply.part("Z")
    } _: { sidecar in
      let first = try await sidecar.heard("call")
      #expect(first["to"] == "b" && first["parent"] == "2" && first["window"] == "0")
      let second = try await sidecar.heard("call")
      #expect(try await sidecar.heard("data").content == "A")
      let splice = try await sidecar.heard("splice")
      #expect(splice.id == 2 && splice["call"] == "\(first.id)")
      #expect(splice["end"] == nil && splice["unordered"] == nil)
      // What crossed the splice is dropped, and cannot be read any more.
      await sidecar.say(#"{"op":"data","id":\#(first.id),"end":true}"#, "late")
      let urgent = try await sidecar.heard("splice")
      #expect(urgent["call"] == "\(second.id)" && urgent["unordered"] == "true")
      #expect(try await sidecar.heard("data").content == "Z")
    }
  }

  @Test func aHandoffEndsTheCall() async throws {
    try await handling { context, reply in
      try await reply.part("Drip")
      let delegated = try await context.delegate("b")
      try await reply.handOff(to: delegated)
      await #expect(throws: AgentError.self) { try await reply.send("nobody") }
      await #expect(throws: AgentError.self) { try await reply.splice(delegated) }
      await #expect(throws: AgentError.self) { try await delegated.replies.whole() }
    } _: { sidecar in
      #expect(try await sidecar.heard("data").content == "Drip")
      let call = try await sidecar.heard("call")
      // The message that was open is ended first.
      let end = try await sidecar.heard("data")
      #expect(end.content.isEmpty && end["end"] == nil && end["part"] == nil)
      let splice = try await sidecar.heard("splice")
      #expect(splice["call"] == "\(call.id)" && splice["end"] == "true")
      await sidecar.say(#"{"op":"call","id":4,"to":"a"}"#)
      #expect(try await sidecar.heard("data").id == 4)
    }
  }

  @Test func isReadInsteadWithAWindow() async throws {
    try await handling { context, reply in
      let delegated = try await context.delegate("b")
      let text = try await delegated.replies.whole().joined()
      try await reply.send(text + "!")
      // Read to its end, it has nothing left to be copied.
      try await reply.splice(delegated)
    } _: { sidecar in
      let call = try await sidecar.heard("call")
      let credit = try await sidecar.heard("credit")
      #expect(credit.id == call.id && credit["bytes"] == "\(Limits.windowBytesDefault)")
      await sidecar.say(
        #"{"op":"data","id":\#(call.id),"content_type":"text/plain","end":true}"#, "hi")
      #expect(try await sidecar.heard("data").content == "hi!")
    }
  }

  @Test func neitherSplicedNorReadItIsCancelled() async throws {
    try await handling { context, _ in
      _ = try await context.delegate("b")
    } _: { sidecar in
      let call = try await sidecar.heard("call")
      #expect(try await sidecar.heard("cancel").id == call.id)
      #expect(try await sidecar.heard("data")["end"] == "true")
    }
  }

  @Test func whatFailedBeforeIsAnErrorAtItsPlace() async throws {
    let refused = #""code":"invalid_argument","reason":"bad_field","message":"no""#
    try await handling { context, reply in
      let delegated = try await context.delegate("b")
      try await reply.send("before")
      // Its error has come when the next call of this agent's is answered.
      _ = try? await context.call("c", "?")
      try await reply.splice(delegated)
      try await reply.send("after")
    } _: { sidecar in
      let call = try await sidecar.heard("call")
      #expect(try await sidecar.heard("data").content == "before")
      let other = try await sidecar.heard("call")
      await sidecar.say(#"{"op":"error","id":\#(call.id),\#(refused)}"#)
      await sidecar.say(#"{"op":"data","id":\#(other.id),"end":true}"#)
      let error = try await sidecar.heard("error")
      #expect(error.id == 2 && error["reason"] == "bad_field" && error["more"] == "true")
      #expect(try await sidecar.heard("data").content == "after")
    }
  }

  @Test func outOfOrderInOneFrame() async throws {
    try await handling { _, reply in
      try await reply.part("slow")
      try await reply.send(outOfOrder: String(repeating: "x", count: 300_000))
      await #expect(throws: AgentError.self) {
        try await reply.send(outOfOrder: [UInt8](repeating: 0, count: 17 << 20))
      }
    } _: { sidecar in
      #expect(try await sidecar.heard("data").content == "slow")
      #expect(try await sidecar.heard("data").content.isEmpty)
      let urgent = try await sidecar.heard("data")
      #expect(urgent["unordered"] == "true" && urgent.content.count == 300_000)
    }
  }

  @Test func aFunctionThatReturnsItHandsOver() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        await #expect(throws: AgentError.self) { try await client.delegate("b") }
        async let registration = client.register("front") { (text: String) in
          try await client.delegate("b", text)
        }
        _ = try await sidecar.heard("register")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        _ = try await registration
        await sidecar.say(#"{"op":"call","id":2,"to":"front"}"#, #""hello""#)
        let call = try await sidecar.heard("call")
        #expect(call["to"] == "b" && call.content == "hello")
        let splice = try await sidecar.heard("splice")
        #expect(splice["call"] == "\(call.id)" && splice["end"] == "true")
      }
    }
  }
}
