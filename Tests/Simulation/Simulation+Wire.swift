import Connections
import Routing
import Sidecar
import Wire

@testable import Auditing

/// How peers come and go, and how bytes travel between them and the sidecar.
extension Simulation {
  // MARK: To the sidecar

  /// A peer writes a frame; `meaning` is what the ledger learns when it has arrived.
  func say(
    _ peer: SimulatedPeer, _ text: String, _ content: [UInt8] = [],
    meaning: @escaping () -> Void = {}
  ) throws(Violation) {
    peer.uplink.append(text, content, meaning: meaning)
    if mood.isImmediate || isSettling || chance(60) { try arrive(peer, .max) }
  }

  /// Some bytes of a peer's reach the sidecar, which acts on each frame that is whole.
  func arrive(_ peer: SimulatedPeer, _ count: Int) throws(Violation) {
    guard peer.uplink.pending > 0, !peer.isLost else { return }
    let bytes = peer.uplink.take(count)
    peer.lastSaid = ledger.now
    tally.count("pieces")
    let raw = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
    defer { raw.deallocate() }
    raw.copyBytes(from: bytes)
    peer.incoming.begin(raw)
    defer { peer.incoming.finish() }
    while !peer.isLost {
      switch peer.incoming.next() {
      case .frame: try arrived(peer)
      case .needsMore: return
      case .fault(let fault):
        return try event("p\(peer.number) > no frame") { core.receive(peer.index, fault) }
      }
    }
  }

  private func arrived(_ peer: SimulatedPeer) throws(Violation) {
    let frame = peer.uplink.arrived()
    frame?.meaning()
    tally.count("frames in")
    try event("p\(peer.number) > \(frame?.text ?? "what is no frame of its own")") {
      core.receive(peer.index, peer.incoming.header, peer.incoming.content)
    }
  }

  // MARK: From the sidecar

  func read(_ peer: SimulatedPeer, _ count: Int) throws(Violation) {
    guard !peer.out.isEmpty else { return }
    peer.lastRead = ledger.now
    let frames = peer.read(count)
    try event("p\(peer.number) reads \(count)") { core.drained(peer.index, now: ledger.now) }
    for frame in frames where !peer.isLost { try heard(frame, peer) }
  }

  /// A peer learns what was written to it before.
  private func heard(_ frame: SimulatedFrame, _ peer: SimulatedPeer) throws(Violation) {
    if frame.op == .ping, chance(90) { try say(peer, #"{"op":"pong"}"#) }
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
      if Expected(frame).isEnd {
        call.endIsRead = true
        peer.everMade[id] = nil
      }
    case .signal: peer.readSignals[id] = true
    case .close: peer.closing[id]?.isRead = true
    default: break
    }
  }

  // MARK: Coming and going

  func connect(asOperator: Bool = false) throws(Violation) {
    peerCount += 1
    tally.count("peers")
    let isTCP = !asOperator && chance(20)
    let out = OutBuffer()
    let user = Principal.user(UInt32(!asOperator && chance(20) ? 2 : 1))
    var index: ConnectionIndex = -1
    try event("p\(peerCount) connects") {
      index = core.accept(
        isTCP ? .tcp : .unix, principal: isTCP ? .token("") : user, isPermitted: true, out: out,
        now: ledger.now)
    }
    let peer = SimulatedPeer(index, number: peerCount, isTCP: isTCP, limits: ledger.limits, out)
    peer.principal = isTCP ? .token("token") : user
    peer.connected = ledger.now
    peer.lastSaid = ledger.now
    peer.lastRead = ledger.now
    peer.place = alive.count
    alive.append(peer)
    byConnection[index] = peer
    ledger.peers.append(peer)
    var hello = #"{"op":"hello","v":1,"client":"simulated/1","name":"p\#(peerCount)""#
    peer.hasNoFeatures = !asOperator && chance(10)
    if !peer.hasNoFeatures { hello += #","features":"signals later""# }
    if isTCP { hello += #","token":"\#(Self.token)""# }
    try say(peer, hello + "}")
    if !asOperator, chance(mood.isCrowd ? 8 : 80) { try register(peer) }
  }

  func lose(_ peer: SimulatedPeer, deliveringFirst: Bool = false) throws(Violation) {
    if deliveringFirst { try arrive(peer, .max) }
    guard !peer.isLost else { return }
    tally.count("peers lost")
    ledger.lost(peer)
    byConnection[peer.index] = nil
    alive[alive.count - 1].place = peer.place
    alive.swapAt(peer.place, alive.count - 1)
    alive.removeLast()
    try event("p\(peer.number) is lost") { core.lost(peer.index, now: ledger.now) }
    peer.forget()
  }

  func sayGoodbye(_ peer: SimulatedPeer) throws(Violation) {
    guard !peer.saysGoodbye else { return }
    peer.saysGoodbye = true
    tally.count("goodbyes")
    let time = number(0...3_000)
    try say(peer, #"{"op":"goodbye","timeout_ms":\#(time)}"#) { [ledger] in
      peer.hasSaidGoodbye = true
      for id in peer.registrations.keys {
        peer.registrations[id]!.isActive = false
        peer.registrations[id]!.hasEnded = true
      }
      ledger.ended(peer.subscriptions.values)
    }
  }

  /// What ends a connection: no frame, or one with an id that cannot be.
  func sayGarbage(_ peer: SimulatedPeer) throws(Violation) {
    tally.count("garbage")
    let kinds: [[UInt8]] = [
      (0..<number(8...60)).map { _ in UInt8.random(in: 0...255, using: &random) },
      [0, 0, 0, 1, 0, 0, 0, 0], [255, 255, 255, 255, 0, 0, 0, 0], [0, 0, 0, 2, 255, 255, 255, 255],
      [0, 0, 0, 3, 0, 0, 0, 0] + Array("{]}".utf8),
    ]
    if chance(30) {
      return try say(peer, #"{"op":"call","id":\#(2 * number(0...9)),"to":"a"}"#) {
        peer.isBroken = true
      }
    }
    peer.isBroken = true
    peer.uplink.append(garbage: pick(kinds)!)
    try arrive(peer, .max)
  }
}
