internal import Wire

/// What agents of a type can do, by the types of messages.
///
///     actor Counter: OperationsAgent {
///       private var total = 0
///
///       static let operations = Operations<Counter>()
///         .on("add", "Adds to the total") { counter, number in await counter.add(number) }
///
///       func add(_ number: Int) -> Int {
///         total += number
///         return total
///       }
///     }
///
/// A message is decoded before the operation runs; what does not fit is refused with
/// `invalid_argument`/`bad_content`, a type that nothing is said of with
/// `unimplemented`/`unhandled_type`. An only operation also takes messages without a type. The
/// schemas of what goes in and out are made from the Swift types.
public struct Operations<Target: Sendable>: Sendable {
  public typealias Perform =
    @Sendable @concurrent (Target, Request, ReplyStream) async throws -> Void

  struct Entry: Sendable {
    let listing: AgentOperation
    let perform: Perform
  }

  private var entries: [Entry] = []

  public init() {}

  /// As discovery shows them.
  public var listing: [AgentOperation] { entries.map(\.listing) }

  // MARK: - Saying what there is
  //
  // None of these is specialised for its caller's types: Swift 6.3.1's optimiser crashes over a
  // specialised `Int?` when it splits the closure, and what runs once in a call gains little.

  /// A value in, a value out; nil is answered without a message. Without a name, it handles
  /// messages of its input's type.
  @_semantics("optimize.sil.specialize.generic.never")
  public func on<Input: Decodable & Sendable, Output: Encodable & Sendable>(
    _ type: String? = nil, _ description: String = "",
    _ body: @escaping @Sendable @concurrent (Target, Input) async throws -> Output
  ) -> Self {
    adding(type, description, Input.self, Output.self) { target, request, reply in
      try await reply.send(answer: body(target, request.input(Input.self)))
    }
  }

  /// A value in, nothing out.
  @_semantics("optimize.sil.specialize.generic.never")
  public func on<Input: Decodable & Sendable>(
    _ type: String? = nil, _ description: String = "",
    _ body: @escaping @Sendable @concurrent (Target, Input) async throws -> Void
  ) -> Self {
    adding(type, description, Input.self, nil) { target, request, _ in
      try await body(target, request.input(Input.self))
    }
  }

  /// Nothing in, a value out.
  @_semantics("optimize.sil.specialize.generic.never")
  public func on<Output: Encodable & Sendable>(
    _ type: String, _ description: String = "",
    _ body: @escaping @Sendable @concurrent (Target) async throws -> Output
  ) -> Self {
    adding(type, description, nil, Output.self) { target, _, reply in
      try await reply.send(answer: body(target))
    }
  }

  /// Nothing in, nothing out.
  public func on(
    _ type: String, _ description: String = "",
    _ body: @escaping @Sendable @concurrent (Target) async throws -> Void
  ) -> Self {
    adding(type, description, nil, nil) { target, _, _ in try await body(target) }
  }

  /// A value in, values out as they are made. `output` is what they are.
  @_semantics("optimize.sil.specialize.generic.never")
  public func on<Input: Decodable & Sendable>(
    _ type: String? = nil, _ description: String = "", streaming output: any Encodable.Type,
    _ body: @escaping @Sendable @concurrent (Target, Input, ReplyStream) async throws -> Void
  ) -> Self {
    adding(type, description, Input.self, output, isStreaming: true) { target, request, reply in
      try await body(target, request.input(Input.self), reply)
    }
  }

  /// A value in, and out what a delegated call answers: the call is handed over to it.
  @_semantics("optimize.sil.specialize.generic.never")
  public func on<Input: Decodable & Sendable>(
    _ type: String? = nil, _ description: String = "",
    _ body: @escaping @Sendable @concurrent (Target, Input) async throws -> Delegated
  ) -> Self {
    adding(type, description, Input.self, nil, isStreaming: true) { target, request, reply in
      try await reply.handOff(to: body(target, request.input(Input.self)))
    }
  }

