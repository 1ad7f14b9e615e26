import Connections
import Routing
import Sidecar
import TestSupport
import Wire

@testable import Auditing

/// Peers that do what peers may do, and some of what they may not, in an order that a seed decides:
/// around the sidecar's whole core, in virtual time, without a socket.
///
/// `step` is where to begin: it picks a peer and what it does. What a peer says travels as bytes
/// and arrives in pieces (`Simulation+Wire`); what follows from it is held against the ledger,
/// which knows what was sent and nothing of the router's records, and these are audited.
final class Simulation {
  let seed: UInt64
  let mood: Mood
  let core: Core
  let ledger: Ledger
  let audit: RouterAudit
  var random: SeededGenerator
  /// Peers that are connected, in no order that means anything.
  var alive: [SimulatedPeer] = []
  var byConnection: [ConnectionIndex: SimulatedPeer] = [:]
  var tally = Tally()
  var peerCount = 0
  /// The latest runs.
  var runs: [SimulatedRun] = []
  var callCount = 0
  var events = 0
  /// In a crowd, peers for which something waits.
  private var unread: [SimulatedPeer] = []
  /// All that was written to peers, as one number: the same when the seed is run again.
  var digest: UInt64 = 0xCBF2_9CE4_8422_2325
  /// The last things that happened, if they are wanted.
  var trace: [String]?
  /// Once everything is to come to rest, what is said arrives at once.
  var isSettling = false

  static let token = "secret of the simulation"

  init(seed: UInt64, isTraced: Bool = false) {
    self.seed = seed
    trace = isTraced ? [] : nil
    var random = SeededGenerator(seed: seed)
    let mood = Mood(seed: seed, &random)
    self.mood = mood
    let limits = mood.limits(&random)
    self.random = random
    core = Core(
      limits: limits, server: "coagentd/simulated",
      tokens: TokenList([(name: "token", token: Self.token)]), seed: seed, now: 1_000)
    ledger = Ledger(limits: limits)
    ledger.now = 1_000
    audit = RouterAudit(router: core.router)
    core.router.operatorPrincipal = Ledger.operatorPrincipal
    core.lastHeard = { [unowned self] in byConnection[$0]?.lastSaid ?? 0 }
  }

  /// Runs `count` steps, then lets everything come to rest and looks for what is left.
  func run(_ count: Int) throws(Violation) {
    for step in 0..<count {
      do throws(Violation) { try self.step() } catch {
        throw Violation("step \(step): \(error)")
      }
      tally.count("steps")
    }
    do throws(Violation) { try settle() } catch {
      throw Violation("coming to rest after \(count) steps: \(error)")
    }
  }

  func note(_ text: @autoclosure () -> String) {
    guard trace != nil else { return }
    trace!.append(text())
    if trace!.count > 400 { trace!.removeFirst(200) }
  }

  // MARK: Chance

  func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

  func pick<Element>(_ elements: [Element]) -> Element? {
    elements.randomElement(using: &random)
  }

  /// A call like that. Among very many only some are looked at.
  func pickCall(where isWanted: (SimulatedCall) -> Bool) -> SimulatedCall? {
    let calls = ledger.calls
    guard calls.count > 100 else { return pick(calls.filter(isWanted)) }
    for _ in 0..<20 {
      let call = calls[number(0...calls.count - 1)]
      if isWanted(call) { return call }
    }
    return nil
  }

  /// `name` or `name:session`, seldom of an agent that is not there.
  func address() -> String {
    let name = number(0...40) == 0 ? "nobody" : pick(mood.names)!
    return chance(mood.hasSessions ? 10 : 50) ? name : "\(name):\(session())"
  }

  func session() -> String { "s\(number(1...mood.sessions))" }

  /// Sizes of contents: mostly small, some larger than a connection's buffer takes at once.
  func size() -> Int {
    switch number(0...9) {
    case 0..<3: number(20...60)
    case 3..<6: number(100...2_000)
    case 6..<8: mood.isCrowd ? 300 : number(4_000...40_000)
    case 8: mood.isHeavy && !mood.isCrowd ? number(60_000...150_000) : 100
    default: 0
    }
  }

  /// How much a peer reads at a time.
  func appetite(_ peer: SimulatedPeer) -> Int {
    guard mood.isHeavy else { return chance(25) ? number(1...2_000) : .max }
    return peer.number % 2 == 0 ? number(1...60_000) : number(1...400_000)
  }

  // MARK: Steps

  /// Something happens: what a peer cannot do now, another may.
  func step() throws(Violation) {
    let before = events
    for _ in 0..<5 where events == before { try tryStep() }
    try readInCrowd()
  }

  /// In a crowd most read soon: nobody's turn comes often.
  private func readInCrowd() throws(Violation) {
    guard mood.isCrowd else { return }
    for _ in 0..<3 where !unread.isEmpty {
      unread.swapAt(number(0...unread.count - 1), unread.count - 1)
      let peer = unread.removeLast()
      if !peer.isLost, chance(90) { try read(peer, appetite(peer)) }
      if !peer.isLost, !peer.out.isEmpty { unread.append(peer) }
    }
  }

