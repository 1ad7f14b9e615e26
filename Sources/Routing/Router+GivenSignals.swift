internal import Discovery
internal import Wire

/// A signal's frame, as it goes to each host.
struct SignalFrame {
  let header: Header
  let content: Content
  let from: UnsafeRawBufferPointer
}

/// Signals at their hosts: given at once, whatever waits, and answered by each host; the sender is
/// answered when all have [SIG-9 to SIG-11].
extension Router {
  /// How a host, or what became of it, has answered a signal.
  enum SignalAnswer {
    case ok
    /// An `error`, passed on as the host gave it.
    case error(Header)
    case failed(Failure)
  }

  /// Gives a signal to hosts, each with the call that it is about, or -1. Who cannot get it does
  /// not keep the others from it.
  func give(
    _ frame: SignalFrame, to hosts: [(host: ConnectionIndex, call: CallIndex)],
    _ connection: ConnectionIndex, _ id: UInt64?
  ) {
    let index = signals.insert(Signal(sender: id == nil ? -1 : connection, senderID: id ?? 0))
    if let id { connections.at(connection).pointee.ids.insert(id, .signal, index) }
    var frame = frame
    if hosts.count > 1, frame.content.block == nil, frame.content.count > OutBuffer.copiedMax {
      // Many refer to it: it is copied once.
      frame = SignalFrame(
        header: frame.header, content: Content(ContentBlock(copying: frame.content.bytes)),
        from: frame.from)
    }
    var answer = SignalAnswer.ok
    for (host, call) in hosts {
      if let failure = refusal(of: host) {
        if case .ok = answer { answer = .failed(failure) }
      } else {
        write(frame, index, to: host, about: call)
      }
    }
    settle(index, answer)
  }

  /// Why a host can be given no signal now [SIG-9, SIG-10].
  private func refusal(of host: ConnectionIndex) -> Failure? {
    let state = connections.at(host)
    guard state.pointee.features.contains(.signals) else {
      return Failure(.noSignals, "the host \"\(state.pointee.name)\" takes no signals")
    }
    guard state.pointee.givenSignals.count < Limits.signalsUnansweredMax, !isCongested(host) else {
      return Failure(
        .tooManySignals, "the host \"\(state.pointee.name)\" has enough to answer", mayRetry: true)
    }
    return nil
  }

  private func write(
    _ frame: SignalFrame, _ index: SignalIndex, to host: ConnectionIndex, about call: CallIndex
  ) {
    let id = giveID(host)
    let given = givenSignals.insert(GivenSignal(signal: index, host: host, id: id, call: call))
    signals.at(index).pointee.unanswered += 1
    let state = connections.at(host)
    state.pointee.ids.insert(id, .givenSignal, given)
    state.pointee.givenIDs += 1
    state.pointee.givenSignals.append(given)
    var writer = HeaderWriter(state.pointee.out, "signal", id: id)
    if call >= 0 {
      writer.integer("call", calls.at(call).pointee.hostID)
    } else {
      writer.string("to", frame.header[.to])
    }
    writer.string("name", frame.header[.name])
    if frame.from.count > 0 { writer.string("from", frame.from) }
    if frame.header.has(.contentType) {
      writer.string("content_type", frame.header[.contentType])
    }
    writer.finish(frame.content)
    markDirty(host)
  }

  // MARK: Answers

  /// A host has answered a signal that it was given.
  func signalAnswered(_ given: Int32, _ answer: SignalAnswer) {
    let signal = givenSignals.at(given).pointee.signal
    forget(given)
    if signal >= 0 { settle(signal, answer) }
  }

  private func forget(_ given: Int32) {
    let record = givenSignals.at(given).pointee
    let state = connections.at(record.host)
    state.pointee.ids.remove(record.id)
    state.pointee.givenIDs -= 1
    state.pointee.givenSignals.removeAll { $0 == given }
    givenSignals.remove(given)
  }

  /// One of those who have to answer a signal has: the first error is its answer, or the last `ok`.
  private func settle(_ index: SignalIndex, _ answer: SignalAnswer) {
    let signal = signals.at(index)
    signal.pointee.unanswered -= 1
    if case .ok = answer {
      if signal.pointee.unanswered == 0 { self.answer(index, .ok) }
    } else {
      if !signal.pointee.hasFailed { metrics.signals.lost &+= 1 }
      signal.pointee.hasFailed = true
      self.answer(index, answer)
    }
    if signal.pointee.unanswered == 0 { signals.remove(index) }
  }

  /// Tells the sender, if it waits still.
  private func answer(_ index: SignalIndex, _ answer: SignalAnswer) {
    let (sender, id) = (signals.at(index).pointee.sender, signals.at(index).pointee.senderID)
    guard sender >= 0 else { return }
    leaveSender(index)
    switch answer {
    case .ok:
      var writer = HeaderWriter(connections.at(sender).pointee.out, "ok", id: id)
      writer.finish()
    case .error(let header):
      var writer = HeaderWriter(connections.at(sender).pointee.out, "error", id: id)
      Self.writeError(&writer, header)
      Self.writeEnd(&writer, isError: true, isLast: true, mayRetry: header[.retry])
      writer.finish()
    case .failed(let failure): refuse(sender, id, failure)
    }
    markDirty(sender)
  }

  /// Nobody waits for the answer to a signal any more; it stays given.
  func leaveSender(_ index: SignalIndex) {
    let signal = signals.at(index)
    guard signal.pointee.sender >= 0 else { return }
    connections.at(signal.pointee.sender).pointee.ids.remove(signal.pointee.senderID)
    signal.pointee.sender = -1
  }

  /// The sender of a signal no longer wants to know, or has said what cannot be read of it.
  func endSignal(_ index: SignalIndex, _ failure: Failure) {
    let signal = signals.at(index)
    refuse(signal.pointee.sender, signal.pointee.senderID, failure)
    leaveSender(index)
  }

  // MARK: What ends

  /// A host has ended a call: what it was signalled of it has met its end, which counts as `ok`.
  /// The host has still to answer.
  func signalsMetEnd(of call: CallIndex, at host: ConnectionIndex) {
    for given in connections.at(host).pointee.givenSignals
    where givenSignals.at(given).pointee.call == call {
      let signal = givenSignals.at(given).pointee.signal
      givenSignals.at(given).pointee.call = -1
      givenSignals.at(given).pointee.signal = -1
      settle(signal, .ok)
    }
  }

  /// A connection is gone, and with it the answers that it owed.
  func loseGivenSignals(of connection: ConnectionIndex) {
    let lost = Failure(.hostLost, "the host was lost before it answered the signal")
    while let given = connections.at(connection).pointee.givenSignals.first {
      signalAnswered(given, .failed(lost))
    }
  }

  /// Ends the signals whose hosts have not answered in time for the sidecar's end.
  func endSignals(_ failure: Failure) {
    for index in signals.indices() where signals.at(index).pointee.sender >= 0 {
      endSignal(index, failure)
    }
  }
}
