internal import Discovery
internal import Wire

/// Hosts: registrations, and what follows when they or their connections go.
extension Router {
  func receiveRegister(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content
  ) -> ConnectionFault? {
    guard let id = header[.id] else {
      return refuseField(connection, header, .missingField, "id")
    }
    if let fault = claim(connection, id) { return fault }
    if let failure = register(connection, id, header, content) {
      refuse(connection, id, failure)
    }
    return nil
  }

  /// Makes a connection the host of a name, or says why it cannot be; in the order of REG-10.
  private func register(
    _ connection: ConnectionIndex, _ id: UInt64, _ header: Header, _ content: Content
  ) -> Failure? {
    guard header.has(.name) else {
      return Failure(
        .missingField, "register: field \"name\" is missing", detail: ("field", .text("name")))
    }
    let name = header[.name]
    guard Address.isName(name) else {
      return Failure(
        .badAddress,
        "\"\(name.text)\" is no name: segments of letters, digits, _ and -, joined by"
          + " dots, \(Limits.nameBytesMax) bytes at most", detail: ("field", .text("name")))
    }
    let size = content.count + header.length
    if size > limits.registrationBytesMax {
      return Failure(
        .tooLarge, "a registration of \(size) bytes exceeds \(limits.registrationBytesMax)")
    }
    let operations: [UInt8]
    do {
      operations = try Operations.check(content.bytes, bytesMax: limits.registrationBytesMax)
    } catch {
      return Failure(
        .badContent, "\(error.field) \(error.message)", detail: ("field", .text(error.field)))
    }
    let state = connections.at(connection)
    if let failure = refusal(connection, header) { return failure }

    let isSystem = state.pointee.principal == .sidecar
    let card = Card(
      description: header[.description], version: header[.version], labels: header[.labels],
      operations: operations, isSystem: isSystem)
    let agent = registry.intern(name)
    while agents.count <= Int(agent) { agents.append(AgentState()) }
    let replica = replicas.insert(makeReplica(agent, connection, id, header))
    state.pointee.ids.insert(id, .registration, replica)
    state.pointee.replicas.append(replica)
    agents[Int(agent)].isSystem = isSystem
    agents[Int(agent)].isExclusive = header[.exclusive]
    if agents[Int(agent)].goneTimer >= 0 {
      timers.cancel(agents[Int(agent)].goneTimer)
      agents[Int(agent)].goneTimer = -1
    }
    registry.add(replica, to: agent, card: card, owner: state.pointee.principal)
    var writer = HeaderWriter(state.pointee.out, "ok", id: id)
    writer.finish()
    markDirty(connection)
    serveReplica(replica)
    return nil
  }

  /// Why this connection may not host that name now [ADR-5, REG-6 to REG-9, REG-15].
  private func refusal(_ connection: ConnectionIndex, _ header: Header) -> Failure? {
    let state = connections.at(connection)
    let name = header[.name]
    if state.pointee.principal != .sidecar {
      if Address.isReserved(name) {
        return Failure(.reservedName, "\"\(name.text)\" is a name of the sidecar's own")
      }
      if let failure = takesNothing(from: connection) { return failure }
    }
    if let agent = registry.find(name) {
      if let owner = registry.owner(of: agent), owner != state.pointee.principal {
        return Failure(.nameOwned, "\"\(name.text)\" belongs to another principal")
      }
      let isHere = state.pointee.replicas.contains { replicas.at($0).pointee.agent == agent }
      if isHere {
        return Failure(.nameRegistered, "\"\(name.text)\" is registered on this connection")
      }
      if registry.replicaCount(of: agent) > 0,
        header[.exclusive] || agents[Int(agent)].isExclusive
      {
        return Failure(
          .nameRegistered, "\"\(name.text)\" is registered, and one of the two is exclusive")
      }
    }
    let isSidecar = state.pointee.principal == .sidecar
    if !isSidecar, state.pointee.replicas.count >= limits.namesMax {
      return Failure(.tooManyNames, "\(limits.namesMax) names are registered on this connection")
    }
    return nil
  }

