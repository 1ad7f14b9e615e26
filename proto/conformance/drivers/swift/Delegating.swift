import CoagentClient

/// Commands that put the replies of other calls among those of a scripted one.
extension Driver {
  func delegate(_ command: Command) async throws -> JSON {
    let delegated = try await scripted(command).context.delegate(
      try command.word("to"), try command.message() ?? Message([]), options: try options(command))
    let name = try command.word("as")
    names.delegated[name] = delegated
    // It may be read instead.
    names.streams[name] = OpenStream(delegated.replies) { delegated.cancel() }
    return .object([])
  }

  func splice(_ command: Command) async throws -> JSON {
    let script = try scripted(command)
    let isUnordered = command.truth("unordered")
    try await script.writing.take {
      if let delegated = try delegated(command) {
        return try await script.reply.splice(delegated, outOfOrder: isUnordered)
      }
      do {
        try await script.reply.forward(try stream(command).replies)
      } catch let error as AgentError {
        try await script.reply.fail(at: error)
      }
    }
    return .object([])
  }

  func handOff(_ command: Command) async throws -> JSON {
    let script = try scripted(command)
    if let delegated = try delegated(command) {
      try await script.end(.handOff(delegated))
    } else {
      try await script.end(.copy(try stream(command).replies))
    }
    return .object([])
  }

  private func delegated(_ command: Command) throws -> Delegated? {
    names.delegated[try command.word("of")]
  }
}
