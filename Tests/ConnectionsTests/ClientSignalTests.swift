import Connections
import Testing
import Wire

@Suite struct ClientSignals {
  private func knowing() -> Conversation { Conversation(features: "signals") }

  @Test func aSignalIsAnsweredOnce() throws {
    let conversation = knowing()
    var note = OutgoingSignal(
      .address("a:s"), name: "x.y", payload: Piece(Array("hi".utf8), contentType: "x/y"))
    note.from = "b"
    #expect(try conversation.client.signal(note, acknowledged: true) == 1)
    let run = OutgoingSignal(.run("r"), name: "interrupt", payload: nil)
    #expect(try conversation.client.signal(run, acknowledged: false) == nil)
    #expect(
      conversation.said() == [
        #"{"op":"signal","id":1,"to":"a:s","name":"x.y","content_type":"x/y","from":"b"}|hi"#,
        #"{"op":"signal","run":"r","name":"interrupt"}"#,
      ])
    #expect(short(conversation.hear(#"{"op":"ok","id":1}"#)) == ["accepted 1"])
    #expect(conversation.client.isIdle)
  }

  @Test func aCallIsSignalledWhileItIsOpenAndWhileTheSidecarDrains() throws {
    let conversation = knowing()
    let call = try conversation.call("a")
    _ = conversation.hear(#"{"op":"goodbye","reason":"shutdown","timeout_ms":9}"#)
    _ = conversation.said()
    let interrupt = OutgoingSignal(.call(call), name: "interrupt", payload: nil)
    #expect(try conversation.client.signal(interrupt, acknowledged: true) == 3)
    #expect(conversation.said() == [#"{"op":"signal","id":3,"call":1,"name":"interrupt"}"#])
    _ = conversation.hear(#"{"op":"data","id":1,"end":true}"#)
    let failure = #expect(throws: ClientFailure.self) {
      try conversation.client.signal(interrupt, acknowledged: true)
    }
    #expect(failure?.reason == "not_running")
  }

  @Test func aSidecarThatDoesNotKnowSignalsGetsNone() throws {
    let conversation = Conversation()
    let pause = OutgoingSignal(.address("a:s"), name: "pause", payload: nil)
    let failure = #expect(throws: ClientFailure.self) {
      try conversation.client.signal(pause, acknowledged: true)
    }
    #expect(failure?.code == .unimplemented)
    #expect(conversation.said() == [])
  }

  @Test func whatIsSignalledIsAnsweredOnce() throws {
    let conversation = knowing()
    _ = conversation.hear(#"{"op":"call","id":2,"to":"a","window":9}"#)
    let interrupt = #"{"op":"signal","id":4,"call":2,"name":"interrupt"}"#
    #expect(short(conversation.hear(interrupt, "1")) == ["signalled 4 interrupt call 2 1"])
    let note = #"{"op":"signal","id":6,"to":"a:s","name":"x.y"}"#
    #expect(short(conversation.hear(note)) == ["signalled 6 x.y a:s"])
    conversation.client.answer(signal: 6, ClientFailure(.unhandledSignal, "no"))
    conversation.client.answer(signal: 4, nil)
    conversation.client.answer(signal: 4, nil)
    let refusal = #"{"op":"error","id":6,"code":"unimplemented","reason":"unhandled_signal""#
    #expect(
      conversation.said() == [refusal + #","message":"no"}"#, #"{"op":"ok","id":4}"#])
  }

  @Test func aSignalThatCrossedTheEndOfItsCallIsAnsweredAtOnce() throws {
    let conversation = knowing()
    _ = conversation.hear(#"{"op":"call","id":2,"to":"a","window":9}"#)
    conversation.client.end(2)
    _ = conversation.said()
    let interrupt = #"{"op":"signal","id":4,"call":2,"name":"interrupt"}"#
    #expect(short(conversation.hear(interrupt)) == [])
    #expect(conversation.said() == [#"{"op":"ok","id":4}"#])
    let never = #"{"op":"signal","id":6,"call":8,"name":"interrupt"}"#
    #expect(short(conversation.hear(never)) == ["down unavailable connection_lost"])
  }
}
