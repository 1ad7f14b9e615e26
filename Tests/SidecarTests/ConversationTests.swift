import TestSupport
import Testing
import Wire

/// Every conversation of proto/, played against the core without I/O and in virtual time.
@Suite struct ConversationTests {
  @Test(arguments: try Conversation.all())
  func isHeld(_ conversation: Conversation) throws {
    var limits = Limits()
    for (name, value) in conversation.limits {
      let limit = try #require(Self.limits[name], "\(name) is no limit that a test may set")
      limits[keyPath: limit] = value
    }
    let stage = Stage(limits: limits, tokens: conversation.tokens)
    for step in conversation.steps {
      if let mismatch = try play(step, on: stage) {
        Issue.record(
          """
          \(conversation.name), line \(step.line): \(conversation.about)
          \(mismatch)
          """)
        return
      }
    }
  }

  /// Plays one step; returns what is not as the step says.
  private func play(_ step: ConversationStep, on stage: Stage) throws -> String? {
    switch step.kind {
    case .advance(let milliseconds):
      stage.advance(milliseconds)
      return nil
    case .drains:
      stage.drain()
      return nil
    case .peer(let name, .connects(let uid, let isTCP)):
      stage.connect(name, uid: uid, isTCP: isTCP)
      return nil
    case .peer(let name, let action):
      if !stage.isKnown(name) { try stage.greet(name) }
      return try play(action, of: name, on: stage)
    }
  }

  private func play(
    _ action: ConversationStep.Action, of name: String, on stage: Stage
  ) throws -> String? {
    switch action {
    case .connects: return nil
    case .sends(let bytes): stage.send(name, bytes)
    case .closes: stage.close(name)
    case .gets(let expected): return try expect(expected, of: name, on: stage)
    case .getsNothing:
      let waiting = stage.waiting(name)
      if !waiting.isEmpty { return "\(name) should get nothing, got\n  \(list(waiting))" }
    case .closed:
      if !stage.isClosed(name) { return "\(name) should have been disconnected" }
    }
    return nil
  }

  /// The next frames are `expected`, in any order.
  private func expect(
    _ expected: [ExpectedFrame], of name: String, on stage: Stage
  ) throws -> String? {
    var left = expected
    while !left.isEmpty {
      guard let frame = try stage.next(name) else {
        return "\(name) should get\n  \(list(left))\ngot nothing"
      }
      guard let index = left.firstIndex(where: { $0.matches(frame) }) else {
        let behind = stage.waiting(name)
        return "\(name) should get\n  \(list(left))\ngot\n  \(frame)"
          + (behind.isEmpty ? "" : "\nand behind it\n  \(list(behind))")
      }
      left.remove(at: index)
    }
    return nil
  }

  private func list(_ items: [some CustomStringConvertible]) -> String {
    items.map(\.description).joined(separator: "\n  ")
  }

  /// The limits that conversations are told with.
  private static var limits: [String: WritableKeyPath<Limits, Int>] {
    [
      "call_depth_max": \.callDepthMax,
      "mailbox_bytes_max": \.mailboxBytesMax,
      "mailbox_bytes_per_connection_max": \.mailboxBytesPerConnectionMax,
      "mailbox_messages_max": \.mailboxMessagesMax,
      "names_max": \.namesMax,
      "open_ids_max": \.openIDsMax,
      "registration_bytes_max": \.registrationBytesMax,
      "run_bytes_max": \.runBytesMax,
      "run_frames_max": \.runFramesMax,
      "run_grace_ms": \.runGraceMs,
      "run_kept_ms": \.runKeptMs,
      "runs_bytes_max": \.runsBytesMax,
      "runs_max": \.runsMax,
      "sessions_max": \.sessionsMax,
      "subscriptions_max": \.subscriptionsMax,
    ]
  }
}
