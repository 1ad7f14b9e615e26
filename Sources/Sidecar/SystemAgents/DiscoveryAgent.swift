internal import Discovery
internal import Wire

/// `discovery`: which agents there are, once and as it changes.
final class DiscoveryAgent: SystemAgent {
  let name = "discovery"
  let description = "Which agents there are, once or as it changes"
  let operations = #"""
    [{"name":"DiscoveryQuery","description":"The agents of a namespace"},
     {"name":"DiscoveryWatch","description":"A snapshot, then changes","streaming":true}]
    """#

  private let registry: Registry
  private let watches: Watches
  private var watching: [UInt64: SystemCall] = [:]
  /// The last answer, for as long as it is true: many ask the same, and everything is much to
  /// write.
  private var last: (request: [UInt8], generation: UInt64, reply: SystemReply)?
  private static let keptBytesMax = 4 << 20

  init(_ registry: Registry) {
    self.registry = registry
    watches = Watches(registry)
  }

  func handle(_ call: SystemCall, _ host: SystemHost) {
    if call.type == "DiscoveryWatch" { return watch(call, host) }
    host.answer(call) { () throws(SystemFailure) in
      guard call.type == "DiscoveryQuery" else { throw .unhandled(name, call.type) }
      return try reply(to: call.content)
    }
  }

  // MARK: Queries

  private func reply(to request: [UInt8]) throws(SystemFailure) -> SystemReply {
    if let last, last.generation == registry.generation, last.request == request {
      return last.reply
    }
    let reply = try query(SystemRequest(request).value)
    if reply.content.count <= Self.keptBytesMax {
      last = (request, registry.generation, reply)
    }
    return reply
  }

  private func query(_ value: JSON) throws(SystemFailure) -> SystemReply {
    guard let list = value.elements else {
      let query = try Self.query(value, at: "")
      return SystemReply("DiscoveryReply") { registry.query(query, into: &$0) }
    }
    guard list.count <= Self.queriesMax else {
      throw .badContent("", "a list of \(list.count) queries exceeds \(Self.queriesMax)")
    }
    var queries: [DiscoveryQuery] = []
    for (index, value) in list.enumerated() {
      queries.append(try Self.query(value, at: "[\(index)]"))
    }
    return SystemReply("DiscoveryReply") { writer in
      writer.beginArray()
      for query in queries { registry.query(query, into: &writer) }
      writer.endArray()
    }
  }

  private static func query(
    _ value: JSON, at path: String
  ) throws(SystemFailure) -> DiscoveryQuery {
    do {
      return try DiscoveryQuery(value)
    } catch {
      let dot = path.isEmpty || error.field.isEmpty ? "" : "."
      let field = path + dot + error.field
      throw .badContent(field, field.isEmpty ? "content \(error.message)" : error.message)
    }
  }

  // Each query of a list may list every agent.
  private static let queriesMax = 100

  // MARK: Watches

  private func watch(_ call: SystemCall, _ host: SystemHost) {
    do throws(SystemFailure) {
      guard !call.isOneway else {
        throw SystemFailure(
          reason: .unhandledType, message: "a watch is a call: nobody reads this one", detail: nil)
      }
      let request = try SystemRequest(call.content)
      let query = try Self.query(request.value, at: "")
      let from = try request.count("from_revision")
      watching[call.id] = call
      watches.open(call.id, query, from: from, window: call.window, sender(host))
      tell(host)
    } catch {
      host.fail(call, error)
    }
  }

  func credited(_ call: SystemCall, _ host: SystemHost) {
    watches.permit(call.id, window: call.window)
    tell(host)
  }

  func cancelled(_ call: SystemCall, _ host: SystemHost) {
    watches.close(call.id)
    watching[call.id] = nil
  }

  func registryChanged(_ host: SystemHost) {
    tell(host)
  }

  func wokenUp(_ host: SystemHost) {
    tell(host)
  }

  /// Tells what there is to tell, or asks to be woken when it is time.
  private func tell(_ host: SystemHost) {
    guard let due = watches.due(now: host.now) else { return }
    if due <= host.now {
      watches.tick(now: host.now, sender(host))
    } else {
      host.wakeUp(inMs: due - host.now)
    }
  }

  private func sender(_ host: SystemHost) -> Watches.Send {
    { id, message, block in
      guard let call = self.watching[id] else { return }
      host.send(call, type: message.rawValue, block)
    }
  }
}
