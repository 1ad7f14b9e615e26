internal import Connections
internal import EventLoop
internal import Hosting
internal import Wire

/// A call that an agent here is handling.
struct HostedRun {
  let inbox: Inbox?
  let outlet: Outlet
  let task: Task<Void, Never>
  let host: AgentHost
  let place: AgentHost.Place
  let context: AgentContext
}

/// The calls that come to this link's agents.
extension Link {
  func host(_ call: IncomingCall) {
    let name = String(call.to.prefix { $0 != ":" })
    guard let host = agents.host(named: name), let caller = agents.caller else {
      var failure = ClientFailure(.unknownAgent, "no agent '\(name)' is registered here")
      failure.retry = true
      machine.fail(call.id, failure)
      return
    }
    let id = call.id
    let mailbox = mailbox
    let inbox = call.hasInput ? Self.inputInbox(call, mailbox) : nil
    let partMax = min(machine.maxContent, Limits.messageBytesAdvised)
    let outlet = Outlet(
      creditBytes: call.windowBytes, contentMax: partMax, frameMax: machine.maxContent
    ) { mailbox.post(.reply(id, $0)) }
    let context = AgentContext(
      address: call.to, from: call.from, trace: call.trace, ext: FlatObject.values(call.ext),
      deadline: call.timeoutMs.map { .now + .milliseconds($0) }, caller: caller, callID: id,
      generation: generation)
    let message = call.first.map { Message($0) }
    let request = Request(
      address: call.to, type: call.type, message: message,
      input: InputMessages(first: message, inbox: inbox), isNew: call.isNew,
      isOneway: call.isOneway, observes: call.observes, topic: call.topic, source: call.source)
    let place = host.place(for: request)
    let task = Task.detached {
      let reply = ReplyStream(outlet)
      let error = await host.run(request, at: place, reply: reply, in: context)
      if error == nil { try? await reply.endMessage() }
      outlet.close(AgentError(.cancelled, "the call is over"))
      mailbox.post(.finish(id, error))
    }
    context.begin { task.cancel() }
    hosted[id] = HostedRun(
      inbox: inbox, outlet: outlet, task: task, host: host, place: place, context: context)
  }

  private static func inputInbox(_ call: IncomingCall, _ mailbox: Mailbox) -> Inbox {
    let id = call.id
    let threshold = ClientConnection.grantBytes(window: Limits.windowBytesDefault)
    // The first message is in the agent's hands.
    return Inbox(thresholdBytes: threshold, consumedBytes: call.first?.cost ?? 0) {
      mailbox.post(.consumedInput(id, $0))
    }
  }

  func cancelHosted(_ id: UInt64, _ reason: String) {
    guard let run = hosted[id] else { return }
    let error = AgentError(.cancelled, reason: reason, "the call was cancelled")
    run.task.cancel()
    run.outlet.close(error)
    run.inbox?.finish(error)
  }

  func finish(_ id: UInt64, _ error: AgentError?) {
    if let error { machine.fail(id, ClientFailure(error)) } else { machine.end(id) }
    forget(id)
  }

  func forget(_ id: UInt64) {
    hosted.removeValue(forKey: id)?.inbox?.finish()
  }

  /// The instance goes when its calls have, which the sidecar has seen to.
  func closeSession(_ id: UInt64, _ address: String, _ reason: String) {
    let (name, session) = Request.split(address)
    let mailbox = mailbox
    let hosts = agents.hosts(named: name)
    guard let session, !hosts.isEmpty else {
      machine.closed(id)
      return
    }
    let agents = agents
    let instances = hosts.map { $0.takeInstance(of: session) }
    Task.detached {
      for gone in instances { await gone.free(CloseReason(word: reason)) }
      mailbox.post(.closed(id))
      agents.forgetIdle(name)
    }
  }

  /// A registration is over, as was wanted (`cancelled`) or not. Its sessions are closed by the
  /// sidecar, each when its calls have ended.
  func registrationEnded(_ agent: RegisteredAgent, _ error: AgentError?) {
    agents.retire(agent)
    agent.end(error?.code == .cancelled ? nil : error)
    let runs = hosted.values.filter { $0.host === agent.host }.map(\.task)
    let agents = agents
    Task.detached {
      for run in runs { await run.value }
      await agent.host.closeShared(.shutdown)
      agents.forgetIdle(agent.name)
    }
  }

  /// The calls being handled here.
  var runs: [Task<Void, Never>] { hosted.values.map(\.task) }

  /// The connection is gone: handlers are cancelled, and instances freed once these have ended.
  func abandonHosted() {
    let runs = hosted.values.map(\.task)
    let agents = agents
    hosted = [:]
    for host in agents.hosts {
      let instances = host.takeInstances()
      Task.detached {
        for run in runs { await run.value }
        await instances.free(.connectionLost)
        agents.forgetIdle()
      }
    }
  }
}
