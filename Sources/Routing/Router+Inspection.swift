public import Discovery
internal import Wire

/// One session, as it is shown.
public struct SessionView {
  public enum State: String, Sendable {
    case running, waiting, idle, paused, closing
  }

  /// `name:session`; good until the router's next event, as the other bytes of views are.
  public let address: UnsafeRawBufferPointer
  public let agent: UnsafeRawBufferPointer
  /// The host's connection; empty while it has none.
  public let connection: String
  public let state: State
  /// Calls with its host, and in its mailbox.
  public let running: Int
  public let waiting: Int
  /// Since something of it ran or waited last; 0 while it does.
  public let idleMs: UInt64
  public let ageMs: UInt64
}

/// One call, as it is shown.
public struct CallView {
  public enum State: String, Sendable {
    case waiting, running, cancelled
  }

  /// The router's number of it, which another call gets when this one has ended.
  public let number: Int
  public let to: UnsafeRawBufferPointer
  public let from: UnsafeRawBufferPointer
  public let type: UnsafeRawBufferPointer
  /// Connections; empty when there is none (any more, or yet).
  public let caller: String
  public let host: String
  public let state: State
  public let ageMs: UInt64
  /// What is left; 0: for ever.
  public let timeoutMs: UInt64
}

/// One agent's counts, as they are shown.
public struct AgentView {
  public let name: UnsafeRawBufferPointer
  public let replicas: Int
  /// Messages in its line and its sessions' mailboxes.
  public let waiting: Int
  public let metrics: AgentMetrics
}

/// A topic or pattern that somebody subscribes to, as it is shown.
public struct TopicView {
  /// Good until the router's next event.
  public let topic: UnsafeRawBufferPointer
  public let subscriptions: Int
  /// Messages that matched it since it was first subscribed to.
  public let published: UInt64
}

/// One subscription, as it is shown.
public struct SubscriptionView {
  public let topic: UnsafeRawBufferPointer
  /// The agent that it feeds; empty when the connection reads.
  public let agent: UnsafeRawBufferPointer
  public let connection: String
  /// What the connection still permits, and the messages that wait for it to permit more.
  public let window: Int
  public let waiting: Int
  public let delivered: UInt64
  public let dropped: UInt64
  public let ageMs: UInt64
}

/// What the sidecar's own agents may see of the router. None of it is for the hot path.
extension Router {
  /// Connections of clients.
  public var clientCount: Int {
    connections.indices().count { connections.at($0).pointee.principal != .sidecar }
  }

  public var sessionCount: Int { sessions.count }

  /// The agents that are not the sidecar's own and have replicas or calls, in the order of their
  /// numbers.
  public func forEachAgent(_ body: (AgentView) -> Void) {
    for (index, state) in agents.enumerated() where !state.isSystem {
      let agent = AgentIndex(index)
      let replicas = registry.replicaCount(of: agent)
      guard replicas > 0 || state.metrics.open > 0 else { continue }
      var waiting = state.line.count
      for place in 0..<replicas {
        waiting += Int(self.replicas.at(registry.replica(of: agent, at: place)).pointee.waiting)
      }
      body(
        AgentView(
          name: registry.name(of: agent), replicas: replicas, waiting: waiting,
          metrics: state.metrics))
    }
  }

  // MARK: Sessions

  public func session(_ address: UnsafeRawBufferPointer) -> SessionView? {
    sessionTable.find(address).map(view(ofSession:))
  }

  /// The first `limit` sessions behind the address `after`, by the bytes of their addresses, and
  /// whether there are more.
  ///
  /// Sessions are in no order, for the sake of calls; this looks at each of them once.
  public func sessions(
    of agent: AgentIndex?, after: UnsafeRawBufferPointer, limit: Int
  ) -> (views: [SessionView], more: Bool) {
    var first = FirstFew(limit) { [unowned self] one, other in
      Registry.precedes(sessions.at(one).pointee.address, sessions.at(other).pointee.address)
    }
    sessions.forEach { index, session in
      if let agent, session.pointee.agent != agent { return }
      if Registry.precedes(after, session.pointee.address) { first.offer(index) }
    }
    return (first.sorted.map(view(ofSession:)), first.hasMore)
  }

  private func view(ofSession index: SessionIndex) -> SessionView {
    let session = sessions.at(index).pointee
    let isBusy = session.running > 0 || session.mailbox.count > 0 || session.isPaused
    let state: SessionView.State =
      if session.state == .closing {
        .closing
      } else if session.running > 0 {
        .running
      } else if session.isPaused {
        .paused
      } else if session.mailbox.count > 0 {
        .waiting
      } else {
        .idle
      }
    return SessionView(
      address: session.address, agent: registry.name(of: session.agent),
      connection: session.replica < 0
        ? "" : name(of: replicas.at(session.replica).pointee.connection),
      state: state, running: Int(session.running), waiting: session.mailbox.count,
      idleMs: isBusy ? 0 : now - min(session.lastUsed, now),
      ageMs: now - min(session.created, now))
  }

  // MARK: Calls

  /// At most `limit` calls to agents that are not the sidecar's own, and whether there are more.
  public func calls(limit: Int) -> (views: [CallView], more: Bool) {
    calls(limit: limit) { _ in true }
  }

  /// The calls of one session, waiting and running.
  public func calls(ofSession address: UnsafeRawBufferPointer) -> [CallView] {
    guard let session = sessionTable.find(address) else { return [] }
    return calls(limit: .max) { $0.session == session }.views
  }

  private func calls(
    limit: Int, where isWanted: (Call) -> Bool
  ) -> (views: [CallView], more: Bool) {
    var views: [CallView] = []
    var more = false
    calls.forEach { index, call in
      // A refusal that is held is no call, and what reads a run is none of its own.
      let agent = call.pointee.agent
      guard !more, agent >= 0, !agents[Int(agent)].isSystem, isWanted(call.pointee) else { return }
      if views.count < limit { views.append(view(ofCall: index)) } else { more = true }
    }
    return (views, more)
  }

  private func view(ofCall index: CallIndex) -> CallView {
    let call = calls.at(index).pointee
    let state: CallView.State =
      switch call.state {
      case .lazy, .waiting: .waiting
      case .running, .delivering, .reading: .running
      case .abandoned: .cancelled
      }
    let openedMs = call.opened / 1000
    let caller = call.run < 0 ? call.caller : inputSource(of: call.run).connection
    return CallView(
      number: Int(index), to: address(of: index),
      from: call.parent >= 0 ? address(of: call.parent) : words.bytes(of: call.from),
      type: words.bytes(of: call.type),
      caller: caller >= 0 ? name(of: caller) : "",
      host: call.host >= 0 ? name(of: call.host) : "",
      state: state, ageMs: nowMicros / 1000 - min(openedMs, nowMicros / 1000),
      timeoutMs: call.deadline == 0 ? 0 : max(call.deadline, now + 1) - now)
  }
}
