import Discovery
import TestSupport
import Wire

@testable import Routing

/// Peers that do what peers may do, and some of what they may not, in an order that a seed decides.
///
/// After each event what the router wrote is held against the ledger, and its records are audited.
final class Simulation {
  let seed: UInt64
  let router: Router
  let ledger: Ledger
  var random: SeededGenerator
  let audit: RouterAudit
  let mood: Mood
  var peerCount = 0
  var callCount = 0
  var trace: [String] = []
  private(set) var steps = 0

  static let traceLength = 40
  static let names = ["a", "b", "c.d"]
  static let sessions = ["x", "y", "z"]

  /// What there is much of.
  struct Mood {
    /// Large contents, and readers that are slow.
    var isHeavy: Bool
    /// Calls that serve calls.
    var isDeep: Bool
    /// Messages to sessions.
    var hasSessions: Bool
    /// Messages both ways, in few calls.
    var hasStreams: Bool
    /// Subscriptions and published messages.
    var hasTopics: Bool
  }

  init(seed: UInt64) {
    self.seed = seed
    var random = SeededGenerator(seed: seed)
    var limits = Limits()
    limits.mailboxMessagesMax = 6
    limits.mailboxBytesMax = 200_000
    limits.mailboxBytesPerConnectionMax = 300_000
    limits.openIDsMax = Int.random(in: 6...30, using: &random)
    limits.namesMax = 3
    limits.sessionsMax = 7
    limits.subscriptionsMax = 4
    mood = Mood(
      isHeavy: Bool.random(using: &random), isDeep: Int.random(in: 0...2, using: &random) == 0,
      hasSessions: Int.random(in: 0...2, using: &random) == 0,
      hasStreams: Bool.random(using: &random),
      hasTopics: Int.random(in: 0...2, using: &random) == 0)
    limits.connectionHighMarkBytes = Int.random(in: 100_000...800_000, using: &random)
    limits.connectionHardMarkBytes = limits.connectionHighMarkBytes * 3 / 2
    limits.callDepthMax = mood.isDeep ? 10 : 3
    limits.noReplicaMs = 3_000
    self.random = random
    router = Router(limits: limits, now: 1_000, seed: seed)
    ledger = Ledger(limits: limits)
    ledger.now = 1_000
    audit = RouterAudit(router: router)
  }

  /// Runs `count` steps, then lets everything come to rest and looks for what is left.
  func run(_ count: Int) throws(Violation) {
    do throws(Violation) {
      for _ in 0..<count {
        try step()
        steps += 1
      }
      try settle()
    } catch {
      let last = trace.suffix(Simulation.traceLength).joined(separator: "\n  ")
      throw Violation("COAGENT_SEED=\(seed), step \(steps): \(error)\n  \(last)")
    }
  }

  // MARK: Chance

  func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

  func pick<Element>(_ elements: [Element]) -> Element? {
    elements.randomElement(using: &random)
  }

  var alive: [SimulatedPeer] { ledger.peers.filter { !$0.isLost } }

  /// Sizes of contents: mostly small, some larger than a connection's buffer takes at once.
  func size() -> Int {
    switch number(0...9) {
    case 0..<3: number(20...60)
    case 3..<6: mood.isHeavy ? number(40_000...90_000) : number(20...60)
    case 6..<8: number(20...5_000)
    case 8: number(5_000...70_000)
    default: 0
    }
  }

  /// How much a peer reads at a time.
  func appetite(_ peer: SimulatedPeer) -> Int {
    guard mood.isHeavy else { return chance(25) ? number(1...2_000) : .max }
    return peer.number % 2 == 0 ? number(1...60_000) : number(1...400_000)
  }

