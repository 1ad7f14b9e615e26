internal import Wire

/// The half of a client's connection that handles calls for others.
extension ClientConnection {
  // MARK: - Being asked

  func receivedCall(
    _ id: UInt64, _ header: Header, _ content: Content, into events: inout [ClientEvent]
  ) {
    let call = IncomingCall(id: id, header, content)
    let flow = Flow(
      sendBytes: call.windowBytes, receiveBytes: Limits.windowBytesDefault)
    hosted[id] = HostedCall(inputIsOpen: call.hasInput, flow: flow)
    if let first = call.first { _ = hosted[id]!.flow.received(first.cost) }
    events.append(.incoming(call))
  }

  func receivedForHosted(
    _ id: UInt64, _ header: Header, _ content: Content, into events: inout [ClientEvent]
  ) {
    switch header.operation {
    case .data:
      guard hosted[id]!.inputIsOpen else { return }
      if !isBareEnd(header, content) {
        let piece = Piece(header, content)
        guard hosted[id]!.flow.received(piece.cost) else {
          overrun(id, into: &events)
          return
        }
        events.append(.piece(id, piece))
      }
      if header[.end] {
        hosted[id]!.inputIsOpen = false
        events.append(.inputEnded(id))
      }
    case .cancel:
      guard !hosted[id]!.isCancelled else { return }
      hosted[id]!.isCancelled = true
      hosted[id]!.inputIsOpen = false
      events.append(.cancelled(id, reason: header[.reason].text))
    case .credit:
      let bytes = Int(header[.bytes] ?? 0)
      hosted[id]!.flow.sendBytes += bytes
      events.append(.credit(id, bytes))
    case .error:
      // The sidecar ended the call on its own: it waits for nothing more from here.
      let wasCancelled = hosted.removeValue(forKey: id)!.isCancelled
      if !wasCancelled { events.append(.cancelled(id, reason: header[.reason].text)) }
    default: break
    }
  }

  private func overrun(_ id: UInt64, into events: inout [ClientEvent]) {
    fail(id, ClientFailure(.windowExceeded, "more input came than the window allows"))
    events.append(.cancelled(id, reason: Reason.windowExceeded.rawValue))
  }

  // MARK: - Answering

  /// Ends a hosted call with an error.
  public func fail(_ id: UInt64, _ failure: ClientFailure) {
    guard hosted.removeValue(forKey: id) != nil else { return }
    writeError(id: id, failure, isPosition: false)
  }

  /// An error at a position of a hosted call's replies, which go on. Costs an empty frame of
  /// window.
  @discardableResult
  public func failAt(_ id: UInt64, _ failure: ClientFailure) -> Bool {
    guard let call = hosted[id] else { return false }
    precondition(call.flow.sendBytes > 0, "an error was written without credit")
    hosted[id]!.flow.sendBytes -= Limits.frameCostBytes
    writeError(id: id, failure, isPosition: true)
    return true
  }

  /// The instance of a closed session is freed.
  public func closed(_ id: UInt64) {
    guard closing.remove(id) != nil else { return }
    HeaderWriter.write(out, "ok", id: id)
  }

  func writeError(id: UInt64?, _ failure: ClientFailure, isPosition: Bool) {
    var writer = HeaderWriter(out, "error", id: id)
    writer.string("code", failure.code.rawValue)
    if !failure.reason.isEmpty { writer.string("reason", failure.reason) }
    writer.string("message", failure.message.cut(toUTF8: Limits.errorMessageBytesMax))
    let details = failure.details
    if !details.isEmpty, details.count <= Limits.detailsBytesMax {
      details.withUnsafeBytes { writer.object("details", $0) }
    }
    if isPosition { writer.truth("more") }
    if failure.retry { writer.truth("retry") }
    writer.finish()
  }
}

extension String {
  /// At most `bytes` bytes of UTF-8, cut between characters.
  func cut(toUTF8 bytes: Int) -> String {
    guard utf8.count > bytes else { return self }
    var text = ""
    var count = 0
    for scalar in unicodeScalars {
      count += UTF8.width(scalar)
      if count > bytes { break }
      text.unicodeScalars.append(scalar)
    }
    return text
  }
}
