import Connections
import Testing
import Wire

/// A client's connection and the frames that go past it, as text.
private final class Conversation {
  let client: ClientConnection
  private let decoder = FrameDecoder(headerMax: 65_536, contentMax: 16 << 20)
  private let written = OutBuffer()

  init(heartbeatMs: Int = 0) {
    client = ClientConnection(out: written)
    client.greet(client: "test/1", token: nil, name: nil, nowMs: 0)
    _ = said()
    let fields = #""v":1,"server":"s","connection":"c1","heartbeat_ms":\#(heartbeatMs)"#
    _ = hear(#"{"op":"welcome",\#(fields)}"#)
  }

  /// A connection that has not been welcomed.
  init(greetingWith token: String?, name: String?) {
    client = ClientConnection(out: written)
    client.greet(client: "test/1", token: token, name: name, nowMs: 0)
  }

  /// A frame from the sidecar; returns what the client tells its owner.
  func hear(_ header: String, _ content: String = "") -> [ClientEvent] {
    var bytes: [UInt8] = []
    for length in [header.utf8.count, content.utf8.count] {
      withUnsafeBytes(of: UInt32(length).bigEndian) { bytes += $0 }
    }
    bytes += Array(header.utf8) + Array(content.utf8)
    var events: [ClientEvent] = []
    bytes.withUnsafeMutableBytes { raw in
      decoder.begin(raw)
      #expect(decoder.next() == .frame)
      client.received(decoder.header, decoder.content, into: &events)
      decoder.finish()
    }
    return events
  }

  /// What the client has written since the last time: each frame's header, and content behind `|`.
  func said() -> [String] {
    var bytes: [UInt8] = []
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 64) { vectors in
      while !written.isEmpty {
        let count = written.nextVectors(vectors)
        for vector in vectors[..<count] { bytes += vector }
        written.consume(vectors[..<count].reduce(0) { $0 + $1.count })
      }
    }
    var frames: [String] = []
    var rest = bytes[...]
    while rest.count >= 8 {
      let length = { (at: Int) in rest.dropFirst(at).prefix(4).reduce(0) { $0 << 8 | Int($1) } }
      let (header, content) = (length(0), length(4))
      let frame = rest.dropFirst(8).prefix(header + content)
      let text = String(decoding: frame.prefix(header), as: UTF8.self)
      let body = String(decoding: frame.dropFirst(header), as: UTF8.self)
      frames.append(content > 0 ? "\(text)|\(body)" : text)
      rest = rest.dropFirst(8 + header + content)
    }
    #expect(rest.isEmpty)
    return frames
  }

  func tick(_ nowMs: UInt64) -> [ClientEvent] {
    var events: [ClientEvent] = []
    client.tick(nowMs: nowMs, into: &events)
    return events
  }

  func lose() -> [ClientEvent] {
    var events: [ClientEvent] = []
    client.lost("the socket closed", into: &events)
    return events
  }

  func call(_ to: String, _ content: String = "1", input: Bool = false, window: Int? = nil) throws
    -> UInt64
  {
    var call = OutgoingCall(to: to, first: Piece(Array(content.utf8)))
    call.hasInput = input
    call.windowBytes = window
    return try client.open(call)
  }
}

/// Events as short texts, so that a conversation reads as one.
private func short(_ events: [ClientEvent]) -> [String] {
  events.map { event in
    switch event {
    case .opened(let welcome): "opened \(welcome.server) \(welcome.connection)"
    case .pong: "pong"
    case .registered(let id): "registered \(id)"
    case .accepted(let id): "accepted \(id)"
    case .piece(let id, let piece):
      "piece \(id) \(String(decoding: piece.content, as: UTF8.self))\(piece.isPart ? "…" : "")"
    case .failedAt(let id, let failure): "failedAt \(id) \(failure.reason)"
    case .ended(let id, let failure): "ended \(id) \(failure?.reason ?? "ok")"
    case .credit(let id, let bytes): "credit \(id) \(bytes)"
    case .incoming(let call): "incoming \(call.id) \(call.to)"
    case .inputEnded(let id): "inputEnded \(id)"
    case .cancelled(let id, let reason): "cancelled \(id) \(reason)"
    case .close(let id, let address, let reason): "close \(id) \(address) \(reason)"
    case .goodbye(let reason, let timeoutMs): "goodbye \(reason) \(timeoutMs)"
    case .down(let failure): "down \(failure.code.rawValue) \(failure.reason)"
    }
  }
}

