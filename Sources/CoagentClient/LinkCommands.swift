internal import Connections
internal import EventLoop
internal import Hosting
internal import Transports
internal import Wire

/// What tasks ask of a link, done on the loop in the order in which they asked.
extension Link {
  func perform() {
    let commands = mailbox.take()
    var index = 0
    while index < commands.count {
      guard case .reply(let id, .piece(let piece)) = commands[index], piece.isMessage,
        let end = Self.end(of: id, in: commands, after: index), hosted[id] != nil
      else {
        perform(commands[index])
        index += 1
        continue
      }
      // A last reply and the end of its call that come together are one frame.
      for command in commands[(index + 1)..<end] { perform(command) }
      machine.write(piece, on: id, end: true)
      forget(id)
      index = end + 1
    }
    if !frames.out.isEmpty { frames.setNeedsFlush() }
  }

  /// Where a hosted call ends well, if nothing comes before that but ends of what it has called.
  private static func end(of id: UInt64, in commands: [Command], after index: Int) -> Int? {
    for next in (index + 1)..<commands.count {
      switch commands[next] {
      case .finish(id, nil): return next
      case .cancel: continue
      default: return nil
      }
    }
    return nil
  }

  private func perform(_ command: Command) {
    switch command {
    case .call(let call, let ends, let reading): open(call, ends, reading)
    case .goOn(let cut): goOn(cut)
    case .send(let call, let answer): send(call, answer)
    case .register(let agent, let answer): register(agent, answer)
    case .publish(let publication, let answer): publish(publication, answer)
    case .subscribe(let reader, let lane, let answer): subscribe(reader, lane, answer)
    case .signal(let command, let answer): signal(command, answer)
    case .signalled(let key, let id, let error): signalGiven(key, id, error)
    case .cancel(let lane): machine.cancel(lane.id)
    case .input(let lane, let piece): machine.write(piece, on: lane.id)
    case .endInput(let lane): machine.end(lane.id)
    case .consumedReplies(let lane, let bytes): machine.consumed(bytes, on: lane.id)
    case .reply(let id, let frame): reply(id, frame)
    case .consumedInput(let id, let bytes): machine.consumed(bytes, on: id)
    case .finish(let id, let error): finish(id, error)
    case .closed(let id): machine.closed(id)
    case .ping(let answer):
      pings.append(answer)
      machine.ping()
    case .leave(let time): leave(within: time)
    }
  }

  /// Answers a command that comes too late.
  func refuse(_ command: Command, _ error: AgentError) {
    switch command {
    case .call(_, let ends, _):
      ends.outlet?.close(error)
      ends.inbox.finish(error)
      ends.written?.give(error)
    case .goOn(let cut): onCut(cut)
    case .send(_, let answer), .publish(_, let answer), .signal(_, let answer): answer?.give(error)
    case .register(_, let answer), .ping(let answer), .subscribe(_, _, let answer):
      answer.give(error)
    case .cancel, .signalled, .input, .endInput, .consumedReplies, .reply, .consumedInput, .finish,
      .closed,
      .leave:
      break
    }
  }

  func open(_ call: OutgoingCall, _ ends: OwnEnds, _ reading: RunReading?) {
    do {
      let id = try machine.open(call)
      ends.lane.id = id
      ends.written?.give(nil)
      if let reading { runReadings[id] = reading }
      var overdueMs = Self.never
      // What is held may come late: its place may be far behind.
      if let timeoutMs = call.timeoutMs, timeoutMs > 0, !call.isHeld {
        overdueMs = LoopClock.turnMs &+ timeoutMs &+ Self.overdueMs
        startTicking()
      }
      calls[id] = OwnCall(ends: ends, overdueMs: overdueMs)
    } catch {
      let error = AgentError(error)
      ends.outlet?.close(error)
      ends.inbox.finish(error)
      ends.written?.give(error)
    }
  }

  private func send(_ call: OutgoingCall, _ answer: Answer?) {
    do {
      let id = try machine.send(call, acknowledged: answer != nil)
      if let id { answers[id] = answer }
    } catch {
      answer?.give(AgentError(error))
    }
  }

  private func register(_ agent: RegisteredAgent, _ answer: Answer) {
    do {
      let id = try machine.register(agent.registration)
      let lane = Lane()
      lane.id = id
      agent.begin(on: lane)
      registrations[id] = agent
      answers[id] = answer
      feed(agent, registration: id)
    } catch {
      answer.give(AgentError(error))
    }
  }

  private func reply(_ id: UInt64, _ frame: Outlet.Frame) {
    switch frame {
    case .piece(let piece): machine.write(piece, on: id)
    case .failure(let error): machine.failAt(id, ClientFailure(error))
    case .splice(let call, let isUnordered, let isLast):
      splice(call, into: id, isUnordered: isUnordered, isLast: isLast)
    case .messageEnd: break
    }
  }
}

extension Piece {
  /// Whether it still is a message with `end` on it.
  fileprivate var isMessage: Bool {
    !content.isEmpty || !type.isEmpty || !contentType.isEmpty
  }
}
