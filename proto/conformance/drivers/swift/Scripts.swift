import CoagentClient

/// A call whose agent does what the runner says.
final class Script: Sendable {
  enum Ending: Sendable {
    case answer(Message?)
    case failure(any Error)
    case forward(to: String, Message)
    case handOff(Delegated)
    case copy(Replies)
    case cancelled

    /// An error that it ends with is not the command's.
    var isOthers: Bool {
      switch self {
      case .failure, .handOff, .copy: true
      case .answer, .forward, .cancelled: false
      }
    }
  }

  let request: Request
  let context: AgentContext
  let reply: ReplyStream
  let writing = Turns()
  private let input: InputReader
  private let ending = Happening<Ending>()
  private let over = Happening<(any Error)?>()

  init(_ request: Request, _ reply: ReplyStream, _ context: AgentContext) {
    self.request = request
    self.reply = reply
    self.context = context
    // The first message is shown with the call.
    input = InputReader(request.further)
  }

  /// Handles the call to the end that the runner or the caller chose.
  ///
  /// - Parameter begin: tells that it has begun; from then on an interrupt is for who goes on.
  func run(
    isStubborn: Bool, goesOn: Bool, begin: @escaping @Sendable () -> Void,
    onInterrupt: @escaping @Sendable (Signal) -> Void, onCancel: @escaping @Sendable () -> Void
  ) async throws {
    try await withTaskCancellationHandler {
      if goesOn {
        try await performToItsEnd(try await endingDespiteInterrupts(begin, onInterrupt))
      } else {
        begin()
        try await performToItsEnd(await ending.value())
      }
    } onCancel: {
      if !goesOn, let signal = context.interrupted {
        onInterrupt(signal)
      } else {
        onCancel()
      }
      if !isStubborn { ending.happen(.cancelled) }
    }
  }

  /// Waits for what the runner says, however often that is interrupted.
  private func endingDespiteInterrupts(
    _ begin: @escaping @Sendable () -> Void, _ onInterrupt: @Sendable (Signal) -> Void
  ) async throws -> Ending {
    var hasBegun = false
    while true {
      let isFirst = !hasBegun
      hasBegun = true
      do {
        return try await context.interruptible { [ending] in
          if isFirst { begin() }
          let said = Happening<Ending?>()
          Task { said.happen(await ending.value()) }
          let end = await withTaskCancellationHandler {
            await said.value()
          } onCancel: {
            said.happen(nil)
          }
          guard let end else { throw CancellationError() }
          return end
        }
      } catch let interrupted as Interrupted {
        onInterrupt(interrupted.signal)
      }
    }
  }

  private func performToItsEnd(_ end: Ending) async throws {
    do {
      try await perform(end)
      over.happen(nil)
    } catch {
      over.happen(end.isOthers ? nil : error)
      throw error
    }
  }

  private func perform(_ end: Ending) async throws {
    switch end {
    case .answer(let message):
      if let message { try await writing.take { try await reply.send(message) } }
    case .failure(let error): throw error
    case .forward(let to, let message):
      var options = CallOptions()
      options.timeout = nil
      let call = try await context.open(to, message, options: options)
      try await reply.forward(call.replies)
    case .handOff(let delegated): try await reply.handOff(to: delegated)
    case .copy(let replies): try await reply.forward(replies)
    case .cancelled: throw CancellationError()
    }
  }

  /// Ends the call so; returns when that is done.
  func end(_ end: Ending) async throws {
    guard ending.happen(end) else {
      throw AgentError(.cancelled, "the call has ended already")
    }
    if let error = await over.value() { throw error }
  }

  func nextInput() async throws -> JSON {
    guard let message = try await input.next() else { return object(("end", .truth(true))) }
    return object(("message", Report.message(message)))
  }
}

/// Reads a call's input in the order of the commands.
private actor InputReader {
  private nonisolated let turns = Turns()
  private var iterator: InputMessages.Iterator

  init(_ messages: InputMessages) { iterator = messages.makeAsyncIterator() }

  nonisolated func next() async throws -> Message? {
    try await turns.take { try await read() }
  }

  private func read() async throws -> Message? {
    var iterator = iterator
    defer { self.iterator = iterator }
    return try await iterator.next()
  }
}

/// An error as programs have them, with nothing of ours.
struct OrdinaryError: CausedError, CustomStringConvertible {
  let description: String
  var cause: (any Error)?

  init(_ description: String, because cause: (any Error)? = nil) {
    self.description = description
    self.cause = cause
  }
}

extension Driver {
  /// A call that is being handled here.
  func scripted(_ command: Command) throws -> Script {
    let name = try command.word("call")
    guard let script = names.scripts[name] else {
      throw AgentError(.cancelled, "the call '\(name)' has ended")
    }
    return script
  }

  /// Tells a scripted call what to do next.
  func script(_ command: Command) async throws -> JSON {
    let script = try scripted(command)
    switch command.verb {
    case "input": return try await script.nextInput()
    case "reply":
      let message = try command.message() ?? Message([])
      try await script.writing.take {
        if command.truth("unordered") {
          try await script.reply.send(outOfOrder: message)
        } else if command.truth("part") {
          try await script.reply.part(message)
        } else {
          try await script.reply.send(message)
        }
      }
    case "fail_at":
      let error = try Self.error(command)
      try await script.writing.take { try await script.reply.fail(at: error) }
    case "answer": try await script.end(.answer(try command.message()))
    case "fail": try await script.end(.failure(try Self.error(command)))
    default:
      let message = try command.message() ?? Message([])
      try await script.end(.forward(to: try command.word("to"), message))
    }
    return .object([])
  }

  private static func error(_ command: Command) throws -> any Error {
    let message = command.text("message") ?? ""
    guard let word = command.text("code") else {
      return OrdinaryError(message, because: command.text("cause").map { OrdinaryError($0) })
    }
    return AgentError(
      ErrorCode(rawValue: word) ?? .internal, reason: command.text("reason") ?? "", message,
      details: try command.flat("details"))
  }
}
