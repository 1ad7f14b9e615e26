import Testing
import Wire

/// What a topic and a pattern look like [TOP-1, TOP-2].
@Suite struct TopicTests {
  private func read(_ text: String) -> (isPattern: Bool, bytes: [UInt8])? {
    Array(text.utf8).withUnsafeBytes { raw in
      Topic(raw).map { ($0.isPattern, Array($0.bytes)) }
    }
  }

  @Test(arguments: [
    "a", "a.b", "A-Z_0:9=x", "agent:rpc_request=x", String(repeating: "x", count: 256),
    Array(repeating: "a", count: 16).joined(separator: "."),
  ])
  func topics(_ text: String) throws {
    let topic = try #require(read(text))
    #expect(!topic.isPattern)
    #expect(topic.bytes == Array(text.utf8))
  }

  @Test(arguments: [
    "*", ">", "a.*", "*.a", "a.>", "*.>", "a.*.b.>",
    Array(repeating: "*", count: 15).joined(separator: ".") + ".>",
  ])
  func patterns(_ text: String) throws {
    #expect(try #require(read(text)).isPattern)
  }

  @Test(arguments: [
    "", ".", "a.", ".a", "a..b", "a b", "a/b", "a\u{0}", "ä", "**", "a*", "*a", ">a", "a>", "a.*b",
    ">.a", "a.>.b", ">.>", "a.>.", String(repeating: "x", count: 257),
    Array(repeating: "a", count: 17).joined(separator: "."),
    Array(repeating: "*", count: 16).joined(separator: ".") + ".>",
  ])
  func others(_ text: String) {
    #expect(read(text) == nil)
  }
}
