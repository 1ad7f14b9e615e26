import CoagentClient
import Locking
import TestSupport
import Testing

/// Registers on a fake sidecar, which says `ok`.
private func registered(
  _ sidecar: FakeSidecar, _ body: @escaping @Sendable () async throws -> AgentRegistration
) async throws -> AgentRegistration {
  async let registration = body()
  let heard = try await sidecar.heard("register")
  await sidecar.say(#"{"op":"ok","id":\#(heard.id)}"#)
  return try await registration
}

@Suite struct HostedAgents {
  @Test func aRegistrationCarriesItsProfile() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        var profile = AgentProfile("Counts words")
        profile.version = "2"
        profile.labels = ["team": "text"]
        profile.concurrency = 4
        profile.idle = .seconds(2)
        profile.isExclusive = true
        profile.operations = [AgentOperation("Text", "one text", streaming: true)]
        async let registration = client.register("words", profile, returning: { $0.text })
        let heard = try await sidecar.heard("register")
        await sidecar.say(#"{"op":"ok","id":1}"#)
        _ = try await registration
        #expect(heard["description"] == "Counts words" && heard["version"] == "2")
        #expect(heard["labels"] == #"{"team":"text"}"# && heard["concurrency"] == "4")
        #expect(heard["idle_ms"] == "2000" && heard["exclusive"] == "true")
        #expect(heard.content == #"[{"name":"Text","description":"one text","streaming":true}]"#)
      }
    }
  }

  @Test func aRefusedRegistrationThrowsAndFreesTheName() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let first = Task { try await client.register("taken", returning: { _ in 1 }) }
        _ = try await sidecar.heard("register")
        let refusal = #""code":"already_exists","reason":"name_registered","message":"no""#
        await sidecar.say(#"{"op":"error","id":1,\#(refusal)}"#)
        await #expect(throws: AgentError.self) { try await first.value }
        _ = try await registered(sidecar) {
          try await client.register("taken", returning: { _ in 1 })
        }
      }
    }
  }

  @Test func aValueIsOneLastFrame() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        _ = try await registered(sidecar) {
          try await client.register("upper", returning: { $0.text.uppercased() })
        }
        await sidecar.say(#"{"op":"call","id":2,"to":"upper","content_type":"text/plain"}"#, "a")
        let reply = try await sidecar.heard("data")
        #expect(reply.content == "A" && reply["content_type"] == "text/plain")
        // Whether the end came along depends on which task was faster; it comes once.
        if reply["end"] == nil { #expect(try await sidecar.heard("data")["end"] == "true") }
      }
    }
  }

  @Test func errorsAreReportedWithTheirType() async throws {
    struct Broken: Error, CustomStringConvertible { var description: String { "broken" } }
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        _ = try await registered(sidecar) {
          try await client.register("faulty") { request, _ in
            if request.text == "own" { throw AgentError(.aborted, reason: "conflict", "again") }
            throw Broken()
          }
        }
        await sidecar.say(#"{"op":"call","id":2,"to":"faulty"}"#, "?")
        let error = try await sidecar.heard("error")
        #expect(error["code"] == "internal" && error["reason"] == "agent_error")
        #expect(error["message"] == "broken" && error["details"] == #"{"type":"Broken"}"#)
        await sidecar.say(#"{"op":"call","id":4,"to":"faulty"}"#, "own")
        let own = try await sidecar.heard("error")
        #expect(own["code"] == "aborted" && own["reason"] == "conflict")
      }
    }
  }

  @Test func repliesWaitForCredit() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let sent = Locked(0)
        _ = try await registered(sidecar) {
          try await client.register("stream") { _, reply in
            for number in 1...3 {
              try await reply.send(number)
              sent.withLock { $0 = number }
            }
          }
        }
        await sidecar.say(#"{"op":"call","id":2,"to":"stream","window":1}"#, "?")
        #expect(try await sidecar.heard("data").content == "1")
        #expect(sent.withLock { $0 } <= 1)
        await sidecar.say(#"{"op":"credit","id":2,"bytes":257}"#)
        #expect(try await sidecar.heard("data").content == "2")
        #expect(sent.withLock { $0 } <= 2)
        await sidecar.say(#"{"op":"credit","id":2,"bytes":257}"#)
        #expect(try await sidecar.heard("data").content == "3")
      }
    }
  }

  @Test func partsMakeOneMessage() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        _ = try await registered(sidecar) {
          try await client.register("tokens") { _, reply in
            try await reply.part("to", type: "Text")
            try await reply.part("ken")
            try await reply.endMessage()
            try await reply.send(1)
          }
        }
        await sidecar.say(#"{"op":"call","id":2,"to":"tokens"}"#, "?")
        let first = try await sidecar.heard("data")
        #expect(first["type"] == "Text" && first["content_type"] == "text/plain")
        #expect(first["part"] == "true" && first.content == "to")
        let second = try await sidecar.heard("data")
        #expect(second["type"] == nil && second["content_type"] == nil && second["part"] == "true")
        let third = try await sidecar.heard("data")
        #expect(third.content == "" && third["part"] == nil && third["end"] == nil)
        #expect(try await sidecar.heard("data").content == "1")
      }
    }
  }

  @Test func cancelReachesTheTaskAndIsAnswered() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let started = Awaited<Void>("the agent runs")
        _ = try await registered(sidecar) {
          try await client.register("slow") { _, _ in
            started.happened()
            try await Task.sleep(for: .seconds(60))
          }
        }
        await sidecar.say(#"{"op":"call","id":2,"to":"slow"}"#, "?")
        try await started.value()
        await sidecar.say(#"{"op":"cancel","id":2,"reason":"deadline"}"#)
        let error = try await sidecar.heard("error")
        #expect(error.id == 2 && error["code"] == "cancelled")
      }
    }
  }

  @Test func inputIsReadMessageByMessageAndGranted() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        _ = try await registered(sidecar) {
          try await client.register("sum") { request, reply in
            var sum = 0
            for try await message in request.input { sum += try message.decode(Int.self) }
            try await reply.send(sum)
          }
        }
        await sidecar.say(#"{"op":"call","id":2,"to":"sum","input":true}"#, "1")
        await sidecar.say(#"{"op":"data","id":2,"part":true}"#, "2")
        await sidecar.say(#"{"op":"data","id":2}"#, "0")
        await sidecar.say(#"{"op":"data","id":2,"end":true}"#, "300")
        #expect(try await sidecar.heard("data").content == "321")
      }
    }
  }

  @Test func callsOfAnAgentAreChildrenWithItsTraceAndExt() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        _ = try await registered(sidecar) {
          try await client.register(
            "planner",
            returning: { _ in
              try await client.call("worker", "step", ext: ["own": 1]).text ?? ""
            })
        }
        let fields = #""trace":"t1","ext":{"tenant":"x"}"#
        await sidecar.say(#"{"op":"call","id":2,"to":"planner",\#(fields)}"#, "?")
        let child = try await sidecar.heard("call")
        #expect(child["to"] == "worker" && child["parent"] == "2" && child["trace"] == "t1")
        #expect(child["ext"] == #"{"own":1,"tenant":"x"}"#)
        let end = #""content_type":"text/plain","end":true"#
        await sidecar.say(#"{"op":"data","id":\#(child.id),\#(end)}"#, "done")
        #expect(try await sidecar.heard("data").content == "done")
      }
    }
  }

  @Test func drainingFinishesWhatWasOnItsWay() async throws {
    try await FakeSidecar.running { sidecar in
      let client = try await Client.connect(sidecar.url)
      let mayFinish = Awaited<Void>("the time to finish")
      _ = try await registered(sidecar) {
        try await client.register("slow") { request, reply in
          if request.text == "first" { try await mayFinish.value() }
          try await reply.send(request.text)
        }
      }
      await sidecar.say(#"{"op":"call","id":2,"to":"slow"}"#, "first")
      async let drained: Void = client.drain(timeout: .seconds(30))
      let goodbye = try await sidecar.heard("goodbye")
      #expect(goodbye["timeout_ms"] == "30000")
      _ = try await sidecar.heard("ping")
      // This call has crossed the goodbye.
      await sidecar.say(#"{"op":"call","id":4,"to":"slow"}"#, "crossed")
      await sidecar.say(#"{"op":"pong"}"#)
      #expect(try await sidecar.heard("data").content == "crossed")
      mayFinish.happened()
      var heard = try await sidecar.heard("data")
      while heard.content.isEmpty { heard = try await sidecar.heard("data") }
      #expect(heard.content == "first")
      await drained
    }
  }

  @Test func anUnknownNameIsRefused() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        _ = try await client.ping(on: sidecar)
        await sidecar.say(#"{"op":"call","id":2,"to":"stranger"}"#, "?")
        #expect(try await sidecar.heard("error")["reason"] == "unknown_agent")
      }
    }
  }
}

