internal import Connections
public import Hosting
internal import Wire

/// The two ways in which everything is asked; the verbs stand on them.
extension Client: Caller {
  public func open(
    _ to: String, _ message: Message?, options: CallOptions
  ) async throws -> Call {
    let link = try await link(within: options.timeout, for: parent(options))
    let mailbox = link.mailbox
    var call = OutgoingCall(to: to, first: try message.map { try Self.piece(of: $0) })
    try inherit(options, into: &call, link)
    call.hasInput = options.hasInput
    call.isLazy = options.isLazy
    call.windowBytes = options.windowBytes
    let lane = Lane()
    let threshold = ClientConnection.grantBytes(
      window: options.windowBytes ?? Limits.windowBytesDefault)
    // A lazy call starts with the credit that its first reader gives.
    let inbox = Inbox(
      thresholdBytes: threshold,
      openingBytes: options.isLazy ? options.windowBytes ?? Limits.windowBytesDefault : 0
    ) { mailbox.post(.consumedReplies(lane, $0)) }
    let outlet = options.hasInput ? Self.outlet(call, lane, link) : nil
    let ends = OwnEnds(lane: lane, inbox: inbox, outlet: outlet)
    guard mailbox.post(.call(call, ends)) else { throw Self.lost }
    return Call(
      address: to, inbox: inbox, outlet: outlet, endInput: { mailbox.post(.endInput(lane)) },
      cancel: { mailbox.post(.cancel(lane)) })
  }

  public func send(
    _ to: String, _ message: Message, options: CallOptions, observes: Bool, acknowledged: Bool
  ) async throws {
    let link = try await link(
      within: options.timeout ?? Self.defaultTimeout, for: parent(options))
    var call = OutgoingCall(to: to, first: try Self.piece(of: message))
    try inherit(options, into: &call, link)
    call.observes = observes
    let answer = acknowledged ? Answer() : nil
    guard link.mailbox.post(.send(call, answer)) else { throw Self.lost }
    do {
      try await answer?.value()
    } catch var error as AgentError {
      error.address = to
      throw error
    }
  }

  /// The call of this client's that the running task handles, if there is one.
  private func parent(_ options: CallOptions) -> AgentContext? {
    guard !options.isIndependent, let context = AgentContext.current,
      let caller = context.caller as? Client, caller === self
    else { return nil }
    return context
  }

  /// What a call takes over from the one that it is made for.
  private func inherit(
    _ options: CallOptions, into call: inout OutgoingCall, _ link: Link
  ) throws(AgentError) {
    call.from = options.from
    call.trace = options.trace
    call.isDetached = options.isDetached
    if let timeout = options.timeout { call.timeoutMs = timeout.milliseconds }
    var ext = options.ext
    if let first = call.first, !first.ext.isEmpty {
      ext.merge(FlatObject.values(first.ext)) { option, _ in option }
    }
    if !options.isIndependent, let context = AgentContext.current {
      ext.merge(context.ext) { own, _ in own }
      if call.trace.isEmpty { call.trace = context.trace }
      // Ids are a connection's own: an agent of another client has no parent here.
      if parent(options) != nil {
        guard context.generation == link.generation else {
          throw AgentError(.parentEnded, "the call that this one serves has lost its connection")
        }
        call.parent = context.callID
      }
    }
    call.ext = FlatObject.text(ext)
  }

  private static func piece(of message: Message) throws(AgentError) -> Piece {
    Piece(
      message.content, type: message.type,
      contentType: message.contentType == Message.jsonType ? "" : message.contentType,
      ext: message.extText)
  }

  private static func outlet(_ call: OutgoingCall, _ lane: Lane, _ link: Link) -> Outlet {
    let mailbox = link.mailbox
    let credit = Limits.windowBytesDefault - (call.first?.cost ?? 0)
    return Outlet(creditBytes: credit, contentMax: link.contentBytesMax) { frame in
      // Errors at a position travel from agents to callers only.
      if case .piece(let piece) = frame { mailbox.post(.input(lane, piece)) }
    }
  }
}

extension Duration {
  /// Whole milliseconds, rounded up, at least 1.
  var milliseconds: UInt64 {
    let (seconds, attoseconds) = components
    if seconds < 0 { return 1 }
    let rounded = (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    return max(1, UInt64(min(seconds, 9_000_000_000_000)) * 1_000 + UInt64(max(0, rounded)))
  }
}
