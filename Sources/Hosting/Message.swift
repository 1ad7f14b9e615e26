internal import FoundationEssentials
public import Wire

/// One message of a call's input or replies: its content and what its header says of it.
public struct Message: Sendable, Equatable {
  public var content: [UInt8]
  /// `application/json` unless the sender said otherwise.
  public var contentType: String
  /// The kind of message, such as `ChatMessage`; empty when it has none.
  public var type: String
  /// The JSON text of the flat object that travels with it; read it with `ext`.
  public var extText: [UInt8]

  public static let jsonType = "application/json"
  public static let textType = "text/plain"
  public static let bytesType = "application/octet-stream"

  public init(_ content: [UInt8], contentType: String = Message.jsonType, type: String = "") {
    self.content = content
    self.contentType = contentType
    self.type = type
    extText = []
  }

  /// Plain text, as it is.
  public init(text: String, type: String = "") {
    self.init(Array(text.utf8), contentType: Message.textType, type: type)
  }

  public init(json value: JSON, type: String = "") {
    var writer = JSONWriter()
    writer.value(value)
    self.init(writer.bytes, type: type)
  }

  /// A value as it travels: text as `text/plain`, bytes as they are, anything else as JSON under
  /// the name of its type. Throws `invalid_argument`/`bad_content` for what has no JSON form.
  public init(encoding value: some Encodable, type: String? = nil) throws(AgentError) {
    switch value {
    case let text as String: self.init(text: text, type: type ?? "")
    case let bytes as [UInt8]: self.init(bytes, contentType: Message.bytesType, type: type ?? "")
    default:
      let content: [UInt8]
      do {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        content = Array(try encoder.encode(value))
      } catch {
        throw AgentError(.badContent, "\(Swift.type(of: value)) has no JSON form: \(error)")
      }
      self.init(content, type: type ?? Self.typeName(of: value, content))
    }
  }

  /// Objects of a named type carry that name; lists, dictionaries and plain values have none.
  private static func typeName(of value: some Encodable, _ content: [UInt8]) -> String {
    guard content.first == UInt8(ascii: "{") else { return "" }
    let name = "\(Swift.type(of: value))"
    return name.utf8.contains(UInt8(ascii: "<")) ? "" : name
  }

  public var ext: [String: FlatValue] {
    get { FlatObject.values(extText) }
    set { extText = FlatObject.text(newValue) }
  }

  public var isText: Bool { contentType.hasPrefix("text/") }

  public var isJSON: Bool {
    let base = contentType.split(separator: ";", maxSplits: 1).first ?? ""
    return base.isEmpty || base.hasSuffix("/json") || base.hasSuffix("+json")
  }

  /// The content as text, whatever its type; bytes that are no UTF-8 are replaced.
  public var text: String { String(decoding: content, as: UTF8.self) }

  /// The content read as JSON. Text is a JSON string, no content null.
  public func json() throws(AgentError) -> JSON {
    if isText { return .string(text) }
    if content.isEmpty { return .null }
    do {
      return try JSONReader.read(content)
    } catch {
      throw AgentError(.badContent, "the content is not JSON: \(error)")
    }
  }

  /// The content as a value. A text is also a `String`, whatever is in it.
  public func decode<Value: Decodable>(
    _ kind: Value.Type = Value.self
  ) throws(AgentError) -> Value {
    var json = content.isEmpty ? Array("null".utf8) : content
    if isText {
      if let value = content as? Value { return value }
      guard let text = String(validating: content, as: UTF8.self) else {
        throw AgentError(.badContent, "text of \(content.count) bytes is not valid UTF-8")
      }
      if let value = text as? Value { return value }
      // A text is a JSON string to whoever wants something of it.
      var writer = JSONWriter()
      writer.string(text)
      json = writer.bytes
    } else if !isJSON {
      if let value = content as? Value { return value }
      throw AgentError(.badContent, "content of type \(contentType) is no \(kind)")
    }
    do {
      return try JSONDecoder().decode(kind, from: Data(json))
    } catch {
      throw AgentError(.badContent, "the content is no \(kind): \(Self.clause(error))")
    }
  }

  private static func clause(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    let context: DecodingError.Context
    switch error {
    case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found):
      context = found
    case .keyNotFound(let key, _): return "'\(key.stringValue)' is missing"
    @unknown default: return "\(error)"
    }
    let path = context.codingPath.map(\.stringValue).joined(separator: ".")
    return path.isEmpty ? context.debugDescription : "at \(path): \(context.debugDescription)"
  }
}

extension Message {
  /// A message as frames: one, or several when it is longer than a frame may be.
  func pieces(contentMax: Int) -> [Piece] {
    let contentType = contentType == Message.jsonType ? "" : contentType
    if content.count <= contentMax {
      return [Piece(content, type: type, contentType: contentType, ext: extText)]
    }
    var pieces: [Piece] = []
    var start = 0
    while start < content.count {
      let end = min(start + contentMax, content.count)
      var piece = Piece(Array(content[start..<end]), isPart: end < content.count)
      if start == 0 {
        piece.type = type
        piece.contentType = contentType
        piece.ext = extText
      }
      pieces.append(piece)
      start = end
    }
    return pieces
  }

  /// The message that begins with `first`; later pieces are appended to its content.
  public init(_ first: Piece) {
    self.init(
      first.content, contentType: first.contentType.isEmpty ? Message.jsonType : first.contentType,
      type: first.type)
    extText = first.ext
  }
}
