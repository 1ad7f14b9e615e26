internal import Discovery
internal import Wire

/// Publishing: one message to everyone who subscribes to its topic.
extension Router {
  func receivePublish(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content
  ) -> ConnectionFault? {
    let id = header[.id]
    if let id, let fault = claim(connection, id) { return fault }
    metrics.topics.published &+= 1
    if let failure = publish(connection, header, content) {
      metrics.topics.lost &+= 1
      // Without an id only what is malformed is answered, to nobody in particular.
      if id != nil || failure.reason == .missingField || failure.reason == .badField {
        refuse(connection, id, failure)
      }
    } else if let id {
      var writer = HeaderWriter(connections.at(connection).pointee.out, "ok", id: id)
      writer.finish()
      markDirty(connection)
    }
    return nil
  }

  /// Gives a message to all who are to have it, or says why nobody is.
  private func publish(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content
  ) -> Failure? {
    guard header.has(.topic) else { return missing("topic", header) }
    guard header.has(.source) else { return missing("source", header) }
    guard let topic = Topic(header[.topic]), !topic.isPattern else {
      return badTopic("\"\(header[.topic].text)\" is no topic: \(Topic.rule)", "topic")
    }
    guard Address.isSession(header[.source]) else {
      return badTopic(
        "\"\(header[.source].text)\" is no source: 1 to \(Limits.sessionBytesMax) bytes without"
          + " spaces and control characters", "source")
    }
    let parent: CallIndex
    switch origin(connection, header) {
    case .success(let found): parent = found
    case .failure(let failure): return failure.failure
    }
    matched.removeAll(keepingCapacity: true)
    topics.match(topic.bytes, into: &matched)
    let recipients = deliver(connection, header, content, parent)
    deliveries += recipients
    metrics.topics.delivered &+= UInt64(recipients)
    if recipients == 0 { metrics.topics.untaken &+= 1 }
    return nil
  }

  /// Delivers to the subscriptions of the topics in `matched`; returns how many recipients that is.
  private func deliver(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content, _ parent: CallIndex
  ) -> Int {
    let from = parent >= 0 ? address(of: parent) : header[.from]
    var fields: UnsafeRawBufferPointer?
    var shared = content
    var recipients = 0
    publications += 1
    for topic in matched {
      let entry = topics.entries.at(topic)
      entry.pointee.published &+= 1
      let count = entry.pointee.subscriptions.count
      if count > 1 { shared = Self.shared(shared) }
      for place in 0..<count {
        let subscription = entry.pointee.subscriptions[place]
        let agent = subscriptions.at(subscription).pointee.agent
        if agent >= 0 {
          if feed(agent, connection, header, shared, parent, from) {
            subscriptions.at(subscription).pointee.delivered &+= 1
            recipients += 1
          }
          continue
        }
        if fields == nil { fields = writePublication(header, from) }
        pass(subscription, fields!, shared, header)
        recipients += 1
      }
    }
    return recipients
  }

  /// The fields of a message that are the same for all who read it [TOP-9].
  private func writePublication(
    _ header: Header, _ from: UnsafeRawBufferPointer
  ) -> UnsafeRawBufferPointer {
    var writer = HeaderWriter(tailInto: publication)
    writer.string("topic", header[.topic])
    writer.string("source", header[.source])
    if from.count > 0 { writer.string("from", from) }
    if header.has(.type) { writer.string("type", header[.type]) }
    if header.has(.trace) { writer.string("trace", header[.trace]) }
    if header.has(.ext) { writer.object("ext", header[.ext]) }
    if header.has(.contentType) { writer.string("content_type", header[.contentType]) }
    writer.finishTail()
    return publication.takeAll()
  }

  /// Writes a message to a connection that subscribes, or holds it.
  @inline(__always)
  private func pass(
    _ index: SubscriptionIndex, _ fields: UnsafeRawBufferPointer, _ content: Content,
    _ header: Header
  ) {
    let record = subscriptions.at(index)
    record.pointee.delivered &+= 1
    let out = connections.at(record.pointee.connection).pointee.out
    if record.pointee.messages.window > 0, record.pointee.messages.isEmpty,
      out.pending < Self.bufferedMax
    {
      return write(record, fields, content)
    }
    let frame = HeldFrame.make(
      fields: fields, content: content, cost: content.count + Limits.frameCostBytes,
      isError: false, isLast: false)
    if let time = header[.timeoutMs], time > 0 { frame.pointee.expires = now + time }
    hold(index, frame)
  }

  /// Sends a message to the session of an agent that its source names, unless it has it already or
  /// has published it. Returns whether there was such a delivery, be it lost [TOP-7, TOP-8,
  /// TOP-11].
  private func feed(
    _ agent: AgentIndex, _ connection: ConnectionIndex, _ header: Header, _ content: Content,
    _ parent: CallIndex, _ from: UnsafeRawBufferPointer
  ) -> Bool {
    guard agents[Int(agent)].lastPublication != publications else { return false }
    agents[Int(agent)].lastPublication = publications
    let name = registry.name(of: agent)
    let source = header[.source]
    let size = name.count + 1 + source.count
    return withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { room in
      room.copyMemory(from: name)
      room[name.count] = UInt8(ascii: ":")
      UnsafeMutableRawBufferPointer(rebasing: room[(name.count + 1)...]).copyMemory(from: source)
      let address = UnsafeRawBufferPointer(room)
      guard !address.elementsEqual(from) else { return false }
      metrics.sends &+= 1
      let target: Target
      if let session = sessionTable.find(address) {
        target = Target(agent: agent, session: session)
      } else {
        target = Target(agent: agent, newSession: address)
      }
      if !sendOn(connection, header, content, target, parent) { metrics.sendsLost &+= 1 }
      return true
    }
  }

  /// Whether a published message got into its mailbox.
  private func sendOn(
    _ connection: ConnectionIndex, _ header: Header, _ content: Content, _ target: Target,
    _ parent: CallIndex
  ) -> Bool {
    var target = target
    if makeSession(&target) != nil { return false }
    let call = makeCall(connection, nil, header, content, target, parent)
    if let failure = admit(call, .header(header, content)) {
      discard(call, failure)
      return false
    }
    if parent >= 0 { orphan(call) }
    return true
  }
}
