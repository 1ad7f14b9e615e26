internal import Locking
public import Wire

/// The sending end of one direction of a call: frames go out while the receiver permits it.
///
/// A message is sent whole or waits in line; messages of several tasks do not mix. A frame may go
/// out while the credit is above zero, and may overdraw it.
public final class Outlet: Sendable {
  public enum Frame: Sendable {
    case piece(Piece)
    /// An error at a position: the direction goes on behind it.
    case failure(AgentError)
    /// The end of the message that is open; nothing where none is.
    case messageEnd
    /// The replies of a call of the agent's own, in this place. `isLast`: they are the rest.
    case splice(Call, isUnordered: Bool, isLast: Bool)
  }

  /// A message that waits for credit. Its frames go out as credit comes, in line.
  private struct Waiting {
    let ticket: UInt64
    var frames: ArraySlice<Frame>
    let then: Then
  }

  /// What happens when a message has gone out, or cannot.
  private enum Then {
    case resume(CheckedContinuation<Void, any Error>)
    case call(@Sendable () -> Void)

    func succeed() {
      switch self {
      case .resume(let continuation): continuation.resume()
      case .call(let body): body()
      }
    }

    func fail(_ error: any Error) {
      if case .resume(let continuation) = self { continuation.resume(throwing: error) }
    }
  }

  private struct State {
    var creditBytes: Int
    var line: [Waiting] = []
    var nextTicket: UInt64 = 0
    /// Set when the direction has ended: why nothing more can be sent.
    var error: AgentError?
    /// A message was begun with `part` and not ended yet.
    var hasOpenMessage = false

    /// Only what carries a message needs credit.
    func permits(_ frame: Frame?) -> Bool {
      switch frame {
      case .piece, .failure: creditBytes > 0
      case .messageEnd: creditBytes > 0 || !hasOpenMessage
      case .splice, nil: true
      }
    }
  }

  private let state: Locked<State>
  /// The content of a frame of a message in several, in bytes.
  public let contentMax: Int
  /// The longest content of a frame, in bytes.
  public let frameMax: Int
  private let write: @Sendable (Frame) -> Void

  /// `write` takes a frame for which there is credit, in order. It must not call back.
  public init(
    creditBytes: Int, contentMax: Int, frameMax: Int? = nil,
    write: @escaping @Sendable (Frame) -> Void
  ) {
    state = Locked(State(creditBytes: creditBytes))
    self.contentMax = contentMax
    self.frameMax = frameMax ?? contentMax
    self.write = write
  }

  // MARK: - Sending

  /// Sends a message, after those that wait already, and ends one that `part` has begun. Returns
  /// when the last frame has gone out; throws when the direction has ended or the task is
  /// cancelled.
  func send(_ message: Message) async throws {
    try await send(frames: try frames(of: message)[...])
  }

  /// Puts a message in line without waiting; `then` is called when its last frame has gone out.
  public func post(_ message: Message, then: @escaping @Sendable () -> Void) throws(AgentError) {
    let frames = try frames(of: message)[...]
    state.withLock { state in
      guard state.error == nil else { return }
      state.nextTicket += 1
      state.line.append(Waiting(ticket: state.nextTicket, frames: frames, then: .call(then)))
    }
    pump()
  }

  /// Sends the next part of a message that goes on.
  func part(_ message: Message) async throws {
    let frames = try frames(of: message).map { frame -> Frame in
      guard case .piece(var piece) = frame else { return frame }
      piece.isPart = true
      return .piece(piece)
    }
    try await send(frames: frames[...])
  }

  /// Waits until what is in line has gone out.
  func flush() async throws {
    if state.withLock({ $0.line.isEmpty }) { return }
    try await sendInLine([])
  }

  /// Ends the message that parts have begun; without one, nothing happens.
  func endMessage() async throws {
    if state.withLock({ $0.hasOpenMessage }) { try await send(frames: [.messageEnd]) }
  }

