internal import Glibc

/// 128 bits that stand for the bytes they were made of: whether a call is the same as one before is
/// told without keeping its content.
///
/// Two seeded lanes of multiply-and-fold, as in `ByteTable`. The seed is another in each process,
/// so nobody can look for two contents with one digest beforehand.
struct RunDigest: Equatable {
  private var first: UInt64
  private var second: UInt64

  private static let seed = UInt64.random(in: 1...UInt64.max)
  private static let otherSeed = UInt64.random(in: 1...UInt64.max)

  init() {
    first = Self.seed
    second = Self.otherSeed
  }

  /// Adds a string of bytes; its length counts too, so that two strings are not one.
  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    mix(UInt64(bytes.count), 0x8EBC_6AF0_9C88_C6E3)
    guard var at = bytes.baseAddress else { return }
    let end = at + bytes.count
    while end - at >= 16 {
      mix(
        at.loadUnaligned(as: UInt64.self), at.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      at += 16
    }
    guard end > at else { return }
    var rest: (UInt64, UInt64) = (0, 0)
    withUnsafeMutableBytes(of: &rest) { _ = memcpy($0.baseAddress!, at, end - at) }
    mix(rest.0, rest.1)
  }

  private mutating func mix(_ a: UInt64, _ b: UInt64) {
    first = Self.fold(first ^ a ^ 0xA076_1D64_78BD_642F, b ^ 0xE703_7ED1_A0B4_28DB ^ first)
    second = Self.fold(second ^ b ^ 0x9E37_79B9_7F4A_7C15, a ^ 0x5899_65CC_7537_4CC3 ^ second)
  }

  private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }
}
