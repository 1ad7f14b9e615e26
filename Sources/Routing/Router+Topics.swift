internal import Discovery
internal import Wire

/// Who reads a topic, or whom it feeds.
struct Subscription {
  let connection: ConnectionIndex
  let id: UInt64
  var topic: TopicIndex = -1
  /// Its place among its topic's subscriptions.
  var place: Int32 = -1
  /// The agent that it feeds, as it is registered on its connection; -1: the connection reads.
  var agent: AgentIndex = -1
  var replica: ReplicaIndex = -1
  var previousOnReplica: SubscriptionIndex = -1
  var nextOnReplica: SubscriptionIndex = -1
  /// What goes to the connection, and what waits for its window.
  var messages: Direction
  /// What may wait, by its cost; one message always may.
  var heldCostMax: Int
  /// Messages that went since the last that was passed on, and ever.
  var droppedSince: UInt64 = 0
  var dropped: UInt64 = 0
  var delivered: UInt64 = 0
  let created: UInt64
}

/// Topics: subscribing, and the messages on their way to those who read. What a published message
/// leads to is in `Router+Publishing`.
extension Router {
  func receiveSubscribe(_ connection: ConnectionIndex, _ header: Header) -> ConnectionFault? {
    guard let id = header[.id] else {
      return refuseField(connection, header, .missingField, "id")
    }
    if let fault = claim(connection, id) { return fault }
    if let failure = subscribe(connection, id, header) {
      refuse(connection, id, failure)
    } else {
      var writer = HeaderWriter(connections.at(connection).pointee.out, "ok", id: id)
      writer.finish()
      markDirty(connection)
    }
    return nil
  }

  /// Opens a subscription, or says why it cannot be; in the order of TOP-6.
  private func subscribe(
    _ connection: ConnectionIndex, _ id: UInt64, _ header: Header
  ) -> Failure? {
    guard header.has(.topic) else { return missing("topic", header) }
    guard let topic = Topic(header[.topic]) else {
      return badTopic("\"\(header[.topic].text)\" is no topic or pattern: \(Topic.rule)", "topic")
    }
    let name = header[.agent]
    if header.has(.agent), !Address.isName(name) {
      return Failure(
        .badAddress, "\"\(name.text)\" is no name", detail: ("field", .text("agent")))
    }
    let state = connections.at(connection)
    if let failure = takesNothing(from: connection) { return failure }
    var replica: ReplicaIndex = -1
    if header.has(.agent) {
      let agent = registry.find(name)
      let own = state.pointee.replicas.first { replicas.at($0).pointee.agent == agent }
      guard let own else {
        return Failure(
          .agentNotRegistered, "\"\(name.text)\" is not registered on this connection",
          detail: ("field", .text("agent")))
      }
      replica = own
    }
    if let failure = tooManyIDs(connection) { return failure }
    if state.pointee.subscriptions >= limits.subscriptionsMax {
      return Failure(
        .tooManySubscriptions,
        "\(limits.subscriptionsMax) subscriptions are open on this connection")
    }
    open(connection, id, topic, replica, window: requestedWindow(header))
    return nil
  }

  private func open(
    _ connection: ConnectionIndex, _ id: UInt64, _ topic: Topic, _ replica: ReplicaIndex,
    window: Int
  ) {
    let index = subscriptions.insert(
      Subscription(
        connection: connection, id: id, messages: Direction(window: window, allowance: 0),
        heldCostMax: min(window, Limits.windowBytesDefault), created: now))
    let record = subscriptions.at(index)
    (record.pointee.topic, record.pointee.place) = topics.add(index, to: topic)
    connections.at(connection).pointee.ids.insert(id, .subscription, index)
    connections.at(connection).pointee.subscriptions += 1
    guard replica >= 0 else { return }
    let first = replicas.at(replica).pointee.firstSubscription
    record.pointee.agent = replicas.at(replica).pointee.agent
    record.pointee.replica = replica
    record.pointee.nextOnReplica = first
    if first >= 0 { subscriptions.at(first).pointee.previousOnReplica = index }
    replicas.at(replica).pointee.firstSubscription = index
  }

  func badTopic(_ message: String, _ field: String) -> Failure {
    Failure(.badTopic, message, detail: ("field", .text(field)))
  }

  func missing(_ field: String, _ header: Header) -> Failure {
    Failure(
      .missingField, "\(header[.op].text): field \"\(field)\" is missing",
      detail: ("field", .text(field)))
  }

  // MARK: Ending

  /// Ends a subscription; its opener is told why, unless it needs no telling [TOP-15].
  func endSubscription(_ index: SubscriptionIndex, _ failure: Failure?) {
    let record = subscriptions.at(index)
    let connection = record.pointee.connection
    if let failure { refuse(connection, record.pointee.id, failure) }
    connections.at(connection).pointee.ids.remove(record.pointee.id)
    connections.at(connection).pointee.subscriptions -= 1
    leaveLine(connection, token(ofSubscription: index))
    while record.pointee.messages.first != nil { releaseFirst(record) }
    if let moved = topics.remove(from: record.pointee.topic, at: record.pointee.place) {
      subscriptions.at(moved).pointee.place = record.pointee.place
    }
    leaveReplica(record)
    subscriptions.remove(index)
  }

