/// One entry of proto/vectors/frames: bytes, and what a decoder makes of them.
public struct FrameVector: Sendable, CustomStringConvertible {
  public struct Frame: Sendable {
    public let header: SpelledJSON
    public let content: [UInt8]
  }

  public let name: String
  public let bytes: [UInt8]
  /// Whether a client sent them; else the sidecar.
  public let isFromClient: Bool
  /// Whether they begin a connection.
  public let isFirst: Bool
  public let frames: [Frame]
  /// Bytes that begin a frame which does not end.
  public let rest: Int?
  /// The reason with which the connection ends.
  public let fatal: String?
  /// The field that is wrong or missing, and the reason.
  public let wrong: (field: String, reason: String)?
  /// The id with which it is answered.
  public let wrongID: Int?

  public var description: String { name }

  /// Every vector of every file.
  public static func all() throws -> [FrameVector] {
    try Proto.files(in: "vectors/frames", ending: ".json").flatMap { path in
      try (try Proto.json(path).elements ?? []).map(FrameVector.init)
    }
  }

  private init(_ json: SpelledJSON) throws {
    guard let name = json["name"]?.string, let hex = json["hex"]?.string,
      let bytes = Hex.bytes(hex), let from = json["from"]?.string
    else { throw Proto.Missing(description: "not a vector: \(json)") }
    self.name = name
    self.bytes = bytes
    isFromClient = from == "client"
    isFirst = json["first"]?.bool ?? false
    frames = (json["frames"]?.elements ?? []).map {
      Frame(
        header: $0["header"] ?? .null, content: Hex.bytes($0["content_hex"]?.string ?? "") ?? [])
    }
    rest = json["rest"]?.integer
    fatal = json["fatal"]?.string
    wrongID = json["field"]?["id"]?.integer
    wrong = json["field"].flatMap { wrong in
      guard let field = wrong["field"]?.string, let reason = wrong["reason"]?.string else {
        return nil
      }
      return (field, reason)
    }
  }
}

public enum Hex {
  /// The bytes that `text` spells, two digits each, or nil.
  public static func bytes(_ text: String) -> [UInt8]? {
    let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count % 2 == 0, digits.allSatisfy({ $0 != nil }) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map {
      UInt8(digits[$0]! * 16 + digits[$0 + 1]!)
    }
  }
}