  private func makeReplica(
    _ agent: AgentIndex, _ connection: ConnectionIndex, _ id: UInt64, _ header: Header
  ) -> Replica {
    func number(_ field: IntegerField, _ standard: Int) -> Int32 {
      guard let value = header[field], value > 0 else { return Int32(standard) }
      return Int32(min(value, UInt64(Int32.max)))
    }
    return Replica(
      agent: agent, connection: connection, registrationID: id,
      concurrency: number(.concurrency, Limits.concurrencyDefault),
      sessionConcurrency: number(.sessionConcurrency, Limits.sessionConcurrencyDefault),
      idleMs: header[.idleMs] ?? UInt64(Limits.idleMsDefault))
  }

  // MARK: Leaving

  /// A registration has ended: nothing new goes there, what runs may finish [REG-13].
  func withdrawReplica(_ index: ReplicaIndex) {
    let replica = replicas.at(index)
    let agent = replica.pointee.agent
    let state = connections.at(replica.pointee.connection)
    state.pointee.ids.remove(replica.pointee.registrationID)
    state.pointee.replicas.removeAll { $0 == index }
    state.pointee.leavingReplicas.append(index)
    registry.remove(index, from: agent)
    replica.pointee.isLeaving = true
    agents[Int(agent)].leaving.append(index)
    endSubscriptions(of: index)
    var session = replica.pointee.firstSession
    while session >= 0 {
      let next = sessions.at(session).pointee.nextOnReplica
      leaveQueue(session)
      if sessions.at(session).pointee.running == 0 {
        closeSession(session, "shutdown")
      } else {
        queueUp(session)
      }
      session = next
    }
    if registry.replicaCount(of: agent) == 0 { agentGone(agent) }
    freeReplicaIfDone(index)
  }

  /// One call of a replica that leaves has ended: its session is closed if nothing of it runs nor
  /// may run there.
  func leaveFurther(_ index: ReplicaIndex, _ session: SessionIndex) {
    if session >= 0, sessions.isUsed(session), sessions.at(session).pointee.replica == index,
      sessions.at(session).pointee.running == 0
    {
      let next = sessions.at(session).pointee.mailbox.first
      if next < 0 || !mayReceive(index, next) { closeSession(session, "shutdown") }
    }
    freeReplicaIfDone(index)
  }

  /// A message of a session has gone from its mailbox: the next may be one that a host which leaves
  /// takes still, or there may be none such left.
  func messageLeft(_ session: SessionIndex) {
    let index = sessions.at(session).pointee.replica
    guard index >= 0, replicas.at(index).pointee.isLeaving else { return }
    relieved.append(replicas.at(index).pointee.connection)
    thinned.append(session)
  }

  func freeReplicaIfDone(_ index: ReplicaIndex) {
    guard replicas.isUsed(index) else { return }
    let replica = replicas.at(index)
    guard replica.pointee.isLeaving, replica.pointee.running == 0, replica.pointee.sessions == 0
    else { return }
    freeReplica(index)
  }

  private func freeReplica(_ index: ReplicaIndex) {
    let replica = replicas.at(index)
    agents[Int(replica.pointee.agent)].leaving.removeAll { $0 == index }
    connections.at(replica.pointee.connection).pointee.leavingReplicas.removeAll { $0 == index }
    replicas.remove(index)
  }

  /// An agent's last replica has gone: what waits in its line is told so [FAI-4].
  private func agentGone(_ agent: AgentIndex) {
    let failure = noReplica(agent)
    while agents[Int(agent)].line.first >= 0 { fail(agents[Int(agent)].line.first, failure) }
    if agents[Int(agent)].goneTimer < 0 {
      agents[Int(agent)].goneTimer = timers.set(
        .noReplica, agent, due: now + UInt64(limits.noReplicaMs))
    }
  }

