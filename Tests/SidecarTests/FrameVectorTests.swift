import TestSupport
import Testing
import Wire

/// Every frame of proto/vectors/frames that a client sends, answered by the whole core.
@Suite struct FrameVectorTests {
  @Test(arguments: try FrameVector.all().filter(\.isFromClient))
  func isAnsweredAsTheVectorSays(_ vector: FrameVector) throws {
    let stage = Stage()
    if vector.isFirst { stage.connect("A") } else { try stage.greet("A") }
    stage.send("A", vector.bytes)
    if let fatal = vector.fatal {
      let told = try #require(try stage.next("A"))
      #expect(told.header["op"]?.string == "error" && told.header["id"] == nil)
      #expect(told.header["reason"]?.string == fatal)
      #expect(stage.waiting("A").isEmpty && stage.isClosed("A"))
    } else if let wrong = vector.wrong {
      try expectRefusal(wrong, of: vector, on: stage)
    } else {
      for frame in stage.waiting("A") {
        // Nothing is wrong with the frame, but that it may name a parent that is not there.
        let reason = frame.header["reason"]?.string
        #expect(reason != Reason.badHeader.rawValue && reason != Reason.missingField.rawValue)
        let field = frame.header["details"]?["field"]?.string
        #expect(reason != Reason.badField.rawValue || field == "parent", "\(frame)")
      }
    }
  }

  /// The frame is answered about its field, and the connection goes on: unless the frame is the
  /// first, or names an id that was never opened, which is worse.
  private func expectRefusal(
    _ wrong: (field: String, reason: String), of vector: FrameVector, on stage: Stage
  ) throws {
    let told = try #require(try stage.next("A"))
    #expect(told.header["op"]?.string == "error")
    let reason = told.header["reason"]?.string
    if reason == Reason.badID.rawValue {
      #expect(["data", "credit", "cancel", "error", "ok"].contains(vector.opWord))
      #expect(stage.isClosed("A"))
      return
    }
    #expect(reason == wrong.reason)
    #expect(told.header["details"]?["field"]?.string == wrong.field)
    #expect(told.header["id"]?.integer == vector.wrongID)
    #expect(stage.isClosed("A") == vector.isFirst)
  }
}

extension FrameVector {
  fileprivate var header: SpelledJSON? { FrameBytes.frames(bytes).first?.header }
  fileprivate var opWord: String { header?["op"]?.string ?? "" }
}
