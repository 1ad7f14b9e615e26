/// The tokens that open a connection, and whose they are.
public struct TokenList: Sendable {
  private let tokens: [(name: String, bytes: [UInt8])]

  public init(_ tokens: [(name: String, token: String)] = []) {
    self.tokens = tokens.map { (name: $0.name, bytes: Array($0.token.utf8)) }
  }

  public var isEmpty: Bool { tokens.isEmpty }

  /// The name of `token`, or nil. Takes as long whichever token it is, and whether it is one.
  public func name(of token: UnsafeRawBufferPointer) -> String? {
    var found: String?
    for (name, bytes) in tokens where Self.isEqual(bytes, token) { found = name }
    return found
  }

  // Every byte is looked at, so that the time does not tell how many were right.
  private static func isEqual(_ token: [UInt8], _ given: UnsafeRawBufferPointer) -> Bool {
    var difference = UInt64(token.count ^ given.count)
    for index in 0..<given.count {
      let expected = token.isEmpty ? 0 : token[index % token.count]
      difference |= UInt64(expected ^ given[index])
    }
    return difference == 0 && !token.isEmpty
  }
}
