/// Ways to cut a run of bytes as a socket might deliver it.
public enum Pieces {
  /// All at once.
  public static func whole(_ bytes: [UInt8]) -> [[UInt8]] { [bytes] }

  /// One by one.
  public static func single(_ bytes: [UInt8]) -> [[UInt8]] { bytes.map { [$0] } }

  /// In two, at `offset`.
  public static func split(_ bytes: [UInt8], at offset: Int) -> [[UInt8]] {
    [Array(bytes[..<offset]), Array(bytes[offset...])]
  }

  /// In pieces of 1…`max` bytes.
  public static func random(
    _ bytes: [UInt8], max: Int, _ generator: inout SeededGenerator
  ) -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    var at = 0
    while at < bytes.count {
      let next = Swift.min(bytes.count, at + Int.random(in: 1...max, using: &generator))
      pieces.append(Array(bytes[at..<next]))
      at = next
    }
    return pieces
  }
}
