internal import Discovery
internal import Wire

/// Topics and subscriptions, as `topics` shows them.
extension Router {
  public var subscriptionCount: Int { subscriptions.count }

  /// The first `limit` topics and patterns behind `after`, by bytes, and whether there are more.
  public func topics(
    after: UnsafeRawBufferPointer, limit: Int
  ) -> (views: [TopicView], more: Bool) {
    var found: [TopicView] = []
    topics.entries.forEach { _, entry in
      guard Registry.precedes(after, entry.pointee.name) else { return }
      found.append(
        TopicView(
          topic: entry.pointee.name, subscriptions: entry.pointee.subscriptions.count,
          published: entry.pointee.published))
    }
    found.sort { Registry.precedes($0.topic, $1.topic) }
    return (Array(found.prefix(limit)), found.count > limit)
  }

  /// At most `limit` subscriptions, of one topic or pattern or of all, and whether there are more.
  public func subscriptions(
    to name: UnsafeRawBufferPointer?, limit: Int
  ) -> (views: [SubscriptionView], more: Bool) {
    guard let name else { return views(of: subscriptions.indices(), limit) }
    guard let topic = topics.find(name) else { return ([], false) }
    return views(of: topics.entries.at(topic).pointee.subscriptions.sorted(), limit)
  }

  private func views(
    of indices: [SubscriptionIndex], _ limit: Int
  ) -> (views: [SubscriptionView], more: Bool) {
    (indices.prefix(limit).map(view(ofSubscription:)), indices.count > limit)
  }

  private func view(ofSubscription index: SubscriptionIndex) -> SubscriptionView {
    let record = subscriptions.at(index)
    var waiting = 0
    var frame = record.pointee.messages.first
    while let held = frame {
      waiting += 1
      frame = held.pointee.next
    }
    let agent = record.pointee.agent
    return SubscriptionView(
      topic: topics.entries.at(record.pointee.topic).pointee.name,
      agent: agent >= 0
        ? registry.name(of: agent) : UnsafeRawBufferPointer(start: nil, count: 0),
      connection: name(of: record.pointee.connection),
      window: agent >= 0 ? 0 : max(0, record.pointee.messages.window), waiting: waiting,
      delivered: record.pointee.delivered, dropped: record.pointee.dropped,
      ageMs: now - min(record.pointee.created, now))
  }
}
