import ArgumentParser
import CoagentClient

struct CallAgent: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "call", abstract: "Call an agent and print its reply.")

  @OptionGroup var asking: Asking

  @Flag(help: "Print replies as they come.")
  var stream = false

  @OptionGroup var keeping: Keeping

  @Option(help: "How long to wait: 5, 200ms, 2m; 0 for ever. 30 s unless streaming.")
  var timeout: Time?

  @OptionGroup var reach: Reach

  func run() async throws {
    if stream || asking.showing.chat || keeping.detach {
      try await asking.stream(timeout: timeout, keeping, reach)
      return
    }
    let (message, trace) = try asking.content.message()
    var printer = try asking.showing.printer()
    let options = keeping.options(timeout: timeout.map(\.limit) ?? .seconds(30), trace: trace)
    let reply = try await reach.reply(asking.address, message, options)
    if reply.messages.count == 1 {
      printer.show(reply.messages[0])
    } else {
      printer.show(try reply.json())
    }
    printer.end()
  }
}

extension Reach {
  /// One call on a connection of its own.
  func reply(_ address: String, _ message: Message, _ options: CallOptions) async throws -> Reply {
    // Without --timeout a call at the terminal takes as long as it takes.
    var limited = options
    limited.timeout = options.timeout ?? .unlimited
    return try await Interrupt.cancelling { [limited] in
      let client = try await connect()
      let result: Result<Reply, any Error>
      do {
        result = .success(try await client.call(address, message, options: limited))
      } catch {
        result = .failure(error)
      }
      await client.close()
      return try result.get()
    }
  }

  /// Asks one of the sidecar's own agents.
  func ask(_ agent: String, _ type: String, _ query: JSON) async throws -> JSON {
    var options = CallOptions()
    options.timeout = .seconds(30)
    return try await reply(agent, Message(json: query, type: type), options).json()
  }
}

struct StreamAgent: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stream", abstract: "Call an agent and print its replies as they come.")

  @OptionGroup var asking: Asking
  @OptionGroup var keeping: Keeping

  @Option(help: "How long it may take: 5, 200ms, 2m. For ever unless given.")
  var timeout: Time?

  @OptionGroup var reach: Reach

  func run() async throws {
    try await asking.stream(timeout: timeout, keeping, reach)
  }
}

/// Whom to ask what, and how to show the answer.
struct Asking: ParsableArguments {
  @Argument(help: "The agent: name or name:session.")
  var address: String

  @OptionGroup var content: Sending
  @OptionGroup var showing: Showing

  /// Prints the replies as they come, or leaves them to the run.
  func stream(timeout: Time?, _ keeping: Keeping, _ reach: Reach) async throws {
    let (message, trace) = try content.message()
    let printer = try showing.printer()
    let (address, call) = (address, keeping.options(timeout: timeout?.limit ?? nil, trace: trace))
    if keeping.detach { return try await reach.leave(address, message, call) }
    // A run is read on over a lost connection.
    try await reach.run(reconnects: keeping.run != nil) { client in
      let replies = Replies { try await client.open(address, message, options: call) }
      try await replies.print(with: printer)
    }
  }
}

extension CoagentClient.Replies {
  /// Prints everything. Errors at a position are told, and the rest is printed all the same.
  func print(with printer: ReplyPrinter) async throws {
    var printer = printer
    var parts = parts.makeAsyncIterator()
    var hasFailed = false
    while true {
      do {
        guard let part = try await parts.next() else { break }
        printer.show(part)
      } catch let error as AgentError where !parts.isOver {
        Output.complain(Complaint(error).text)
        hasFailed = true
      } catch {
        printer.end()
        throw error
      }
    }
    printer.end()
    if hasFailed { throw ExitCode(Complaint.failed) }
  }
}

struct SendMessage: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send", abstract: "Leave a message in an agent's mailbox.")

  @Argument(help: "The agent: name or name:session.")
  var address: String

  @OptionGroup var content: Sending

  @Flag(help: "Only show it the message; no action is asked for.")
  var observe = false

  @OptionGroup var reach: Reach

  func run() async throws {
    let (message, trace) = try content.message()
    var options = CallOptions()
    options.trace = trace
    let (address, observes, sending) = (address, observe, options)
    try await reach.run { client in
      try await client.send(
        address, message, options: sending, observes: observes, acknowledged: true)
    }
  }
}
