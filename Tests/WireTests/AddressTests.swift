import Testing
import Wire

@Suite struct AddressTests {
  private func address(_ bytes: [UInt8]) -> (name: String, session: String?)? {
    bytes.withUnsafeBytes { bytes in
      Address(bytes).map { ($0.name.text, $0.session?.text) }
    }
  }

  private func isName(_ text: String) -> Bool {
    Array(text.utf8).withUnsafeBytes { Address.isName($0) }
  }

  @Test(
    arguments: [
      ("a", "a", nil), ("billing.refunds", "billing.refunds", nil), ("a:s", "a", "s"),
      ("a:s:t", "a", "s:t"), ("A-z_0.9:x", "A-z_0.9", "x"), ("a::", "a", ":"), ("-", "-", nil),
      ("a:é😀", "a", "é😀"), ("a:\u{a0}", "a", "\u{a0}"), ("a:/.~!@#$%^&*()", "a", "/.~!@#$%^&*()"),
    ] as [(String, String, String?)])
  func isAnAddress(_ text: String, _ name: String, _ session: String?) throws {
    let found = try #require(address(Array(text.utf8)))
    #expect(found.name == name && found.session == session)
  }

  @Test(arguments: [
    "", ":", ":s", "a:", ".", ".a", "a.", "a..b", "a b", "a/b", "ä", "a\n", "a.:s", "a:s t",
    "a:\t", "a:s\u{0}", "a:\u{7f}", "a:\u{80}", "a:x\u{9f}", "a:\u{85}y", "a@b", "a*", " a",
  ])
  func isNoAddress(_ text: String) {
    #expect(address(Array(text.utf8)) == nil)
  }

  @Test func bothHalvesHave128Bytes() {
    let longest = String(repeating: "n", count: 128)
    #expect(address(Array("\(longest):\(longest)".utf8)) != nil)
    #expect(address(Array("\(longest)n".utf8)) == nil)
    #expect(address(Array("a:\(longest)n".utf8)) == nil)
    #expect(address(Array("a:\(String(repeating: "é", count: 64))".utf8)) != nil)
    #expect(address(Array("a:\(String(repeating: "é", count: 64))x".utf8)) == nil)
  }

  @Test func everyByteIsEitherOfANameOrNot() {
    let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".utf8)
    for byte in UInt8.min...UInt8.max {
      let isName = [byte].withUnsafeBytes { Address.isName($0) }
      #expect(isName == allowed.contains(byte), "\(byte)")
      let inside = [UInt8(ascii: "a"), byte, UInt8(ascii: "b")].withUnsafeBytes {
        Address.isName($0)
      }
      #expect(inside == (allowed.contains(byte) || byte == UInt8(ascii: ".")), "\(byte)")
    }
  }

  @Test func reservedNamesAreTheSidecarsOwn() {
    func isReserved(_ text: String) -> Bool {
      Array(text.utf8).withUnsafeBytes { Address.isReserved($0) }
    }
    for name in [
      "discovery", "sessions", "runs", "stats", "topics", "agents", "store", "approvals", "sys",
      "mcp", "a2a", "models", "sys.x", "mcp.files.read", "a2a.x", "models.gpt",
    ] {
      #expect(isReserved(name), "\(name)")
    }
    for name in ["discover", "discovery.x", "system", "sysx", "stats2", "x.sys", "Sys", "a2", "s"] {
      #expect(!isReserved(name), "\(name)")
    }
  }
}
