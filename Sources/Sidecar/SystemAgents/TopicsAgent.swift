internal import Routing
internal import Wire

/// `topics`: who subscribes to what.
final class TopicsAgent: SystemAgent {
  let name = "topics"
  let description = "Which topics are subscribed to, and by whom"
  let operations = #"""
    [{"name":"TopicList","description":"Topics and patterns that are subscribed to, by name"},
     {"name":"SubscriptionList","description":"Subscriptions, of one topic or of all"}]
    """#

  private let router: Router

  init(_ router: Router) {
    self.router = router
  }

  func handle(_ call: SystemCall, _ host: SystemHost) {
    host.answer(call) { () throws(SystemFailure) in
      switch call.type {
      case "TopicList": try topics(.object(call.content))
      case "SubscriptionList": try subscriptions(.object(call.content))
      default: throw .unhandled(name, call.type)
      }
    }
  }

  private func topics(_ request: SystemRequest) throws(SystemFailure) -> SystemReply {
    let after = try request.text("after") ?? ""
    let limit = try request.limit()
    return after.withBytes { after in
      let found = router.topics(after: after, limit: limit)
      return SystemReply("TopicListReply") { writer in
        writer.beginObject()
        writer.key("topics")
        writer.beginArray()
        for topic in found.views {
          writer.beginObject()
          writer.member("topic", topic.topic)
          writer.member("subscriptions", topic.subscriptions)
          writer.member("published", topic.published)
          writer.endObject()
        }
        writer.endArray()
        writer.member("more", found.more)
        writer.endObject()
      }
    }
  }

  private func subscriptions(_ request: SystemRequest) throws(SystemFailure) -> SystemReply {
    let topic = try request.text("topic")
    let limit = try request.limit()
    let found =
      topic.map { topic in
        topic.withBytes { router.subscriptions(to: $0, limit: limit) }
      } ?? router.subscriptions(to: nil, limit: limit)
    return SystemReply("SubscriptionListReply") { writer in
      writer.beginObject()
      writer.key("subscriptions")
      writer.beginArray()
      for subscription in found.views { Self.write(subscription, &writer) }
      writer.endArray()
      writer.member("more", found.more)
      writer.endObject()
    }
  }

  private static func write(_ subscription: SubscriptionView, _ writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("topic", subscription.topic)
    writer.member("agent", subscription.agent)
    writer.member("connection", subscription.connection)
    writer.member("window", subscription.window)
    writer.member("waiting", subscription.waiting)
    writer.member("delivered", subscription.delivered)
    writer.member("dropped", subscription.dropped)
    writer.member("age_ms", subscription.ageMs)
    writer.endObject()
  }
}