  private func leaveReplica(_ record: UnsafeMutablePointer<Subscription>) {
    guard record.pointee.replica >= 0 else { return }
    let (previous, next) = (record.pointee.previousOnReplica, record.pointee.nextOnReplica)
    if previous >= 0 {
      subscriptions.at(previous).pointee.nextOnReplica = next
    } else {
      replicas.at(record.pointee.replica).pointee.firstSubscription = next
    }
    if next >= 0 { subscriptions.at(next).pointee.previousOnReplica = previous }
  }

  /// A registration ends, and with it the subscriptions that feed its agent [TOP-15].
  func endSubscriptions(of replica: ReplicaIndex) {
    let ended = Failure(.cancelled, "the agent is registered here no more")
    while replicas.at(replica).pointee.firstSubscription >= 0 {
      endSubscription(replicas.at(replica).pointee.firstSubscription, ended)
    }
  }

  /// A connection reads no more; nobody is told.
  func endSubscriptions(ofConnection connection: ConnectionIndex) {
    guard connections.at(connection).pointee.subscriptions > 0 else { return }
    for entry in connections.at(connection).pointee.ids.all() where entry.kind == .subscription {
      endSubscription(entry.index, nil)
    }
  }

  // MARK: Messages for a connection

  /// A reader permits more.
  func subscriberGrants(_ index: SubscriptionIndex, _ credit: Int) {
    let record = subscriptions.at(index)
    record.pointee.messages.window = min(
      record.pointee.messages.window + credit, Limits.windowBytesMax)
    pump(subscription: index)
  }

  /// Writes what waits for a subscription as far as its window and the connection's buffer allow.
  func pump(subscription index: SubscriptionIndex, atMost budget: Int = .max) {
    let record = subscriptions.at(index)
    let out = connections.at(record.pointee.connection).pointee.out
    var left = budget
    while let frame = record.pointee.messages.first, record.pointee.messages.window > 0 {
      if frame.pointee.expires > 0, frame.pointee.expires <= now {
        countDropped(record)
        releaseFirst(record)
        continue
      }
      guard out.pending < Self.bufferedMax, left > 0 else {
        return joinLine(record.pointee.connection, token(ofSubscription: index))
      }
      left -= frame.pointee.size + Limits.frameCostBytes
      write(record, frame.pointee.fields, frame.pointee.content)
      releaseFirst(record)
    }
  }

  /// Writes one message to who reads it.
  @inline(__always)
  func write(
    _ record: UnsafeMutablePointer<Subscription>, _ fields: UnsafeRawBufferPointer,
    _ content: Content
  ) {
    let out = connections.at(record.pointee.connection).pointee.out
    var writer = HeaderWriter(out, "data", id: record.pointee.id)
    if record.pointee.droppedSince > 0 {
      writer.integer("dropped", record.pointee.droppedSince)
      record.pointee.droppedSince = 0
    }
    writer.fields(fields)
    writer.finish(content)
    record.pointee.messages.window -= content.count + Limits.frameCostBytes
    markDirty(record.pointee.connection)
  }

  /// Keeps a message until the window opens or the buffer has room; the oldest go for it [TOP-12].
  func hold(_ index: SubscriptionIndex, _ message: UnsafeMutablePointer<HeldFrame>) {
    let record = subscriptions.at(index)
    while record.pointee.messages.first != nil,
      record.pointee.messages.heldCost + message.pointee.cost > record.pointee.heldCostMax
    {
      dropFirst(record)
    }
    let mark = limits.connectionHardMarkBytes
    let connection = connections.at(record.pointee.connection)
    while connection.pointee.waitingBytes + message.pointee.size > mark {
      guard record.pointee.messages.first != nil else {
        countDropped(record)
        return HeldFrame.free(message)
      }
      dropFirst(record)
    }
    connection.pointee.heldBytes += message.pointee.size
    record.pointee.messages.append(message)
    if record.pointee.messages.window > 0 { pump(subscription: index) }
  }

  private func dropFirst(_ record: UnsafeMutablePointer<Subscription>) {
    countDropped(record)
    releaseFirst(record)
  }

  private func countDropped(_ record: UnsafeMutablePointer<Subscription>) {
    record.pointee.droppedSince += 1
    record.pointee.dropped += 1
    metrics.topics.dropped &+= 1
  }

  /// The oldest message waits no more.
  private func releaseFirst(_ record: UnsafeMutablePointer<Subscription>) {
    guard let frame = record.pointee.messages.removeFirst() else { return }
    let connection = record.pointee.connection
    let wasCongested = isCongested(connection)
    connections.at(connection).pointee.heldBytes -= frame.pointee.size
    HeldFrame.free(frame)
    if wasCongested, !isCongested(connection) { relieved.append(connection) }
  }
}
