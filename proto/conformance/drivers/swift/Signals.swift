import CoagentClient

/// Commands about signals.
extension Driver {
  func signal(_ command: Command) async throws -> JSON {
    let name = command.verb == "signal" ? try command.word("name") : command.verb
    let payload = try command.message()
    if command.text("of") != nil {
      try await stream(command).signal(name, payload)
      return .object([])
    }
    var options = SignalOptions()
    options.from = command.text("sender") ?? ""
    let target: SignalTarget =
      if let run = command.text("run") { .run(run) } else { .address(try command.word("to")) }
    try await caller(command).signal(target, name, payload, options: options)
    return .object([])
  }
}

extension OpenStream {
  nonisolated func signal(_ name: String, _ payload: Message?) async throws {
    try await input().signal(name, payload)
  }
}

/// What a scripted agent does when it is signalled.
struct Signalling: Sendable {
  enum Interrupts: Sendable { case escape, goOn, hook(failsWith: String?) }
  enum Own: Sendable { case none, takes, fails }

  let interrupts: Interrupts
  let own: Own
  /// Makes names of calls, unique in the driver's life, which hooks know as well.
  let token: String

  init(_ command: Command, _ names: Names) {
    interrupts =
      switch command.text("interrupts") {
      case "go_on": .goOn
      case "hook": .hook(failsWith: command.text("hook_fails"))
      default: .escape
      }
    own =
      if command.text("signals") == "fail" { .fails } else {
        command.truth("signals") ? .takes : .none
      }
    token = names.fresh("h")
  }

  func name(of context: AgentContext) -> String {
    "\(token)-\(context.generation)-\(context.callID)"
  }

  /// The hooks of the registration.
  var hooks: SignalHooks {
    guard case .hook(let failure) = interrupts else { return SignalHooks() }
    return SignalHooks(onInterrupt: { signal, context in
      Self.report(signal, name(of: context))
      if let failure { throw OrdinaryError(failure) }
    })
  }

  static func report(_ signal: Signal, _ call: String) {
    Output.event(
      "interrupted", ("call", .string(call)), ("sender", text(signal.from)),
      ("message", signal.message.map { Report.message($0) }))
  }

  /// Tells of one of the agent's own.
  func take(_ signal: Signal, instance: String?) throws {
    if case .none = own {
      throw AgentError(.unhandledSignal, "nothing takes \(signal.name)")
    }
    Output.event(
      "signalled", ("address", .string(signal.address)),
      ("instance", instance.map { .string($0) }),
      ("call", signal.context.map { .string(name(of: $0)) }), ("name", .string(signal.name)),
      ("sender", Self.text(signal.from)),
      ("message", signal.message.map { Report.message($0) }))
    if case .fails = own { throw AgentError(.aborted, reason: "not_now", "not now") }
  }

  private static func text(_ text: String) -> JSON? { text.isEmpty ? nil : .string(text) }
}
