import CoagentClient
import Testing

/// Runs: calls whose replies outlive a connection.
@Suite struct Runs {
  private func data(_ id: Int64, _ more: String = "") -> String {
    #"{"op":"data","id":\#(id),"content_type":"text/plain"\#(more)}"#
  }

  @Test func goesOnWhereTheConnectionWasLost() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let words = Task { () -> [String] in
          var words: [String] = []
          for try await word in client.stream("a", "?", options: .run("r1", detached: true)) {
            words.append(word.text)
          }
          return words
        }
        let call = try await sidecar.heard("call")
        #expect(call["run"] == "r1" && call["detach"] == "true")
        await sidecar.say(data(call.id), "one")
        // A part is a frame of its own.
        await sidecar.say(data(call.id, #","part":true"#), "tw")
        _ = try await client.ping(on: sidecar)
        await sidecar.drop()
        let attach = try await sidecar.heard("call")
        #expect(attach["to"] == "runs" && attach["type"] == "Attach")
        #expect(attach.content == #"{"run":"r1","from":2,"resume":true}"#)
        await sidecar.say(data(attach.id), "o")
        await sidecar.say(data(attach.id, #","end":true"#), "three")
        #expect(try await words.value == ["one", "two", "three"])
      }
    }
  }

  @Test func aForgottenRunIsALostConnection() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let reply = Task { try await client.call("a", Message(text: "?"), options: .run("r1")) }
        _ = try await sidecar.heard("call")
        await sidecar.drop()
        let attach = try await sidecar.heard("call")
        await sidecar.say(
          #"{"op":"error","id":\#(attach.id),"code":"not_found","reason":"unknown_run"}"#)
        let error = await #expect(throws: AgentError.self) { try await reply.value }
        #expect(error?.code == .unavailable && error?.reason == "connection_lost")
      }
    }
  }

  @Test func whatIsNoRunEndsWithItsConnection() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let reply = Task { try await client.call("a", "?") }
        _ = try await sidecar.heard("call")
        await sidecar.drop()
        let error = await #expect(throws: AgentError.self) { try await reply.value }
        #expect(error?.reason == "connection_lost")
      }
    }
  }

  @Test func attachesAndCarriesOn() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let call = try await client.openRun("r1", from: 5)
        let attach = try await sidecar.heard("call")
        #expect(attach.content == #"{"run":"r1","from":5}"#)
        await sidecar.say(data(attach.id), "six")
        var words = call.replies.makeAsyncIterator()
        #expect(try await words.next()?.text == "six")
        await sidecar.drop()
        let again = try await sidecar.heard("call")
        #expect(again.content == #"{"run":"r1","from":6}"#)
        call.cancel()
        #expect(try await sidecar.heard("cancel").id == again.id)
      }
    }
  }

  @Test func aTailThatHasBegunCannotGoOn() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let call = try await client.openRun("r1", tail: true)
        let attach = try await sidecar.heard("call")
        #expect(attach.content == #"{"run":"r1","tail":true}"#)
        await sidecar.drop()
        // Nothing had come: it is the same question.
        let again = try await sidecar.heard("call")
        #expect(again.content == #"{"run":"r1","tail":true}"#)
        await sidecar.say(data(again.id), "now")
        var words = call.replies.makeAsyncIterator()
        #expect(try await words.next()?.text == "now")
        await sidecar.drop()
        let error = await #expect(throws: AgentError.self) { try await words.next() }
        #expect(error?.reason == "connection_lost")
      }
    }
  }

  @Test func listsByPages() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let runs = Task { try await client.runs(state: "ended") }
        let first = try await sidecar.heard("call")
        #expect(first["type"] == "RunList" && first.content.contains(#""state":"ended""#))
        let card =
          #"{"run":"r1","to":"a","state":"ended","frames":3,"ended_ms":20,"detached":true}"#
        await sidecar.say(
          #"{"op":"data","id":\#(first.id),"end":true}"#, #"{"runs":[\#(card)],"more":true}"#)
        let second = try await sidecar.heard("call")
        #expect(second.content.contains(#""after":"r1""#))
        await sidecar.say(
          #"{"op":"data","id":\#(second.id),"end":true}"#, #"{"runs":[],"more":false}"#)
        let listed = try await runs.value
        #expect(listed.map(\.name) == ["r1"] && listed[0].frames == 3 && listed[0].isDetached)
        #expect(listed[0].ended == .milliseconds(20))
      }
    }
  }
}
