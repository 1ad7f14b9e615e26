import Wire

@testable import Auditing

/// What peers do as callers.
extension Simulation {
  func call(_ peer: SimulatedPeer) throws(Violation) {
    let id = peer.newID(gap: UInt64(number(0...1)))
    let call = newCall(peer, id, to: address(), isSend: false)
    tally.count("calls")
    var fields = openingFields(call)
    call.window = 1 << 20
    if chance(mood.isHeavy ? 20 : 50) {
      call.window = [0, 0, 1, 300, 5_000, 100_000, 1 << 22][number(0...6)]
      fields += #","window":\#(call.window)"#
    }
    call.isHeldBack = call.window == 0
    if chance(mood.hasStreams ? 70 : 30) {
      call.acceptsInput = true
      call.inputEnded = false
      fields += #","input":true"#
    }
    call.isLazy = chance(12)
    if call.isLazy { fields += #","lazy":true"# }
    call.isDetached = call.parentID != nil && chance(15)
    if call.isDetached { fields += #","detach":true"# }
    let content = chance(20) ? [] : message("m\(call.number)", size())
    call.opening.length = content.count
    call.opening.text = content.isEmpty ? "" : "m\(call.number)"
    call.inputWindow = (1 << 20) - call.openingCost
    call.inputAllowance = call.inputWindow
    call.inputAllowanceRead = call.inputWindow
    try say(peer, #"{"op":"call","id":\#(id)\#(fields)}"#, content) { [ledger] in
      peer.everMade[id] = call
      ledger.opened(call)
    }
  }

  func send(_ peer: SimulatedPeer) throws(Violation) {
    let id: UInt64? = chance(50) ? peer.newID(gap: 0) : nil
    let call = newCall(peer, id, to: address(), isSend: true)
    tally.count("sends")
    var fields = openingFields(call)
    if let id { fields = #","id":\#(id)"# + fields }
    let content = message("m\(call.number)", size() + 1)
    call.opening.length = content.count
    call.opening.text = "m\(call.number)"
    try say(peer, #"{"op":"send"\#(fields)}"#, content) { [ledger] in
      if let id { peer.sent.insert(id) }
      ledger.opened(call)
    }
  }

  func newCall(
    _ peer: SimulatedPeer, _ id: UInt64?, to: String, isSend: Bool
  ) -> SimulatedCall {
    callCount += 1
    return SimulatedCall(callCount, to: to, isSend: isSend, caller: peer, callerID: id)
  }

  private func openingFields(_ call: SimulatedCall) -> String {
    var fields = #","to":"\#(call.to)","type":"t\#(call.number)""#
    if chance(20) {
      call.opening.ext = #"{"n":\#(call.number)}"#
      fields += #","ext":\#(call.opening.ext)"#
    }
    if chance(20) {
      call.opening.contentType = "text/plain"
      fields += #","content_type":"text/plain""#
    }
    if chance(mood.hasStreams ? 5 : 15) {
      call.timeoutMs = UInt64([20, 200, 3_000, 20_000][number(0...3)])
      fields += #","timeout_ms":\#(call.timeoutMs)"#
    }
    if let id = parent(at: call.caller) {
      call.parentID = id
      fields += #","parent":\#(id)"#
    } else if chance(20), let own = ownName(call.caller) {
      call.from = own
      fields += #","from":"\#(own)""#
    }
    return fields
  }

  /// A call that a peer handles, for which it does the next thing; now and then one that is over.
  func parent(at peer: SimulatedPeer) -> UInt64? {
    guard chance(mood.isDeep ? 85 : 30) else { return nil }
    if chance(2) { return peer.endedIDs.last { $0 % 2 == 0 } }
    return pick(peer.hosted.filter { $0.value.isRead && !$0.value.endIsSent }.keys.sorted())
  }

  func ownName(_ peer: SimulatedPeer) -> String? {
    pick(peer.registrations.values.filter(\.isActive).map(\.name).sorted())
  }

  func message(_ text: String, _ size: Int) -> [UInt8] {
    var bytes = Array(text.utf8)
    let padding = size - bytes.count
    if padding > 0 { bytes += repeatElement(UInt8(ascii: "."), count: padding) }
    return bytes
  }

  func sendInput(_ peer: SimulatedPeer) throws(Violation) {
    guard let (peer, id, call) = made(by: peer, where: { $0.acceptsInput && !$0.inputEndIsSent })
    else { return }
    var said = Expected()
    call.nextInput += 1
    said.isEnd = chance(mood.hasStreams ? 2 : 15)
    let content = chance(20) ? [] : message("i\(call.number)-\(call.nextInput)", size())
    said.length = content.count
    said.text = content.isEmpty ? "" : "i\(call.number)-\(call.nextInput)"
    if chance(20) { said.type = "I" }
    if said.cost > 0, call.inputAllowanceRead <= 0, !chance(4) { return }
    call.inputAllowanceRead -= said.cost
    if said.isEnd { call.inputEndIsSent = true }
    tally.count("messages in")
    try say(peer, #"{"op":"data","id":\#(id)\#(fields(said))}"#, content) {
      let isPermitted = said.cost == 0 || call.inputAllowance > 0
      if !isPermitted { call.causes.insert(.overdrawn) }
      call.inputAllowance -= said.cost
      if !call.hasEnded, isPermitted, call.host == nil || !call.hostHasEnded, !call.isSystem {
        call.inputs.append(said)
      }
      if said.isEnd { call.inputEnded = true }
    }
  }

  /// A call whose end its caller has not read: mostly one that has not ended, sometimes one of
  /// `peer`'s that has.
  func made(
    by peer: SimulatedPeer, where isWanted: (SimulatedCall) -> Bool = { _ in true }
  ) -> (SimulatedPeer, UInt64, SimulatedCall)? {
    let call =
      chance(80)
      ? pickCall { $0.isOpen && !$0.spliceIsSent && isWanted($0) }
      : pick(
        peer.everMade.values.filter { !$0.spliceIsSent && isWanted($0) }.sorted {
          $0.number < $1.number
        })
    return call.map { ($0.caller, $0.callerID!, $0) }
  }

  func cancel(_ peer: SimulatedPeer) throws(Violation) {
    guard let (peer, id, call) = made(by: peer) else { return }
    try cancel(call, id, of: peer)
  }

  func cancel(_ call: SimulatedCall, _ id: UInt64, of peer: SimulatedPeer) throws(Violation) {
    tally.count("cancels")
    try say(peer, #"{"op":"cancel","id":\#(id)}"#) { call.causes.insert(.cancelled) }
  }

  /// What an application has consumed is granted again, as a caller or as a host.
  func grant(_ peer: SimulatedPeer) throws(Violation) {
    if chance(60) {
      guard let (_, _, call) = made(by: peer) else { return }
      try grant(call, chance(80) && call.unread > 0 ? call.unread : number(1...50_000))
    } else {
      let call = pickCall { $0.isRead && $0.isAtHost && $0.inputUnread > 0 }
      guard let call, let peer = call.host else { return }
      let bytes = call.inputUnread
      call.inputUnread = 0
      try say(peer, #"{"op":"credit","id":\#(call.hostID),"bytes":\#(bytes)}"#) {
        call.inputWindow += bytes
      }
    }
  }

  func grant(_ call: SimulatedCall, _ bytes: Int) throws(Violation) {
    call.unread = 0
    call.creditIsSent = true
    tally.count("grants")
    try say(call.caller, #"{"op":"credit","id":\#(call.callerID!),"bytes":\#(bytes)}"#) {
      [ledger] in
      call.window = min(call.window + bytes, Limits.windowBytesMax)
      call.isHeldBack = false
      if call.isLazy, call.arrival == nil, !call.hasEnded { ledger.arrive(call) }
    }
  }

  // MARK: The sidecar's own agents

  /// Asks one of the sidecar's own agents; what it says is not foretold, that it ends once is.
  func ask(_ peer: SimulatedPeer) throws(Violation) {
    let questions: [(to: String, type: String, content: String)] = [
      ("discovery", "DiscoveryQuery", #"{"recursive":true,"detailed":true}"#),
      ("discovery", "DiscoveryWatch", #"{"recursive":true}"#),
      ("discovery", "DiscoveryWatch", #"{"namespace":"c"}"#),
      ("sessions", "SessionList", ""), ("sessions", "CallList", #"{"limit":3}"#),
      ("topics", "TopicList", "{}"), ("topics", "SubscriptionList", "{}"),
      ("stats", "StatsQuery", ""), ("stats", "Nonsense", ""), ("sessions", "SessionList", "["),
    ]
    let question = pick(questions)!
    _ = try ask(peer, question.to, question.type, question.content)
  }

  func ask(
    _ peer: SimulatedPeer, _ to: String, _ type: String, _ content: String,
    meaning: @escaping () -> Void = {}
  ) throws(Violation) -> SimulatedCall {
    let id = peer.newID(gap: 0)
    let call = newCall(peer, id, to: to, isSend: false)
    tally.count("questions \(type)")
    call.isSystem = true
    call.window = [1 << 20, 1 << 20, 1, 300][number(0...3)]
    var fields = #""to":"\#(to)","type":"\#(type)","window":\#(call.window)"#
    if chance(10) {
      call.timeoutMs = UInt64(number(1...5_000))
      fields += #","timeout_ms":\#(call.timeoutMs)"#
    }
    try say(peer, #"{"op":"call","id":\#(id),\#(fields)}"#, Array(content.utf8)) { [ledger] in
      peer.everMade[id] = call
      ledger.opened(call)
      meaning()
    }
    return call
  }

  func deleteSession(_ peer: SimulatedPeer) throws(Violation) {
    guard let session = pick(ledger.instances.keys.sorted()) else { return }
    let content = #"{"address":"\#(session)"}"#
    _ = try ask(peer, "sessions", "SessionDelete", content) { [ledger] in
      if ledger.maySteer(session.prefix { $0 != ":" }, peer) { ledger.delete(session) }
    }
  }
}
