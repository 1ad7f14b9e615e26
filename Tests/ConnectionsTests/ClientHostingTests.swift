import Connections
import Testing
import Wire

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
    #expect(short(events) == ["cancelled 4 connection_lost", "down unavailable connection_lost"])
  }
}
