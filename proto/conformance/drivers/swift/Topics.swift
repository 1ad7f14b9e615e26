import CoagentClient

/// Commands about topics.
extension Driver {
  func publish(_ command: Command) async throws -> JSON {
    var options = PublishOptions()
    if let source = command.text("source") { options.source = source }
    options.timeout = command.duration("timeout_ms")
    options.isAcknowledged = command["ack"]?.truth ?? true
    options.from = command.text("sender") ?? ""
    options.trace = command.text("trace") ?? ""
    options.ext = try command.flat("ext")
    try await caller(command).publish(
      try command.word("topic"), try command.message() ?? Message([]), options: options)
    return .object([])
  }

  func subscribe(_ command: Command) async throws -> JSON {
    let subscription = try await client(command).subscribe(
      try command.word("topic"), windowBytes: command.integer("window").map { Int($0) })
    names.topics[try command.word("as")] = OpenTopic(subscription)
    return .object([])
  }
}

/// A topic that is read, in the order of the commands.
final class OpenTopic: Sendable {
  private let subscription: Subscription
  private let turns = Turns()

  init(_ subscription: Subscription) { self.subscription = subscription }

  func next() async throws -> JSON {
    try await turns.take {
      var iterator = subscription.makeAsyncIterator()
      guard let message = try await iterator.next() else { return object(("end", .truth(true))) }
      return object(("message", try Self.report(message)))
    }
  }

  func leave() { subscription.cancel() }

  private static func report(_ message: TopicMessage) throws -> JSON {
    guard case .object(var members) = try Report.value(message.message) else { return .null }
    members.append(.init("topic", .string(message.topic)))
    members.append(.init("source", .string(message.source)))
    if !message.from.isEmpty { members.append(.init("sender", .string(message.from))) }
    if message.dropped > 0 { members.append(.init("dropped", count(message.dropped))) }
    return .object(members)
  }
}
