internal import Discovery
public import Wire

/// Signals: messages on the control lane, which overtake mailboxes and windows. Whom they concern
/// and who may send them; how they are given to hosts is in `Router+GivenSignals`.
extension Router {
  /// Whom or what a signal is about.
  private enum Subject {
    case call(CallIndex)
    case session(SessionIndex)
    case agent(AgentIndex)
  }

  func receiveSignal(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content
  ) -> ConnectionFault? {
    if let call = header[.call], let fault = checkOpened(connection, call) { return fault }
    let id = header[.id]
    if let id, let fault = claim(connection, id) { return fault }
    metrics.signals.total &+= 1
    guard let failure = signal(connection, id, header, content) else { return nil }
    metrics.signals.lost &+= 1
    // Without an id only what is malformed is answered, to nobody in particular.
    if id != nil || failure.reason == .missingField || failure.reason == .badField {
      refuse(connection, id, failure)
    }
    return nil
  }

  /// Does what a signal asks for, or says why it cannot be. What goes to hosts is answered by them.
  private func signal(
    _ connection: ConnectionIndex, _ id: UInt64?, _ header: Header, _ content: Content
  ) -> Failure? {
    if let failure = checkSignal(header, content) { return failure }
    guard let kind = SignalKind(header[.name]) else {
      return Failure(
        .badSignal,
        "\"\(header[.name].text)\" is no signal: cancel, interrupt, pause, resume, or two and more"
          + " segments joined by dots")
    }
    if id != nil, let failure = tooManyIDs(connection) { return failure }
    let parent: CallIndex
    switch origin(connection, header) {
    case .success(let found): parent = found
    case .failure(let failure): return failure.failure
    }
    let subject: Subject
    switch self.subject(connection, header) {
    case .success(let found): subject = found
    case .failure(let failure): return failure.failure
    }
    let frame = SignalFrame(
      header: header, content: content, from: parent >= 0 ? address(of: parent) : header[.from])
    switch kind {
    case .cancel: return cancel(subject, connection, id)
    case .pause, .resume: return setPaused(subject, kind == .pause, connection, id)
    case .interrupt: return interrupt(subject, connection, id, frame)
    case .own: return giveOwn(subject, connection, id, frame)
    }
  }

  private func checkSignal(_ header: Header, _ content: Content) -> Failure? {
    guard header.has(.name) else { return missing("name", header) }
    let named = [header.has(.to), header.has(.call), header.has(.run)].count { $0 }
    guard named > 0 else { return missing("to", header) }
    guard named == 1 else {
      return Failure(
        .badField, "signal: only one of \"to\", \"call\" and \"run\" says whom it concerns",
        detail: ("field", .text("to")))
    }
    guard content.count <= Limits.signalBytesMax else {
      return Failure(
        .tooLarge, "a signal of \(content.count) bytes exceeds \(Limits.signalBytesMax)")
    }
    return nil
  }

  // MARK: Whom it concerns

  private func subject(
    _ connection: ConnectionIndex, _ header: Header
  ) -> Result<Subject, FailureError> {
    if let call = header[.call] { return subject(ofCall: call, connection) }
    if header.has(.run) { return subject(ofRun: header[.run], connection) }
    return subject(of: header[.to])
  }

  /// A call that this connection opened and that has not ended [SIG-1, SIG-12].
  private func subject(
    ofCall id: UInt64, _ connection: ConnectionIndex
  ) -> Result<Subject, FailureError> {
    guard let entry = connections.at(connection).pointee.ids.find(id) else {
      return .failure(FailureError(failure: notRunning("the call \(id) has ended")))
    }
    guard entry.kind == .made else {
      return .failure(
        FailureError(
          failure: Failure(
            .badField, "\(id) is no call that this connection has opened",
            detail: ("field", .text("call")))))
    }
    return .success(.call(entry.index))
  }

  /// The call of a run of this connection's principal.
  private func subject(
    ofRun run: UnsafeRawBufferPointer, _ connection: ConnectionIndex
  ) -> Result<Subject, FailureError> {
    switch lookUpRun(run, of: connections.at(connection).pointee.principal) {
    case .unknown:
      .failure(FailureError(failure: Failure(.unknownRun, "no run \"\(run.text)\"")))
    case .ended:
      .failure(FailureError(failure: notRunning("the run \"\(run.text)\" has ended")))
    case .open(let root): .success(.call(root))
    }
  }

