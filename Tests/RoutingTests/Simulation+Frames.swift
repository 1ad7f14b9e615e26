import Wire

@testable import Routing

/// What peers send in a simulation. The ledger learns of it before the router does.
extension Simulation {
  func register(_ peer: SimulatedPeer) throws(Violation) {
    let name = pick(Self.names)!
    let id = peer.newID(gap: UInt64(number(0...2)))
    peer.registrations[id] = .init(name: name)
    var fields = #""concurrency":\#(number(1...4)),"session_concurrency":\#(number(1...2))"#
    if chance(70) { fields += #","idle_ms":\#([0, 100, 2_000][number(0...2)])"# }
    if chance(5) { fields += #","exclusive":true"# }
    try say(peer, #"{"op":"register","id":\#(id),"name":"\#(name)",\#(fields)}"#)
  }

  func withdraw(_ peer: SimulatedPeer) throws(Violation) {
    let open = peer.registrations.filter { !$0.value.hasEnded }.keys.sorted()
    guard let id = pick(open) else { return }
    stop(id, of: peer)
    try say(peer, #"{"op":"cancel","id":\#(id)}"#)
  }

  /// A registration is about to be withdrawn, and the topics that feed its agent with it.
  func stop(_ id: UInt64, of peer: SimulatedPeer) {
    peer.registrations[id]!.isActive = false
    let name = peer.registrations[id]!.name
    ledger.ended(peer.subscriptions.values.filter { $0.agent == name })
  }

  /// `name` or `name:session`, seldom of an agent that is not there.
  func address() -> String {
    let name = number(0...40) == 0 ? "nobody" : pick(Self.names)!
    return chance(mood.hasSessions ? 10 : 50) ? name : "\(name):\(pick(Self.sessions)!)"
  }

  func call(_ peer: SimulatedPeer) throws(Violation) {
    let id = peer.newID(gap: UInt64(number(0...1)))
    let call = newCall(peer, id, isSend: false)
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
    if call.isLazy { fields += #","lazy":true"# } else { ledger.arrive(call) }
    call.isDetached = call.parent != nil && chance(15)
    if call.isDetached { fields += #","detach":true"# }
    if let parent = call.parent, !call.isDetached, parent.deadline > 0 {
      call.deadline = call.deadline == 0 ? parent.deadline : min(call.deadline, parent.deadline)
    }
    call.isExempt = call.parent?.serves(call.agent) ?? false
    let content = chance(20) ? [] : message("m\(call.number)", size())
    call.opening.length = content.count
    call.opening.text = content.isEmpty ? "" : "m\(call.number)"
    call.inputWindow = (1 << 20) - call.openingCost
    call.inputAllowance = call.inputWindow
    call.inputAllowanceRead = call.inputWindow
    peer.made[id] = call
    peer.everMade[id] = call
    try say(peer, #"{"op":"call","id":\#(id)\#(fields)}"#, content)
  }

  func send(_ peer: SimulatedPeer) throws(Violation) {
    let id: UInt64? = chance(50) ? peer.newID(gap: 0) : nil
    let call = newCall(peer, id, isSend: true)
    var fields = openingFields(call)
    ledger.arrive(call)
    if let id {
      peer.sent.insert(id)
      fields = #","id":\#(id)"# + fields
    }
    let content = message("m\(call.number)", size() + 1)
    call.opening.length = content.count
    call.opening.text = "m\(call.number)"
    try say(peer, #"{"op":"send"\#(fields)}"#, content)
  }

  func newCall(_ peer: SimulatedPeer, _ id: UInt64?, isSend: Bool) -> SimulatedCall {
    callCount += 1
    let call = SimulatedCall(callCount, to: address(), isSend: isSend, caller: peer, callerID: id)
    ledger.add(call)
    return call
  }

  func openingFields(_ call: SimulatedCall) -> String {
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
      let time = UInt64([20, 200, 3_000, 20_000][number(0...3)])
      call.deadline = ledger.now + time
      fields += #","timeout_ms":\#(time)"#
    }
    let peer = call.caller
    let parents = peer.everHosted.filter { $0.value.isRead && !$0.value.hostHasEnded }
    if chance(mood.isDeep ? 85 : 30), let id = pick(parents.keys.sorted()) {
      call.parent = parents[id]
      call.hasParent = true
      call.from = parents[id]!.to
      fields += #","parent":\#(id)"#
    } else if chance(20) {
      let own = peer.registrations.values.filter(\.isActive).map(\.name).sorted()
      call.from = pick(own) ?? ""
      fields += #","from":"\#(call.from)""#
    }
    return fields
  }

  func message(_ text: String, _ size: Int) -> [UInt8] {
    let bytes = Array(text.utf8)
    return bytes + [UInt8](repeating: UInt8(ascii: "."), count: max(0, size - bytes.count))
  }

  /// A host sends a message of a call, an error in its place, or the end.
  func answer(_ peer: SimulatedPeer) throws(Violation) {
    let isHandled = { (call: SimulatedCall) in call.isRead && call.isAtHost }
    let call =
      chance(80)
      ? pick(ledger.calls.filter { isHandled($0) && $0.isOpen })
      : pick(ledger.calls.filter { isHandled($0) && $0.host === peer })
    guard let call else { return }
    var said = Expected()
    call.nextReply += 1
    said.isEnd = chance(mood.hasStreams ? 2 : 35)
    if chance(12) {
      said.isError = true
      said.reason = "said\(call.number)-\(call.nextReply)"
    } else {
      let isBare = chance(said.isEnd ? 40 : 10)
      let content = isBare ? [] : message("r\(call.number)-\(call.nextReply)", size())
      said.length = content.count
      said.text = content.isEmpty ? "" : "r\(call.number)-\(call.nextReply)"
      if chance(30) { said.type = "R" }
      if chance(10) { said.contentType = "text/plain" }
      if chance(10) { said.ext = #"{"k":true}"# }
      said.isPart = !said.isEnd && chance(20)
    }
    // Mostly it keeps to what it may send, as far as it knows.
    if said.cost > 0, call.replyAllowanceRead <= 0, !chance(4) { return }
    try answer(call, said)
  }

  func answer(_ call: SimulatedCall, _ said: Expected) throws(Violation) {
    let isPermitted = said.cost == 0 || call.replyAllowance > 0
    call.replyAllowance -= said.cost
    call.replyAllowanceRead -= said.cost
    if !call.isSend, !call.hasEnded, isPermitted { call.replies.append(said) }
    if said.isEnd { ledger.hostEnded(call) }
    var text = #""id":\#(call.hostID)"#
    if said.isError {
      text = #"{"op":"error",\#(text),"code":"aborted","reason":"\#(said.reason)""#
      if !said.isEnd { text += #","more":true"# }
      return try say(call.host!, text + "}")
    }
    text = #"{"op":"data",\#(text)"#
    text += fields(said)
    try say(call.host!, text + "}", message(said.text, said.length))
  }

  func fields(_ said: Expected) -> String {
    var text = ""
    if !said.type.isEmpty { text += #","type":"\#(said.type)""# }
    if said.isPart { text += #","part":true"# }
    if said.isEnd { text += #","end":true"# }
    if !said.ext.isEmpty { text += #","ext":\#(said.ext)"# }
    if !said.contentType.isEmpty { text += #","content_type":"\#(said.contentType)""# }
    return text
  }

  func sendInput(_ peer: SimulatedPeer) throws(Violation) {
    guard let (peer, id, call) = made(by: peer, where: { $0.acceptsInput && !$0.inputEnded }) else {
      return
    }
    var said = Expected()
    call.nextInput += 1
    said.isEnd = chance(mood.hasStreams ? 2 : 15)
    let content = chance(20) ? [] : message("i\(call.number)-\(call.nextInput)", size())
    said.length = content.count
    said.text = content.isEmpty ? "" : "i\(call.number)-\(call.nextInput)"
    if chance(20) { said.type = "I" }
    if said.cost > 0, call.inputAllowanceRead <= 0, !chance(4) { return }
    let isPermitted = said.cost == 0 || call.inputAllowance > 0
    call.inputAllowance -= said.cost
    call.inputAllowanceRead -= said.cost
    if !call.hasEnded, isPermitted, call.host == nil || !call.hostHasEnded {
      call.inputs.append(said)
    }
    if said.isEnd { call.inputEnded = true }
    try say(peer, #"{"op":"data","id":\#(id)\#(fields(said))}"#, content)
  }

  /// A call whose end its caller has not read: mostly one that has not ended, sometimes one of
  /// `peer`'s that has.
  private func made(
    by peer: SimulatedPeer, where isWanted: (SimulatedCall) -> Bool = { _ in true }
  ) -> (SimulatedPeer, UInt64, SimulatedCall)? {
    let call =
      chance(80)
      ? pick(ledger.calls.filter { $0.isOpen && isWanted($0) })
      : pick(
        peer.everMade.values.filter { !$0.endIsRead && isWanted($0) }
          .sorted { $0.number < $1.number })
    return call.map { ($0.caller, $0.callerID!, $0) }
  }

  func cancel(_ peer: SimulatedPeer) throws(Violation) {
    guard let (peer, id, _) = made(by: peer) else { return }
    try say(peer, #"{"op":"cancel","id":\#(id)}"#)
  }

  /// What an application has consumed is granted again, as a caller or as a host.
  func grant(_ peer: SimulatedPeer) throws(Violation) {
    if chance(60) {
      guard let (_, _, call) = made(by: peer) else { return }
      try grant(call, chance(80) && call.unread > 0 ? call.unread : number(1...50_000))
    } else {
      let starving = ledger.calls.filter { $0.isRead && $0.isAtHost && $0.inputUnread > 0 }
      guard let call = pick(starving), let peer = call.host else { return }
      let bytes = call.inputUnread
      call.inputUnread = 0
      call.inputWindow += bytes
      try say(peer, #"{"op":"credit","id":\#(call.hostID),"bytes":\#(bytes)}"#)
    }
  }

  func grant(_ call: SimulatedCall, _ bytes: Int) throws(Violation) {
    call.unread = 0
    call.window = min(call.window + bytes, Limits.windowBytesMax)
    call.isHeldBack = false
    if call.isLazy, call.arrival == nil { ledger.arrive(call) }
    try say(call.caller, #"{"op":"credit","id":\#(call.callerID!),"bytes":\#(bytes)}"#)
  }

  func answerClose(_ peer: SimulatedPeer) throws(Violation) {
    guard let id = pick(peer.closing.filter(\.value.isRead).keys.sorted()) else { return }
    ledger.answeredClose(id, peer)
    try say(
      peer,
      chance(80) ? #"{"op":"ok","id":\#(id)}"# : #"{"op":"error","id":\#(id),"code":"internal"}"#)
  }

  /// Frames that a peer should not send, or that have crossed something.
  func misbehave(_ peer: SimulatedPeer) throws(Violation) {
    let ended = pick(peer.endedIDs)
    let made = pick(peer.made.keys.sorted())
    let hosted = peer.hosted.filter { $0.value.isRead }.keys.sorted().randomElement(using: &random)
    switch number(0...8) {
    case 8: try sendUnwantedInput(peer)
    case 0: if let ended { try say(peer, #"{"op":"data","id":\#(ended),"end":true}"#, [1, 2, 3]) }
    case 1: if let ended { try say(peer, #"{"op":"credit","id":\#(ended),"bytes":5}"#) }
    case 2: if let made { try say(peer, #"{"op":"ok","id":\#(made)}"#) }
    case 3: if let hosted { try say(peer, #"{"op":"cancel","id":\#(hosted)}"#) }
    case 4:
      peer.remarks += 1
      try say(peer, #"{"op":"splice","id":1,"call":3}"#)
    case 5:
      let id = peer.newID(gap: 0)
      peer.sent.insert(id)
      try say(peer, #"{"op":"call","id":\#(id),"to":"a","window":"large"}"#)
    case 6: if let made { try say(peer, #"{"op":"credit","id":\#(made),"bytes":"many"}"#) }
    default:
      if let hosted { try say(peer, #"{"op":"data","id":\#(hosted),"part":true,"end":true}"#) }
    }
  }

  /// Input for a call that takes none, or whose input has ended: the call ends.
  private func sendUnwantedInput(_ peer: SimulatedPeer) throws(Violation) {
    guard let (peer, id, _) = made(by: peer, where: { $0.inputEnded }) else { return }
    try say(peer, #"{"op":"data","id":\#(id)}"#, message("unwanted", 20))
  }
}
