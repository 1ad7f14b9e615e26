import ArgumentParser
import CoagentClient
import Testing

@testable import coagent

@Suite struct Filters {
  private static let value: JSON = .object([
    .init("content", .object([.init("content", .string("inner"))])),
    .init("items", .array([.integer(1), .object([.init("name", .string("two"))])])),
  ])

  @Test(arguments: [
    (".content.content", JSON.string("inner")), (".items.0", .integer(1)),
    (".items[1].name", .string("two")), (".items[1]", .object([.init("name", .string("two"))])),
  ])
  func aPathFindsItsPart(path: String, found: JSON) throws {
    #expect(try Filter(path).apply(Self.value) == found)
  }

  @Test func theDotAloneIsAllOfIt() throws {
    #expect(try Filter(".").apply(Self.value) == Self.value)
  }

  @Test(arguments: [".nothing", ".items.2", ".items.name", ".content.content.more"])
  func whatIsNotThereIsNotFound(path: String) throws {
    #expect(try Filter(path).apply(Self.value) == nil)
  }

  @Test(arguments: ["content", "", ".items[x]", ".items[1"])
  func aBadPathIsAUsageError(path: String) {
    #expect(throws: ValidationError.self) { try Filter(path) }
  }
}

@Suite struct Arguments {
  @Test(arguments: [
    ("5", Duration.seconds(5)), ("1.5", .milliseconds(1500)), ("200ms", .milliseconds(200)),
    ("10s", .seconds(10)), ("2m", .seconds(120)),
  ])
  func timesHaveUnits(text: String, duration: Duration) {
    #expect(Time(argument: text)?.duration == duration)
  }

  @Test func zeroIsForEver() {
    #expect(Time(argument: "0")?.limit == .some(nil))
  }

  @Test(arguments: ["", "-1", "soon", "5h", "ms", "inf", "nan"])
  func whatIsNoTimeIsRefused(text: String) {
    #expect(Time(argument: text) == nil)
  }

  private func content(_ arguments: String...) throws -> Sending {
    try Sending.parse(arguments)
  }

  @Test func dataIsJSONOrText() throws {
    let json = try content("-d", #"{"a":1}"#).message().message
    #expect(json.contentType == Message.jsonType && json.text == #"{"a":1}"#)
    let text = try content("-d", "hello there").message().message
    #expect(text.contentType == Message.textType && text.text == "hello there")
    let number = try content("-d", "5", "--text").message().message
    #expect(number.contentType == Message.textType && number.text == "5")
    #expect(throws: ValidationError.self) { try content("-d", #"{"a":"#).message() }
  }

  @Test func headersAreTypeTraceAndExt() throws {
    let (message, trace) = try content(
      "-H", "type:ChatMessage", "-H", "tenant: blue:green", "-H", "trace:00-1",
      "-H", "Content-Type:text/html"
    ).message()
    #expect(message.type == "ChatMessage" && message.contentType == "text/html")
    #expect(message.ext == ["tenant": "blue:green"] && trace == "00-1")
    #expect(throws: ValidationError.self) { try content("-H", "nothing").message() }
  }

  @Test func aNameThatIsNoSubcommandIsCalled() throws {
    let bare = try Coagent.parseAsRoot(["translator", "-H", "type:ChatMessage", "--chat"])
    let call = try #require(bare as? CallAgent)
    #expect(call.asking.address == "translator" && call.asking.showing.chat)
    #expect(try Coagent.parseAsRoot(["ls", "-r"]) is List)
    #expect(throws: (any Error).self) { try Coagent.parseAsRoot(["ls", "--nonsense"]) }
  }
}

@Suite struct Shown {
  @Test func jsonKeepsItsSpellingAndLosesItsSpaces() {
    let text = "{ \"a\" : [ 1.50, \"x y\" ],\n\"b\":1e3 }"
    let compact = Pretty.compact(Array(text.utf8))
    #expect(String(decoding: compact, as: UTF8.self) == #"{"a":[1.50,"x y"],"b":1e3}"#)
  }

  @Test(arguments: [(999, "999 ms"), (1_000, "1 s"), (180_000, "3 min"), (7_200_000, "2 h")])
  func timesAreShort(ms: Int64, text: String) {
    #expect(Figure.time(ms: ms) == text)
  }

  @Test func countsAndSizesAreReadable() {
    #expect(Figure.count(1_234_567) == "1,234,567" && Figure.count(-12) == "-12")
    #expect(Figure.bytes(512) == "512 B" && Figure.bytes(1_536) == "1.5 KiB")
    #expect(Figure.time(us: 95) == "95 µs" && Figure.time(us: 1_250) == "1.3 ms")
  }

  @Test func codesHaveTheirExitCodes() {
    let special: [ErrorCode: Int32] = [.notFound: 3, .deadlineExceeded: 4, .unavailable: 5]
    for code in ErrorCode.allCases {
      #expect(Complaint(AgentError(code, "no")).exitCode == special[code] ?? 1)
    }
  }

  @Test func anErrorIsOneLineAndAHint() {
    let error = AgentError(.unknownAgent, "no agent\n\"x\"", address: "x")
    let lines = Complaint(error).text.split(separator: "\n")
    #expect(lines.first == #"coagent: not_found (unknown_agent): no agent "x" (calling x)"#)
    #expect(lines.count == 2)
  }
}
