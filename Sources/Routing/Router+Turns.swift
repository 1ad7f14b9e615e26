internal import Discovery
internal import Wire

/// Who goes on when a connection has room again: directions and subscriptions with data for it,
/// each in its turn, their senders, and calls to its agents.
extension Router {
  /// A direction as one number, for the lists of a connection; -1 is none.
  @inline(__always)
  func token(_ call: CallIndex, _ way: Way) -> Int32 { call * 2 + way.rawValue }

  /// The messages of a subscription as such a number: below -1.
  @inline(__always)
  func token(ofSubscription index: SubscriptionIndex) -> Int32 { -2 - index }

  @inline(__always)
  private func direction(_ token: Int32) -> UnsafeMutablePointer<Direction> {
    guard token < -1 else { return direction(token >> 1, token & 1 == 0 ? .reply : .input) }
    return withUnsafeMutablePointer(to: &subscriptions.at(-2 - token).pointee.messages) { $0 }
  }

  // MARK: The line for a connection's buffer

  /// A direction waits for its turn to write to a connection.
  func joinLine(_ connection: ConnectionIndex, _ token: Int32) {
    let direction = direction(token)
    guard !direction.pointee.isInLine else { return }
    let state = connections.at(connection)
    direction.pointee.isInLine = true
    direction.pointee.nextInLine = -1
    direction.pointee.previousInLine = state.pointee.lastInLine
    if state.pointee.lastInLine != -1 {
      self.direction(state.pointee.lastInLine).pointee.nextInLine = token
    } else {
      state.pointee.firstInLine = token
    }
    state.pointee.lastInLine = token
  }

  func leaveLine(_ connection: ConnectionIndex, _ token: Int32) {
    let direction = direction(token)
    guard direction.pointee.isInLine else { return }
    direction.pointee.isInLine = false
    let state = connections.at(connection)
    let (previous, next) = (direction.pointee.previousInLine, direction.pointee.nextInLine)
    if previous != -1 {
      self.direction(previous).pointee.nextInLine = next
    } else {
      state.pointee.firstInLine = next
    }
    if next != -1 {
      self.direction(next).pointee.previousInLine = previous
    } else {
      state.pointee.lastInLine = previous
    }
  }

  // MARK: Senders without credit

  /// A sender gets no credit while its receiver is congested [CRD-13].
  func starve(_ receiver: ConnectionIndex, _ call: CallIndex, _ way: Way) {
    let direction = direction(call, way)
    guard direction.pointee.starvedPlace < 0 else { return }
    let state = connections.at(receiver)
    direction.pointee.starvedPlace = Int32(state.pointee.starved.count)
    state.pointee.starved.append(token(call, way))
  }

  func leaveStarved(_ receiver: ConnectionIndex, _ call: CallIndex, _ way: Way) {
    let direction = direction(call, way)
    let place = direction.pointee.starvedPlace
    guard place >= 0 else { return }
    direction.pointee.starvedPlace = -1
    let state = connections.at(receiver)
    let last = state.pointee.starved.removeLast()
    guard last != token(call, way) else { return }
    state.pointee.starved[Int(place)] = last
    self.direction(last).pointee.starvedPlace = place
  }

  // MARK: Going on

  /// A direction has lost its receiver, or its call: what is held for it is dropped.
  func drop(_ call: CallIndex, _ way: Way) {
    let direction = direction(call, way)
    let receiver = receiver(call, way).connection
    if receiver >= 0 {
      leaveLine(receiver, token(call, way))
      leaveStarved(receiver, call, way)
      if direction.pointee.heldBytes > 0 {
        let wasCongested = isCongested(receiver)
        connections.at(receiver).pointee.heldBytes -= direction.pointee.heldBytes
        if wasCongested, !isCongested(receiver) { relieved.append(receiver) }
      }
    }
    while let frame = direction.pointee.removeFirst() { HeldFrame.free(frame) }
    if way == .reply, calls.at(call).pointee.lane >= 0 { dropLane(call) }
  }

  /// The socket has taken bytes of a connection: what waited for room goes on, each in its turn.
  public func drained(_ connection: ConnectionIndex) {
    let state = connections.at(connection)
    while state.pointee.out.pending < Self.bufferedMax, state.pointee.firstInLine != -1 {
      let token = state.pointee.firstInLine
      leaveLine(connection, token)
      guard token >= 0 else {
        pump(subscription: -2 - token, atMost: Self.turnBytes)
        continue
      }
      let call = token >> 1
      let way: Way = token & 1 == 0 ? .reply : .input
      if calls.at(call).pointee.reading >= 0 {
        readerHasRoom(call, atMost: Self.turnBytes)
        continue
      }
      pump(call, way, atMost: Self.turnBytes)
      if calls.isUsed(call) { grant(call, way) }
    }
    goOn(connection)
    relieve()
  }

  /// Lets those go on who stood still for a connection that has room now without having read. Never
  /// in the middle of an event: it starts calls.
  @inline(__always)
  func relieve() {
    if !relieved.isEmpty { relieveAll() }
    if !hastened.isEmpty { hastenAll() }
  }

  private func relieveAll() {
    while let session = thinned.popLast() {
      guard sessions.isUsed(session), sessions.at(session).pointee.replica >= 0 else { continue }
      queueUp(session)
      let replica = sessions.at(session).pointee.replica
      if replicas.at(replica).pointee.isLeaving { leaveFurther(replica, session) }
    }
    while let run = untrimmed.popLast() {
      if runs.isUsed(run) { trim(run) }
    }
    while let connection = relieved.popLast() {
      if connections.isUsed(connection) { goOn(connection) }
    }
  }

  /// Gives credit to the senders and calls to the replicas of a connection that is not congested.
  private func goOn(_ connection: ConnectionIndex) {
    let state = connections.at(connection)
    guard !isCongested(connection) else { return }
    while let token = state.pointee.starved.last, !isCongested(connection) {
      let way: Way = token & 1 == 0 ? .reply : .input
      leaveStarved(connection, token >> 1, way)
      grant(token >> 1, way)
    }
    for replica in state.pointee.replicas { serveReplica(replica) }
    for replica in state.pointee.leavingReplicas { serveReplica(replica) }
  }

  /// How much one direction writes before the next has its turn.
  private static let turnBytes = 64 << 10
}
