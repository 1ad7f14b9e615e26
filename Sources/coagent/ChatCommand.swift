import ArgumentParser
import CoagentClient

struct Chat: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "chat", abstract: "Talk with an agent, line by line.",
    discussion: """
      Each line is sent as {"role":"user","content":LINE}, or as plain text. Without a session in \
      the address, the conversation gets one of its own. Ctrl-C stops a reply, Ctrl-D ends.
      """)

  @Argument(help: "The agent: name or name:session.")
  var address: String

  @Option(
    name: [.customShort("H"), .customLong("header")],
    help: ArgumentHelp("A header, as in -H type:ChatMessage.", valueName: "name:value"))
  var headers: [String] = []

  @Option(
    name: [.customShort("F"), .customLong("filter")],
    help: ArgumentHelp("What to show of each reply; .content unless given.", valueName: ".path"))
  var filter: String?

  @Flag(help: "Send each line as plain text, for agents that take a text.")
  var text = false

  @Option(help: "How long a reply may take. For ever unless given.")
  var timeout: Time?

  @OptionGroup var reach: Reach

  func run() async throws {
    var content = Sending()
    content.headers = headers
    content.data = nil
    content.text = false
    let (template, trace) = try content.message(defaultType: text ? "" : "ChatMessage")
    let filters = try filter.map { [try Filter($0)] }
    let printer = ReplyPrinter(
      asJSON: false, oneline: true,
      filters: try filters ?? [Filter(".content.content"), Filter(".content"), Filter(".")])
    let address = address.contains(":") ? address : address + ":chat-" + Self.randomWord()
    var options = CallOptions()
    options.timeout = timeout?.limit
    options.trace = trace

    let client = try await reach.connect(reconnects: true)
    if Output.isTerminal { Output.line(Output.styled("talking with \(address)", .dim)) }
    var editor = LineEditor()
    reading: while true {
      switch editor.read(prompt: "> ") {
      case .end: break reading
      case .interrupted: continue
      case .line(let line):
        if line.allSatisfy(\.isWhitespace) { continue }
        let message = try message(line, template)
        await Self.answer(client, address, message, options, printer)
      }
    }
    await client.close()
  }

  private func message(_ line: String, _ template: Message) throws -> Message {
    if text {
      var message = Message(text: line, type: template.type)
      message.extText = template.extText
      return message
    }
    let body = JSON.object([
      .init("role", .string("user")), .init("content", .string(line)),
    ])
    var message = Message(json: body, type: template.type)
    message.extText = template.extText
    return message
  }

  /// One question and its answer. What goes wrong is told, and the conversation goes on.
  private static func answer(
    _ client: Client, _ address: String, _ message: Message, _ options: CallOptions,
    _ printer: ReplyPrinter
  ) async {
    do {
      try await Interrupt.cancelling {
        let replies = Replies { try await client.open(address, message, options: options) }
        try await replies.print(with: printer)
      }
    } catch let error as AgentError {
      Output.complain(Complaint(error).text)
    } catch {
      Output.line(Output.styled(" (stopped)", .dim))
      Output.flush()
    }
  }

  private static func randomWord() -> String {
    String((0..<8).map { _ in "abcdefghijkmnpqrstuvwxyz23456789".randomElement() ?? "a" })
  }
}
