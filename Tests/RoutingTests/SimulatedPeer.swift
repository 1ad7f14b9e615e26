import Wire

@testable import Routing

/// A connection of a simulation. Frames are looked at twice: when the router writes them, which is
/// when its rules hold, and when the peer reads them, which is when the peer knows.
final class SimulatedPeer {
  struct Registration {
    var name: String
    var isConfirmed = false
    /// It gets new calls; its id has not ended.
    var isActive = true
    var hasEnded = false
  }

  let index: ConnectionIndex
  let number: Int
  let out = OutBuffer()
  var isLost = false
  var hasSaidGoodbye = false
  private(set) var lastID: UInt64 = 0
  var lastGiven: UInt64 = 0
  var registrations: [UInt64: Registration] = [:]
  /// Everything it opened that has not ended, and everything it was given and has not ended.
  var made: [UInt64: SimulatedCall] = [:]
  var hosted: [UInt64: SimulatedCall] = [:]
  var everMade: [UInt64: SimulatedCall] = [:]
  var everHosted: [UInt64: SimulatedCall] = [:]
  /// Sends that wait for their `ok`.
  var sent: Set<UInt64> = []
  /// What it subscribed to, and the publishes that wait for their `ok`.
  var subscriptions: [UInt64: SimulatedSubscription] = [:]
  var published: [UInt64: SimulatedPublication] = [:]
  /// Sessions it is to close, from when the router says so to when it has.
  var closing: [UInt64: (session: String, isRead: Bool)] = [:]
  var endedIDs: [UInt64] = []
  /// Answers without an id that it has a right to.
  var remarks = 0

  private let decoder = FrameDecoder(headerMax: 65_536, contentMax: 64 << 20)
  private var seen = 0
  private var consumed = 0
  private var inbox: [(end: Int, frame: SimulatedFrame)] = []

  init(_ router: Router, number: Int, principal: Principal) {
    self.number = number
    index = router.openConnection(principal: principal, name: "p\(number)", out: out)
  }

  func newID(gap: UInt64) -> UInt64 {
    lastID += lastID == 0 ? 1 : 2 * (1 + gap)
    return lastID
  }

  /// The frames that the router has written since this was last asked.
  func newFrames() throws(Violation) -> [SimulatedFrame] {
    let total = consumed + out.pending
    guard total > seen else { return [] }
    var bytes = out.bytes(total - seen, behind: seen - consumed)
    var frames: [SimulatedFrame] = []
    var fault: FrameFault?
    bytes.withUnsafeMutableBytes { raw in
      decoder.begin(raw)
      loop: while true {
        switch decoder.next() {
        case .frame:
          let frame = SimulatedFrame(decoder.header, decoder.content)
          seen += decoder.frameBytes
          frames.append(frame)
          inbox.append((seen, frame))
        case .needsMore: break loop
        case .fault(let found):
          fault = found
          break loop
        }
      }
      decoder.finish()
    }
    if let fault { throw Violation("p\(number) was sent what is no frame: \(fault)") }
    try require(seen == total, "p\(number) was sent half a frame")
    return frames
  }

  /// Reads at most `count` bytes; returns the frames that are whole by now.
  func read(_ count: Int) -> [SimulatedFrame] {
    let taken = min(count, out.pending)
    out.consume(taken)
    consumed += taken
    let whole = inbox.prefix { $0.end <= consumed }
    inbox.removeFirst(whole.count)
    return whole.map(\.frame)
  }
}