  /// A session that is there, or an agent that somebody hosts [SIG-3].
  private func subject(of to: UnsafeRawBufferPointer) -> Result<Subject, FailureError> {
    func refused(_ failure: Failure) -> Result<Subject, FailureError> {
      .failure(FailureError(failure: failure))
    }
    if let session = sessionTable.find(to) { return .success(.session(session)) }
    guard let address = Address(to) else {
      return refused(
        Failure(
          .badAddress, "\"\(to.text)\" is no address: name or name:session",
          detail: ("field", .text("to"))))
    }
    if Address.isReserved(address.name) {
      return refused(
        Failure(
          .reservedName, "\"\(address.name.text)\" is the sidecar's own and takes no signals"))
    }
    guard let agent = registry.find(address.name) else {
      return refused(Failure(.unknownAgent, "no agent \"\(address.name.text)\""))
    }
    guard address.session == nil else {
      return refused(Failure(.unknownSession, "no session \"\(to.text)\""))
    }
    guard registry.replicaCount(of: agent) > 0 else { return refused(noReplica(agent)) }
    return .success(.agent(agent))
  }

  // MARK: What the sidecar does itself

  private func cancel(
    _ subject: Subject, _ connection: ConnectionIndex, _ id: UInt64?
  ) -> Failure? {
    switch subject {
    case .call(let call): cancelMade(call)
    case .session(let session):
      guard maySteer(sessions.at(session).pointee.agent, connection) else {
        return notPermitted(subject)
      }
      deleteSession(session)
    case .agent: return sessionNeeded(subject)
    }
    acknowledge(connection, id)
    return nil
  }

  private func setPaused(
    _ subject: Subject, _ isPaused: Bool, _ connection: ConnectionIndex, _ id: UInt64?
  ) -> Failure? {
    guard case .session(let session) = subject else { return sessionNeeded(subject) }
    guard maySteer(sessions.at(session).pointee.agent, connection) else {
      return notPermitted(subject)
    }
    if isPaused { pause(session) } else { resume(session) }
    acknowledge(connection, id)
    return nil
  }

  // MARK: What hosts do

  private func interrupt(
    _ subject: Subject, _ connection: ConnectionIndex, _ id: UInt64?, _ frame: SignalFrame
  ) -> Failure? {
    let concerned: [CallIndex]
    switch subject {
    case .call(let call): concerned = runningCall(call).map { [$0] } ?? []
    case .session(let session):
      let running = runningCalls(of: session)
      let mayAll = maySteer(sessions.at(session).pointee.agent, connection)
      concerned = mayAll ? running : running.filter { isOwn($0, of: connection) }
      if concerned.isEmpty, !running.isEmpty { return notPermitted(subject) }
    case .agent: return sessionNeeded(subject)
    }
    guard !concerned.isEmpty else {
      return notRunning("nothing runs of \"\(word(for: subject))\" that can be interrupted")
    }
    give(frame, to: concerned.map { (calls.at($0).pointee.host, $0) }, connection, id)
    return nil
  }

  private func giveOwn(
    _ subject: Subject, _ connection: ConnectionIndex, _ id: UInt64?, _ frame: SignalFrame
  ) -> Failure? {
    switch subject {
    case .call(let call):
      guard let call = runningCall(call) else {
        return notRunning("no host has the call to \"\(word(for: subject))\"")
      }
      give(frame, to: [(calls.at(call).pointee.host, call)], connection, id)
    case .session(let index):
      let session = sessions.at(index)
      guard maySteer(session.pointee.agent, connection) else { return notPermitted(subject) }
      guard session.pointee.state == .live, !session.pointee.isNew else {
        return notRunning("\"\(word(for: subject))\" has no instance")
      }
      let host = replicas.at(session.pointee.replica).pointee.connection
      give(frame, to: [(host, -1)], connection, id)
    case .agent(let agent):
      guard maySteer(agent, connection) else { return notPermitted(subject) }
      let hosts = (0..<registry.replicaCount(of: agent)).map { place in
        (replicas.at(registry.replica(of: agent, at: place)).pointee.connection, CallIndex(-1))
      }
      give(frame, to: hosts, connection, id)
    }
    return nil
  }

