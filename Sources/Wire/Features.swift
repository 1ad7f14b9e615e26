/// Optional parts of the protocol, by the words that `hello` and `welcome` have for them.
public struct Features: OptionSet, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) {
    self.rawValue = rawValue
  }

  /// The op `signal`, both ways.
  public static let signals = Features(rawValue: 1 << 0)

  private static let table: [(word: StaticString, feature: Features)] = [("signals", .signals)]

  /// All that this version knows.
  public static let all = Features(table.map(\.feature))

  /// Those among the words of a `features` field that this version knows.
  public init(naming words: UnsafeRawBufferPointer) {
    self = []
    for word in words.split(separator: UInt8(ascii: " ")) {
      for (known, feature) in Self.table
      where known.withUTF8Buffer({ word.elementsEqual($0) }) {
        insert(feature)
      }
    }
  }

  /// As a `features` field spells them.
  public var words: String {
    Self.table.filter { contains($0.feature) }.map(\.word.description).joined(separator: " ")
  }
}
