import ArgumentParser
import CoagentClient
import FoundationEssentials

struct Publish: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "publish", abstract: "Send a message to everyone who subscribes to a topic.")

  @Argument(help: "The topic: segments joined by dots, as in orders.new.")
  var topic: String

  @Option(help: "Whom it concerns: the session of each agent that the topic feeds.")
  var source = "default"

  @OptionGroup var content: Sending

  @Option(help: "How long it is worth something: 5, 200ms, 2m. For ever unless given.")
  var timeout: Time?

  @OptionGroup var reach: Reach

  func run() async throws {
    let (message, trace) = try content.message()
    let topic = topic
    var options = PublishOptions(source: source)
    options.timeout = timeout?.limit
    options.trace = trace
    try await reach.run { [options] client in
      try await client.publish(topic, message, options: options)
    }
  }
}

struct Subscribe: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "subscribe", abstract: "Show what is published to a topic.",
    discussion: """
      A topic may be a pattern: * is any one segment, a last > one segment or more
      (in quotes, so that the shell leaves them alone).
      """)

  @Argument(help: "The topic or pattern.")
  var topic: String

  @Option(
    name: [.customShort("n"), .customLong("count")],
    help: "End after so many messages. For ever unless given.")
  var count: Int?

  @Flag(help: "One JSON object on a line, for programs.")
  var json = false

  @Flag(help: "Always the newest message: those that come while one is shown are passed over.")
  var newest = false

  @OptionGroup var reach: Reach

  func validate() throws {
    if let count, count < 1 { throw ValidationError("--count \(count): must be 1 or more") }
  }

  func run() async throws {
    let (topic, count, json, window) = (topic, count, json, newest ? 1 : nil)
    try await reach.run(reconnects: true) { client in
      var left = count ?? .max
      var isFirst = true
      while left > 0 {
        do {
          let messages = try await client.subscribe(
            topic, windowBytes: window, isRenewed: false)
          if !isFirst { Output.complain("coagent: connected again; some may have been missed") }
          isFirst = false
          for try await message in messages {
            Self.show(message, asJSON: json)
            left -= 1
            if left == 0 { break }
          }
        } catch let error as AgentError where error.code == .unavailable && !isFirst {
          // The connection is lost; what is published until there is another has gone.
          if client.isClosed { throw error }
        }
      }
    }
  }

  private static func show(_ message: TopicMessage, asJSON: Bool) {
    if asJSON {
      Output.write(Pretty.compact(object(message)))
      Output.line()
    } else {
      if message.dropped > 0 { Output.complain("coagent: \(message.dropped) were passed over") }
      let head = Output.styled("\(message.topic) \(message.source)", .dim)
      Output.line("\(head)  \(text(message.message))")
    }
    Output.flush()
  }

  /// A message for programs: JSON as it is, text as a string, anything else in base64.
  static func object(_ message: TopicMessage) -> JSON {
    var members: [JSON.Member] = [
      .init("topic", .string(message.topic)), .init("source", .string(message.source)),
    ]
    if !message.from.isEmpty { members.append(.init("from", .string(message.from))) }
    if message.dropped > 0 {
      members.append(.init("dropped", .integer(Int64(clamping: message.dropped))))
    }
    let content = message.message
    if !content.type.isEmpty { members.append(.init("type", .string(content.type))) }
    members.append(.init("content_type", .string(content.contentType)))
    if content.isText || content.isJSON, let value = try? content.json() {
      members.append(.init("content", value))
    } else {
      members.append(
        .init("content_base64", .string(Data(content.content).base64EncodedString())))
    }
    return .object(members)
  }

  /// A message on one line, for people.
  private static func text(_ message: Message) -> String {
    if message.isText { return message.text.replacing("\n", with: " ") }
    if message.isJSON, let value = try? message.json() {
      if case .string(let text) = value { return text.replacing("\n", with: " ") }
      return String(decoding: Pretty.compact(message.content), as: UTF8.self)
    }
    return "(\(message.content.count) bytes of \(message.contentType))"
  }
}
