import Testing
import Wire

/// `sessions`, called through the core like any agent.
struct SystemAgentsSessionsTests {
  /// A stage with a host of `bot` and `other`, and a caller.
  private struct Cast {
    let stage = SystemStage()
    let host: SystemStage.Peer
    let caller: SystemStage.Peer

    init(_ fields: String = "") throws {
      host = try stage.connect("hosting")
      caller = try stage.connect("calling")
      host.register("bot", fields)
      host.register("other")
      _ = try host.take()
    }

    /// Calls, and returns the id towards the host, if it got there.
    func call(_ to: String, _ fields: String = "") throws -> Int64? {
      caller.open("call", #""to":"\#(to)","type":"Ask"\#(fields)"#, "{}")
      return try host.take().last { $0.op == "call" }?.id
    }

    func list(_ content: String = "") throws -> JSON {
      try caller.ask("sessions", "SessionList", content).json
    }

    func addresses(_ content: String = "") throws -> String {
      (try list(content)["sessions"]?.elements ?? []).compactMap { $0["address"]?.text }
        .joined(separator: " ")
    }
  }

  @Test func sessionsAreListedWithTheirState() throws {
    let cast = try Cast()
    let first = try cast.call("bot:é:1")
    _ = try cast.call("bot:é:1")
    _ = try cast.call("bot:é:1")
    cast.stage.advance(by: 250)
    #expect(
      try cast.list()
        == .object([
          JSON.Member(
            "sessions",
            .array([
              .object([
                JSON.Member("address", .string("bot:é:1")),
                JSON.Member("agent", .string("bot")),
                JSON.Member("session", .string("é:1")),
                JSON.Member("connection", .string("hosting")),
                JSON.Member("state", .string("running")),
                JSON.Member("running", .integer(1)),
                JSON.Member("waiting", .integer(2)),
                JSON.Member("idle_ms", .integer(0)),
                JSON.Member("age_ms", .integer(250)),
              ])
            ])), JSON.Member("more", .truth(false)),
        ]))
    for _ in 0..<3 {
      let id = try #require(first)
      cast.host.send(#"{"op":"data","id":\#(id),"end":true}"#)
      for call in try cast.host.take() where call.op == "call" {
        cast.host.send(#"{"op":"data","id":\#(call.id),"end":true}"#)
      }
    }
    cast.stage.advance(by: 40)
    let idle = try cast.list()["sessions"]?.elements?.first
    #expect(idle?["state"] == .string("idle"))
    #expect(idle?["idle_ms"] == .integer(40))
    #expect(idle?["age_ms"] == .integer(290))
  }

  @Test func listsAreSortedAndGoOnBehindAnAddress() throws {
    let cast = try Cast()
    for session in ["10", "2", "é", "Z", "a", "1"] { _ = try cast.call("bot:\(session)") }
    _ = try cast.call("other:x")
    #expect(try cast.addresses() == "bot:1 bot:10 bot:2 bot:Z bot:a bot:é other:x")
    #expect(try cast.addresses(#"{"agent":"other"}"#) == "other:x")
    #expect(try cast.addresses(#"{"agent":"nobody"}"#) == "")
    #expect(try cast.addresses(#"{"limit":3}"#) == "bot:1 bot:10 bot:2")
    #expect(try cast.list(#"{"limit":3}"#)["more"] == .truth(true))
    #expect(try cast.addresses(#"{"limit":3,"after":"bot:2"}"#) == "bot:Z bot:a bot:é")
    #expect(try cast.addresses(#"{"limit":3,"after":"bot:b"}"#) == "bot:é other:x")
    #expect(try cast.list(#"{"limit":3,"after":"bot:b"}"#)["more"] == .truth(false))
    #expect(try cast.list(#"{"limit":7}"#)["more"] == .truth(false))
  }

  @Test func pagesOfAnySizeListEverySessionOnce() throws {
    let cast = try Cast(#","concurrency":100000"#)
    let numbers = (0..<500).map { "bot:\($0 * 7919 % 500)" }
    for address in numbers { _ = try cast.call(address) }
    let expected = numbers.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    for limit in [1, 7, 499, 500, 501] {
      var found: [String] = []
      var more = true
      while more, found.count < 600 {
        let page = try cast.list(#"{"limit":\#(limit),"after":"\#(found.last ?? "")"}"#)
        found += (page["sessions"]?.elements ?? []).compactMap { $0["address"]?.text }
        more = page["more"]?.truth ?? false
      }
      #expect(found == expected)
    }
  }

  @Test func aSessionIsDescribedWithItsCalls() throws {
    let cast = try Cast()
    _ = try cast.call("bot:1", #","timeout_ms":1000"#)
    _ = try cast.call("bot:1")
    _ = try cast.call("bot:2")
    cast.stage.advance(by: 100)
    let reply = try cast.caller.ask("sessions", "SessionDescribe", #"{"address":"bot:1"}"#)
    #expect(reply.type == "SessionDescription")
    #expect(reply.json["address"] == .string("bot:1"))
    let calls = reply.json["calls"]?.elements ?? []
    #expect(calls.count == 2)
    #expect(calls.allSatisfy { $0["to"] == .string("bot:1") })
    #expect(calls.allSatisfy { $0["type"] == .string("Ask") })
    #expect(calls.allSatisfy { $0["caller"] == .string("calling") })
    #expect(calls.allSatisfy { $0["age_ms"] == .integer(100) })
    #expect(calls.map { $0["state"] } == [.string("running"), .string("waiting")])
    #expect(calls.map { $0["host"] } == [.string("hosting"), .string("")])
    #expect(calls.map { $0["timeout_ms"] } == [.integer(900), .integer(0)])
  }

  @Test func unknownSessionsAreNotFound() throws {
    let cast = try Cast()
    for type in ["SessionDescribe", "SessionDelete"] {
      for address in ["bot:9", "bot", "", ":"] {
        let error = try cast.caller.ask("sessions", type, #"{"address":"\#(address)"}"#)
        #expect(error.header["code"] == .string("not_found"))
        #expect(error.header["reason"] == .string("unknown_session"))
      }
    }
  }

  @Test func aDeletedSessionEndsItsCallsAndIsClosed() throws {
    let cast = try Cast()
    let running = try #require(try cast.call("bot:1"))
    _ = try cast.call("bot:1")
    let other = try cast.call("bot:2")
    let operatorPeer = try cast.stage.connect()
    let reply = try operatorPeer.ask("sessions", "SessionDelete", #"{"address":"bot:1"}"#)
    #expect(reply.type == "SessionDeleted")
    #expect(reply.content == #"{"address":"bot:1"}"#)

    let ended = try cast.caller.take()
    #expect(ended.map { $0.header["reason"] } == [.string("cancelled"), .string("cancelled")])
    let told = try cast.host.take()
    #expect(told.map(\.op) == ["cancel", "close"])
    #expect(told[0].id == running)
    #expect(told[1].header["to"] == .string("bot:1"))
    #expect(told[1].header["reason"] == .string("cancelled"))
    #expect(try cast.list()["sessions"]?.elements?.first?["state"] == .string("closing"))

    cast.host.send(#"{"op":"error","id":\#(running),"code":"cancelled","message":"ended"}"#)
    cast.host.send(#"{"op":"ok","id":\#(told[1].id)}"#)
    #expect(try cast.addresses() == "bot:2")
    #expect(other != nil)
    _ = try cast.call("bot:1")
    #expect(try cast.addresses() == "bot:1 bot:2")
  }

  @Test func callsAreListedWithWhoAndWhere() throws {
    let cast = try Cast()
    let parent = try #require(try cast.call("bot:1"))
    cast.host.open("call", #""to":"other","type":"Sub","parent":\#(parent)"#)
    let child = try cast.host.take().last { $0.op == "call" }
    #expect(child != nil)
    let calls = try cast.caller.ask("sessions", "CallList").json
    #expect(calls["more"] == .truth(false))
    let list = calls["calls"]?.elements ?? []
    #expect(list.map { $0["to"] } == [.string("bot:1"), .string("other")])
    #expect(list.map { $0["from"] } == [.string(""), .string("bot:1")])
    #expect(list.map { $0["type"] } == [.string("Ask"), .string("Sub")])
    #expect(list.map { $0["caller"] } == [.string("calling"), .string("hosting")])
    #expect(list.map { $0["state"] } == [.string("running"), .string("running")])
    let one = try cast.caller.ask("sessions", "CallList", #"{"limit":1}"#).json
    #expect(one["calls"]?.elements?.count == 1)
    #expect(one["more"] == .truth(true))
  }
}
