internal import Discovery
internal import Routing
internal import Wire

/// `sys.daemon`: for the operator, an end to the daemon in order, and how far it has come.
final class DaemonAgent: SystemAgent {
  let name = "sys.daemon"
  let description = "The daemon itself"
  let operations = #"""
    [{"name":"Drain","description":"Ends the daemon when what is in flight has finished","streaming":true}]
    """#

  private unowned let core: Core
  /// Calls that are told how far the drain has come.
  private var watches: [SystemCall] = []
  private var due: UInt64 = 0
  private var told: Int?

  init(_ core: Core) {
    self.core = core
  }

  func handle(_ call: SystemCall, _ host: SystemHost) {
    do throws(SystemFailure) {
      guard call.type == "Drain" else { throw .unhandled(name, call.type) }
      let request = try SystemRequest.object(call.content)
      let timeoutMs = try request.count("timeout_ms") ?? UInt64(core.limits.drainMs)
      guard core.router.isOperator(call.principal) else { throw .notPermitted("agent", name) }
      core.requestDrain(timeoutMs: timeoutMs)
      due = host.now + timeoutMs
      host.setAside(call)
      watches.append(call)
      host.wakeUp(inMs: Self.intervalMs)
      told = core.router.inFlight
      host.send(call, type: "DrainProgress", progress(host))
    } catch {
      host.fail(call, error)
    }
  }

  func cancelled(_ call: SystemCall, _ host: SystemHost) {
    watches.removeAll { $0 === call }
  }

  func wokenUp(_ host: SystemHost) {
    guard !watches.isEmpty else { return }
    host.wakeUp(inMs: Self.intervalMs)
    guard told != core.router.inFlight else { return }
    told = core.router.inFlight
    // A reader that does not keep up is told the newest.
    for call in watches where call.window > 0 {
      host.send(call, type: "DrainProgress", progress(host))
    }
  }

  /// Nothing is left: the last word before everybody is disconnected.
  func drained(_ host: SystemHost) {
    for call in watches { host.reply(call, type: "DrainProgress", progress(host)) }
    watches = []
  }

  private func progress(_ host: SystemHost) -> ContentBlock {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("in_flight", core.router.inFlight)
    writer.member("connections", core.connectionCount)
    writer.member("left_ms", due - min(due, host.now))
    writer.endObject()
    return writer.block
  }

  private static let intervalMs: UInt64 = 100
}