  private func tryStep() throws(Violation) {
    guard alive.count >= mood.peersMin, let peer = pick(alive) else {
      for _ in 0..<(mood.isCrowd ? 20 : 1) { try connect() }
      return
    }
    switch number(0...99) {
    case 0: if chance(mood.hasStreams ? 10 : 30) { try lose(peer, deliveringFirst: chance(50)) }
    case 1: if alive.count < mood.peersMax { try connect() }
    case 2: try leaveOrBreak(peer)
    case 3..<7: try register(peer)
    case 7: if peer.hasSaidGoodbye { try lose(peer, deliveringFirst: true) }
    case 8..<10: try withdraw(peer)
    case 10..<31 where mood.hasStreams && ledger.calls.count > mood.streams:
      if chance(50) { try answer(peer) } else { try sendInput(peer) }
    case 10..<22 where mood.hasTopics:
      if chance(60) { try publish(peer) } else { try subscribe(peer) }
    case 10..<16 where mood.hasRuns: try runOrRead(peer)
    case 10..<18 where mood.hasSplices:
      if chance(50) { try delegate(peer) } else { try splice(peer) }
    case 10..<26: try call(peer)
    case 26..<29: try send(peer)
    case 29: try publish(peer)
    case 30: if chance(50) { try ask(peer) } else { try runOrRead(peer) }
    case 31..<48: try answer(peer)
    case 48..<56: try sendInput(peer)
    case 56..<60: if !mood.hasStreams || chance(10) { try cancel(peer) }
    case 60..<70 where mood.hasTopics: try grantSubscription(peer)
    case 60..<70: try grant(peer)
    case 70..<72: try grantSubscription(peer)
    case 72..<75: try answerClose(peer)
    case 75: try signal(peer)
    case 76: if chance(90) { try answerSignal(peer) } else { try cancelSignal(peer) }
    case 77..<87: try read(peer, appetite(peer))
    case 87..<90: try arrive(peer, number(1...600))
    case 90..<93 where mood.isCrowd: try pass(number(1...30))
    case 90..<93: try pass([1, 9, 40, 700, 2_500, 6_000][number(0...(mood.hasStreams ? 3 : 5))])
    case 93: if chance(50) { try delegate(peer) } else { try splice(peer) }
    case 94..<97: try answer(peer)
    case 97: if chance(50) { try deleteSession(peer) } else { try unsubscribe(peer) }
    case 98: try subscribe(peer)
    default: try misbehave(peer)
    }
  }

  private func leaveOrBreak(_ peer: SimulatedPeer) throws(Violation) {
    switch number(0...19) {
    case 0..<3: try sayGoodbye(peer)
    case 3: try sayGarbage(peer)
    case 4..<8: try say(peer, #"{"op":"ping"}"#) { peer.pongs += 1 }
    default: break
    }
  }

  // MARK: What must hold

  /// One event at the sidecar, and what must hold after it.
  func event(_ text: @autoclosure () -> String, _ body: () -> Void) throws(Violation) {
    note("\(ledger.now) \(text())")
    core.router.now = ledger.now
    body()
    events += 1
    try look()
  }

  /// Holds what the sidecar has written against the ledger.
  func look() throws(Violation) {
    var dirty: [SimulatedPeer] = []
    core.takeDirty { connection in
      if let peer = byConnection[connection] { dirty.append(peer) }
    }
    dirty.sort { $0.number < $1.number }
    var written: [(SimulatedPeer, [SimulatedFrame])] = []
    for peer in dirty {
      let frames = try peer.newFrames()
      // What ends in its place is shown behind what stands before: the host hears of it now.
      for frame in frames where frame.op == .cancel { ledger.foresee(frame, to: peer) }
      written.append((peer, frames))
    }
    for (peer, frames) in written {
      for frame in frames {
        note("    p\(peer.number) < \(frame)")
        digest = (digest ^ UInt64(peer.number) ^ frame.digest) &* 0x100_0000_01B3
        tally.count("frames out")
        try ledger.wrote(frame, to: peer)
      }
      if !peer.out.isEmpty {
        core.waits(peer.index, now: ledger.now)
        if mood.isCrowd { unread.append(peer) }
      }
    }
    var ended: [SimulatedPeer] = []
    core.takeClosing { connection in
      if let peer = byConnection[connection] { ended.append(peer) }
    }
    try ledger.checkSignals()
    ledger.deleted = nil
    for peer in ended { try hungUp(on: peer) }
    if events % mood.eventsPerCheck == 0 {
      ledger.endPauses()
      try ledger.check()
      tally.reach("most calls at once", ledger.calls.count)
      tally.reach("most peers at once", alive.count)
      tally.reach("most sessions at once", core.router.sessionCount)
    }
    if events % mood.eventsPerAudit == 0 {
      tally.count("audits")
      try audit.run()
    }
  }

  /// The sidecar ends a connection: it has said why, and the peer has given it cause.
  private func hungUp(on peer: SimulatedPeer) throws(Violation) {
    guard let reason = peer.lastRemark else { throw Violation("p\(peer.number) is cut off") }
    tally.count("hangups \(reason)")
    switch reason {
    case "slow_reader":
      let isStill = ledger.now >= peer.lastRead + UInt64(ledger.limits.undrainedMs)
      try require(isStill || peer.out.pending > 1 << 20, "p\(peer.number) is no slow reader")
    case "heartbeat_timeout":
      let silence = UInt64(ledger.limits.heartbeatMsTCP * ledger.limits.heartbeatMisses)
      try require(
        peer.isTCP && ledger.now >= peer.lastSaid + silence, "p\(peer.number) is not silent")
    case "hello_timeout":
      let time = UInt64(ledger.limits.helloTimeoutMs)
      try require(
        !peer.isGreeted && ledger.now >= peer.connected + time, "p\(peer.number) has said hello")
    default: try require(peer.isBroken, "p\(peer.number) broke no rule: \(reason)")
    }
    try lose(peer)
  }

  /// Time goes on; what is due happens, each at a look of its own.
  func pass(_ milliseconds: Int) throws(Violation) {
    ledger.now += UInt64(milliseconds)
    note("\(ledger.now) (+\(milliseconds) ms)")
    var isMore = true
    while isMore {
      try event("a timer") { isMore = core.fireNext(by: ledger.now) }
    }
    core.router.now = ledger.now
    try ledger.checkDeadlines()
  }
}