  func step() throws(Violation) {
    guard let peer = pick(alive), alive.count >= 3 else { return try connect() }
    switch number(0...99) {
    case 0: if chance(mood.hasStreams ? 10 : 30) { try lose(peer) }
    case 1: if alive.count < 6 { try connect() }
    case 2: if chance(15) { try sayGoodbye(peer) }
    case 3..<8: try register(peer)
    case 8..<10: try withdraw(peer)
    case 10..<31 where mood.hasStreams && ledger.calls.count > 5:
      if chance(50) { try answer(peer) } else { try sendInput(peer) }
    case 10..<22 where mood.hasTopics:
      if chance(60) { try publish(peer) } else { try subscribe(peer) }
    case 10..<26: try call(peer)
    case 26..<29: try send(peer)
    case 29..<31: try publish(peer)
    case 31..<48: try answer(peer)
    case 48..<56: try sendInput(peer)
    case 56..<60: if !mood.hasStreams || chance(10) { try cancel(peer) }
    case 60..<70 where mood.hasTopics: try grantSubscription(peer)
    case 60..<70: try grant(peer)
    case 70..<72: try grantSubscription(peer)
    case 72..<75: try answerClose(peer)
    case 75..<90: try read(peer, appetite(peer))
    case 90..<93: try pass([1, 9, 40, 700, 2_500, 6_000][number(0...(mood.hasStreams ? 3 : 5))])
    case 93..<97: try answer(peer)
    case 97: if chance(50) { try deleteSession() } else { try unsubscribe(peer) }
    case 98: try subscribe(peer)
    default: try misbehave(peer)
    }
  }

  // MARK: Events

  /// One event, and what must hold after it.
  func event(_ text: String, _ body: () -> Void) throws(Violation) {
    trace.append("\(ledger.now) \(text)")
    body()
    try look()
  }

  func look() throws(Violation) {
    for peer in alive {
      for frame in try peer.newFrames() {
        let what = "\(frame.to)\(frame.reason) \(frame.type) \(frame.length) \(frame.bytes)"
        trace.append("    p\(peer.number) < \(frame.op) \(frame.id ?? 0) \(what)")
        try ledger.wrote(frame, to: peer)
      }
    }
    ledger.sweep()
    try ledger.check()
    try audit.run()
  }

  func say(_ peer: SimulatedPeer, _ text: String, _ content: [UInt8] = []) throws(Violation) {
    var fault: ConnectionFault?
    try event("p\(peer.number) > \(text) \(content.count)") {
      var bytes = Array(text.utf8)
      let header = Header()
      bytes.withUnsafeMutableBytes { raw in
        precondition(header.scan(raw) == nil, "not a header: \(text)")
        content.withUnsafeBytes { raw in
          let isLarge = raw.count > 32 << 10
          fault = router.receive(
            peer.index, header, isLarge ? Content(ContentBlock(copying: raw)) : Content(raw))
        }
      }
    }
    if let fault { throw Violation("p\(peer.number) is to be closed: \(fault)") }
  }

  func pass(_ milliseconds: Int) throws(Violation) {
    ledger.now += UInt64(milliseconds)
    trace.append("\(ledger.now) (+\(milliseconds) ms)")
    while let (kind, index) = router.takeTimer(now: ledger.now) {
      router.now = ledger.now
      try event("timer \(kind) \(index)") { router.timerFired(kind, index) }
    }
    router.now = ledger.now
    try ledger.checkDeadlines()
  }

  func connect() throws(Violation) {
    peerCount += 1
    let principal = Principal.user(UInt32(number(1...10) == 1 ? 2 : 1))
    let peer = SimulatedPeer(router, number: peerCount, principal: principal)
    ledger.peers.append(peer)
    trace.append("p\(peer.number) connects as connection \(peer.index)")
    if chance(80) { try register(peer) }
  }

  func lose(_ peer: SimulatedPeer) throws(Violation) {
    ledger.lost(peer)
    try event("p\(peer.number) is lost") { router.connectionLost(peer.index) }
    ledger.peers.removeAll { $0 === peer }
    // Calls and peers know each other; this lets both go.
    peer.everMade = [:]
    peer.published = [:]
    peer.everHosted = [:]
    peer.hosted = [:]
    peer.made = [:]
  }

