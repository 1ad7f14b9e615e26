import Connections
import Testing
import Wire

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
    #expect(short(events) == ["down unavailable connection_lost"])
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
