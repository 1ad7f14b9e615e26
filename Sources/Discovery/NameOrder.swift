internal import Glibc

extension Registry {
  /// Names, and addresses, are ordered by their bytes.
  public static func precedes(
    _ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer
  ) -> Bool {
    let common = min(one.count, other.count)
    let order = common == 0 ? 0 : memcmp(one.baseAddress!, other.baseAddress!, common)
    return order == 0 ? one.count < other.count : order < 0
  }
}
