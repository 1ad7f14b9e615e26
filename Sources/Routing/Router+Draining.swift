internal import Discovery
public import Wire

/// What is open of a connection.
public struct ConnectionLoad: Sendable {
  /// It, or the operator, has said that it leaves.
  public let isLeaving: Bool
  public let agents: [String]
  /// Calls that it has made.
  public let calls: Int
  /// Calls and sends that it handles.
  public let handling: Int
  /// What waits to be written to it.
  public let waitingBytes: Int
}

/// Leaving in order: the sidecar's own end, and a connection's by the operator's word.
extension Router {
  /// Takes nothing new from now on, and tells everyone [DRN-1, DRN-2].
  public func beginDrain(timeoutMs: UInt64) {
    isDraining = true
    for connection in connections.indices()
    where connections.at(connection).pointee.principal != .sidecar {
      sayGoodbye(to: connection, "shutdown", timeoutMs)
    }
    // A watch has no end of its own to wait for [DRN-6].
    for call in calls.indices() where calls.isUsed(call) {
      // What reads a run ends with that, and a refusal that is held is no call.
      let agent = calls.at(call).pointee.agent
      guard calls.at(call).pointee.state != .reading, agent >= 0, agents[Int(agent)].isSystem,
        !calls.at(call).pointee.isAside
      else { continue }
      fail(call, Failure(.shutdown, "the sidecar is shutting down"))
    }
    relieve()
  }

  /// A connection is to leave: it is told so, and treated as though it had said it [DRN-7].
  public func drain(_ connection: ConnectionIndex, timeoutMs: UInt64) {
    guard !connections.at(connection).pointee.isLeaving else { return }
    connections.at(connection).pointee.isDrained = true
    sayGoodbye(to: connection, "drained", timeoutMs)
    goodbye(connection, timeoutMs: timeoutMs)
  }

  private func sayGoodbye(
    to connection: ConnectionIndex, _ reason: StaticString, _ timeoutMs: UInt64
  ) {
    var writer = HeaderWriter(connections.at(connection).pointee.out, "goodbye")
    writer.word("reason", reason)
    writer.integer("timeout_ms", timeoutMs)
    writer.finish()
    markDirty(connection)
  }

  /// Why a connection can open nothing new; nil when it can [CON-13, DRN-2, DRN-7].
  func takesNothing(from connection: ConnectionIndex) -> Failure? {
    let state = connections.at(connection)
    if isDraining { return Failure(.draining, "the sidecar takes nothing new", mayRetry: true) }
    guard state.pointee.isLeaving else { return nil }
    return Failure(
      .draining, "this connection takes nothing new", mayRetry: state.pointee.isDrained)
  }

  /// Calls, sends and signals under way, but those that only watch.
  public var inFlight: Int { calls.count - asideCalls + signals.count }

  /// Whether a drain has something to wait for.
  public var isBusy: Bool { inFlight > 0 && !isDrainOver }

  /// A call that the sidecar's own host handles does not hold a drain up, nor end with its
  /// beginning.
  public func setAside(_ id: UInt64, at host: ConnectionIndex) {
    guard let entry = connections.at(host).pointee.ids.find(id), entry.kind == .hosted,
      !calls.at(entry.index).pointee.isAside
    else { return }
    calls.at(entry.index).pointee.isAside = true
    asideCalls += 1
  }

  /// Ends what is left when the time for draining is over [DRN-3].
  public func endDrain() {
    // Hosts that have not ended what was cancelled are not waited for.
    isDrainOver = true
    // What is spliced ends with what it is spliced into.
    for call in calls.indices() where calls.isUsed(call) && !calls.at(call).pointee.isSpliced {
      guard !calls.at(call).pointee.isAside else { continue }
      let state = calls.at(call).pointee.state
      let wasSeen = state == .running || state == .delivering || state == .reading
      end(call, Failure(.shutdown, "the sidecar has shut down", mayRetry: !wasSeen))
    }
    endSignals(Failure(.shutdown, "the sidecar has shut down"))
    relieve()
  }

  // MARK: Who is connected

  public func principal(of connection: ConnectionIndex) -> Principal {
    connections.at(connection).pointee.principal
  }

  public func load(of connection: ConnectionIndex) -> ConnectionLoad {
    let state = connections.at(connection)
    let entries = state.pointee.ids.all()
    return ConnectionLoad(
      isLeaving: state.pointee.isLeaving,
      agents: state.pointee.replicas.map {
        registry.name(of: replicas.at($0).pointee.agent).text
      }.sorted(),
      calls: entries.count { $0.kind == .made }, handling: entries.count { $0.kind == .hosted },
      waitingBytes: state.pointee.waitingBytes)
  }
}
