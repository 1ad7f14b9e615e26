import ArgumentParser
import CoagentClient

/// Whom a signal concerns: an address, or a run.
struct Concerned: ParsableArguments {
  @Option(help: "A run of yours, in place of an address.")
  var run: String?

  /// The target, and what is left of the words: with `--run` there is no address among them.
  func target(of words: [String]) throws -> (target: SignalTarget, rest: ArraySlice<String>) {
    if let run { return (.run(run), words[...]) }
    guard let address = words.first else {
      throw ValidationError("Whom? Give an address, name:session, or --run.")
    }
    return (.address(address), words.dropFirst())
  }
}

/// The payload of a signal, as one word of the command line.
struct Payload: ParsableArguments {
  @Flag(help: "Send the payload as plain text, even if it reads as JSON.")
  var text = false

  /// JSON or plain text, `@file`, or `-` for standard input; nil for none.
  func message(_ words: ArraySlice<String>) throws -> Message? {
    guard words.count < 2 else {
      throw ValidationError("The payload is one word; put it in quotes: \(words.last ?? "")")
    }
    return try words.first.map { try Sending.body($0, asText: text) }
  }
}

struct InterruptCalls: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "interrupt", abstract: "Interrupt what a session is doing.",
    discussion: """
      The agent is told at once, whatever waits, and may still finish its reply:
        coagent interrupt thinker:ann "be brief"
      The payload is JSON or plain text, @file, or - for standard input.
      """)

  @Argument(help: ArgumentHelp("The session, name:session, and a payload.", valueName: "address"))
  var words: [String] = []

  @OptionGroup var payload: Payload
  @OptionGroup var concerned: Concerned
  @OptionGroup var reach: Reach

  func run() async throws {
    let (target, rest) = try concerned.target(of: words)
    let message = try payload.message(rest)
    try await reach.run { client in
      try await client.signal(target, "interrupt", message, options: SignalOptions())
    }
  }
}

struct SendSignal: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "signal", abstract: "Signal an agent or a session in its own words.",
    discussion: """
      The name has two or more segments; what it means is the agent's affair:
        coagent signal thinker:ann steer.note '{"temperature":0.5}'
      To a name without session it goes to every replica. The payload is JSON or plain text,
      @file, or - for standard input.
      """)

  @Argument(
    help: ArgumentHelp("The agent or session, the signal, and a payload.", valueName: "address"))
  var words: [String] = []

  @OptionGroup var payload: Payload
  @OptionGroup var concerned: Concerned
  @OptionGroup var reach: Reach

  func run() async throws {
    let (target, rest) = try concerned.target(of: words)
    guard let name = rest.first else {
      throw ValidationError("Which signal? Give a name such as steer.note.")
    }
    let message = try payload.message(rest.dropFirst())
    try await reach.run { client in
      try await client.signal(target, name, message, options: SignalOptions())
    }
  }
}

struct CancelSessions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "End sessions and their calls, or a run.")

  @Argument(help: "The sessions, name:session.")
  var addresses: [String] = []

  @OptionGroup var concerned: Concerned
  @OptionGroup var reach: Reach

  func validate() throws {
    if concerned.run != nil, !addresses.isEmpty {
      throw ValidationError("Either addresses or --run.")
    }
  }

  func run() async throws {
    let targets =
      concerned.run.map { [SignalTarget.run($0)] }
      ?? addresses.map { SignalTarget.address($0) }
    if targets.isEmpty { _ = try concerned.target(of: []) }
    try await reach.run { client in
      for target in targets {
        try await client.signal(target, "cancel", nil, options: SignalOptions())
      }
    }
  }
}

struct PauseSessions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Keep what waits for sessions from them, until resume.")

  @Argument(help: "The sessions, name:session.")
  var addresses: [String]

  @OptionGroup var reach: Reach

  func run() async throws {
    let addresses = addresses
    try await reach.run { client in
      for address in addresses { try await client.pause(address) }
    }
  }
}

struct ResumeSessions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Give paused sessions their messages again.")

  @Argument(help: "The sessions, name:session.")
  var addresses: [String]

  @OptionGroup var reach: Reach

  func run() async throws {
    let addresses = addresses
    try await reach.run { client in
      for address in addresses { try await client.resume(address) }
    }
  }
}
