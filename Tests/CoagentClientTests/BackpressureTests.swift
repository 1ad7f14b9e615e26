import CoagentClient
import Locking
import TestSupport
import Testing

@testable import Hosting

/// What an outlet has written.
private final class Written: Sendable {
  private let frames = Locked<[Outlet.Frame]>([])

  func add(_ frame: Outlet.Frame) { frames.withLock { $0.append(frame) } }

  var pieces: [Piece] {
    frames.withLock { frames in
      frames.compactMap { if case .piece(let piece) = $0 { piece } else { nil } }
    }
  }

  var texts: [String] { pieces.map { String(decoding: $0.content, as: UTF8.self) } }
}

@Suite struct Outlets {
  private func outlet(credit: Int, contentMax: Int = 1_000) -> (Outlet, Written) {
    let written = Written()
    return (Outlet(creditBytes: credit, contentMax: contentMax) { written.add($0) }, written)
  }

  @Test func aLongMessageGoesInPartsAndArrivesWhole() async throws {
    let (outlet, written) = outlet(credit: 10_000, contentMax: 4)
    var message = Message(text: "0123456789", type: "Text")
    message.ext = ["k": 1]
    try await outlet.send(message)
    #expect(written.texts == ["0123", "4567", "89"])
    #expect(written.pieces.map(\.isPart) == [true, true, false])
    #expect(written.pieces.map(\.type) == ["Text", "", ""])
    var assembly = MessageAssembly()
    #expect(written.pieces.compactMap { assembly.add($0) } == [message])
  }

  @Test func aFrameMayOverdrawAndTheNextWaits() async throws {
    let (outlet, written) = outlet(credit: 1)
    try await outlet.send(Message(text: "first"))
    let second = Task { try await outlet.send(Message(text: "second")) }
    let third = Task {
      try await second.value
      try await outlet.send(Message(text: "third"))
    }
    outlet.grant(260)  // Still one below: the first cost 261.
    #expect(written.texts == ["first"])
    outlet.grant(1)
    try await second.value
    #expect(written.texts == ["first", "second"])
    outlet.grant(1_000)
    try await third.value
    #expect(written.texts == ["first", "second", "third"])
  }

  @Test func messagesOfSeveralTasksDoNotMix() async throws {
    let (outlet, written) = outlet(credit: 1, contentMax: 1)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for letter in ["a", "b", "c", "d"] {
        group.addTask { try await outlet.send(Message(text: letter + letter + letter)) }
      }
      for _ in 0..<24 { outlet.grant(257) }
      try await group.waitForAll()
    }
    var assembly = MessageAssembly()
    let messages = written.pieces.compactMap { assembly.add($0)?.text }
    #expect(messages.sorted() == ["aaa", "bbb", "ccc", "ddd"])
  }

  @Test func aCancelledSenderLeavesTheLine() async throws {
    let (outlet, written) = outlet(credit: 0)
    let gone = Task { try await outlet.send(Message(text: "gone")) }
    gone.cancel()
    await #expect(throws: CancellationError.self) { try await gone.value }
    outlet.grant(1_000)
    try await outlet.send(Message(text: "next"))
    #expect(written.texts == ["next"])
  }

  @Test func theEndOfACallEndsWhoeverWaitsToSend() async throws {
    let (outlet, written) = outlet(credit: 0)
    let waiting = Task { try await outlet.send(Message(text: "late")) }
    let error = AgentError(.cancelled, "over")
    outlet.close(error)
    await #expect(throws: error) { try await waiting.value }
    outlet.grant(1_000)
    await #expect(throws: error) { try await outlet.send(Message(text: "later")) }
    #expect(written.texts.isEmpty)
  }

  @Test func whatNoHeaderHoldsIsRefused() async throws {
    let (outlet, _) = outlet(credit: 1_000)
    var message = Message(text: "x")
    message.ext = ["k": .string(String(repeating: "v", count: 9_000))]
    await #expect(throws: AgentError.self) { try await outlet.send(message) }
    let named = Message(text: "x", type: String(repeating: "T", count: 9_000))
    await #expect(throws: AgentError.self) { try await outlet.send(named) }
  }
}

