import Connections
import Testing
import Wire

/// A client in front of the sidecar's side of a connection.
private struct Visitor {
  var server: ServerConnection
  var tokens = TokenList([(name: "ops", token: "secret")])

  init(_ kind: ServerConnection.Kind, now: UInt64 = 0, limits: Limits = Limits()) {
    server = ServerConnection(kind: kind, limits: limits, now: now)
  }

  /// What a frame with this header leads to: `greeted …`, a fault's reason, or the case's name.
  mutating func say(_ text: String) -> String {
    var bytes = Array(text.utf8)
    let header = Header()
    return bytes.withUnsafeMutableBytes { raw in
      #expect(header.scan(raw) == nil, "not a header: \(text)")
      switch server.receive(header, tokens) {
      case .greeted(let greeting):
        return "greeted \(greeting.client) name=\(greeting.name) token=\(greeting.token ?? "-")"
      case .frame: return "frame"
      case .ping: return "ping"
      case .pong: return "pong"
      case .nothing: return "nothing"
      case .goodbye(let timeoutMs): return "goodbye \(timeoutMs)"
      case .fault(let fault):
        let detail = fault.detail.map { " \($0.key)=\($0.value)" } ?? ""
        return "\(fault.reason.rawValue)\(detail)"
      }
    }
  }

  /// What the passing of time asks for.
  mutating func pulse(_ now: UInt64) -> String {
    switch server.pulse(now: now) {
    case .ping: "ping"
    case .fault(let fault): fault.reason.rawValue
    case .nothing: "nothing"
    }
  }
}

@Suite struct ServerConnectionTests {
  private static let hello = #"{"op":"hello","v":1,"client":"test/1"}"#

  // MARK: Greeting

  @Test func aHelloOpensTheConnection() {
    var visitor = Visitor(.unix)
    #expect(!visitor.server.isOpen)
    #expect(
      visitor.say(#"{"op":"hello","v":1,"client":"test/1","name":"me","features":"a b_2"}"#)
        == "greeted test/1 name=me token=-")
    #expect(visitor.server.isOpen)
  }

