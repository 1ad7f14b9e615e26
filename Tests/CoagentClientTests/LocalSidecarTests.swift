import CoagentClient
import EventLoop
import Foundation
import TestSupport
import Testing

/// A real daemon, started by the client.
@Suite struct LocalSidecars {
  /// The program that this build made, beside the tests that it made.
  private func program() throws -> String {
    let tests = try #require(CommandLine.arguments.first)
    let folder = try #require(tests.firstRange(of: "/debug/"))
    return tests[..<folder.upperBound] + "coagentd"
  }

  @Test func aClientHasASidecarOfItsOwn() async throws {
    let path = try await withLocalClient(program: program()) { client in
      try await client.register("upper") { (text: String) in text.uppercased() }
      try await withClient(client.url) { other in
        #expect(try await other.call("upper", "hello", as: String.self) == "HELLO")
        let cards = try await other.discover(detailed: true)
        #expect(cards.map(\.name) == ["upper"])
        #expect(cards[0].operations.first?.input == ["type": "string"])
      }
      return String(client.url.dropFirst("unix:".count))
    }
    // It ends with the client, and takes its folder along.
    let folder = path[..<(try #require(path.lastIndex(of: "/")))]
    #expect(!FileManager.default.fileExists(atPath: String(folder)))
    await #expect(throws: AgentError.self) { try await Client.connect("unix:\(path)") }
  }

  @Test func itEndsAlsoWhereTheBodyThrows() async throws {
    struct Broken: Error { let url: String }
    do {
      try await withLocalClient(program: program()) { client in
        throw Broken(url: client.url)
      }
    } catch let error as Broken {
      await #expect(throws: AgentError.self) { try await Client.connect(error.url) }
    }
  }

  @Test func aProgramThatDoesNotServeIsReported() async throws {
    for (program, words) in [("/nowhere/coagentd", "cannot start"), ("false", "did not start")] {
      do {
        try await withLocalClient(program: program) { _ in }
        Issue.record("\(program) served")
      } catch let error as AgentError {
        #expect(error.code == .unavailable && error.message.contains(words), "\(error)")
      }
    }
  }
}