@Suite struct Inboxes {
  @Test func consumptionIsReportedWhenEnoughHasComeTogether() async throws {
    let grants = Locked<[Int]>([])
    let inbox = Inbox(thresholdBytes: 600) { bytes in grants.withLock { $0.append(bytes) } }
    for _ in 0..<4 { inbox.deliver(Piece(Array("12345".utf8))) }
    #expect(grants.withLock { $0 }.isEmpty)
    for _ in 0..<2 { _ = try await inbox.next() }
    #expect(grants.withLock { $0 }.isEmpty)
    for _ in 0..<2 { _ = try await inbox.next() }
    #expect(grants.withLock { $0 } == [783])
  }

  @Test func whatCameBeforeTheEndIsStillRead() async throws {
    let inbox = Inbox(thresholdBytes: 1) { _ in }
    inbox.deliver(Piece([49]))
    let error = AgentError(.hostLost, "gone")
    inbox.finish(error)
    inbox.deliver(Piece([50]))
    #expect(try await inbox.next()?.content == [49])
    await #expect(throws: error) { try await inbox.next() }
    await #expect(throws: error) { try await inbox.next() }
  }

  @Test func aCancelledReaderStopsWaiting() async throws {
    let inbox = Inbox(thresholdBytes: 1) { _ in }
    let reader = Task { try await inbox.next() }
    reader.cancel()
    await #expect(throws: CancellationError.self) { try await reader.value }
    inbox.deliver(Piece([49]))
    #expect(try await inbox.next()?.content == [49])
  }

  @Test func aMessageLeftOpenEndsWithTheReplies() async throws {
    let inbox = Inbox(thresholdBytes: 1) { _ in }
    inbox.deliver(Piece(Array("to".utf8), contentType: Message.textType, isPart: true))
    inbox.deliver(Piece(Array("ken".utf8), isPart: true))
    inbox.finish()
    var assembly = MessageAssembly()
    #expect(try await inbox.nextMessage(&assembly) == Message(text: "token"))
    #expect(try await inbox.nextMessage(&assembly) == nil)
  }

  @Test func anErrorEndsAnOpenMessage() async throws {
    let inbox = Inbox(thresholdBytes: 1) { _ in }
    inbox.deliver(Piece([49], isPart: true))
    inbox.deliver(AgentError(.aborted, "here"))
    inbox.deliver(Piece([50]))
    var assembly = MessageAssembly()
    await #expect(throws: AgentError.self) { try await inbox.nextMessage(&assembly) }
    #expect(try await inbox.nextMessage(&assembly)?.content == [50])
  }
}

@Suite struct Errors {
  struct Broken: Error {}

  @Test func ownErrorsTravelAsTheyAreWithoutTheirAddress() {
    let inner = AgentError(.aborted, reason: "conflict", "no", retry: true, address: "b")
    let outer = AgentError(reporting: inner)
    #expect(outer.code == .aborted && outer.reason == "conflict" && !outer.retry)
    #expect(outer.details["agent"] == "b" && outer.address.isEmpty)
  }

  @Test func otherErrorsHaveTheirType() {
    let error = AgentError(reporting: Broken())
    #expect(error.code == .internal && error.reason == "agent_error")
    #expect(error.details["type"] == "Broken")
    #expect(AgentError(reporting: CancellationError()).code == .cancelled)
  }

  @Test func flatObjectsKeepTheirValuesWithinTheirBound() {
    let values: [String: FlatValue] = ["a": "x\"y", "b": 7, "c": true]
    let text = FlatObject.text(values)
    #expect(String(decoding: text, as: UTF8.self) == #"{"a":"x\"y","b":7,"c":true}"#)
    #expect(FlatObject.values(text) == values)
    #expect(FlatObject.text([:]).isEmpty)
    let long: [String: FlatValue] = ["a": .string(String(repeating: "x", count: 100)), "b": 7]
    #expect(String(decoding: FlatObject.text(long, bytesMax: 60), as: UTF8.self) == #"{"b":7}"#)
  }
}
