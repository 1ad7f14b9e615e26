import CoagentClient
import Glibc

/// An object of the members that there are.
func object(_ members: (String, JSON?)...) -> JSON {
  .object(members.compactMap { name, value in value.map { JSON.Member(name, $0) } })
}

func count(_ value: Int) -> JSON { .integer(Int64(value)) }

/// The lines that the runner reads.
enum Output {
  private static let turn = Guarded(())

  /// Writes a line at once.
  static func write(_ json: JSON) {
    var writer = JSONWriter()
    writer.value(json)
    let line = writer.bytes + [0x0A]
    turn.change { _ in
      var start = 0
      while start < line.count {
        let written = line[start...].withUnsafeBytes {
          Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count)
        }
        // Nobody reads any more.
        guard written > 0 else { return }
        start += written
      }
    }
  }

  static func answer(_ number: Int64, _ result: (String, JSON)) {
    write(object(("n", .integer(number)), result))
  }

  static func event(_ name: String, _ members: (String, JSON?)...) {
    let present = members.compactMap { name, value in value.map { JSON.Member(name, $0) } }
    write(.object([.init("event", .string(name))] + present))
  }

  /// What goes wrong in the driver itself.
  static func complain(_ text: String) {
    let line = Array("conformance-driver: \(text)\n".utf8)
    _ = line.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

/// What arrived, as the runner compares it.
enum Report {
  /// Contents longer than this are shown by their digest.
  private static let shownBytesMax = 1_024

  static func message(_ message: Message) -> JSON {
    let (name, value) = content(message)
    var members: [JSON.Member] = [.init(name, value)]
    if name == "bytes" {
      members.append(.init("sha256", .string(Hex.text(SHA256.digest(message.content)))))
    }
    if !message.type.isEmpty { members.append(.init("type", .string(message.type))) }
    members.append(.init("content_type", .string(message.contentType)))
    if !message.extText.isEmpty { members.append(.init("ext", flat(message.ext))) }
    return .object(members)
  }

  /// A message that somebody asked for as a value: what says that it is JSON must be.
  static func value(_ message: Message) throws -> JSON {
    if message.isJSON { _ = try message.json() }
    return self.message(message)
  }

  private static func content(_ message: Message) -> (String, JSON) {
    if message.content.count > shownBytesMax { return ("bytes", count(message.content.count)) }
    if message.isText { return ("text", .string(message.text)) }
    if message.isJSON, !message.content.isEmpty, let json = try? message.json() {
      return ("json", json)
    }
    return ("hex", .string(Hex.text(message.content)))
  }

  static func flat(_ values: [String: FlatValue]) -> JSON {
    .object(
      values.sorted { $0.key < $1.key }.map { key, value in
        switch value {
        case .string(let text): .init(key, .string(text))
        case .integer(let number): .init(key, .integer(Int64(clamping: number)))
        case .truth(let truth): .init(key, .truth(truth))
        }
      })
  }

  static func error(_ error: any Error) -> JSON {
    switch error {
    case let error as AgentError:
      let causes = error.causes
      return object(
        ("code", .string(error.code.rawValue)), ("reason", .string(error.reason)),
        ("message", .string(error.message)), ("retry", error.retry ? .truth(true) : nil),
        ("details", error.details.isEmpty ? nil : flat(error.details)),
        ("causes", causes.isEmpty ? nil : .array(causes.map { .string($0) })))
    case is CancellationError:
      return object(
        ("code", .string("cancelled")), ("reason", .string("")),
        ("message", .string("the command was cancelled")))
    default:
      Output.complain("\(error)")
      return object(
        ("code", .string("internal")), ("reason", .string("driver")),
        ("message", .string("\(error)")))
    }
  }

  /// A message, or an error at a position.
  static func outcome(_ outcome: Result<Message, AgentError>) throws -> JSON {
    switch outcome {
    case .success(let message): return try value(message)
    case .failure(let error):
      let words = [("code", error.code.rawValue), ("reason", error.reason)]
      return object(("failed", .object(words.map { .init($0, .string($1)) })))
    }
  }
}
