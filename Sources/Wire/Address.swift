/// `name` or `name:session`, as slices of the bytes it was read from.
public struct Address {
  public let name: UnsafeRawBufferPointer
  /// Nil for a stateless address.
  public let session: UnsafeRawBufferPointer?

  /// Splits at the first colon. Nil when either half breaks its rule (SPEC, ADR).
  public init?(_ bytes: UnsafeRawBufferPointer) {
    if let colon = bytes.firstIndex(of: UInt8(ascii: ":")) {
      name = UnsafeRawBufferPointer(rebasing: bytes[..<colon])
      let session = UnsafeRawBufferPointer(rebasing: bytes[(colon + 1)...])
      guard Self.isSession(session) else { return nil }
      self.session = session
    } else {
      name = bytes
      session = nil
    }
    guard Self.isName(name) else { return nil }
  }

  /// Segments of `A–Z a–z 0–9 _ -` joined by dots, 1–128 bytes.
  public static func isName(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= 1, bytes.count <= 128 else { return false }
    var previousIsDot = true
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "."):
        if previousIsDot { return false }
        previousIsDot = true
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
        previousIsDot = false
      default:
        return false
      }
    }
    return !previousIsDot
  }

  /// 1–128 bytes of UTF-8 without U+0000–20 and U+7F–9F. That it is UTF-8 the header parser knows.
  public static func isSession(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= 1, bytes.count <= 128 else { return false }
    var previous: UInt8 = 0
    for byte in bytes {
      if byte <= 0x20 || byte == 0x7F { return false }
      // U+0080–9F are C2 80 to C2 9F.
      if previous == 0xC2 && byte <= 0x9F { return false }
      previous = byte
    }
    return true
  }

  private static let reserved: [StaticString] = [
    "discovery", "sessions", "runs", "stats", "topics", "agents", "store", "approvals",
    "sys", "mcp", "a2a", "models",
  ]
  private static let reservedNamespaces = ["sys.", "mcp.", "a2a.", "models."]

  /// Names that only the sidecar registers.
  public static func isReserved(_ name: UnsafeRawBufferPointer) -> Bool {
    reserved.contains { $0.withUTF8Buffer { name.elementsEqual($0) } }
      || reservedNamespaces.contains { name.starts(with: $0.utf8) }
  }
}
