import CoagentClient

/// Commands about agents.
extension Driver {
  func register(_ command: Command) async throws -> JSON {
    let client = try client(command)
    let name = try command.word("name")
    var profile = try profile(command)
    let signalling = Signalling(command, names)
    profile.signals = signalling.hooks
    let registration =
      switch try command.word("agent") {
      case "scripted":
        try await client.register(
          name, profile, agent: scripted(command, signalling, instance: nil))
      case "sessions":
        try await client.register(name, profile, perSession: sessions(command, signalling))
      case "operations":
        try await client.register(name, profile, perSession: { _ in Total() })
      case "recorder":
        try await client.register(name, profile, perSession: { _ in Recorder() })
      case let kind:
        try await client.register(name, profile, agent: try FixedAgents.agent(kind))
      }
    names.registrations[try command.word("as")] = registration
    return .object([])
  }

  func unregister(_ command: Command) async throws -> JSON {
    let name = try command.word("of")
    guard let registration = names.registrations[name] else {
      throw Unsupported(why: "no registration '\(name)'")
    }
    await registration.cancel()
    return .object([])
  }

  private func profile(_ command: Command) throws -> AgentProfile {
    var profile = AgentProfile(command.text("description") ?? "")
    profile.version = command.text("version") ?? ""
    profile.labels = try labels(command)
    profile.concurrency = command.integer("concurrency").map { Int($0) }
    profile.sessionConcurrency = command.integer("session_concurrency").map { Int($0) }
    profile.idle = command.duration("idle_ms")
    profile.isExclusive = command.truth("exclusive")
    profile.topics = command["topics"]?.elements?.compactMap(\.text) ?? []
    return profile
  }

  private func scripted(
    _ command: Command, _ signalling: Signalling, instance: String?
  ) -> ScriptedAgent {
    ScriptedAgent(
      names: names, instance: instance, isStubborn: command.truth("stubborn"),
      signalling: signalling)
  }

  private func sessions(
    _ command: Command, _ signalling: Signalling
  ) throws -> @Sendable (String?) async throws -> any Agent {
    let name = try command.word("name")
    return { [self] session in
      let instance = names.fresh("i")
      let address = session.map { "\(name):\($0)" } ?? name
      Output.event("opened", ("instance", .string(instance)), ("address", .string(address)))
      return scripted(command, signalling, instance: instance)
    }
  }
}

/// Reports each call, and does what the runner says.
struct ScriptedAgent: SignalledAgent {
  let names: Names
  let instance: String?
  let isStubborn: Bool
  let signalling: Signalling

  func handle(_ request: Request, reply: ReplyStream, in context: AgentContext) async throws {
    let script = Script(request, reply, context)
    let name = signalling.name(of: context)
    names.scripts[name] = script
    defer { names.scripts[name] = nil }
    var goesOn = false
    if case .goOn = signalling.interrupts { goesOn = true }
    try await script.run(isStubborn: isStubborn, goesOn: goesOn) {
      report(name, request, context)
    } onInterrupt: { signal in
      Signalling.report(signal, name)
    } onCancel: {
      Output.event("cancelled", ("call", .string(name)))
    }
  }

  func signalled(_ signal: Signal) async throws { try signalling.take(signal, instance: instance) }

  func closed(_ reason: CloseReason) async {
    guard let instance else { return }
    Output.event("closed", ("instance", .string(instance)), ("reason", .string(reason.word)))
  }

  private func report(_ name: String, _ request: Request, _ context: AgentContext) {
    let left = context.timeLeft.map { left in
      left.components.seconds * 1_000 + left.components.attoseconds / 1_000_000_000_000_000
    }
    func text(_ text: String) -> JSON? { text.isEmpty ? nil : .string(text) }
    func truth(_ value: Bool) -> JSON? { value ? .truth(true) : nil }
    Output.event(
      "called", ("call", .string(name)), ("instance", instance.map { .string($0) }),
      ("address", .string(request.address)), ("type", text(request.type)),
      ("sender", text(context.from)),
      ("ext", context.ext.isEmpty ? nil : Report.flat(context.ext)),
      ("trace", text(context.trace)), ("topic", text(request.topic)),
      ("source", text(request.source)), ("time_left_ms", left.map { .integer($0) }),
      ("new", truth(request.isNew)), ("oneway", truth(request.isOneway)),
      ("observe", truth(request.observes)), ("message", request.message.map { Report.message($0) }))
  }
}
