import Connections
import Testing
import Wire

@Suite struct ClientGreeting {
  @Test func helloCarriesVersionClientTokenAndName() {
    let conversation = Conversation(greetingWith: "secret", name: "me")
    #expect(
      conversation.said() == [
        #"{"op":"hello","v":1,"client":"test/1","token":"secret","name":"me","features":"signals"}"#
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
    #expect(short(conversation.hear(#"{"op":"ping"}"#)) == ["down unavailable connection_lost"])
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