  /// The call that a host has of what an id stands for: of a reader, that of the run; of one that
  /// was handed over, the one that works on it.
  private func runningCall(_ call: CallIndex) -> CallIndex? {
    let root = calls.at(call).pointee.reading < 0 ? call : openRoot(of: call)
    guard let root else { return nil }
    let worker = worker(of: root)
    return calls.at(worker).pointee.state == .running ? worker : nil
  }

  /// The calls of a session that its host has and that nobody has cancelled.
  private func runningCalls(of index: SessionIndex) -> [CallIndex] {
    let session = sessions.at(index)
    guard session.pointee.running > 0 else { return [] }
    let host = replicas.at(session.pointee.replica).pointee.connection
    return connections.at(host).pointee.ids.all().compactMap { entry in
      guard entry.kind == .hosted, calls.at(entry.index).pointee.session == index,
        calls.at(entry.index).pointee.state == .running
      else { return nil }
      return entry.index
    }
  }

  // MARK: Who may

  /// Whether a connection may steer an agent and its sessions: it speaks for who registered the
  /// agent, or for the operator [SIG-13].
  private func maySteer(_ agent: AgentIndex, _ connection: ConnectionIndex) -> Bool {
    maySteer(agent, connections.at(connection).pointee.principal)
  }

  private func maySteer(_ agent: AgentIndex, _ principal: Principal) -> Bool {
    isOperator(principal) || principal == registry.owner(of: agent)
  }

  /// Whether it is the sidecar's own user [SIG-13].
  public func isOperator(_ principal: Principal?) -> Bool {
    principal != nil && principal == operatorPrincipal
  }

  /// Whether a principal may end the session at an address; true also where there is none.
  public func mayDelete(_ address: UnsafeRawBufferPointer, _ principal: Principal) -> Bool {
    guard let session = sessionTable.find(address) else { return true }
    return maySteer(sessions.at(session).pointee.agent, principal)
  }

  /// Who has opened a call that a connection handles; nil when that is not known any more.
  public func principal(ofCall id: UInt64, at host: ConnectionIndex) -> Principal? {
    guard let entry = connections.at(host).pointee.ids.find(id), entry.kind == .hosted else {
      return nil
    }
    return opener(of: entry.index)
  }

  private func opener(of call: CallIndex) -> Principal? {
    let run = calls.at(call).pointee.run
    if run >= 0 { return runs.owner(of: run) }
    let (origin, serial) = (calls.at(call).pointee.origin, calls.at(call).pointee.originSerial)
    guard connections.isUsed(origin), connections.at(origin).pointee.serial == serial else {
      return nil
    }
    return connections.at(origin).pointee.principal
  }

  private func isOwn(_ call: CallIndex, of connection: ConnectionIndex) -> Bool {
    opener(of: call) == connections.at(connection).pointee.principal
  }

  // MARK: Answers

  private func acknowledge(_ connection: ConnectionIndex, _ id: UInt64?) {
    guard let id else { return }
    var writer = HeaderWriter(connections.at(connection).pointee.out, "ok", id: id)
    writer.finish()
    markDirty(connection)
  }

  private func word(for subject: Subject) -> String {
    switch subject {
    case .call(let call) where calls.at(call).pointee.reading >= 0: addressOfRun(call).text
    case .call(let call): address(of: call).text
    case .session(let session): sessions.at(session).pointee.address.text
    case .agent(let agent): registry.name(of: agent).text
    }
  }

  private func notRunning(_ message: String) -> Failure { Failure(.notRunning, message) }

  private func notPermitted(_ subject: Subject) -> Failure {
    Failure(.notPermitted, "\"\(word(for: subject))\" belongs to another principal")
  }

  private func sessionNeeded(_ subject: Subject) -> Failure {
    Failure(
      .sessionNeeded, "\"\(word(for: subject))\" is not the address of a session: name:session")
  }
}
