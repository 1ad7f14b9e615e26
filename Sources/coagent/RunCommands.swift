import ArgumentParser
import CoagentClient

/// Whether a call's replies are kept, and go on without this program.
struct Keeping: ParsableArguments {
  @Option(help: "Keep the replies under this name, to be read again: see attach and tail.")
  var run: String?

  @Flag(help: "Leave the run once it is under way; it goes on. Needs --run.")
  var detach = false

  func validate() throws {
    if detach, run == nil { throw ValidationError("--detach needs --run, to find it again.") }
  }

  /// The options of a call that is kept so.
  func options(timeout: Duration?, trace: String) -> CallOptions {
    var options = CallOptions()
    options.timeout = timeout
    options.trace = trace
    if let run {
      options.run = run
      options.isDetached = detach
    }
    return options
  }
}

extension Reach {
  /// Starts a run and leaves it. One that is refused fails, as its call does.
  func leave(_ address: String, _ message: Message, _ options: CallOptions) async throws {
    try await run { client in
      let name = options.run
      let call = try await client.open(address, message, options: options)
      do {
        // What was asked on this connection before is taken, or refused, when this is answered.
        _ = try await client.describeRun(name)
      } catch let error as AgentError where error.reason == Reason.unknownRun.rawValue {
        // It was refused.
      }
      if call.hasEnded { for try await _ in Replies({ call }) {} }
      if Output.isTerminal { Output.line("\(name) is under way: coagent attach \(name)") }
    }
  }

  /// Prints what a run replies, from somewhere on; leaving ends nothing.
  fileprivate func follow(
    _ run: String, from frame: Int, tail: Bool, _ showing: Showing, timeout: Time?
  ) async throws {
    let printer = try showing.printer()
    let limit = timeout?.limit ?? nil
    try await self.run(reconnects: true) { client in
      let replies = client.attach(run, from: frame, tail: tail, timeout: limit)
      try await replies.print(with: printer)
    }
  }
}

struct Attach: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attach", abstract: "Print what a run has replied, and what it still does.",
    discussion: """
      The run is one of yours, opened with --run. Ctrl-C leaves it; it goes on.
      Lists of them: coagent ps --runs
      """)

  @Argument(help: "The run.")
  var name: String

  @Option(help: "The number of the first frame to read.")
  var from = 0

  @Option(help: "How long it may take: 5, 200ms, 2m. For ever unless given.")
  var timeout: Time?

  @OptionGroup var showing: Showing
  @OptionGroup var reach: Reach

  func validate() throws {
    if from < 0 { throw ValidationError("--from \(from): must be 0 or more") }
  }

  func run() async throws {
    try await reach.follow(name, from: from, tail: false, showing, timeout: timeout)
  }
}

struct Tail: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tail", abstract: "Print what a run replies from now on.")

  @Argument(help: "The run.")
  var name: String

  @Option(help: "How long it may take: 5, 200ms, 2m. For ever unless given.")
  var timeout: Time?

  @OptionGroup var showing: Showing
  @OptionGroup var reach: Reach

  func run() async throws {
    try await reach.follow(name, from: 0, tail: true, showing, timeout: timeout)
  }
}