  func sayGoodbye(_ peer: SimulatedPeer) throws(Violation) {
    peer.hasSaidGoodbye = true
    for id in peer.registrations.keys {
      peer.registrations[id]!.isActive = false
      peer.registrations[id]!.hasEnded = true
    }
    ledger.ended(peer.subscriptions.values)
    let time = UInt64(number(0...3_000))
    try event("p\(peer.number) says goodbye") { router.goodbye(peer.index, timeoutMs: time) }
  }

  func read(_ peer: SimulatedPeer, _ count: Int) throws(Violation) {
    guard !peer.out.isEmpty else { return }
    let frames = peer.read(count)
    try event("p\(peer.number) reads \(count)") { router.drained(peer.index) }
    for frame in frames { heard(frame, peer) }
  }

  /// A peer learns what was written to it before.
  func heard(_ frame: SimulatedFrame, _ peer: SimulatedPeer) {
    guard let id = frame.id else { return }
    switch frame.op {
    case .call: peer.everHosted[id]!.isRead = true
    case .credit where id % 2 == 0: peer.everHosted[id]?.replyAllowanceRead += frame.bytes
    case .credit: peer.everMade[id]?.inputAllowanceRead += frame.bytes
    case .data where id % 2 == 0: peer.everHosted[id]?.inputUnread += frame.cost
    case .data where peer.subscriptions[id] != nil:
      peer.subscriptions[id]!.unread += frame.cost
    case .data, .error:
      guard id % 2 == 1, let call = peer.everMade[id] else { return }
      call.unread += frame.cost
      if Expected(frame).isEnd { call.endIsRead = true }
    case .close: peer.closing[id]?.isRead = true
    default: break
    }
  }

  func deleteSession() throws(Violation) {
    guard let session = pick(ledger.instances.keys.sorted()) else { return }
    try event("\(session) is deleted") { _ = router.deleteSession(named: session) }
  }

  // MARK: Rest

  /// Everybody reads, ends, grants and closes what there is: then nothing may be open, and after
  /// that nothing may be left.
  func settle() throws(Violation) {
    if chance(15) {
      trace.append("the sidecar drains")
      try event("drain") { router.beginDrain(timeoutMs: 100) }
      if chance(50) {
        try event("the drain is over") { router.endDrain() }
        for call in ledger.calls where !call.isSend {
          try require(call.hasEnded, "call \(call.number) outlives the drain")
        }
      }
    }
    try finishCalls()
    for call in ledger.calls where !call.isSend {
      try require(call.hasEnded, "call \(call.number) to \(call.to) never ends")
    }
    try require(router.calls.count == 0, audit.leftCalls)
    try endSubscriptions()
    for peer in alive {
      for id in peer.registrations.filter({ !$0.value.hasEnded }).keys.sorted() {
        stop(id, of: peer)
        try say(peer, #"{"op":"cancel","id":\#(id)}"#)
      }
    }
    try finishCalls()
    // The longest of all times: a session's idleness, or that of a name without a host.
    for _ in 0..<8 { try pass(10_000) }
    try audit.checkEmpty()
    for peer in alive { try lose(peer) }
    try require(router.connections.count == 0, "\(router.connections.count) connections are left")
    try require(
      router.registry.listedCount == 0, "\(router.registry.listedCount) agents are listed")
  }

  func finishCalls() throws(Violation) {
    for _ in 0..<200 {
      var isBusy = false
      for peer in alive {
        while !peer.out.isEmpty {
          try read(peer, .max)
          isBusy = true
        }
        for id in peer.closing.keys.sorted() {
          ledger.answeredClose(id, peer)
          try say(peer, #"{"op":"ok","id":\#(id)}"#)
          isBusy = true
        }
        for id in peer.hosted.keys.sorted() {
          guard let call = peer.hosted[id], call.isRead else { continue }
          var end = Expected()
          end.isEnd = true
          try answer(call, end)
          isBusy = true
        }
        for id in peer.made.keys.sorted() {
          guard let call = peer.made[id],
            call.window < 1 << 20 || call.isHeldBack || call.arrival == nil
          else { continue }
          try grant(call, 1 << 24)
          isBusy = true
        }
        if try finishSubscriptions(peer) { isBusy = true }
      }
      if !isBusy { return }
    }
    throw Violation("no rest is found")
  }
}
