import TestSupport

/// A file of proto/vectors/conversations: who says what, and what follows, in virtual time.
struct Conversation: Sendable, CustomStringConvertible {
  let name: String
  let about: String
  /// Limits by their name in limits.json.
  let limits: [(name: String, value: Int)]
  let tokens: [String]
  let steps: [ConversationStep]

  var description: String { name }

  static func all() throws -> [Conversation] {
    try Proto.files(in: "vectors/conversations", ending: ".jsonl").map(Conversation.init)
  }

  private init(_ path: String) throws {
    let lines = try Proto.bytes(path).split(separator: UInt8(ascii: "\n"))
    guard let first = lines.first else { throw Proto.Missing(description: "\(path) is empty") }
    let head = try SpelledJSON(parsing: first)
    name = head["name"]?.string ?? path
    about = head["about"]?.string ?? ""
    tokens = head["config"]?["tokens"]?.elements?.compactMap(\.string) ?? []
    limits = (head["config"]?.members ?? []).compactMap { member in
      member.value.integer.map { (member.name, $0) }
    }
    steps = try lines.dropFirst().enumerated().map { number, line in
      try ConversationStep(SpelledJSON(parsing: line), line: number + 2, of: path)
    }
  }
}

/// One step, with the line it stands on.
struct ConversationStep: Sendable {
  enum Action: Sendable {
    case connects(uid: UInt32, isTCP: Bool)
    case sends([UInt8])
    case gets([ExpectedFrame])
    case getsNothing
    case closed
    case closes
  }

  enum Kind: Sendable {
    case peer(String, Action)
    case drains
    case advance(UInt64)
  }

  let line: Int
  let kind: Kind

  init(_ json: SpelledJSON, line: Int, of path: String) throws {
    self.line = line
    if let milliseconds = json["advance_ms"]?.integer {
      kind = .advance(UInt64(milliseconds))
    } else if json["sidecar"]?.string == "drains" {
      kind = .drains
    } else if let peer = json["peer"]?.string, let action = try Self.action(json) {
      kind = .peer(peer, action)
    } else {
      throw Proto.Missing(description: "\(path):\(line): unknown step \(json)")
    }
  }

  private static func action(_ json: SpelledJSON) throws -> Action? {
    if let connects = json["connects"] {
      return .connects(
        uid: UInt32(connects["uid"]?.integer ?? 1000), isTCP: connects["kind"]?.string == "tcp")
    }
    if let header = json["sends"] {
      return .sends(FrameBytes.frame(header.description, try ContentText.bytes(json) ?? []))
    }
    if let hex = json["sends_hex"]?.string { return .sends(Hex.bytes(hex) ?? []) }
    if json["gets"] != nil { return .gets([try ExpectedFrame(json)]) }
    if let frames = json["gets_all"]?.elements { return .gets(try frames.map(ExpectedFrame.init)) }
    if json["gets_nothing"]?.bool == true { return .getsNothing }
    if json["closed"]?.bool == true { return .closed }
    if json["closes"]?.bool == true { return .closes }
    return nil
  }
}

/// What a peer must receive.
struct ExpectedFrame: Sendable, CustomStringConvertible {
  private let header: [SpelledJSON.Member]
  /// Fields that must be there, with any value.
  private let also: [String]
  private let content: [UInt8]
  private let json: SpelledJSON?

  init(_ step: SpelledJSON) throws {
    guard let members = step["gets"]?.members else {
      throw Proto.Missing(description: "no header in \(step)")
    }
    header = members
    also = step["also"]?.elements?.compactMap(\.string) ?? []
    json = step["content_json"]
    content = try ContentText.bytes(step) ?? []
  }

  var description: String {
    let also = also.isEmpty ? "" : " also \(also.joined(separator: " "))"
    let text = json.map(\.description) ?? ContentText.shown(content)
    return "\(SpelledJSON.object(header))\(also) \(text)"
  }

  func matches(_ frame: ReceivedFrame) -> Bool {
    var rest = frame.header.members ?? []
    for member in header {
      guard let index = rest.firstIndex(where: { $0.key == member.key }),
        Self.agrees(member, rest[index].value)
      else { return false }
      rest.remove(at: index)
    }
    for name in also {
      guard let index = rest.firstIndex(where: { $0.name == name }) else { return false }
      rest.remove(at: index)
    }
    let isError = frame.header["op"]?.string == "error"
    guard rest.allSatisfy({ isError && $0.name == "details" }) else { return false }
    guard let json else { return frame.content == content }
    return (try? SpelledJSON(parsing: frame.content)).map { Self.isLike(json, $0) } ?? false
  }

  /// A step names the details that matter; the sidecar may say more.
  private static func agrees(_ member: SpelledJSON.Member, _ value: SpelledJSON) -> Bool {
    guard member.name == "details", let named = member.value.members else {
      return member.value == value
    }
    return named.allSatisfy { value[$0.name] == $0.value }
  }

  /// Equality, where "*" stands for anything.
  private static func isLike(_ pattern: SpelledJSON, _ value: SpelledJSON) -> Bool {
    switch (pattern, value) {
    case (.string(let text), _) where text == Array("*".utf8): true
    case (.array(let a), .array(let b)):
      a.count == b.count && zip(a, b).allSatisfy { isLike($0, $1) }
    case (.object(let a), .object(let b)):
      a.count == b.count
        && a.allSatisfy { member in
          b.contains { $0.key == member.key && isLike(member.value, $0.value) }
        }
    default: pattern == value
    }
  }
}

/// Content as steps spell it.
enum ContentText {
  static func bytes(_ step: SpelledJSON) throws -> [UInt8]? {
    if case .string(let text)? = step["content"] { return text }
    if let hex = step["content_hex"]?.string { return Hex.bytes(hex) }
    if let count = step["content_bytes"]?.integer {
      return [UInt8](repeating: UInt8(ascii: "x"), count: count)
    }
    return nil
  }

  static func shown(_ content: [UInt8]) -> String {
    guard content.count > 200 else { return String(decoding: content, as: UTF8.self) }
    return String(decoding: content.prefix(200), as: UTF8.self) + "… \(content.count) bytes"
  }
}
