import CoagentClient
import Locking
import TestSupport
import Testing

/// What calls take over from the call that they are made for, and when they do not.
@Suite struct ChildCalls {
  /// Registers `a`, which `body` handles, on a fake sidecar.
  private func hosting(
    _ body: @escaping @Sendable @concurrent (Client, Request) async throws -> Void,
    _ test: (FakeSidecar) async throws -> Void
  ) async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let registration = client.register("a") { request, _ in
          try await body(client, request)
        }
        _ = try await sidecar.heard("register")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        _ = try await registration
        try await test(sidecar)
      }
    }
  }

  private let call = #"{"op":"call","id":2,"to":"a","trace":"t1","ext":{"tenant":"x","keep":1}}"#

  @Test func ofItsOwnExtTheChildsWordCounts() async throws {
    try await hosting { client, _ in
      try await client.send("b", "?", type: "T", acknowledged: false)
      var options = CallOptions()
      options.ext = ["tenant": "y"]
      options.trace = "t2"
      _ = try await client.call("b", Message(text: "?"), options: options)
    } _: { sidecar in
      await sidecar.say(call)
      let sent = try await sidecar.heard("send")
      #expect(sent["parent"] == "2" && sent["trace"] == "t1")
      #expect(sent["ext"] == #"{"keep":1,"tenant":"x"}"#)
      let child = try await sidecar.heard("call")
      #expect(child["parent"] == "2" && child["trace"] == "t2")
      #expect(child["ext"] == #"{"keep":1,"tenant":"y"}"#)
      await sidecar.say(#"{"op":"data","id":\#(child.id),"end":true}"#)
      #expect(try await sidecar.heard("data")["end"] == "true")
    }
  }

  @Test func anIndependentCallTakesOverNothing() async throws {
    try await hosting { client, _ in
      var options = CallOptions()
      options.isIndependent = true
      _ = try await client.call("b", Message(text: "?"), options: options)
    } _: { sidecar in
      await sidecar.say(call)
      let other = try await sidecar.heard("call")
      #expect(other["to"] == "b" && other["parent"] == nil)
      #expect(other["trace"] == nil && other["ext"] == nil)
      await sidecar.say(#"{"op":"data","id":\#(other.id),"end":true}"#)
      #expect(try await sidecar.heard("data")["end"] == "true")
    }
  }

  @Test func aTaskThatOutlivesItsCallCallsForItself() async throws {
    let hasEnded = Awaited<Void>("the end of the call")
    let kept = Awaited<AgentContext>("the context of the call")
    try await hosting { client, _ in
      kept.happened(try #require(AgentContext.current))
      // Inherits the context, but goes on when the call is over.
      Task {
        try await hasEnded.value()
        try await client.send("b", "?", acknowledged: false)
      }
    } _: { sidecar in
      await sidecar.say(call)
      #expect(try await sidecar.heard("data")["end"] == "true")
      let context = try await kept.value()
      #expect(context.isOver)
      await #expect(
        throws: AgentError(.parentEnded, "the call that this one serves has ended", address: "b")
      ) {
        try await context.call("b", "?")
      }
      hasEnded.happened()
      let sent = try await sidecar.heard("send")
      #expect(sent["parent"] == nil && sent["trace"] == nil && sent["ext"] == nil)
    }
  }

  @Test func anErrorOfAnotherAgentNamesIt() async throws {
    try await hosting { client, _ in
      _ = try await client.call("b", "?")
    } _: { sidecar in
      await sidecar.say(call)
      let child = try await sidecar.heard("call")
      let fields = #""code":"aborted","reason":"conflict","message":"m","retry":true"#
      await sidecar.say(#"{"op":"error","id":\#(child.id),\#(fields),"more":true}"#)
      #expect(try await sidecar.heard("cancel").id == child.id)
      let error = try await sidecar.heard("error")
      #expect(error["code"] == "aborted" && error["reason"] == "conflict")
      #expect(error["details"] == #"{"agent":"b"}"# && error["retry"] == nil)
    }
  }

  @Test func causesTravelAsTexts() async throws {
    struct Fruitless: CausedError, CustomStringConvertible {
      let description: String
      var cause: (any Error)?
    }
    try await hosting { _, _ in
      let unknown = Fruitless(description: "unknown fruit")
      throw Fruitless(description: "no price", cause: Fruitless(description: "no", cause: unknown))
    } _: { sidecar in
      await sidecar.say(call)
      let error = try await sidecar.heard("error")
      #expect(error["code"] == "internal" && error["reason"] == "agent_error")
      #expect(error["message"] == "no price")
      let causes = "Fruitless: no <- Fruitless: unknown fruit"
      #expect(error["details"] == #"{"causes":"\#(causes)","type":"Fruitless"}"#)
    }
  }
}

@Suite struct FlatObjects {
  @Test func whatNoHeaderHoldsIsRefusedBefore() throws {
    let most = Dictionary(uniqueKeysWithValues: (0..<64).map { ("k\($0)", FlatValue.integer(1)) })
    #expect(try FlatObject.checked(most).count > 64)
    let longKey = String(repeating: "k", count: 128)
    #expect(try FlatObject.checked([longKey: true]).isEmpty == false)
    let refused: [[String: FlatValue]] = [
      most.merging(["more": 1]) { one, _ in one }, ["": 1], ["a\"": 1], ["a\\": 1], ["a\n": 1],
      ["a\u{85}": 1], [longKey + "k": 1], ["n": .integer(1 << 53)],
      ["long": .string(String(repeating: "x", count: 8_192))],
    ]
    for values in refused {
      let error = #expect(throws: AgentError.self) { try FlatObject.checked(values) }
      #expect(error?.code == .invalidArgument && error?.reason == "bad_field")
    }
  }

  @Test func detailsLoseWhatNoHeaderHolds() {
    let many = Dictionary(uniqueKeysWithValues: (0..<80).map { ("k\($0)", FlatValue.integer(1)) })
    let kept = FlatObject.values(FlatObject.text(many, bytesMax: 8_192))
    #expect(kept.count == 64)
    let mixed: [String: FlatValue] = ["good": "x", "bad\n": 1, "big": .integer(.max)]
    let text = String(decoding: FlatObject.text(mixed, bytesMax: 100), as: UTF8.self)
    #expect(text == #"{"big":9007199254740991,"good":"x"}"#)
  }
}
