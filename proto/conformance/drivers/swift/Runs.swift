import CoagentClient

/// Commands about runs.
extension Driver {
  func attach(_ command: Command) async throws -> JSON {
    let call = try await client(command).openRun(
      try command.word("run"), from: Int(command.integer("from") ?? 0),
      tail: command.truth("tail"), timeout: command.duration("timeout_ms"),
      windowBytes: command.integer("window").map { Int($0) })
    names.streams[try command.word("as")] = OpenStream(call.replies, call)
    return .object([])
  }

  func runs(_ command: Command) async throws -> JSON {
    let runs = try await client(command).runs(state: command.text("state") ?? "")
    return object(("runs", .array(runs.map { Self.report($0) })))
  }

  private static func report(_ run: RunCard) -> JSON {
    object(
      ("run", .string(run.name)), ("to", .string(run.to)), ("type", .string(run.type)),
      ("state", .string(run.state)), ("frames", count(run.frames)), ("first", count(run.first)),
      ("bytes", count(run.bytes)), ("readers", count(run.readers)),
      ("detached", .truth(run.isDetached)), ("code", .string(run.code)))
  }
}
