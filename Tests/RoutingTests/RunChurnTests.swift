import TestSupport
import Testing
import Wire

@testable import Routing

/// Runs opened, read, repeated, cancelled, lost and overtaken at random, with everything that is
/// kept of them held against itself after each step.
@Suite struct RunChurnTests {
  @Test(arguments: 1...6)
  func everythingAgreesWhateverHappens(seed: Int) throws {
    var churn = RunChurn(seed: UInt64(seed))
    for _ in 0..<1_500 { try churn.step() }
    churn.finish()
  }
}

private struct RunChurn {
  private let stage: RunStage
  private var random: SeededGenerator
  private let host: Peer
  private var peers: [Peer] = []
  /// What the host has, and may still send of it.
  private var allowances: [UInt64: Int] = [:]
  private var opened: [ObjectIdentifier: [UInt64]] = [:]

  init(seed: UInt64) {
    var limits = Limits()
    limits.runsMax = 12
    limits.runFramesMax = 8
    limits.runBytesMax = 20_000
    limits.runsBytesMax = 90_000
    limits.runKeptMs = 400
    limits.runGraceMs = 200
    limits.connectionHighMarkBytes = 30_000
    stage = RunStage(limits: limits)
    random = SeededGenerator(seed: seed)
    host = stage.network.host("a")
    peers = (0..<4).map { _ in stage.network.peer() }
  }

  mutating func step() throws {
    let peer = peers.randomElement(using: &random)!
    let name = "r\(Int.random(in: 0..<20, using: &random))"
    let key = ObjectIdentifier(peer)
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<16:
      let window = ["0", "1", "900", "5000", "1048576"].randomElement(using: &random)!
      let words = ["", #","detach":true"#, #","timeout_ms":300"#, #","input":true"#]
      let to = Int.random(in: 0..<4, using: &random) == 0 ? "a:\(name)" : "a"
      let id = peer.call(
        to, with: #""run":"\#(name)","window":\#(window)\#(words.randomElement(using: &random)!)"#)
      opened[key, default: []].append(id)
    case 16..<28:
      let start =
        Bool.random(using: &random)
        ? RunStart.tail : .from(Int.random(in: 0..<12, using: &random))
      let window = ["0", "1", "2000", "1048576"].randomElement(using: &random)!
      let id = try? stage.attach(
        peer, name, start, resumes: Bool.random(using: &random), with: #""window":\#(window)"#)
      if let id { opened[key, default: []].append(id) }
    case 28..<60: send()
    case 60..<72:
      if let id = opened[key]?.randomElement(using: &random) {
        peer.credit(id, Int.random(in: 1..<8_000, using: &random))
      }
    case 72..<78:
      if let id = opened[key]?.randomElement(using: &random) { peer.cancel(id) }
    case 78..<90: _ = peer.hear()
    case 90..<92:
      peer.leave()
      opened[key] = nil
      peers.removeAll { $0 === peer }
      peers.append(stage.network.peer())
    default: stage.network.pass(UInt64.random(in: 1..<150, using: &random))
    }
    listen()
    stage.audit()
  }

  /// The host hears what it is told.
  private mutating func listen() {
    for frame in host.hear() {
      let words = frame.split(separator: " ")
      guard words.count > 1, let id = UInt64(words[1]) else { continue }
      switch words[0] {
      case "call":
        let window = words.first { $0.hasPrefix("window=") }?.dropFirst(7)
        allowances[id] = window.flatMap { Int($0) } ?? Limits.windowBytesDefault
      case "credit": allowances[id]? += Int(words[2])!
      case "cancel":
        if Bool.random(using: &random) {
          host.end(id)
          allowances[id] = nil
        }
      case "close": host.say(#"{"op":"ok","id":\#(id)}"#)
      default: break
      }
    }
  }

  private mutating func send() {
    guard let id = allowances.keys.sorted().randomElement(using: &random) else { return }
    let bytes = [0, 10, 900, 9_000].randomElement(using: &random)!
    if Int.random(in: 0..<12, using: &random) == 0 {
      host.end(id)
      allowances[id] = nil
    } else if allowances[id]! > 0 {
      allowances[id]! -= bytes + Limits.frameCostBytes
      let part = Bool.random(using: &random) ? #","part":true"# : ""
      host.say(#"{"op":"data","id":\#(id)\#(part)}"#, bytes: bytes)
    }
  }

  /// Everyone goes, time passes, and nothing is left.
  mutating func finish() {
    for peer in peers { peer.leave() }
    stage.audit()
    host.leave()
    stage.audit()
    stage.network.pass(400_000)
    #expect(stage.router.runs.count == 0)
    #expect(stage.router.readings.count == 0)
    #expect(stage.router.keptBytes == 0)
    #expect(stage.router.calls.count == 0)
    #expect(stage.router.timers.count == 0)
  }
}