  /// Sends a message in one frame, which need not wait for what is spliced before it.
  func send(outOfOrder message: Message) async throws {
    guard message.content.count <= frameMax else {
      let size = message.content.count
      throw AgentError(.tooLarge, "a message out of order of \(size) bytes exceeds \(frameMax)")
    }
    try checkFields(of: message)
    var piece = message.pieces(contentMax: frameMax)[0]
    piece.isUnordered = true
    try await send(frames: [.messageEnd, .piece(piece)])
  }

  /// Puts the replies of another call here, behind what is in line; with `isLast`, as the end.
  func splice(_ call: Call, isUnordered: Bool, isLast: Bool) async throws {
    try await send(
      frames: [.messageEnd, .splice(call, isUnordered: isUnordered, isLast: isLast)])
  }

  func fail(at error: AgentError) async throws {
    try await send(frames: [.failure(error)])
  }

  private func frames(of message: Message) throws(AgentError) -> [Frame] {
    try checkFields(of: message)
    return message.pieces(contentMax: contentMax).map { .piece($0) }
  }

  /// A message's names and `ext` must fit a header.
  private func checkFields(of message: Message) throws(AgentError) {
    if !message.extText.isEmpty { _ = try FlatObject.checked(message.ext) }
    let names = message.type.escapedBytes + message.contentType.escapedBytes
    if names > Self.namesBytesMax {
      throw AgentError(.tooLarge, "type names of \(names) bytes exceed \(Self.namesBytesMax)")
    }
  }

  private static let namesBytesMax = 8_192

  private func send(frames: ArraySlice<Frame>) async throws {
    try Task.checkCancellation()
    let isSent = try state.withLock { state in
      if let error = state.error { throw error }
      guard frames.count == 1, state.line.isEmpty, state.permits(frames.first) else {
        return false
      }
      write(frames[frames.startIndex], &state)
      return true
    }
    if !isSent { try await sendInLine(frames) }
  }

  private func sendInLine(_ frames: ArraySlice<Frame>) async throws {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let refusal = state.withLock { state -> (any Error)? in
          if let error = state.error { return error }
          if Task.isCancelled { return CancellationError() }
          let waiting = Waiting(ticket: ticket, frames: frames, then: .resume(continuation))
          state.line.append(waiting)
          return nil
        }
        if let refusal {
          continuation.resume(throwing: refusal)
        } else {
          pump()
        }
      }
    } onCancel: {
      leave(ticket)
    }
  }

  private func leave(_ ticket: UInt64) {
    let waiting = state.withLock { state -> Waiting? in
      guard let index = state.line.firstIndex(where: { $0.ticket == ticket }) else { return nil }
      return state.line.remove(at: index)
    }
    waiting?.then.fail(CancellationError())
    pump()
  }

  /// Writes what the credit permits, in line.
  private func pump() {
    let sent = state.withLock { state in
      var sent: [Then] = []
      while let next = state.line.first, state.permits(next.frames.first) {
        if !next.frames.isEmpty { write(state.line[0].frames.removeFirst(), &state) }
        if state.line[0].frames.isEmpty { sent.append(state.line.removeFirst().then) }
      }
      return sent
    }
    for then in sent { then.succeed() }
  }

  private func write(_ frame: Frame, _ state: inout State) {
    switch frame {
    case .failure:
      state.hasOpenMessage = false
      state.creditBytes -= Limits.frameCostBytes
      write(frame)
    case .splice: write(frame)
    case .messageEnd: if state.hasOpenMessage { write(.piece(Piece([])), &state) }
    case .piece(var piece):
      if state.hasOpenMessage {
        // Only a message's first frame has its fields.
        piece.type = ""
        piece.contentType = ""
        piece.ext = []
      }
      state.hasOpenMessage = piece.isPart
      state.creditBytes -= piece.cost
      write(.piece(piece))
    }
  }

  // MARK: - What the receiver says

  /// The receiver permits this many more bytes.
  public func grant(_ bytes: Int) {
    state.withLock { $0.creditBytes += bytes }
    pump()
  }

  /// Nothing more can be sent, for this reason; whoever waits to send is told.
  public func close(_ error: AgentError) {
    let line = state.withLock { state in
      if state.error == nil { state.error = error }
      defer { state.line = [] }
      return state.line
    }
    for waiting in line { waiting.then.fail(error) }
  }
}
