internal import Discovery
internal import Routing
internal import Wire

/// `sessions`: the conversations there are, and the calls; and an end to one of them.
final class SessionsAgent: SystemAgent {
  let name = "sessions"
  let description = "Which sessions and calls there are"
  let operations = #"""
    [{"name":"SessionList","description":"Sessions, by address"},
     {"name":"SessionDescribe","description":"One session and its calls"},
     {"name":"SessionDelete","description":"Ends a session and its calls"},
     {"name":"CallList","description":"Calls, waiting and running"}]
    """#

  private let router: Router

  init(_ router: Router) {
    self.router = router
  }

  func handle(_ call: SystemCall, _ host: SystemHost) {
    host.answer(call) { () throws(SystemFailure) in
      switch call.type {
      case "SessionList": try list(.object(call.content))
      case "SessionDescribe": try describe(.object(call.content))
      case "SessionDelete": try delete(.object(call.content), by: call.principal)
      case "CallList": try calls(.object(call.content))
      default: throw .unhandled(name, call.type)
      }
    }
  }

  private func list(_ request: SystemRequest) throws(SystemFailure) -> SystemReply {
    let name = try request.text("agent")
    let after = try request.text("after") ?? ""
    let limit = try request.limit()
    let agent = name.flatMap { $0.withBytes(router.registry.find) }
    let isUnknown = name != nil && agent == nil
    return after.withBytes { after in
      let found =
        isUnknown ? ([], false) : router.sessions(of: agent, after: after, limit: limit)
      return SystemReply("SessionListReply") { writer in
        writer.beginObject()
        writer.key("sessions")
        writer.beginArray()
        for session in found.0 {
          writer.beginObject()
          Self.write(session, &writer)
          writer.endObject()
        }
        writer.endArray()
        writer.member("more", found.1)
        writer.endObject()
      }
    }
  }

  private func describe(_ request: SystemRequest) throws(SystemFailure) -> SystemReply {
    let address = try Self.address(request)
    let reply = address.withBytes { bytes -> SystemReply? in
      guard let session = router.session(bytes) else { return nil }
      let calls = router.calls(ofSession: bytes)
      return SystemReply("SessionDescription") { writer in
        writer.beginObject()
        Self.write(session, &writer)
        writer.key("calls")
        writer.beginArray()
        for call in calls { Self.write(call, &writer) }
        writer.endArray()
        writer.endObject()
      }
    }
    guard let reply else { throw .unknownSession(address) }
    return reply
  }

  private func delete(
    _ request: SystemRequest, by principal: Principal?
  ) throws(SystemFailure) -> SystemReply {
    let address = try Self.address(request)
    let isPermitted = principal.map { principal in
      address.withBytes { router.mayDelete($0, principal) }
    }
    guard isPermitted ?? false else { throw .notPermitted("address", address) }
    guard address.withBytes(router.deleteSession) else { throw .unknownSession(address) }
    return SystemReply("SessionDeleted") { writer in
      writer.beginObject()
      writer.member("address", address)
      writer.endObject()
    }
  }

  private func calls(_ request: SystemRequest) throws(SystemFailure) -> SystemReply {
    let found = router.calls(limit: try request.limit())
    return SystemReply("CallListReply") { writer in
      writer.beginObject()
      writer.key("calls")
      writer.beginArray()
      for call in found.views { Self.write(call, &writer) }
      writer.endArray()
      writer.member("more", found.more)
      writer.endObject()
    }
  }

  private static func address(_ request: SystemRequest) throws(SystemFailure) -> String {
    guard let address = try request.text("address") else {
      throw .badContent("address", "is missing")
    }
    return address
  }

  private static func write(_ session: SessionView, _ writer: inout JSONWriter) {
    let name = session.agent.count
    writer.member("address", session.address)
    writer.member("agent", session.agent)
    writer.member(
      "session", UnsafeRawBufferPointer(rebasing: session.address[(name + 1)...]))
    writer.member("connection", session.connection)
    writer.member("state", session.state.rawValue)
    writer.member("running", session.running)
    writer.member("waiting", session.waiting)
    writer.member("idle_ms", session.idleMs)
    writer.member("age_ms", session.ageMs)
  }

  private static func write(_ call: CallView, _ writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("call", call.number)
    writer.member("to", call.to)
    writer.member("from", call.from)
    writer.member("type", call.type)
    writer.member("caller", call.caller)
    writer.member("host", call.host)
    writer.member("state", call.state.rawValue)
    writer.member("age_ms", call.ageMs)
    writer.member("timeout_ms", call.timeoutMs)
    writer.endObject()
  }
}
