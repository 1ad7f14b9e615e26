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
      // A last reply and the end of its call that come together are one frame.
      if case .reply(let id, .piece(let piece)) = commands[index], index + 1 < commands.count,
        case .finish(id, nil) = commands[index + 1], piece.isMessage, hosted[id] != nil
      {
        machine.write(piece, on: id, end: true)
        forget(id)
        index += 2
      } else {
        perform(commands[index])
        index += 1
      }
    }
    if !frames.out.isEmpty { frames.setNeedsFlush() }
  }

  private func perform(_ command: Command) {
    switch command {
    case .call(let call, let ends): open(call, ends)
    case .send(let call, let answer): send(call, answer)
    case .register(let agent, let answer): register(agent, answer)
    case .publish(let publication, let answer): publish(publication, answer)
    case .subscribe(let reader, let lane, let answer): subscribe(reader, lane, answer)
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
    case .call(_, let ends):
      ends.outlet?.close(error)
      ends.inbox.finish(error)
    case .send(_, let answer), .publish(_, let answer): answer?.give(error)
    case .register(_, let answer), .ping(let answer), .subscribe(_, _, let answer):
      answer.give(error)
    case .cancel, .input, .endInput, .consumedReplies, .reply, .consumedInput, .finish, .closed,
      .leave:
      break
    }
  }

  private func open(_ call: OutgoingCall, _ ends: OwnEnds) {
    do {
      let id = try machine.open(call)
      ends.lane.id = id
      var overdueMs = Self.never
      if let timeoutMs = call.timeoutMs, timeoutMs > 0 {
        overdueMs = LoopClock.turnMs &+ timeoutMs &+ Self.overdueMs
        startTicking()
      }
      calls[id] = OwnCall(ends: ends, overdueMs: overdueMs)
    } catch {
      ends.outlet?.close(AgentError(error))
      ends.inbox.finish(AgentError(error))
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
    }
  }
}

extension Piece {
  /// Whether it still is a message with `end` on it.
  fileprivate var isMessage: Bool {
    !content.isEmpty || !type.isEmpty || !contentType.isEmpty
  }
}
