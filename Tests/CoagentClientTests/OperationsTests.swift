import CoagentClient
import Locking
import TestSupport
import Testing

/// Adds up, for each session on its own.
private actor Counter: OperationsAgent {
  struct Greeting: Codable, Sendable {
    var name: String
    var loud: Bool?
  }

  private var total = 0

  static let operations = Operations<Counter>()
    .on("add", "Adds to the total") { (counter, number: Int) in await counter.add(number) }
    .on { (_, greeting: Greeting) in
      greeting.loud == true ? "HELLO \(greeting.name)" : "hello \(greeting.name)"
    }
    .on("forget") { counter in await counter.forget() }
    .on("last") { counter in await counter.total == 0 ? nil : counter.total }
    .on("count_up", streaming: Int.self) { (_, last: Int, reply) in
      for number in stride(from: 1, through: last, by: 1) { try await reply.send(number) }
    }

  private func add(_ number: Int) -> Int {
    total += number
    return total
  }

  private func forget() { total = 0 }
}

/// Whether the end comes with the last message depends on which task was faster.
private func expect(
  _ contents: String..., from sidecar: FakeSidecar,
  sourceLocation: SourceLocation = #_sourceLocation
) async throws {
  var heard: [Heard] = []
  while heard.last?["end"] == nil { heard.append(try await sidecar.heard("data")) }
  let messages = heard.map(\.content).filter { !$0.isEmpty }
  #expect(messages == contents, sourceLocation: sourceLocation)
}

@Suite struct OperationsOfAgents {
  /// A counter on a fake sidecar, and what its registration said.
  private func counting(
    _ body: (FakeSidecar, Heard) async throws -> Void
  ) async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let registration = client.register("counter", perSession: { _ in Counter() })
        let heard = try await sidecar.heard("register")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        _ = try await registration
        try await body(sidecar, heard)
      }
    }
  }

  @Test func theRegistrationSaysWhatThereIs() async throws {
    try await counting { _, heard in
      let listing = try JSONReader.read(Array(heard.content.utf8)).elements ?? []
      #expect(
        listing.map { $0["name"]?.text } == ["add", "Greeting", "forget", "last", "count_up"])
      #expect(listing[0]["description"] == "Adds to the total")
      #expect(listing[0]["input"] == ["type": "integer"])
      #expect(listing[0]["output"] == ["type": "integer"])
      #expect(listing[1]["input"]?["required"] == ["name"])
      #expect(listing[1]["output"] == ["type": "string"])
      #expect(listing[2]["input"] == nil && listing[2]["output"] == nil)
      #expect(listing[4]["streaming"] == true && listing[4]["output"] == ["type": "integer"])
    }
  }

  @Test func theTypeOfAMessageSaysWhatIsDone() async throws {
    try await counting { sidecar, _ in
      await sidecar.say(#"{"op":"call","id":2,"to":"counter:a","type":"add","new":true}"#, "3")
      try await expect("3", from: sidecar)
      await sidecar.say(#"{"op":"call","id":4,"to":"counter:a","type":"add"}"#, "4")
      try await expect("7", from: sidecar)
      await sidecar.say(
        #"{"op":"call","id":6,"to":"counter:a","type":"Greeting"}"#, #"{"name":"ann"}"#)
      try await expect("hello ann", from: sidecar)
      await sidecar.say(#"{"op":"call","id":8,"to":"counter:a","type":"count_up"}"#, "3")
      try await expect("1", "2", "3", from: sidecar)
      await sidecar.say(#"{"op":"call","id":10,"to":"counter:a","type":"forget"}"#)
      try await expect(from: sidecar)
      await sidecar.say(#"{"op":"call","id":12,"to":"counter:a","type":"last"}"#)
      try await expect(from: sidecar)
    }
  }

  @Test func otherTypesAndOtherContentsAreRefused() async throws {
    try await counting { sidecar, _ in
      for (id, type) in [(2, "subtract"), (4, "")] {
        await sidecar.say(#"{"op":"call","id":\#(id),"to":"counter:a","type":"\#(type)"}"#, "3")
        let error = try await sidecar.heard("error")
        #expect(error["code"] == "unimplemented" && error["reason"] == "unhandled_type")
        #expect(error["details"]?.contains("add Greeting forget last count_up") == true)
      }
      let misfits = [
        ("add", #""three""#, ""), ("add", "", ""), ("add", "3", "text/plain"),
        ("add", "3", "application/octet-stream"), ("Greeting", #"{"nom":"ann"}"#, ""),
        ("Greeting", "{", ""),
      ]
      for (at, (type, content, contentType)) in misfits.enumerated() {
        let fields = #""type":"\#(type)","content_type":"\#(contentType)""#
        await sidecar.say(
          #"{"op":"call","id":\#(6 + 2 * at),"to":"counter:a",\#(fields)}"#, content)
        let error = try await sidecar.heard("error")
        #expect(error["code"] == "invalid_argument" && error["reason"] == "bad_content")
      }
    }
  }

  @Test func theFirstMessageMayComeBehindTheCall() async throws {
    try await counting { sidecar, _ in
      await sidecar.say(#"{"op":"call","id":2,"to":"counter:a","type":"add","input":true}"#)
      await sidecar.say(#"{"op":"data","id":2,"type":"add","part":true}"#, "1")
      await sidecar.say(#"{"op":"data","id":2,"end":true}"#, "2")
      try await expect("12", from: sidecar)
      await sidecar.say(#"{"op":"call","id":4,"to":"counter:a","input":true}"#)
      await sidecar.say(#"{"op":"data","id":4,"type":"add","end":true}"#, "2")
      try await expect("14", from: sidecar)
    }
  }
}

@Suite struct FunctionsAsAgents {
  struct Order: Codable, Sendable { var fruit: String, count: Int }

  @Test func aFunctionsTypesAreShownAndChecked() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let registration = client.register("shop.order") { (order: Order) in
          order.count * 2
        }
        let heard = try await sidecar.heard("register")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        _ = try await registration
        let listing = try JSONReader.read(Array(heard.content.utf8)).elements ?? []
        #expect(listing.count == 1 && listing[0]["name"] == "Order")
        #expect(listing[0]["input"]?["required"] == ["fruit", "count"])
        // A function takes messages of whatever type.
        await sidecar.say(
          #"{"op":"call","id":2,"to":"shop.order","type":"Other"}"#, #"{"fruit":"fig","count":2}"#)
        try await expect("4", from: sidecar)
        await sidecar.say(#"{"op":"call","id":4,"to":"shop.order"}"#, #"{"fruit":"fig"}"#)
        let error = try await sidecar.heard("error")
        #expect(error["reason"] == "bad_content")
      }
    }
  }

  @Test func aFunctionMayStream() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        async let registration = client.register("words", streaming: String.self) {
          (text: String, reply) in
          for word in text.split(separator: " ") { try await reply.send(String(word)) }
        }
        let heard = try await sidecar.heard("register")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        _ = try await registration
        let listing = try JSONReader.read(Array(heard.content.utf8)).elements ?? []
        #expect(listing.first?["name"] == "words" && listing.first?["streaming"] == true)
        await sidecar.say(#"{"op":"call","id":2,"to":"words"}"#, #""one two""#)
        try await expect("one", "two", from: sidecar)
      }
    }
  }
}
