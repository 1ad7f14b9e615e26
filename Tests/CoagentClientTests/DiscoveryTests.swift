import CoagentClient
import Testing

@Suite struct Discovering {
  @Test func aQueryIsAnOrdinaryCall() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let cards = client.discover(
          "team", recursive: true, detailed: true, labels: ["k": "v"])
        let heard = try await sidecar.heard("call")
        #expect(heard["to"] == "discovery" && heard["type"] == "DiscoveryQuery")
        let flags = #""recursive":true,"inclusive":false,"detailed":true,"labels":{"k":"v"}"#
        #expect(heard.content == #"{"namespace":"team",\#(flags)}"#)
        let one =
          #"{"name":"team.a","description":"A","version":"1","labels":{"k":"v"},"#
          + #""operations":[{"name":"Text","streaming":true}],"replicas":2}"#
        let reply = #"{"revision":7,"agents":[\#(one),{"name":"team.b","description":""}]}"#
        await sidecar.say(#"{"op":"data","id":1,"type":"DiscoveryReply","end":true}"#, reply)
        let found = try await cards
        #expect(found.map(\.name) == ["team.a", "team.b"])
        #expect(found[0].labels == ["k": "v"] && found[0].replicas == 2)
        #expect(found[0].operations == [AgentOperation("Text", streaming: true)])
      }
    }
  }

  @Test func aWatchGoesOnFromItsRevisionAfterALoss() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        var changes = client.watch(recursive: true).makeAsyncIterator()
        let snapshot = #"{"revision":3,"agents":[{"name":"a","description":""}]}"#
        async let heard = sidecar.answer(
          "call", (#"{"op":"data","id":1,"type":"DiscoverySnapshot"}"#, snapshot))
        let first = try #require(try await changes.next())
        #expect(first.isSnapshot && first.revision == 3)
        #expect(first.registered.map(\.name) == ["a"])
        #expect(try await heard["type"] == "DiscoveryWatch")
        await sidecar.drop()
        let change = #"{"revision":4,"registered":[],"deregistered":["a"]}"#
        async let again = sidecar.answer(
          "call", (#"{"op":"data","id":1,"type":"DiscoveryChange"}"#, change))
        let second = try #require(try await changes.next())
        #expect(try await again.content.contains(#""from_revision":3"#))
        #expect(!second.isSnapshot && second.revision == 4)
        #expect(second.registered.isEmpty && second.deregistered == ["a"])
      }
    }
  }
}
