import CoagentClient

/// Commands of callers.
extension Driver {
  /// Who makes the call: a client, or the call that it is made for.
  func caller(_ command: Command) throws -> any Caller {
    guard let parent = command.text("under") else { return try client(command) }
    guard let script = names.scripts[parent] else {
      throw AgentError(.parentEnded, "the call '\(parent)' has ended")
    }
    return script.context
  }

  func options(_ command: Command) throws -> CallOptions {
    var options = CallOptions()
    options.timeout = command.duration("timeout_ms")
    options.windowBytes = command.integer("window").map { Int($0) }
    options.isLazy = command.truth("lazy")
    options.isDetached = command.truth("detach")
    options.run = command.text("run") ?? ""
    options.from = command.text("sender") ?? ""
    options.trace = command.text("trace") ?? ""
    options.ext = try command.flat("ext")
    return options
  }

  func call(_ command: Command) async throws -> JSON {
    let options = try options(command)
    let message = try command.message() ?? Message([])
    let reply = try await caller(command).call(
      try command.word("to"), message, options: options)
    switch command.text("collect") {
    case nil: break
    case "join": return object(("value", Report.message(Message(text: try reply.joined()))))
    case "list":
      return object(("values", .array(try reply.messages.map { try Report.value($0) })))
    case "last":
      return object(("value", try reply.last.map { try Report.value($0) } ?? .null))
    case let how?: throw Unsupported(why: "no way to collect '\(how)'")
    }
    if reply.messages.count > 1, let text = reply.text {
      var joined = reply.messages[0]
      joined.content = Array(text.utf8)
      return object(("value", Report.message(joined)))
    }
    switch reply.messages.count {
    case 0: return .object([])
    case 1: return object(("value", try Report.value(reply.messages[0])))
    default: return object(("values", .array(try reply.messages.map { try Report.value($0) })))
    }
  }

  func open(_ command: Command, hasInput: Bool) async throws -> JSON {
    var options = try options(command)
    options.hasInput = hasInput
    let call = try await caller(command).open(
      try command.word("to"), try command.message(), options: options)
    names.streams[try command.word("as")] = OpenStream(call.replies, call)
    return .object([])
  }

  func send(_ command: Command) async throws -> JSON {
    try await caller(command).send(
      try command.word("to"), try command.message() ?? Message([]), options: try options(command),
      observes: command.truth("observe"), acknowledged: command["ack"]?.truth ?? true)
    return .object([])
  }

  // MARK: - What was opened

  func stream(_ command: Command) throws -> OpenStream {
    let name = try command.word("of")
    guard let stream = names.streams[name] else { throw Unsupported(why: "no stream '\(name)'") }
    return stream
  }

  func next(_ command: Command) async throws -> JSON {
    if let watch = names.watches[try command.word("of")] { return try await watch.next() }
    if let topic = names.topics[try command.word("of")] { return try await topic.next() }
    return try await stream(command).next()
  }

  func nextPart(_ command: Command) async throws -> JSON {
    try await stream(command).nextPart()
  }

  func rest(_ command: Command) async throws -> JSON {
    try await stream(command).rest()
  }

  func leave(_ command: Command) async throws -> JSON {
    if let watch = names.watches[try command.word("of")] {
      await watch.leave()
    } else if let topic = names.topics[try command.word("of")] {
      topic.leave()
    } else {
      try stream(command).leave()
    }
    return .object([])
  }

  func put(_ command: Command) async throws -> JSON {
    try await stream(command).put(try command.message() ?? Message([]))
  }

  func finish(_ command: Command) async throws -> JSON {
    try await stream(command).finish()
  }
}

/// A call that was opened here; its replies are read, and its input written, in the order of the
/// commands.
actor OpenStream {
  nonisolated let replies: Replies
  /// Of what was opened; what it is not, takes no input.
  private nonisolated let call: Call?
  private nonisolated let onLeave: @Sendable () -> Void
  private nonisolated let reading = Turns()
  private nonisolated let writing = Turns()
  private var outcomes: ReplyOutcomes.Iterator
  private var parts: ReplyParts.Iterator

  init(_ replies: Replies, _ call: Call? = nil, onLeave: @escaping @Sendable () -> Void = {}) {
    self.replies = replies
    self.call = call
    self.onLeave = onLeave
    outcomes = replies.outcomes.makeAsyncIterator()
    parts = replies.parts.makeAsyncIterator()
  }

  nonisolated func next() async throws -> JSON {
    try await reading.take { try await nextMessage() }
  }

  nonisolated func nextPart() async throws -> JSON {
    try await reading.take { try await nextPiece() }
  }

  nonisolated func rest() async throws -> JSON {
    try await reading.take { try await allMessages() }
  }

  nonisolated func leave() {
    call?.cancel()
    onLeave()
  }

  nonisolated func put(_ message: Message) async throws -> JSON {
    try await writing.take { try await input().send(message) }
    return .object([])
  }

  nonisolated func finish() async throws -> JSON {
    try await writing.take { try await input().finishInput() }
    return .object([])
  }

  nonisolated func input() throws -> Call {
    guard let call else { throw Unsupported(why: "a delegated call takes no input") }
    return call
  }

  private func nextMessage() async throws -> JSON {
    guard let outcome = try await take() else { return object(("end", .truth(true))) }
    return object(("message", try Report.outcome(outcome)))
  }

  private func nextPiece() async throws -> JSON {
    var iterator = parts
    defer { parts = iterator }
    do {
      guard let part = try await iterator.next() else { return object(("end", .truth(true))) }
      return object(("piece", Report.message(part.message)))
    } catch let error as AgentError where !iterator.isOver {
      return object(("piece", try Report.outcome(.failure(error))))
    }
  }

  private func allMessages() async throws -> JSON {
    var listed: [JSON] = []
    var (number, bytes) = (0, 0)
    var hash = SHA256()
    while let outcome = try await take() {
      number += 1
      if number <= Self.listedMax { listed.append(try Report.outcome(outcome)) }
      guard case .success(let message) = outcome else { continue }
      bytes += message.content.count
      hash.update(message.content)
    }
    return object(
      ("messages", number <= Self.listedMax ? .array(listed) : nil), ("count", count(number)),
      ("bytes", count(bytes)), ("sha256", .string(Hex.text(hash.finish()))))
  }

  private static let listedMax = 100

  /// The next message or error at a position; nil at the end.
  private func take() async throws -> Result<Message, AgentError>? {
    var iterator = outcomes
    defer { outcomes = iterator }
    return try await iterator.next()
  }
}