  /// Everything as it comes: the request with all of its input, and the replies.
  public func on(
    _ type: String, _ description: String = "",
    requests body: @escaping Perform
  ) -> Self {
    adding(type, description, nil, nil, isStreaming: true, body)
  }

  private func adding(
    _ type: String?, _ description: String, _ input: (any Decodable.Type)?,
    _ output: (any Encodable.Type)?, isStreaming: Bool = false, _ perform: @escaping Perform
  ) -> Self {
    let name = type ?? input.map { JSONSchema.name(of: $0) } ?? ""
    precondition(!name.isEmpty, "an operation on a plain value needs a name")
    precondition(!entries.contains { $0.listing.name == name }, "two operations named \(name)")
    // What cannot be decoded does not show its form.
    let described = output.flatMap { $0 as? any Decodable.Type }
    var all = self
    all.entries.append(
      Entry(
        listing: AgentOperation(
          name, description, input: input.map { JSONSchema.of($0) },
          output: described.map { JSONSchema.of($0) }, streaming: isStreaming),
        perform: perform))
    return all
  }

  /// The name under which messages of a Swift type travel; empty for plain values.
  public static func name(of type: any Any.Type) -> String { JSONSchema.name(of: type) }

  // MARK: - Doing it

  /// Does the first of the operations, whatever the request's type: of a function there is one.
  @concurrent
  public func performOnly(
    _ request: Request, on target: Target, reply: ReplyStream
  ) async throws {
    try await entries[0].perform(target, request, reply)
  }

  /// Does what the request's type says; throws where nothing is said of it.
  @concurrent
  public func perform(
    _ request: Request, on target: Target, reply: ReplyStream
  ) async throws {
    var type = request.type
    // Of input that comes behind the call, the first message says what it is.
    if type.isEmpty, request.message == nil, entries.count > 1 {
      let request = try await request.complete()
      return try await entry(request.type).perform(target, request, reply)
    }
    if type.isEmpty, entries.count == 1 { type = entries[0].listing.name }
    try await entry(type).perform(target, request, reply)
  }

  private func entry(_ type: String) throws(AgentError) -> Entry {
    if let entry = entries.first(where: { $0.listing.name.utf8.elementsEqual(type.utf8) }) {
      return entry
    }
    let known = entries.map(\.listing.name).joined(separator: " ")
    var error = AgentError(.unhandledType, "no operation for type '\(type)'; there is \(known)")
    error.details = ["type": .string(type), "operations": .string(known)]
    throw error
  }
}

/// An agent that says by the types of messages what it can do.
public protocol OperationsAgent: Agent {
  static var operations: Operations<Self> { get }
}

extension OperationsAgent {
  @concurrent
  public func handle(
    _ request: Request, reply: ReplyStream, in context: AgentContext
  ) async throws {
    try await Self.operations.perform(request, on: self, reply: reply)
  }

  /// As discovery shows them.
  public static var listing: [AgentOperation] { operations.listing }
}

extension Request {
  /// The first message as a value, waited for where it comes behind the call.
  func input<Value: Decodable>(_ kind: Value.Type) async throws -> Value {
    try await (firstMessage() ?? Message([])).decode(kind)
  }

  /// The request with its first message.
  func complete() async throws -> Request {
    guard message == nil, let first = try await firstMessage() else { return self }
    return Request(
      address: address, message: first, input: InputMessages(first: first, inbox: input.inbox),
      isNew: isNew, isOneway: isOneway, observes: observes)
  }
}

extension ReplyStream {
  /// The value an operation answers; nil is no message.
  func send(answer: some Encodable) async throws {
    if let answer = answer as? any PerhapsNothing, answer.isNothing { return }
    try await send(answer)
  }
}

private protocol PerhapsNothing {
  var isNothing: Bool { get }
}

extension Optional: PerhapsNothing {
  fileprivate var isNothing: Bool { if case .none = self { true } else { false } }
}