  /// An agent that has been without replicas long enough is unknown again [CAL-5].
  func forgetAgent(_ agent: AgentIndex) {
    let state = agents[Int(agent)]
    agents[Int(agent)].goneTimer = -1
    // Calls in flight still name the agent; so does a replica on its way out.
    guard state.metrics.open == 0, state.leaving.isEmpty else {
      agents[Int(agent)].goneTimer = timers.set(
        .noReplica, agent, due: now + UInt64(limits.noReplicaMs))
      return
    }
    registry.release(agent)
    agents[Int(agent)] = AgentState()
  }

  // MARK: Connections that end

  /// A connection is gone, with all it hosted and all it asked for [CON-18, FAI-1 to FAI-4].
  public func connectionLost(_ connection: ConnectionIndex) {
    let state = connections.at(connection)
    state.pointee.isLeaving = true
    if state.pointee.goodbyeTimer >= 0 { timers.cancel(state.pointee.goodbyeTimer) }
    endSubscriptions(ofConnection: connection)
    loseGivenSignals(of: connection)
    let lost = state.pointee.replicas + state.pointee.leavingReplicas
    var left: [AgentIndex] = []
    for replica in lost {
      let agent = replicas.at(replica).pointee.agent
      registry.remove(replica, from: agent)
      replicas.at(replica).pointee.isLeaving = true
      left.append(agent)
    }
    for entry in state.pointee.ids.all() {
      switch entry.kind {
      case .hosted: loseHosted(entry, connection)
      case .made: loseMade(entry, connection)
      case .signal: leaveSender(entry.index)
      case .registration, .closing, .subscription, .givenSignal: break
      }
    }
    var orphaned: [SessionIndex] = []
    // One that has nothing left is gone already.
    for replica in lost where replicas.isUsed(replica) {
      orphaned += dropSessions(of: replica)
      freeReplica(replica)
    }
    for agent in left where registry.replicaCount(of: agent) == 0 { agentGone(agent) }
    for session in orphaned where sessions.isUsed(session) { placeAgain(session) }
    connections.remove(connection)
    relieve()
  }

  private func loseHosted(_ entry: IDTable.Entry, _ connection: ConnectionIndex) {
    let call = entry.index
    guard calls.isUsed(call), calls.at(call).pointee.host == connection,
      calls.at(call).pointee.hostID == entry.id
    else { return }
    let wasSend = calls.at(call).pointee.isOneway
    releaseHost(call, .lost)
    if calls.at(call).pointee.isAwaited {
      fail(call, Failure(.hostLost, "the host of \"\(address(of: call).text)\" was lost"))
    } else {
      if wasSend { metrics.sendsLost &+= 1 }
      free(call)
    }
  }

  private func loseMade(_ entry: IDTable.Entry, _ connection: ConnectionIndex) {
    let call = entry.index
    guard calls.isUsed(call), calls.at(call).pointee.caller == connection,
      calls.at(call).pointee.callerID == entry.id
    else { return }
    end(call, Failure(.callerLost, "the caller was lost"), isTold: false)
  }

  /// A client says that it is leaving, or is to [CON-13, DRN-7].
  public func goodbye(_ connection: ConnectionIndex, timeoutMs: UInt64) {
    let state = connections.at(connection)
    guard !state.pointee.isLeaving else { return }
    state.pointee.isLeaving = true
    endSubscriptions(ofConnection: connection)
    for replica in state.pointee.replicas { withdrawReplica(replica) }
    state.pointee.goodbyeTimer = timers.set(.goodbye, connection, due: now + timeoutMs)
    relieve()
  }

  func goodbyePassed(_ connection: ConnectionIndex) {
    connections.at(connection).pointee.goodbyeTimer = -1
    let failure = Failure(.shutdown, "the client has gone")
    for entry in connections.at(connection).pointee.ids.all()
    where entry.kind == .hosted || entry.kind == .made {
      let now = connections.at(connection).pointee.ids.find(entry.id)
      guard now?.index == entry.index else { continue }
      if entry.kind == .made { end(entry.index, failure) } else { fail(entry.index, failure) }
    }
  }
}
