import Connections
import Testing
import Wire

@Suite struct ClientTopics {
  private func publication(_ content: String = "1") -> OutgoingPublication {
    OutgoingPublication(topic: "t", source: "s", message: Piece(Array(content.utf8), type: "T"))
  }

  @Test func aPublishIsAnsweredOnce() throws {
    let conversation = Conversation()
    var late = publication()
    late.timeoutMs = 50
    late.trace = "00-1"
    #expect(try conversation.client.publish(publication()) == 1)
    #expect(try conversation.client.publish(late) == 3)
    #expect(
      conversation.said() == [
        #"{"op":"publish","id":1,"topic":"t","source":"s","type":"T"}|1"#,
        #"{"op":"publish","id":3,"topic":"t","source":"s","type":"T","timeout_ms":50,"trace":"00-1"}"#
          + "|1",
      ])
    #expect(short(conversation.hear(#"{"op":"ok","id":1}"#)) == ["accepted 1"])
    let refusal = #"{"op":"error","id":3,"code":"invalid_argument","reason":"bad_topic"}"#
    #expect(short(conversation.hear(refusal)) == ["ended 3 bad_topic"])
    #expect(conversation.client.isIdle)
  }

  @Test func aSubscriptionBringsMessagesUntilItEnds() throws {
    let conversation = Conversation()
    let id = try conversation.client.subscribe(topic: "t.>", windowBytes: nil)
    #expect(conversation.said() == [#"{"op":"subscribe","id":1,"topic":"t.>"}"#])
    #expect(short(conversation.hear(#"{"op":"ok","id":1}"#)) == ["registered 1"])
    let fields = #""op":"data","id":1,"topic":"t.a","source":"s""#
    #expect(short(conversation.hear("{\(fields)}", "x")) == ["published 1 t.a s x"])
    let behind = #"{\#(fields),"from":"a:s","dropped":2}"#
    #expect(short(conversation.hear(behind, "y")) == ["published 1 t.a s -2 y"])
    conversation.client.cancel(id)
    #expect(conversation.said() == [#"{"op":"cancel","id":1}"#])
    let end = #"{"op":"error","id":1,"code":"cancelled","reason":"cancelled"}"#
    #expect(short(conversation.hear(end)) == ["ended 1 cancelled"])
    #expect(short(conversation.hear("{\(fields)}", "x")) == [])
  }

  @Test func creditIsForWhatWasConsumed() throws {
    let conversation = Conversation()
    let id = try conversation.client.subscribe(topic: "t", windowBytes: 1)
    _ = conversation.said()
    _ = conversation.hear(#"{"op":"ok","id":1}"#)
    _ = conversation.hear(#"{"op":"data","id":1,"topic":"t","source":"s"}"#, "abc")
    #expect(conversation.said() == [])
    conversation.client.consumed(259, on: id)
    #expect(conversation.said() == [#"{"op":"credit","id":1,"bytes":259}"#])
  }

  @Test func whatTheWindowDoesNotAllowEndsIt() throws {
    let conversation = Conversation()
    _ = try conversation.client.subscribe(topic: "t", windowBytes: 1)
    _ = conversation.said()
    let message = #"{"op":"data","id":1,"topic":"t","source":"s"}"#
    #expect(short(conversation.hear(message, "a")) == ["published 1 t s a"])
    #expect(short(conversation.hear(message, "b")) == ["ended 1 window_exceeded"])
    #expect(conversation.said() == [#"{"op":"cancel","id":1}"#])
  }

  @Test func aLostConnectionEndsSubscriptions() throws {
    let conversation = Conversation()
    _ = try conversation.client.subscribe(topic: "t", windowBytes: nil)
    _ = conversation.hear(#"{"op":"ok","id":1}"#)
    #expect(
      short(conversation.lose()) == [
        "ended 1 connection_lost", "down unavailable connection_lost",
      ])
  }
}
