internal import Routing
internal import Wire

/// `runs`: calls whose replies are kept, to be listed and read.
final class RunsAgent: SystemAgent {
  let name = "runs"
  let description = "Calls whose replies are kept, to be read by many and again"
  let operations = #"""
    [{"name":"RunList","description":"Runs, by name"},
     {"name":"RunDescribe","description":"One run"},
     {"name":"Attach","description":"What a run replies, from any frame that is kept on",
      "streaming":true}]
    """#

  private let router: Router

  init(_ router: Router) {
    self.router = router
  }

  func handle(_ call: SystemCall, _ host: SystemHost) {
    guard call.type != "Attach" else { return attach(call, host) }
    host.answer(call) { () throws(SystemFailure) in
      switch call.type {
      case "RunList": try list(.object(call.content), by: call.principal)
      case "RunDescribe": try describe(.object(call.content), by: call.principal)
      default: throw .unhandled(name, call.type)
      }
    }
  }

  // MARK: Reading

  private func attach(_ call: SystemCall, _ host: SystemHost) {
    do throws(SystemFailure) {
      let request = try SystemRequest.object(call.content)
      let run = try Self.run(request)
      let isTail = try request.truth("tail")
      let resumes = try request.truth("resume")
      let from = try request.count("from") ?? 0
      let start = isTail ? RunStart.tail : .from(Int(from))
      let refusal = run.withBytes { name -> AttachRefusal? in
        do throws(AttachRefusal) {
          try router.attach(ownCall: call.id, to: name, start, resumes: resumes)
          return nil
        } catch {
          return error
        }
      }
      switch refusal {
      case nil: host.forget(call)
      case .unknown: throw .unknownRun(run)
      case .truncated(let first): throw .truncated(run, first: first)
      }
    } catch {
      host.fail(call, error)
    }
  }

  // MARK: Lists

  private func list(
    _ request: SystemRequest, by principal: Principal?
  ) throws(SystemFailure) -> SystemReply {
    let after = try request.text("after") ?? ""
    let limit = try request.limit()
    var state: RunView.State?
    if let word = try request.text("state") {
      guard let known = RunView.State(rawValue: word) else {
        throw .badContent("state", "must be waiting, running or ended")
      }
      state = known
    }
    // Who has gone meanwhile is shown what is nobody's.
    let asker = principal ?? .sidecar
    let whose = asker == router.operatorPrincipal ? nil : asker
    return after.withBytes { after in
      let found = router.runs(of: whose, in: state, after: after, limit: limit)
      return SystemReply("RunListReply") { writer in
        writer.beginObject()
        writer.key("runs")
        writer.beginArray()
        for run in found.views { Self.write(run, &writer) }
        writer.endArray()
        writer.member("more", found.more)
        writer.endObject()
      }
    }
  }

  private func describe(
    _ request: SystemRequest, by principal: Principal?
  ) throws(SystemFailure) -> SystemReply {
    let name = try Self.run(request)
    let reply = name.withBytes { bytes -> SystemReply? in
      guard let principal, let view = router.run(bytes, seenBy: principal) else { return nil }
      return SystemReply("RunDescription") { Self.write(view, &$0) }
    }
    guard let reply else { throw .unknownRun(name) }
    return reply
  }

  private static func run(_ request: SystemRequest) throws(SystemFailure) -> String {
    guard let run = try request.text("run") else { throw .badContent("run", "is missing") }
    return run
  }

  private static func write(_ run: RunView, _ writer: inout JSONWriter) {
    writer.beginObject()
    writer.member("run", run.id)
    writer.member("principal", run.principal.description)
    writer.member("to", run.to)
    writer.member("type", run.type)
    writer.member("state", run.state.rawValue)
    writer.member("frames", run.frames)
    writer.member("first", run.first)
    writer.member("bytes", run.bytes)
    writer.member("readers", run.readers)
    writer.member("detached", run.isDetached)
    writer.member("age_ms", run.ageMs)
    writer.member("ended_ms", run.endedMs)
    writer.member("code", run.code?.rawValue ?? "")
    writer.endObject()
  }
}