@Suite struct ClientGreeting {
  @Test func helloCarriesVersionClientTokenAndName() {
    let conversation = Conversation(greetingWith: "secret", name: "me")
    #expect(
      conversation.said() == [
        #"{"op":"hello","v":1,"client":"test/1","token":"secret","name":"me"}"#
      ])
    let welcome = #"{"op":"welcome","v":1,"server":"coagentd/1","connection":"c7"}"#
    #expect(short(conversation.hear(welcome)) == ["opened coagentd/1 c7"])
  }

  @Test func nothingMayBeAskedBeforeWelcome() {
    let conversation = Conversation(greetingWith: nil, name: nil)
    #expect(throws: ClientFailure.self) { try conversation.call("a") }
  }

  @Test func refusalEndsTheConnectionWithItsReason() {
    let conversation = Conversation(greetingWith: "wrong", name: nil)
    let events = conversation.hear(
      #"{"op":"error","code":"unauthenticated","reason":"bad_token","message":"no"}"#)
    #expect(short(events) == ["down unauthenticated bad_token"])
    #expect(conversation.lose().isEmpty)
  }

  @Test func anythingButWelcomeIsRefused() {
    let conversation = Conversation(greetingWith: nil, name: nil)
    #expect(short(conversation.hear(#"{"op":"ping"}"#)) == ["down invalid_argument bad_id"])
  }
}

