import CoagentClient
import Locking
import TestSupport
import Testing

/// Interrupts and signals as agents and callers of this client see them, with a real socket.
@Suite struct Signalling {
  /// A client with an agent `a`, registered on a fake sidecar.
  private func hosting(
    _ agent: any Agent, hooks: SignalHooks = SignalHooks(),
    _ body: (Client, FakeSidecar) async throws -> Void
  ) async throws {
    try await FakeSidecar.running { sidecar in
      try await withClient(sidecar.url) { client in
        var profile = AgentProfile()
        profile.signals = hooks
        async let registration = client.register("a", profile, agent: agent)
        let heard = try await sidecar.heard("register")
        await sidecar.say(#"{"op":"ok","id":\#(heard.id)}"#)
        _ = try await registration
        try await body(client, sidecar)
      }
    }
  }

  private func interrupt(_ sidecar: FakeSidecar, _ id: Int, _ payload: String = "") async throws {
    await sidecar.say(
      #"{"op":"signal","id":\#(id),"call":2,"name":"interrupt","content_type":"text/plain"}"#,
      payload)
    #expect(try await sidecar.heard("ok").id == Int64(id))
  }

  @Test func anAgentTakesAnInterruptAndFinishesItsReply() async throws {
    let agent = ClosureAgent { _, reply, context in
      do {
        try await context.interruptible {
          try await reply.send("thinking")
          try await Task.sleep(for: .seconds(600))
        }
      } catch let interrupted as Interrupted {
        try await reply.send("in short: \(interrupted.signal.text)")
      }
    }
    try await hosting(agent) { _, sidecar in
      await sidecar.say(#"{"op":"call","id":2,"to":"a","window":1048576}"#)
      #expect(try await sidecar.heard("data").content == "thinking")
      try await interrupt(sidecar, 4, "be brief")
      #expect(try await sidecar.heard("data").content == "in short: be brief")
    }
  }

  @Test func withoutWantingToItEndsInterrupted() async throws {
    let agent = ClosureAgent { _, reply, _ in
      try await reply.send("begun")
      try await Task.sleep(for: .seconds(600))
    }
    try await hosting(agent) { _, sidecar in
      await sidecar.say(#"{"op":"call","id":2,"to":"a","window":1048576}"#)
      _ = try await sidecar.heard("data")
      try await interrupt(sidecar, 4)
      let end = try await sidecar.heard("error")
      #expect(end["code"] == "aborted" && end["reason"] == "interrupted")
    }
  }

  @Test func aBlockThatEndsInTimeIsNotInterrupted() async throws {
    let context = AgentContext(
      address: "a", from: "", trace: "", ext: [:], deadline: nil, caller: NoCaller(), callID: 2,
      generation: 1)
    #expect(try await context.interruptible { 7 } == 7)
    #expect(context.interrupted == nil)
  }

  @Test func ahookIsToldInOrderAndDisturbsNothing() async throws {
    let told = Locked<[String]>([])
    let hooks = SignalHooks(
      onInterrupt: { signal, _ in told.withLock { $0.append(signal.text) } },
      onSignal: { signal in
        if signal.name == "steer.refuse" { throw AgentError(.aborted, reason: "not_now", "no") }
        told.withLock { $0.append(signal.name) }
      })
    let agent = ClosureAgent { request, reply, _ in
      _ = try await request.input.first { $0.text == "go" }
      try await reply.send("done")
    }
    try await hosting(agent, hooks: hooks) { _, sidecar in
      await sidecar.say(#"{"op":"call","id":2,"to":"a","input":true,"window":1048576}"#)
      try await interrupt(sidecar, 4, "1")
      try await interrupt(sidecar, 6, "2")
      await sidecar.say(#"{"op":"signal","id":8,"call":2,"name":"steer.note"}"#)
      #expect(try await sidecar.heard("ok").id == 8)
      await sidecar.say(#"{"op":"signal","id":10,"to":"a","name":"steer.refuse"}"#)
      #expect(try await sidecar.heard("error")["reason"] == "not_now")
      #expect(told.withLock { $0 } == ["1", "2", "steer.note"])
      await sidecar.say(#"{"op":"data","id":2,"end":true,"content_type":"text/plain"}"#, "go")
      #expect(try await sidecar.heard("data").content == "done")
    }
  }
}

/// Makes no calls.
private struct NoCaller: Caller {
  struct Refused: Error {}

  func open(_ to: String, _ message: Message?, options: CallOptions) async throws -> Call {
    throw Refused()
  }

  func send(
    _ to: String, _ message: Message, options: CallOptions, observes: Bool, acknowledged: Bool
  ) async throws { throw Refused() }

  func publish(_ topic: String, _ message: Message, options: PublishOptions) async throws {
    throw Refused()
  }

  func signal(
    _ target: SignalTarget, _ name: String, _ payload: Message?, options: SignalOptions
  ) async throws { throw Refused() }
}
