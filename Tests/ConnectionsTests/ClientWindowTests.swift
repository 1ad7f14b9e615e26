import Connections
import Testing
import Wire

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
