import Routing
import Wire

@testable import Auditing

/// A connection of a simulation. Frames are looked at twice: when the sidecar writes them, which is
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
  let isTCP: Bool
  var principal = Principal.user(1)
  let out: OutBuffer
  /// Its place among those that are connected.
  var place = 0
  var isLost = false
  /// It has said what ends a connection.
  var isBroken = false
  /// It has written goodbye, and the sidecar has it.
  var saysGoodbye = false
  var hasSaidGoodbye = false
  /// It was told welcome.
  var isGreeted = false
  var connected: UInt64 = 0
  /// When bytes of it last arrived, and when it last took some.
  var lastSaid: UInt64 = 0
  var lastRead: UInt64 = 0
  /// Pings that wait for their answer.
  var pongs = 0
  private(set) var lastID: UInt64 = 0
  var lastGiven: UInt64 = 0
  var registrations: [UInt64: Registration] = [:]
  /// Everything it opened that has not ended, and everything it was given and has not ended.
  var made: [UInt64: SimulatedCall] = [:]
  var hosted: [UInt64: SimulatedCall] = [:]
  /// The same, until the peer has read of the end, and as long as it may speak of it.
  var everMade: [UInt64: SimulatedCall] = [:]
  var everHosted: [UInt64: SimulatedCall] = [:]
  /// Sends that wait for their `ok`.
  var sent: Set<UInt64> = []
  /// What it subscribed to, and the publishes that wait for their `ok`.
  var subscriptions: [UInt64: SimulatedSubscription] = [:]
  var published: [UInt64: SimulatedPublication] = [:]
  /// Signals of its own that wait for their answer, and those that it has to answer.
  var signals: [UInt64: SimulatedSignal] = [:]
  var givenSignals: [UInt64: SimulatedSignal] = [:]
  var readSignals: [UInt64: Bool] = [:]
  /// It named none in its hello.
  var hasNoFeatures = false
  /// Sessions it is to close, from when the sidecar says so to when it has.
  var closing: [UInt64: (session: String, isRead: Bool)] = [:]
  /// Some of its ids that have ended.
  private(set) var endedIDs: [UInt64] = []
  /// Answers without an id that it has a right to.
  var remarks = 0
  /// The reason of the last error without an id.
  var lastRemark: String?

  var uplink = Uplink()
  let incoming: FrameDecoder
  private let decoder = FrameDecoder(headerMax: 65_536, contentMax: 64 << 20)
  private var seen = 0
  private var consumed = 0
  private var inbox: [(end: Int, frame: SimulatedFrame)] = []
  private var firstInInbox = 0

  init(_ index: ConnectionIndex, number: Int, isTCP: Bool, limits: Limits, _ out: OutBuffer) {
    self.index = index
    self.number = number
    self.isTCP = isTCP
    self.out = out
    incoming = FrameDecoder(
      headerMax: Limits.headerBytesMaxClient, contentMax: limits.contentBytesMax,
      firstHeaderMax: Limits.helloHeaderBytesMax)
  }

  func newID(gap: UInt64) -> UInt64 {
    lastID += lastID == 0 ? 1 : 2 * (1 + gap)
    return lastID
  }

  func hasEnded(_ id: UInt64) {
    if endedIDs.count >= 64 { endedIDs.removeFirst(32) }
    endedIDs.append(id)
  }

  /// The frames that the sidecar has written since this was last asked.
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
    let whole = inbox[firstInInbox...].prefix { $0.end <= consumed }
    firstInInbox += whole.count
    defer {
      if firstInInbox == inbox.count {
        inbox.removeAll(keepingCapacity: inbox.count < 100)
        firstInInbox = 0
      }
    }
    return whole.map(\.frame)
  }

  /// Calls and peers know each other; this lets both go.
  func forget() {
    everMade = [:]
    published = [:]
    everHosted = [:]
    hosted = [:]
    made = [:]
    uplink = Uplink()
    signals = [:]
    givenSignals = [:]
  }
}

extension OutBuffer {
  /// Copies of `count` bytes that wait, behind the first `skipped` of them; all go on waiting.
  fileprivate func bytes(_ count: Int, behind skipped: Int = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    var room = 64
    while true {
      bytes.removeAll(keepingCapacity: true)
      withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: room) { vectors in
        let filled = nextVectors(vectors)
        var left = skipped
        for vector in vectors[..<filled] where bytes.count < count {
          let wanted = vector.dropFirst(left).prefix(count - bytes.count)
          bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: wanted))
          left -= min(left, vector.count)
        }
      }
      if bytes.count == count { return bytes }
      room *= 4
    }
  }
}
