import CoagentClient
import Glibc

/// A line of the runner's.
struct Command: Sendable {
  let number: Int64
  let verb: String
  private let json: JSON

  /// Nil, said on standard error, for a line that is no command.
  init?(_ line: [UInt8]) {
    guard let json = try? JSONReader.read(line), let number = json["n"]?.integer,
      let verb = json["do"]?.text
    else {
      Output.complain("not a command: \(String(decoding: line.prefix(200), as: UTF8.self))")
      return nil
    }
    self.json = json
    self.number = number
    self.verb = verb
  }

  subscript(_ name: String) -> JSON? { json[name] }

  func text(_ name: String) -> String? { json[name]?.text }
  func integer(_ name: String) -> Int64? { json[name]?.integer }
  func truth(_ name: String) -> Bool { json[name]?.truth ?? false }

  /// A text that must be there.
  func word(_ name: String) throws -> String {
    guard let text = json[name]?.text else {
      throw Unsupported(why: "'\(verb)' needs the text '\(name)'")
    }
    return text
  }

  func duration(_ name: String) -> Duration? {
    integer(name).map { .milliseconds($0) }
  }

  /// The value under `body`, as a message; nil for no value.
  func message(_ name: String = "body") throws -> Message? {
    guard let value = json[name] else { return nil }
    return try Self.message(value)
  }

  private static func message(_ value: JSON) throws -> Message {
    var message: Message
    if let json = value["json"] {
      message = Message(json: json)
    } else if let text = value["text"]?.text {
      message = Message(text: text)
    } else if let hex = value["hex"]?.text {
      guard let bytes = Hex.bytes(hex) else { throw Unsupported(why: "not hex: \(hex)") }
      message = Message(bytes, contentType: Message.bytesType)
    } else if let byte = value["repeat"]?.integer, let count = value["bytes"]?.integer {
      let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: byte), count: Int(count))
      message = Message(bytes, contentType: Message.bytesType)
    } else {
      message = Message([])
    }
    if let type = value["type"]?.text { message.type = type }
    if let contentType = value["content_type"]?.text { message.contentType = contentType }
    if let ext = value["ext"] { message.ext = try flat(ext) }
    return message
  }

  /// A flat object, such as `ext`.
  func flat(_ name: String) throws -> [String: FlatValue] {
    try json[name].map { try Self.flat($0) } ?? [:]
  }

  private static func flat(_ json: JSON) throws -> [String: FlatValue] {
    var values: [String: FlatValue] = [:]
    for member in json.members ?? [] {
      switch member.value {
      case .string(let text): values[member.name] = .string(text)
      case .truth(let truth): values[member.name] = .truth(truth)
      case .integer(let number) where number >= 0: values[member.name] = .integer(UInt64(number))
      // What a flat object cannot hold, Swift's types refuse before the client could.
      case .integer, .number, .null, .array, .object:
        throw AgentError(.badField, "'\(member.name)' is no flat value")
      }
    }
    return values
  }
}

/// A command, or an option of it, that means nothing here.
struct Unsupported: Error {
  let why: String
}

enum Hex {
  static func bytes(_ text: String) -> [UInt8]? {
    let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for at in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[at], let low = digits[at + 1] else { return nil }
      bytes.append(UInt8(high << 4 | low))
    }
    return bytes
  }

  static func text(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