  @Test(arguments: [
    (#"{"op":"call","id":1,"to":"a"}"#, "hello_expected"),
    (#"{"op":"ping"}"#, "hello_expected"),
    (#"{"op":"nonsense"}"#, "hello_expected"),
    (#"{"v":1}"#, "missing_field field=op"),
    (#"{"op":"hello","client":"x"}"#, "missing_field field=v"),
    (#"{"op":"hello","v":1}"#, "missing_field field=client"),
    (#"{"op":"hello","v":"1","client":"x"}"#, "bad_field field=v"),
    (#"{"op":"hello","v":1,"client":7}"#, "bad_field field=client"),
    (#"{"op":"hello","v":2,"client":"x"}"#, "version_unsupported versions=1"),
    (#"{"op":"hello","v":0,"client":"x"}"#, "version_unsupported versions=1"),
    (#"{"op":"hello","v":1,"client":"x","features":"a  b"}"#, "bad_field field=features"),
    (#"{"op":"hello","v":1,"client":"x","features":" a"}"#, "bad_field field=features"),
    (#"{"op":"hello","v":1,"client":"x","features":"a "}"#, "bad_field field=features"),
    (#"{"op":"hello","v":1,"client":"x","features":"A"}"#, "bad_field field=features"),
    (#"{"op":"hello","v":1,"client":"x","features":"1a"}"#, "bad_field field=features"),
  ])
  func aWrongFirstFrameEndsTheConnection(first: String, outcome: String) {
    var visitor = Visitor(.unix)
    #expect(visitor.say(first) == outcome)
    #expect(!visitor.server.isOpen)
    #expect(visitor.say(Self.hello) == "nothing", "nothing is read after a fatal frame")
    #expect(visitor.server.nextPulse(now: 0) == nil)
  }

  // MARK: Tokens

  @Test func aTokenIsNeededOnTCP() {
    var visitor = Visitor(.tcp)
    #expect(visitor.say(Self.hello) == "bad_token")
    visitor = Visitor(.tcp)
    #expect(visitor.say(#"{"op":"hello","v":1,"client":"x","token":"secre"}"#) == "bad_token")
    visitor = Visitor(.tcp)
    #expect(visitor.say(#"{"op":"hello","v":1,"client":"x","token":""}"#) == "bad_token")
    visitor = Visitor(.tcp)
    #expect(
      visitor.say(#"{"op":"hello","v":1,"client":"x","token":"secret"}"#)
        == "greeted x name= token=ops")
  }

  @Test func noTokenOpensATCPConnectionWhenNoneIsConfigured() {
    var visitor = Visitor(.tcp)
    visitor.tokens = TokenList()
    #expect(visitor.say(#"{"op":"hello","v":1,"client":"x","token":""}"#) == "bad_token")
  }

  @Test func onAUnixSocketATokenIsIgnored() {
    var visitor = Visitor(.unix)
    #expect(
      visitor.say(#"{"op":"hello","v":1,"client":"x","token":"wrong"}"#)
        == "greeted x name= token=-")
  }

  // MARK: Frames

  @Test func afterTheHelloFramesAreTheRouters() {
    var visitor = Visitor(.unix)
    _ = visitor.say(Self.hello)
    #expect(visitor.say(#"{"op":"call","id":1,"to":"a"}"#) == "frame")
    #expect(visitor.say(Self.hello) == "frame")
    #expect(visitor.say(#"{"op":"nonsense"}"#) == "frame")
    #expect(visitor.say(#"{"op":"ping"}"#) == "ping")
    #expect(visitor.say(#"{"op":"pong"}"#) == "pong")
  }

  @Test func aPingWithAFieldOfTheWrongKindIsAnsweredByTheRouter() {
    var visitor = Visitor(.unix)
    _ = visitor.say(Self.hello)
    for op in ["ping", "pong", "goodbye"] {
      #expect(visitor.say(#"{"op":"\#(op)","id":"x"}"#) == "frame")
    }
  }

  @Test func goodbyeHasItsTimeOrTheOneOfTheTable() {
    var visitor = Visitor(.unix)
    _ = visitor.say(Self.hello)
    #expect(visitor.say(#"{"op":"goodbye","timeout_ms":70}"#) == "goodbye 70")
    #expect(visitor.say(#"{"op":"goodbye"}"#) == "goodbye 10000")
    #expect(visitor.say(#"{"op":"goodbye","timeout_ms":0}"#) == "goodbye 0")
  }

  @Test func aClosedConnectionHearsNothing() {
    var visitor = Visitor(.unix)
    _ = visitor.say(Self.hello)
    visitor.server.close()
    #expect(visitor.say(#"{"op":"ping"}"#) == "nothing")
    #expect(visitor.pulse(1 << 40) == "nothing")
  }

  // MARK: Time

  @Test func aHelloIsWaitedForFiveSeconds() {
    var visitor = Visitor(.unix, now: 1_000)
    #expect(visitor.server.nextPulse(now: 1_000) == 6_000)
    #expect(visitor.pulse(5_999) == "nothing")
    #expect(visitor.pulse(6_000) == "hello_timeout")
    #expect(visitor.say(Self.hello) == "nothing")
  }

  @Test func onlyAWholeHelloStopsThatClock() {
    var visitor = Visitor(.unix)
    visitor.server.heard(now: 4_999)
    #expect(visitor.pulse(5_000) == "hello_timeout")
  }

  @Test func aUnixSocketHasNoHeartbeat() {
    var visitor = Visitor(.unix)
    _ = visitor.say(Self.hello)
    #expect(visitor.server.heartbeatMs == 0)
    #expect(visitor.server.nextPulse(now: 0) == nil)
    #expect(visitor.pulse(1 << 40) == "nothing")
  }

  @Test func silenceIsAnsweredWithPingsAndThenTheEnd() {
    var visitor = Visitor(.tcp)
    _ = visitor.say(#"{"op":"hello","v":1,"client":"x","token":"secret"}"#)
    visitor.server.heard(now: 500)
    #expect(visitor.server.nextPulse(now: 500) == 10_500)
    #expect(visitor.pulse(10_499) == "nothing")
    #expect(visitor.pulse(10_500) == "ping")
    #expect(visitor.server.nextPulse(now: 10_500) == 20_500)
    #expect(visitor.pulse(20_500) == "ping")
    #expect(visitor.server.nextPulse(now: 20_500) == 30_500)
    #expect(visitor.pulse(30_500) == "heartbeat_timeout")
    #expect(!visitor.server.isOpen)
    #expect(visitor.server.nextPulse(now: 30_500) == nil)
  }

  @Test func anyByteIsASignOfLife() {
    var visitor = Visitor(.tcp)
    _ = visitor.say(#"{"op":"hello","v":1,"client":"x","token":"secret"}"#)
    #expect(visitor.pulse(20_000) == "ping")
    visitor.server.heard(now: 29_999)
    #expect(visitor.pulse(30_000) == "nothing")
    #expect(visitor.server.nextPulse(now: 30_000) == 39_999)
    #expect(visitor.pulse(59_998) == "ping")
    #expect(visitor.pulse(59_999) == "heartbeat_timeout")
  }

  @Test func timesComeFromTheLimits() {
    var limits = Limits()
    limits.helloTimeoutMs = 50
    limits.heartbeatMsUnix = 100
    limits.heartbeatMisses = 2
    limits.goodbyeTimeoutMs = 7
    var visitor = Visitor(.unix, limits: limits)
    #expect(visitor.server.nextPulse(now: 0) == 50)
    _ = visitor.say(Self.hello)
    #expect(visitor.pulse(100) == "ping")
    #expect(visitor.pulse(200) == "heartbeat_timeout")
    var second = Visitor(.unix, limits: limits)
    _ = second.say(Self.hello)
    #expect(second.say(#"{"op":"goodbye"}"#) == "goodbye 7")
  }
}

@Suite struct TokenListTests {
  private func name(of token: String, in list: TokenList) -> String? {
    var token = token
    return token.withUTF8 { list.name(of: UnsafeRawBufferPointer($0)) }
  }

  @Test func aTokenHasAName() {
    let list = TokenList([(name: "ci", token: "abc"), (name: "ops", token: "abcd")])
    #expect(name(of: "abc", in: list) == "ci")
    #expect(name(of: "abcd", in: list) == "ops")
    #expect(!list.isEmpty)
  }

  @Test(arguments: ["", "a", "ab", "abd", "abcabc", "xabc", "abc\0", "ABC", "abcc"])
  func whatIsNotATokenHasNone(text: String) {
    #expect(name(of: text, in: TokenList([(name: "ci", token: "abc")])) == nil)
  }

  @Test func anEmptyTokenNeverOpensAnything() {
    let list = TokenList([(name: "nobody", token: "")])
    #expect(name(of: "", in: list) == nil)
    #expect(name(of: "x", in: list) == nil)
    #expect(TokenList().isEmpty)
    #expect(name(of: "", in: TokenList()) == nil)
  }

  @Test func tokensAreComparedByTheirBytes() {
    // One code point, and the same letter in two.
    let list = TokenList([(name: "a", token: "\u{E9}")])
    #expect(name(of: "\u{E9}", in: list) == "a")
    #expect(name(of: "e\u{301}", in: list) == nil)
  }
}
