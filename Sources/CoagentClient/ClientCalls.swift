internal import Connections
public import Hosting
internal import Wire

/// The ways in which everything is asked; the verbs stand on them, and on `publish`.
extension Client: Caller {
  public func open(
    _ to: String, _ message: Message?, options: CallOptions
  ) async throws -> Call {
    try await open(to, message, options: options, reading: reading(options))
  }

  /// - Parameter reading: how it goes on when its connection is lost; nil: it ends then.
  func open(
    _ to: String, _ message: Message?, options: CallOptions, reading: RunReading?
  ) async throws -> Call {
    let start = ContinuousClock.now
    let link = try await link(within: options.limit, for: parent(options))
    let mailbox = link.mailbox
    var options = options
    options.timeout = try Self.left(of: options.limit, since: start, to)
    var call = OutgoingCall(to: to, first: try message.map { try Self.piece(of: $0) })
    try inherit(options, into: &call, link)
    // What does not fit the call's own frame follows it in parts.
    let long = message.flatMap { $0.content.count > link.contentBytesMax ? $0 : nil }
    if long != nil { call.first?.content = [] }
    call.hasInput = options.hasInput || long != nil
    call.isLazy = options.isLazy
    call.isHeld = options.isHeld
    call.run = options.run
    call.windowBytes = options.windowBytes.map { min(max(1, $0), Limits.windowBytesMax) }
    let lane = Lane(mailbox)
    let windowBytes = call.windowBytes ?? Limits.windowBytesDefault
    // What is lazy starts, and what is held comes, with the credit that its first reader gives.
    let inbox = Inbox(
      thresholdBytes: ClientConnection.grantBytes(window: windowBytes),
      openingBytes: options.isLazy || options.isHeld ? windowBytes : 0
    ) { lane.post(.consumedReplies(lane, $0)) }
    let outlet = call.hasInput ? Self.outlet(call, lane, link) : nil
    let written = options.isHeld ? Answer() : nil
    let sent = options.isHeld && long != nil ? Answer() : nil
    let ends = OwnEnds(lane: lane, inbox: inbox, outlet: outlet, written: written, sent: sent)
    guard mailbox.post(.call(call, ends, reading)) else { throw Self.lost }
    let endInput: @Sendable () -> Void = { mailbox.post(.endInput(lane)) }
    let opened = Call(
      address: to, inbox: inbox, outlet: options.hasInput ? outlet : nil,
      hasInput: call.hasInput, carried: lane, sent: { try await sent?.value() },
      signal: { [weak self] name, payload in
        guard let self else { throw Self.lost }
        try await self.signal(lane, name, payload)
      },
      endInput: endInput, cancel: { lane.cancel() })
    if let long, let outlet {
      let isLast = !options.hasInput
      try outlet.post(long) {
        if isLast { endInput() }
        sent?.give(nil)
      }
    }
    if !options.isDetached { parent(options)?.made(opened) }
    try await written?.value()
    return opened
  }

  /// The time that is left for a call that had to wait for a connection.
  private static func left(
    of timeout: Duration?, since start: ContinuousClock.Instant, _ to: String
  ) throws(AgentError) -> Duration? {
    guard let timeout else { return nil }
    let left = timeout - (.now - start)
    if left <= .zero { throw AgentError(.deadline, "no answer came in time", address: to) }
    return left
  }

  public func send(
    _ to: String, _ message: Message, options: CallOptions, observes: Bool, acknowledged: Bool
  ) async throws {
    var repeats = Repeats()
    while true {
      do {
        return try await sendOnce(
          to, message, options: options, observes: observes, acknowledged: acknowledged)
      } catch var error as AgentError {
        error.address = to
        guard let pause = repeats.pause(after: error, atMost: options.repeatsMax) else {
          throw error
        }
        try await Task.sleep(for: pause)
      }
    }
  }

  private func sendOnce(
    _ to: String, _ message: Message, options: CallOptions, observes: Bool, acknowledged: Bool
  ) async throws {
    let time = options.limit ?? Self.defaultTimeout
    let link = try await link(within: time, for: parent(options))
    var call = OutgoingCall(to: to, first: try Self.piece(of: message))
    try inherit(options, into: &call, link)
    call.observes = observes
    let answer = acknowledged ? Answer() : nil
    guard link.mailbox.post(.send(call, answer)) else { throw Self.lost }
    guard let answer else { return }
    let alarm = Task {
      try await Task.sleep(for: time + .seconds(1))
      answer.give(AgentError(.deadline, "the message was not acknowledged in time"))
    }
    defer { alarm.cancel() }
    try await answer.value()
  }

  /// The call of this client's that the running task handles, if there is one.
  func parent(_ options: CallOptions) -> AgentContext? {
    guard !options.isIndependent, let context = AgentContext.current, !context.isOver,
      let caller = context.caller as? Client, caller === self
    else { return nil }
    return context
  }

  /// What a call takes over from the one that it is made for.
  func inherit(
    _ options: CallOptions, into call: inout OutgoingCall, _ link: Link
  ) throws(AgentError) {
    call.from = options.from
    call.trace = options.trace
    call.isDetached = options.isDetached
    if let timeout = options.limit { call.timeoutMs = timeout.milliseconds }
    var ext = options.ext
    if let first = call.first, !first.ext.isEmpty {
      ext.merge(FlatObject.values(first.ext)) { option, _ in option }
    }
    if !options.isIndependent, let context = AgentContext.current, !context.isOver {
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
    call.ext = try FlatObject.checked(ext)
  }

  static func piece(of message: Message) throws(AgentError) -> Piece {
    Piece(
      message.content, type: message.type,
      contentType: message.contentType == Message.jsonType ? "" : message.contentType,
      ext: message.extText)
  }

  private static func outlet(_ call: OutgoingCall, _ lane: Lane, _ link: Link) -> Outlet {
    let mailbox = link.mailbox
    let credit = Limits.windowBytesDefault - call.costBytes
    let partMax = min(link.contentBytesMax, Limits.messageBytesAdvised)
    return Outlet(creditBytes: credit, contentMax: partMax) { frame in
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