extension Client {
  /// A ping that the fake sidecar answers; the connection is known to be up after it.
  func ping(on sidecar: FakeSidecar) async throws -> Duration {
    async let time = ping()
    _ = try await sidecar.heard("ping")
    await sidecar.say(#"{"op":"pong"}"#)
    return try await time
  }
}

@Suite struct Sessions {
  private actor Counter: Agent {
    private var count = 0
    private let onClosed: @Sendable (CloseReason) -> Void

    init(onClosed: @escaping @Sendable (CloseReason) -> Void) { self.onClosed = onClosed }

    func handle(_ request: Request, reply: ReplyStream, in context: AgentContext) async throws {
      count += 1
      try await reply.send(count)
    }

    func closed(_ reason: CloseReason) { onClosed(reason) }
  }

  @Test func aSessionKeepsItsInstanceUntilItIsClosed() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let closed = Awaited<CloseReason>("the instance is told")
        _ = try await registered(sidecar) {
          try await client.register(
            "counter",
            perSession: { _ in
              Counter { closed.happened($0) }
            })
        }
        #expect(try await Self.count(sidecar, 2, "counter:a") == "1")
        #expect(try await Self.count(sidecar, 4, "counter:a") == "2")
        #expect(try await Self.count(sidecar, 6, "counter:b") == "1")
        await sidecar.say(#"{"op":"close","id":8,"to":"counter:a","reason":"idle"}"#)
        #expect(try await sidecar.heard("ok").id == 8)
        #expect(try await closed.value() == .idle)
        #expect(try await Self.count(sidecar, 10, "counter:a") == "1")
      }
    }
  }

  @Test func newMeansANewInstance() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let closed = Awaited<CloseReason>("the old instance is told")
        _ = try await registered(sidecar) {
          try await client.register(
            "counter",
            perSession: { _ in
              Counter { closed.happened($0) }
            })
        }
        #expect(try await Self.count(sidecar, 2, "counter:a") == "1")
        #expect(try await Self.count(sidecar, 4, "counter:a", #","new":true"#) == "1")
        _ = try await closed.value()
      }
    }
  }

  @Test func callsThatComeTogetherFindOneInstance() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let made = Locked(0)
        _ = try await registered(sidecar) {
          try await client.register(
            "counter",
            perSession: { _ in
              made.withLock { $0 += 1 }
              return Counter { _ in }
            })
        }
        for id in stride(from: 2, through: 40, by: 2) {
          let fields = #""id":\#(id),"to":"counter:a"\#(id == 2 ? #","new":true"# : "")"#
          await sidecar.say(#"{"op":"call",\#(fields)}"#, "?")
        }
        var counts: [String] = []
        while counts.count < 20 {
          let heard = try await sidecar.heard("data")
          if !heard.content.isEmpty { counts.append(heard.content) }
        }
        #expect(counts.compactMap { Int($0) }.sorted() == Array(1...20))
        #expect(made.withLock { $0 } == 1)
      }
    }
  }

  @Test func aFailedActivationIsReportedAndTriedAgain() async throws {
    struct NoMemory: Error {}
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let attempts = Locked(0)
        _ = try await registered(sidecar) {
          try await client.register(
            "counter",
            perSession: { _ in
              let attempt = attempts.withLock {
                $0 += 1; return $0
              }
              if attempt == 1 { throw NoMemory() }
              return Counter { _ in }
            })
        }
        await sidecar.say(#"{"op":"call","id":2,"to":"counter:a"}"#, "?")
        let error = try await sidecar.heard("error")
        #expect(error["code"] == "internal" && error["reason"] == "activation_failed")
        #expect(try await Self.count(sidecar, 4, "counter:a") == "1")
      }
    }
  }

  @Test func cancellingARegistrationEndsItAndTellsTheInstances() async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        let closed = Awaited<CloseReason>("the instance is told")
        let registration = try await registered(sidecar) {
          try await client.register(
            "counter",
            perSession: { _ in
              Counter { closed.happened($0) }
            })
        }
        #expect(try await Self.count(sidecar, 2, "counter:a") == "1")
        async let cancelled: Void = registration.cancel()
        #expect(try await sidecar.heard("cancel").id == 1)
        await sidecar.say(#"{"op":"error","id":1,"code":"cancelled","reason":"cancelled"}"#)
        await cancelled
        #expect(await registration.ended() == nil)
        // The sidecar closes its sessions when their calls have ended.
        await sidecar.say(#"{"op":"close","id":4,"to":"counter:a","reason":"shutdown"}"#)
        #expect(try await closed.value() == .shutdown)
        #expect(try await sidecar.heard("ok").id == 4)
      }
    }
  }

  /// One call, and its reply up to the end.
  private static func count(
    _ sidecar: FakeSidecar, _ id: Int, _ address: String, _ fields: String = ""
  ) async throws -> String {
    await sidecar.say(#"{"op":"call","id":\#(id),"to":"\#(address)"\#(fields)}"#, "?")
    let reply = try await sidecar.heard("data")
    if reply["end"] == nil { _ = try await sidecar.heard("data") }
    return reply.content
  }
}
