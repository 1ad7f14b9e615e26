internal import Connections
internal import Routing
internal import Wire

/// `sys.connections`: who is connected; and for the operator a way to let one of them leave in
/// order.
final class ConnectionsAgent: SystemAgent {
  let name = "sys.connections"
  let description = "Who is connected, and what of theirs is open"
  let operations = #"""
    [{"name":"ConnectionList","description":"Connections, in the order in which they came"},
     {"name":"ConnectionDrain","description":"Lets a connection finish what it has, and gives it nothing new"}]
    """#

  private unowned let core: Core

  init(_ core: Core) {
    self.core = core
  }

  func handle(_ call: SystemCall, _ host: SystemHost) {
    host.answer(call) { () throws(SystemFailure) in
      switch call.type {
      case "ConnectionList": try list(.object(call.content))
      case "ConnectionDrain": try drain(.object(call.content), by: call.principal)
      default: throw .unhandled(name, call.type)
      }
    }
  }

  private func list(_ request: SystemRequest) throws(SystemFailure) -> SystemReply {
    let limit = try request.limit()
    var after: UInt64 = 0
    if let word = try request.text("after"), !word.isEmpty {
      guard let number = Core.number(ofWord: word) else {
        throw .badContent("after", "must be the word of a connection, such as c7")
      }
      after = number
    }
    let found = core.connections(after: after, limit: limit)
    return SystemReply("ConnectionListReply") { writer in
      writer.beginObject()
      writer.key("connections")
      writer.beginArray()
      for connection in found.views { Self.write(connection, &writer) }
      writer.endArray()
      writer.member("more", found.more)
      writer.endObject()
    }
  }

  private func drain(
    _ request: SystemRequest, by principal: Principal?
  ) throws(SystemFailure) -> SystemReply {
    guard let word = try request.text("connection") else {
      throw .badContent("connection", "is missing")
    }
    let timeoutMs = try request.count("timeout_ms") ?? UInt64(core.limits.drainMs)
    guard core.router.isOperator(principal) else { throw .notPermitted("connection", word) }
    guard let connection = core.connection(ofWord: word) else {
      throw SystemFailure(
        reason: .unknownConnection, message: "no connection \"\(word)\"",
        detail: SystemFailure.Detail(key: "connection", value: word))
    }
    core.router.drain(connection, timeoutMs: timeoutMs)
    let handling = core.router.load(of: connection).handling
    return SystemReply("ConnectionDraining") { writer in
      writer.beginObject()
      writer.member("connection", word)
      writer.member("handling", handling)
      writer.member("timeout_ms", timeoutMs)
      writer.endObject()
    }
  }

  private static func write(_ connection: ConnectionView, _ writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("connection", connection.word)
    writer.member("name", connection.name)
    writer.member("client", connection.client)
    writer.member("principal", connection.principal.description)
    writer.member("transport", connection.kind == .tcp ? "tcp" : "unix")
    writer.member("state", connection.load.isLeaving ? "leaving" : "open")
    writer.key("agents")
    writer.beginArray()
    for agent in connection.load.agents { writer.string(agent) }
    writer.endArray()
    writer.member("calls", connection.load.calls)
    writer.member("handling", connection.load.handling)
    writer.member("waiting_bytes", connection.load.waitingBytes)
    writer.member("age_ms", connection.ageMs)
    writer.endObject()
  }
}
