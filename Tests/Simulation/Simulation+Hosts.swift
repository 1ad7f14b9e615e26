import Wire

@testable import Auditing

/// What peers do as hosts.
extension Simulation {
  func register(_ peer: SimulatedPeer) throws(Violation) {
    let name = pick(mood.names)!
    let id = peer.newID(gap: UInt64(number(0...2)))
    tally.count("registrations")
    var fields = #""concurrency":\#(number(1...4)),"session_concurrency":\#(number(1...2))"#
    if chance(70) { fields += #","idle_ms":\#([0, 100, 2_000][number(0...2)])"# }
    if chance(5) { fields += #","exclusive":true"# }
    try say(peer, #"{"op":"register","id":\#(id),"name":"\#(name)",\#(fields)}"#) {
      peer.registrations[id] = .init(name: name)
    }
  }

  func withdraw(_ peer: SimulatedPeer) throws(Violation) {
    let open = peer.registrations.filter { !$0.value.hasEnded }.keys.sorted()
    guard let id = pick(open) else { return }
    try withdraw(id, of: peer)
  }

  func withdraw(_ id: UInt64, of peer: SimulatedPeer) throws(Violation) {
    tally.count("withdrawals")
    try say(peer, #"{"op":"cancel","id":\#(id)}"#) { [ledger] in
      guard let registration = peer.registrations[id], !registration.hasEnded else { return }
      // With it go the topics that feed its agent.
      peer.registrations[id]!.isActive = false
      ledger.ended(peer.subscriptions.values.filter { $0.agent == registration.name })
    }
  }

  /// A host sends a message of a call, an error in its place, or the end.
  func answer(_ peer: SimulatedPeer) throws(Violation) {
    let isHandled = { (call: SimulatedCall) in call.isRead && call.isAtHost && !call.endIsSent }
    let call =
      chance(80)
      ? pickCall { isHandled($0) && $0.isOpen }
      : pick(peer.hosted.values.filter(isHandled).sorted { $0.hostID < $1.hostID })
    guard let call else { return }
    var said = Expected()
    call.nextReply += 1
    said.isEnd = chance(mood.hasStreams ? 2 : 35)
    if chance(12) {
      said.isError = true
      said.reason = "said\(call.number)-\(call.nextReply)"
    } else {
      let isBare = chance(said.isEnd ? 40 : 10)
      let length = isBare ? 0 : max(size(), 0)
      said.length = length
      said.text = length == 0 ? "" : "r\(call.number)-\(call.nextReply)"
      said.length = length == 0 ? 0 : max(length, said.text.utf8.count)
      if chance(30) { said.type = "R" }
      if chance(10) { said.contentType = "text/plain" }
      if chance(10) { said.ext = #"{"k":true}"# }
      said.isPart = !said.isEnd && chance(20)
      said.isUnordered =
        !said.isPart && said.length > 0 && !call.isSend && chance(mood.hasSplices ? 15 : 2)
    }
    // Mostly it keeps to what it may send, as far as it knows.
    if said.cost > 0, call.replyAllowanceRead <= 0, !chance(4) { return }
    try answer(call, said)
  }

  func answer(_ call: SimulatedCall, _ said: Expected) throws(Violation) {
    guard let host = call.host else { return }
    call.replyAllowanceRead -= said.cost
    if said.isEnd { call.endIsSent = true }
    if !said.isUnordered { call.partIsOpen = said.isPart }
    tally.count(said.isEnd ? "answers" : said.isError ? "errors with more" : "messages out")
    var text = #""id":\#(call.hostID)"#
    if said.isError {
      text = #"{"op":"error",\#(text),"code":"aborted","reason":"\#(said.reason)""#
      if !said.isEnd { text += #","more":true"# }
    } else {
      text = #"{"op":"data",\#(text)"# + fields(said)
    }
    let id = call.hostID
    try say(host, text + "}", message(said.text, said.length)) { [ledger] in
      // A run's call may be another by now.
      if let call = host.everHosted[id] { ledger.hostSays(said, call) }
    }
  }

  func fields(_ said: Expected) -> String {
    var text = ""
    if !said.type.isEmpty { text += #","type":"\#(said.type)""# }
    if said.isPart { text += #","part":true"# }
    if said.isEnd { text += #","end":true"# }
    if said.isUnordered { text += #","unordered":true"# }
    if !said.ext.isEmpty { text += #","ext":\#(said.ext)"# }
    if !said.contentType.isEmpty { text += #","content_type":"\#(said.contentType)""# }
    return text
  }

  func answerClose(_ peer: SimulatedPeer) throws(Violation) {
    guard let id = pick(peer.closing.filter(\.value.isRead).keys.sorted()) else { return }
    try answerClose(id, peer)
  }

  func answerClose(_ id: UInt64, _ peer: SimulatedPeer) throws(Violation) {
    guard let (session, _) = peer.closing.removeValue(forKey: id) else { return }
    tally.count("sessions closed")
    let text =
      chance(80) ? #"{"op":"ok","id":\#(id)}"# : #"{"op":"error","id":\#(id),"code":"internal"}"#
    try say(peer, text) { [ledger] in ledger.answeredClose(id, session, peer) }
  }

  /// Frames that a peer should not send, or that have crossed something.
  func misbehave(_ peer: SimulatedPeer) throws(Violation) {
    let ended = pick(peer.endedIDs)
    let made = pick(peer.made.keys.sorted())
    let hosted = pick(peer.hosted.filter { $0.value.isRead }.keys.sorted())
    tally.count("misbehaviours")
    switch number(0...8) {
    case 0: if let ended { try say(peer, #"{"op":"data","id":\#(ended),"end":true}"#, [1, 2, 3]) }
    case 1: if let ended { try say(peer, #"{"op":"credit","id":\#(ended),"bytes":5}"#) }
    case 2: if let made { try say(peer, #"{"op":"ok","id":\#(made)}"#) }
    case 3: if let hosted { try say(peer, #"{"op":"cancel","id":\#(hosted)}"#) }
    case 4: try say(peer, #"{"op":"sing","id":1,"call":3}"#) { peer.remarks += 1 }
    case 5:
      let id = peer.newID(gap: 0)
      try say(peer, #"{"op":"call","id":\#(id),"to":"a","window":"large"}"#) {
        peer.sent.insert(id)
      }
    case 6:
      guard let made, let call = peer.made[made] else { return }
      try say(peer, #"{"op":"credit","id":\#(made),"bytes":"many"}"#) {
        call.causes.insert(.unreadable)
      }
    case 7:
      guard let hosted else { return }
      try say(peer, #"{"op":"data","id":\#(hosted),"part":true,"end":true}"#) { [ledger] in
        guard let call = peer.everHosted[hosted], !call.hostHasEnded else { return }
        call.causes.insert(.spoiltByHost)
        ledger.signalsMetEnd(of: call)
        ledger.cutOff(call, "internal")
      }
    default:
      // Input for a call that takes none, or whose input has ended: the call ends.
      let wanted = self.made(by: peer) { ($0.inputEnded || $0.inputEndIsSent) && !$0.isSystem }
      guard let (peer, id, call) = wanted else { return }
      try say(peer, #"{"op":"data","id":\#(id)}"#, message("unwanted", 20)) {
        call.causes.insert(.unwantedInput)
      }
    }
  }
}
