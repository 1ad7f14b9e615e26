internal import Connections
internal import EventLoop
internal import Hosting
internal import Wire

/// Signals, as the loop writes and hears of them.
extension Link {
  func signal(_ command: SignalCommand, _ answer: Answer?) {
    let target: OutgoingSignal.Target =
      switch command.concerned {
      case .target(let target): target
      case .lane(let lane): .call(lane.id)
      }
    var signal = OutgoingSignal(target, name: command.name, payload: command.payload)
    signal.from = command.from
    signal.parent = command.parent
    do {
      guard let id = try machine.signal(signal, acknowledged: answer != nil) else { return }
      command.lane.id = id
      answers[id] = answer
    } catch {
      answer?.give(AgentError(error))
    }
  }

  // MARK: - Being signalled

  /// Gives a signal to whom it concerns, beside what runs there and behind those that came before.
  func signalled(_ signal: IncomingSignal) {
    if let call = signal.call {
      signalled(signal, about: call)
    } else {
      let (name, session) = Request.split(signal.to)
      guard let host = agents.host(named: name) else {
        let why = "no agent '\(name)' is registered here"
        return machine.answer(signal: signal.id, ClientFailure(.notRunning, why))
      }
      let given = Signal(signal, address: signal.to, nil)
      inLine(signal.to, signal.id) { await host.signal(given, session: session) }
    }
  }

  private func signalled(_ signal: IncomingSignal, about call: UInt64) {
    // Where it has ended here and its end is not written yet, nothing is left to reach.
    guard let run = hosted[call] else { return machine.answer(signal: signal.id, nil) }
    let given = Signal(signal, address: run.context.address, run.context)
    guard signal.name == "interrupt" else {
      return inLine("\(call)", signal.id) { await run.host.signal(at: run.place, given) }
    }
    machine.answer(signal: signal.id, nil)
    let mailbox = mailbox
    inLine("\(call)", nil) {
      if let error = await run.host.interrupt(at: run.place, given) {
        mailbox.post(.finish(call, error))
        run.task.cancel()
      }
      return nil
    }
  }

  /// Signals of one call, instance or agent are given one after another.
  private func inLine(
    _ key: String, _ id: UInt64?, _ give: @escaping @Sendable () async -> AgentError?
  ) {
    let last = signalLines[key]?.last
    let mailbox = mailbox
    let task = Task.detached {
      await last?.value
      mailbox.post(.signalled(key, id, await give()))
    }
    signalLines[key] = (task, (signalLines[key]?.count ?? 0) + 1)
  }

  /// A signal has been given; its answer is an error or none.
  func signalGiven(_ key: String, _ id: UInt64?, _ error: AgentError?) {
    if let line = signalLines[key] {
      signalLines[key] = line.count > 1 ? (line.last, line.count - 1) : nil
    }
    if let id { machine.answer(signal: id, error.map { ClientFailure($0) }) }
  }
}

extension Signal {
  fileprivate init(_ signal: IncomingSignal, address: String, _ context: AgentContext?) {
    self.init(
      name: signal.name, address: address, from: signal.from,
      message: signal.payload.map { Message($0) }, context: context)
  }
}