@Suite struct ClientCalls {
  @Test func idsAreOddAndRise() throws {
    let conversation = Conversation()
    #expect(try conversation.call("a") == 1)
    #expect(try conversation.client.register(Registration(name: "mine")) == 3)
    let send = OutgoingCall(to: "b", first: Piece([]))
    #expect(try conversation.client.send(send, acknowledged: false) == nil)
    #expect(try conversation.client.send(send, acknowledged: true) == 5)
    #expect(
      conversation.said() == [
        #"{"op":"call","id":1,"to":"a"}|1"#, #"{"op":"register","id":3,"name":"mine"}"#,
        #"{"op":"send","to":"b"}"#, #"{"op":"send","id":5,"to":"b"}"#,
      ])
  }

  @Test func unaryReplyIsAPieceAndAnEnd() throws {
    let conversation = Conversation()
    let id = try conversation.call("a")
    let events = conversation.hear(#"{"op":"data","id":\#(id),"end":true}"#, "2")
    #expect(short(events) == ["piece 1 2", "ended 1 ok"])
    #expect(conversation.client.isIdle)
  }

  @Test func bareEndIsNoMessage() throws {
    let conversation = Conversation()
    _ = try conversation.call("a")
    #expect(short(conversation.hear(#"{"op":"data","id":1,"end":true}"#)) == ["ended 1 ok"])
  }

  @Test func emptyMessageWithATypeIsAMessage() throws {
    let conversation = Conversation()
    _ = try conversation.call("a")
    let events = conversation.hear(#"{"op":"data","id":1,"type":"Done","end":true}"#)
    #expect(short(events) == ["piece 1 ", "ended 1 ok"])
  }

  @Test func partsKeepTheirOrderAndTheLastIsNone() throws {
    let conversation = Conversation()
    _ = try conversation.call("a")
    let events =
      conversation.hear(#"{"op":"data","id":1,"part":true}"#, "x")
      + conversation.hear(#"{"op":"data","id":1,"part":true,"end":true}"#, "y")
    #expect(short(events) == ["piece 1 x…", "piece 1 y", "ended 1 ok"])
  }

  @Test func errorsAtAPositionLeaveTheCallOpen() throws {
    let conversation = Conversation()
    _ = try conversation.call("a")
    let position = #"{"op":"error","id":1,"code":"internal","reason":"agent_error","more":true}"#
    let end = #"{"op":"error","id":1,"code":"deadline_exceeded","reason":"deadline"}"#
    #expect(short(conversation.hear(position)) == ["failedAt 1 agent_error"])
    #expect(short(conversation.hear(end)) == ["ended 1 deadline"])
  }

  @Test func framesBehindTheEndAreDropped() throws {
    let conversation = Conversation()
    _ = try conversation.call("a")
    _ = conversation.hear(#"{"op":"data","id":1,"end":true}"#)
    #expect(conversation.hear(#"{"op":"data","id":1}"#, "late").isEmpty)
    #expect(conversation.hear(#"{"op":"error","id":1,"code":"cancelled"}"#).isEmpty)
    #expect(conversation.hear(#"{"op":"credit","id":1,"bytes":5}"#).isEmpty)
    #expect(conversation.client.isOpen)
  }

  @Test func aFrameForAnIDNeverOpenedEndsTheConnection() {
    let conversation = Conversation()
    let events = conversation.hear(#"{"op":"data","id":9}"#, "?")
    #expect(short(events) == ["down invalid_argument bad_id"])
    #expect(conversation.said().count == 1)
  }

  @Test func cancelIsWrittenOnceAndItsErrorEndsTheCall() throws {
    let conversation = Conversation()
    let id = try conversation.call("a")
    _ = conversation.said()
    conversation.client.cancel(id)
    #expect(conversation.said() == [#"{"op":"cancel","id":1}"#])
    let events = conversation.hear(
      #"{"op":"error","id":1,"code":"cancelled","reason":"cancelled"}"#)
    #expect(short(events) == ["ended 1 cancelled"])
    conversation.client.cancel(id)
    #expect(conversation.said().isEmpty)
  }

  @Test func contentAndHeadersBeyondTheLimitsAreNotWritten() throws {
    let conversation = Conversation()
    let big = OutgoingCall(to: "a", first: Piece([UInt8](repeating: 32, count: (16 << 20) + 1)))
    #expect(throws: ClientFailure.self) { try conversation.client.open(big) }
    var long = Registration(name: "a")
    long.description = String(repeating: "\u{1}", count: 6_000)
    #expect(throws: ClientFailure.self) { try conversation.client.register(long) }
    #expect(conversation.said().isEmpty)
    #expect(try conversation.call("a") == 1)
  }
}

@Suite struct ClientWindows {
  @Test func creditIsGrantedOnConsumptionByHalves() throws {
    let conversation = Conversation()
    _ = try conversation.call("a", window: 1000)
    #expect(conversation.said() == [#"{"op":"call","id":1,"to":"a","window":1000}|1"#])
    _ = conversation.hear(#"{"op":"data","id":1}"#, "12345")
    conversation.client.consumed(261, on: 1)
    #expect(conversation.said().isEmpty)
    _ = conversation.hear(#"{"op":"data","id":1}"#, "12345")
    conversation.client.consumed(261, on: 1)
    #expect(conversation.said() == [#"{"op":"credit","id":1,"bytes":522}"#])
  }

  @Test func aWindowOfOneIsGrantedFrameByFrame() throws {
    let conversation = Conversation()
    _ = try conversation.call("a", window: 1)
    _ = conversation.said()
    _ = conversation.hear(#"{"op":"data","id":1}"#, "x")
    conversation.client.consumed(257, on: 1)
    #expect(conversation.said() == [#"{"op":"credit","id":1,"bytes":257}"#])
  }

  @Test func repliesBeyondTheWindowEndTheCall() throws {
    let conversation = Conversation()
    _ = try conversation.call("a", window: 1)
    _ = conversation.said()
    _ = conversation.hear(#"{"op":"data","id":1}"#, "x")
    let events = conversation.hear(#"{"op":"data","id":1}"#, "y")
    #expect(short(events) == ["ended 1 window_exceeded"])
    #expect(conversation.said() == [#"{"op":"cancel","id":1}"#])
  }

  @Test func inputTakesTheWindowAndCreditGivesItBack() throws {
    let conversation = Conversation()
    _ = try conversation.call("a", input: true)
    _ = conversation.said()
    conversation.client.write(Piece([50]), on: 1)
    conversation.client.write(Piece([51], isPart: true), on: 1)
    #expect(short(conversation.hear(#"{"op":"credit","id":1,"bytes":514}"#)) == ["credit 1 514"])
    conversation.client.end(1)
    conversation.client.end(1)
    #expect(!conversation.client.write(Piece([52]), on: 1))
    #expect(
      conversation.said() == [
        #"{"op":"data","id":1}|2"#, #"{"op":"data","id":1,"part":true}|3"#,
        #"{"op":"data","id":1,"end":true}"#,
      ])
  }

  @Test func consumedInputOfAHostedCallIsGranted() {
    let conversation = Conversation()
    let content = String(repeating: "x", count: 600_000)
    _ = conversation.hear(#"{"op":"call","id":2,"to":"a","input":true}"#, content)
    conversation.client.consumed(600_256, on: 2)
    #expect(conversation.said() == [#"{"op":"credit","id":2,"bytes":600256}"#])
  }
}

@Suite struct ClientHosting {
  @Test func aHostedCallIsAnsweredOnce() {
    let conversation = Conversation()
    let events = conversation.hear(
      #"{"op":"call","id":2,"to":"a:s","type":"T","from":"b","window":900,"new":true}"#, "5")
    guard case .incoming(let call) = events.first else {
      Issue.record("no call in \(short(events))")
      return
    }
    #expect(call.to == "a:s" && call.from == "b" && call.windowBytes == 900)
    #expect(call.isNew && !call.hasInput && !call.isOneway)
    #expect(call.first == Piece([53], type: "T"))
    #expect(conversation.client.write(Piece([54], type: "R"), on: 2))
    #expect(conversation.client.write(Piece([55]), on: 2, end: true))
    #expect(!conversation.client.write(Piece([56]), on: 2))
    conversation.client.end(2)
    conversation.client.fail(2, ClientFailure(.agentError, "too late"))
    #expect(
      conversation.said() == [
        #"{"op":"data","id":2,"type":"R"}|6"#, #"{"op":"data","id":2,"end":true}|7"#,
      ])
  }

  @Test func aCancelledHostedCallStillGetsItsTerminalFrame() {
    let conversation = Conversation()
    _ = conversation.hear(#"{"op":"call","id":2,"to":"a"}"#, "5")
    let cancel = #"{"op":"cancel","id":2,"reason":"deadline"}"#
    #expect(short(conversation.hear(cancel)) == ["cancelled 2 deadline"])
    #expect(conversation.hear(cancel).isEmpty)
    conversation.client.fail(2, ClientFailure(.cancelled, "stopped"))
    #expect(
      conversation.said() == [
        #"{"op":"error","id":2,"code":"cancelled","reason":"cancelled","message":"stopped"}"#
      ])
    #expect(conversation.hear(cancel).isEmpty)
  }

  @Test func emptyContentWithInputIsNoFirstMessage() {
    let conversation = Conversation()
    let events = conversation.hear(#"{"op":"call","id":2,"to":"a","input":true}"#)
    guard case .incoming(let call) = events.first else {
      Issue.record("no call in \(short(events))")
      return
    }
    #expect(call.first == nil && call.hasInput)
    #expect(short(conversation.hear(#"{"op":"data","id":2}"#, "1")) == ["piece 2 1"])
    #expect(
      short(conversation.hear(#"{"op":"data","id":2,"end":true}"#, "2"))
        == ["piece 2 2", "inputEnded 2"])
  }

  @Test func errorTextIsCutToTheLimitBetweenCharacters() {
    let conversation = Conversation()
    _ = conversation.hear(#"{"op":"call","id":2,"to":"a"}"#)
    let text = "x" + String(repeating: "é", count: 4_000)
    conversation.client.fail(2, ClientFailure(.agentError, text))
    let kept = "x" + String(repeating: "é", count: 2_047)
    #expect(
      conversation.said() == [
        #"{"op":"error","id":2,"code":"internal","reason":"agent_error","message":"\#(kept)"}"#
      ])
  }

  @Test func aClosedSessionIsAcknowledgedWhenFreed() {
    let conversation = Conversation()
    let events = conversation.hear(#"{"op":"close","id":2,"to":"a:s","reason":"idle"}"#)
    #expect(short(events) == ["close 2 a:s idle"])
    #expect(conversation.said().isEmpty)
    conversation.client.closed(2)
    conversation.client.closed(2)
    #expect(conversation.said() == [#"{"op":"ok","id":2}"#])
  }

  @Test func anIDThatDoesNotRiseEndsTheConnection() {
    let conversation = Conversation()
    _ = conversation.hear(#"{"op":"call","id":4,"to":"a"}"#)
    let events = conversation.hear(#"{"op":"call","id":2,"to":"a"}"#)
    #expect(short(events) == ["cancelled 4 connection_lost", "down invalid_argument bad_id"])
  }
}

@Suite struct ClientEnds {
  @Test func pingIsAnswered() {
    let conversation = Conversation()
    #expect(conversation.hear(#"{"op":"ping"}"#).isEmpty)
    #expect(conversation.said() == [#"{"op":"pong"}"#])
  }

  @Test func pongAnswersAPing() {
    let conversation = Conversation()
    conversation.client.ping()
    #expect(conversation.said() == [#"{"op":"ping"}"#])
    #expect(short(conversation.hear(#"{"op":"pong"}"#)) == ["pong"])
  }

  @Test func silenceIsAskedAboutAndThenEndsTheConnection() {
    let conversation = Conversation(heartbeatMs: 100)
    #expect(conversation.tick(99).isEmpty)
    #expect(conversation.said().isEmpty)
    #expect(conversation.tick(100).isEmpty)
    #expect(conversation.tick(150).isEmpty)
    #expect(conversation.said() == [#"{"op":"ping"}"#])
    conversation.client.heard(nowMs: 160)
    #expect(conversation.tick(459).isEmpty)
    #expect(short(conversation.tick(460)) == ["down unavailable heartbeat_timeout"])
  }

  @Test func withoutHeartbeatSilenceIsFine() {
    let conversation = Conversation()
    #expect(conversation.tick(1_000_000).isEmpty)
    #expect(conversation.said().isEmpty)
  }

  @Test func lossEndsEverything() throws {
    let conversation = Conversation()
    _ = try conversation.call("a")
    _ = try conversation.call("b")
    _ = conversation.hear(#"{"op":"call","id":2,"to":"mine"}"#)
    #expect(
      short(conversation.lose()) == [
        "ended 1 connection_lost", "ended 3 connection_lost", "cancelled 2 connection_lost",
        "down unavailable connection_lost",
      ])
    #expect(conversation.lose().isEmpty)
    #expect(throws: ClientFailure.self) { try conversation.call("a") }
  }

  @Test func theSidecarsLastComplaintIsTheReasonOfTheLoss() {
    let conversation = Conversation()
    _ = conversation.hear(
      #"{"op":"error","code":"resource_exhausted","reason":"slow_reader","message":"read faster"}"#)
    #expect(short(conversation.lose()) == ["down resource_exhausted slow_reader"])
  }

  @Test func afterGoodbyeOnlyChildrenAreNew() throws {
    let conversation = Conversation()
    _ = conversation.hear(#"{"op":"call","id":2,"to":"mine"}"#)
    let goodbye = #"{"op":"goodbye","reason":"shutdown","timeout_ms":5000}"#
    #expect(short(conversation.hear(goodbye)) == ["goodbye shutdown 5000"])
    #expect(throws: ClientFailure.self) { try conversation.call("a") }
    var child = OutgoingCall(to: "a", first: Piece([]))
    child.parent = 2
    #expect(try conversation.client.open(child) == 1)
    #expect(conversation.said() == [#"{"op":"call","id":1,"to":"a","parent":2}"#])
  }

  @Test func anUnknownOperationIsIgnored() {
    let conversation = Conversation()
    #expect(conversation.hear(#"{"op":"splice","id":3}"#).isEmpty)
    #expect(conversation.said().isEmpty)
    #expect(conversation.client.isOpen)
  }
}
