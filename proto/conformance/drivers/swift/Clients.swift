import CoagentClient

/// Connections.
extension Driver {
  func client(_ command: Command) throws -> Client {
    let name = try command.word("client")
    guard let client = names.clients[name] else { throw Unsupported(why: "no client '\(name)'") }
    return client
  }

  func connect(_ command: Command) async throws -> JSON {
    var options = ClientOptions()
    options.name = command.text("name")
    options.token = command.text("token")
    options.wait = command.duration("wait_ms") ?? .zero
    let client = try await Client.connect(try command.word("url"), options: options)
    names.clients[try command.word("as")] = client
    return .object([])
  }

  func close(_ command: Command) async throws -> JSON {
    try await client(command).close()
    return .object([])
  }

  func drain(_ command: Command) async throws -> JSON {
    try await client(command).drain(timeout: command.duration("timeout_ms") ?? .seconds(10))
    return .object([])
  }

  func discover(_ command: Command) async throws -> JSON {
    let isDetailed = command.truth("detailed")
    let cards = try await client(command).discover(
      command.text("namespace") ?? "", recursive: command.truth("recursive"),
      inclusive: command.truth("inclusive"), detailed: isDetailed, labels: try labels(command))
    return object(("agents", .array(cards.map { Self.card($0, isDetailed) })))
  }

  func watch(_ command: Command) async throws -> JSON {
    let changes = try client(command).watch(
      command.text("namespace") ?? "", recursive: command.truth("recursive"),
      inclusive: command.truth("inclusive"), detailed: command.truth("detailed"),
      labels: try labels(command), fromRevision: command.integer("from_revision"))
    names.watches[try command.word("as")] = OpenWatch(changes)
    return .object([])
  }

  func labels(_ command: Command) throws -> [String: String] {
    try command.flat("labels").mapValues(\.description)
  }

  private static func card(_ card: AgentCard, _ isDetailed: Bool) -> JSON {
    guard isDetailed else {
      return object(("name", .string(card.name)), ("description", .string(card.description)))
    }
    return object(
      ("name", .string(card.name)), ("description", .string(card.description)),
      ("version", .string(card.version)),
      ("labels", .object(card.labels.map { .init($0.key, .string($0.value)) })),
      ("operations", .array(card.operations.map { operation($0) })),
      ("replicas", count(card.replicas)))
  }

  private static func operation(_ operation: AgentOperation) -> JSON {
    object(
      ("name", .string(operation.name)), ("description", .string(operation.description)),
      ("input", operation.input), ("output", operation.output),
      ("streaming", .truth(operation.streaming)))
  }
}

/// A watch, begun at once.
///
/// A watch of the client's begins with its first reading; the runner wants it to begin with the
/// command. So the first change is read ahead.
final class OpenWatch: Sendable {
  private let turns = Turns()
  private let reading: Task<Void, Never>
  private let changes: Relay<AgentChange>

  init(_ changes: AgentChanges) {
    let relay = Relay<AgentChange>()
    self.changes = relay
    reading = Task.immediateDetached {
      var iterator = changes.makeAsyncIterator()
      do {
        while let change = try await iterator.next() { try await relay.put(change) }
        relay.end(nil)
      } catch {
        relay.end(error)
      }
    }
  }

  func next() async throws -> JSON {
    try await turns.take {
      guard let change = try await changes.take() else { return object(("end", .truth(true))) }
      return object(
        (
          "change",
          object(
            ("revision", .integer(change.revision)),
            ("registered", .array(change.registered.map { .string($0.name) })),
            ("deregistered", .array(change.deregistered.map { .string($0) })))
        ))
    }
  }

  func leave() async {
    reading.cancel()
    await reading.value
  }
}

/// Passes values from one task to another, one at a time.
final class Relay<Value: Sendable>: Sendable {
  private enum Step: Sendable {
    case value(Value)
    case end((any Error)?)
  }

  private struct Slot: Sendable {
    var filled = Happening<Step>()
    var emptied = Happening<Void>()
  }

  private let slot = Guarded(Slot())

  init() {}

  /// Returns when the value was taken.
  func put(_ value: Value) async throws {
    let slot = slot.value
    slot.filled.happen(.value(value))
    await withTaskCancellationHandler {
      await slot.emptied.value()
    } onCancel: {
      slot.emptied.happen(())
    }
    try Task.checkCancellation()
  }

  func end(_ error: (any Error)?) { slot.value.filled.happen(.end(error)) }

  func take() async throws -> Value? {
    let slot = slot.value
    switch await slot.filled.value() {
    case .end(let error):
      if let error { throw error }
      return nil
    case .value(let value):
      self.slot.set(Slot())
      slot.emptied.happen(())
      return value
    }
  }
}
