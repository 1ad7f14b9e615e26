import Testing
import Wire

@testable import Auditing
@testable import Routing

/// A network with the sidecar's own `runs`, for which a test speaks.
final class RunStage {
  let network: Network
  private let own: Peer

  init(limits: Limits = Limits()) {
    network = Network(limits: limits)
    own = network.ownHost("runs")
  }

  var router: Router { network.router }

  /// What is kept, and who reads it, agrees.
  func audit(_ sourceLocation: SourceLocation = #_sourceLocation) {
    do {
      try RouterAudit(router: router).run()
    } catch {
      Issue.record("\(error)", sourceLocation: sourceLocation)
    }
  }

  /// Calls `runs` and makes that call a reader; returns its id.
  @discardableResult
  func attach(
    _ reader: Peer, _ run: String, _ start: RunStart = .from(0), resumes: Bool = false,
    with fields: String = ""
  ) throws -> UInt64 {
    let id = reader.call("runs", with: fields)
    let call = try #require(own.hear().last)
    let own = try #require(UInt64(call.split(separator: " ")[1]))
    var name = run
    let refusal = name.withUTF8 { bytes -> AttachRefusal? in
      do throws(AttachRefusal) {
        try router.attach(
          ownCall: own, to: UnsafeRawBufferPointer(bytes), start, resumes: resumes)
        return nil
      } catch {
        return error
      }
    }
    if let refusal { throw refusal }
    return id
  }

  func isKnown(_ run: String, user: UInt32 = 1) -> Bool {
    var name = run
    return name.withUTF8 { bytes in
      switch router.lookUpRun(UnsafeRawBufferPointer(bytes), of: .user(user)) {
      case .unknown: false
      case .ended, .open: true
      }
    }
  }
}
