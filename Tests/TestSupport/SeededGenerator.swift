private import Glibc

/// Random numbers that can be had again: SplitMix64 from a seed that is printed.
///
/// A test that fails says which seed it had; `COAGENT_TEST_SEED=<seed>` runs it with that one.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  public let seed: UInt64
  private var state: UInt64

  public init(seed: UInt64) {
    self.seed = seed
    state = seed
  }

  /// A generator for the test `name`, with the seed of the environment or a fresh one.
  public init(for name: String) {
    let given = getenv("COAGENT_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
    self.init(seed: given ?? UInt64.random(in: 0...UInt64.max))
    let line = "\(name): COAGENT_TEST_SEED=\(seed)\n"
    write(STDERR_FILENO, line, line.utf8.count)
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// `count` random bytes.
  public mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }
}
