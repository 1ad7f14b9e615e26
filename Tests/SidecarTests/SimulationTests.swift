import Routing
import TestSupport
import Testing
import Wire

@testable import Sidecar

/// What the peers of a simulation share: the stage, chance, and what must hold over all of them.
final class SimulatedWorld {
  let stage: Stage
  var random: SeededGenerator
  private(set) var peers: [SimulatedPeer] = []
  private var connected = 0
  /// Where each session's instance is.
  private var instances: [String: String] = [:]
  /// Calls of each session that its host has and has not ended.
  private var running: [String: Int] = [:]
  private var numbers: [String: Int] = [:]
  /// The number of the last message from a sender that reached a session, or a reader of a topic.
  private var reached: [String: Int] = [:]
  private var lateHosts: Set<String> = []

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    stage = Stage(seed: seed)
  }

  func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &random) < share }
  func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

  func address() -> String {
    let agent = ["a", "b", "c", "nobody"][min(number(0...9) / 3, 3)]
    return chance(0.5) ? agent : "\(agent):\(number(1...3))"
  }

  func content(_ number: Int) -> [UInt8] { content("\(number)") }

  func content(_ number: String) -> [UInt8] {
    let padding = chance(0.05) ? self.number(5000...60_000) : self.number(0...200)
    return Array("\(number);".utf8) + [UInt8](repeating: UInt8(ascii: "."), count: padding)
  }

  /// Numbers the messages of one sender to one session, or none where their order does not hold.
  func callNumber(from sender: String, to: String, isOrdered: Bool) -> String {
    guard isOrdered, to.contains(":") else { return "-" }
    let key = "\(sender)>\(to)"
    numbers[key, default: 0] += 1
    return "\(key)/\(numbers[key]!)"
  }

  // MARK: What hosts see

  func arrived(_ to: String, at peer: SimulatedPeer, isNew: Bool, number: Numbered) throws {
    guard to.contains(":") else { return }
    if isNew {
      if let other = instances[to] {
        throw Violation("\(to) is made at \(peer.name), but lives at \(other)")
      }
      instances[to] = peer.name
    } else if instances[to] != peer.name {
      throw Violation("\(to) lives at \(instances[to] ?? "no host"), not at \(peer.name)")
    }
    running[to, default: 0] += 1
    if running[to]! > 1 { throw Violation("two calls of \(to) at a time") }
    try inOrder(number, at: to)
  }

  /// What one sender says reaches each recipient in its order, and nothing twice.
  func inOrder(_ number: Numbered, at recipient: String) throws {
    guard !number.sender.isEmpty else { return }
    let key = "\(number.sender) at \(recipient)"
    if number.number <= reached[key, default: 0] {
      throw Violation("\(key): \(number.number) comes behind \(reached[key]!)")
    }
    reached[key] = number.number
  }

  func topic() -> String { ["t", "t.a", "t.a.b", "u"][number(0...3)] }

  /// Numbers the messages of one publisher to one topic.
  func publishNumber(from publisher: String, on topic: String) -> String {
    let key = "\(publisher)>\(topic)"
    numbers[key, default: 0] += 1
    return "\(key)/\(numbers[key]!)"
  }

  func ended(_ to: String, at peer: SimulatedPeer) {
    if to.contains(":") { running[to]! -= 1 }
  }

  func closed(_ to: String, at peer: SimulatedPeer) {
    if instances[to] == peer.name { instances[to] = nil }
  }

  func forgetInstances(of peer: SimulatedPeer) {
    for (to, holder) in instances where holder == peer.name { instances[to] = nil }
  }

  /// A withdrawn replica still gets what belongs to sessions and calls in flight.
  func mayBeLate(_ agent: String, _ peer: SimulatedPeer) -> Bool {
    lateHosts.contains(peer.name)
  }

  // MARK: Running

  func join() throws {
    connected += 1
    let peer = SimulatedPeer("p\(connected)", self)
    try stage.greet(peer.name)
    peers.append(peer)
  }

  func leave() {
    let peer = peers.remove(at: number(0...peers.count - 1))
    peer.disconnect()
  }

  /// One thing that happens, and what follows.
  func step() throws {
    let peer = peers[number(0...peers.count - 1)]
    switch number(0...99) {
    case 0...19: peer.call(address())
    case 20...27: peer.sendMessage(address())
    case 28...45: peer.continueOwn()
    case 46...49: peer.continueTopics()
    case 50...79: peer.continueHosted()
    case 80...84: peer.register(["a", "b", "c"][number(0...2)])
    case 85:
      lateHosts.insert(peer.name)
      peer.unregister()
    case 86...92: try advance(UInt64(number(1...1500)))
    case 93: if peers.count > 2 { leave() }
    case 94: if peers.count < 7 { try join() }
    default: peer.answerCloses()
    }
    try receive()
  }

  func advance(_ milliseconds: UInt64) throws {
    // Within the time that a host has to answer a close.
    for peer in peers { peer.answerCloses() }
    stage.advance(milliseconds)
    try receive()
  }

  func receive() throws {
    for peer in peers { try peer.receive() }
  }

  /// Everything comes to its end: each call has had its terminal frame, and nothing is left.
  func windUp() throws {
    var rounds = 0
    while peers.contains(where: { !$0.own.isEmpty || !$0.hosted.isEmpty }) {
      rounds += 1
      if rounds > 300 {
        let open = peers.flatMap { peer in peer.own.map { "\(peer.name) \($0.key) \($0.value)" } }
        throw Violation("calls do not end: \(open)")
      }
      for peer in peers { peer.windUp() }
      try receive()
      try advance(50)
    }
    for _ in 0..<30 { try advance(500) }
    if stage.core.router.isBusy { throw Violation("the router is busy with nothing") }
    let sessions = stage.core.router.sessionCount
    if sessions > 0 { throw Violation("\(sessions) sessions are left") }
    let read = peers.reduce(0) { $0 + $1.subscriptions.count }
    if stage.core.router.subscriptionCount != read { throw Violation("subscriptions of nobody") }
    while !peers.isEmpty { leave() }
    if stage.core.connectionCount > 0 { throw Violation("connections are left") }
    if stage.core.router.subscriptionCount > 0 { throw Violation("subscriptions are left") }
  }
}

/// Clients that keep the rules, at random from a seed: the sidecar keeps its promises to all.
@Suite struct SimulationTests {
  @Test func everyCallEndsOnceWhateverHappens() throws {
    var seeds = SeededGenerator(for: "everyCallEndsOnceWhateverHappens")
    // The printed seed is that of the first round, so that it can be had alone.
    for round in 0..<40 {
      let seed = round == 0 ? seeds.seed : seeds.next()
      let world = SimulatedWorld(seed: seed)
      var step = 0
      do {
        for _ in 0..<4 { try world.join() }
        while step < 600 {
          step += 1
          try world.step()
        }
        try world.windUp()
      } catch let violation as Violation {
        Issue.record("COAGENT_TEST_SEED=\(seed), step \(step): \(violation)")
        return
      }
    }
  }
}
