import Wire

@testable import Auditing

/// What hosts do that let others answer for them.
extension Simulation {
  /// A host opens a call that it means to splice into one that it handles.
  func delegate(_ peer: SimulatedPeer) throws(Violation) {
    guard let outer = pickOuter({ _ in true }), let host = outer.host else { return }
    let id = host.newID(gap: 0)
    let inner = newCall(host, id, to: address(), isSend: false)
    tally.count("splices delegated")
    inner.window = 0
    inner.isHeldBack = true
    inner.isLazy = chance(20)
    inner.parentID = outer.hostID
    var fields = #","to":"\#(inner.to)","type":"t\#(inner.number)","parent":\#(outer.hostID)"#
    if inner.isLazy { fields += #","lazy":true"# }
    if chance(10) {
      inner.acceptsInput = true
      inner.inputEnded = false
      fields += #","input":true"#
    }
    if chance(10) {
      inner.timeoutMs = UInt64([20, 3_000][number(0...1)])
      fields += #","timeout_ms":\#(inner.timeoutMs)"#
    }
    let content = message("m\(inner.number)", number(10...300))
    inner.opening.length = content.count
    inner.opening.text = "m\(inner.number)"
    inner.inputWindow = (1 << 20) - inner.openingCost
    inner.inputAllowance = inner.inputWindow
    inner.inputAllowanceRead = inner.inputWindow
    outer.delegated.append(inner)
    try say(host, #"{"op":"call","id":\#(id)\#(fields),"window":0}"#, content) { [ledger] in
      host.everMade[id] = inner
      ledger.opened(inner)
    }
  }

  private func pickOuter(_ isWanted: (SimulatedCall) -> Bool) -> SimulatedCall? {
    pickCall { $0.isRead && $0.isAtHost && !$0.endIsSent && !$0.host!.isLost && isWanted($0) }
  }

  /// A host splices what it has delegated, in place, as the rest, or as it comes.
  func splice(_ peer: SimulatedPeer) throws(Violation) {
    let outer = pickOuter { outer in
      !outer.partIsOpen && outer.delegated.contains { $0.isSpliceable }
    }
    guard let outer, let host = outer.host,
      let inner = pick(outer.delegated.filter { $0.isSpliceable })
    else { return }
    inner.spliceIsSent = true
    outer.delegated.removeAll { $0 === inner }
    let isEnd = chance(35)
    let isUnordered = !isEnd && chance(25)
    tally.count(isEnd ? "splices handed over" : isUnordered ? "splices unordered" : "splices")
    var fields = #""id":\#(outer.hostID),"call":\#(inner.callerID!)"#
    if isEnd { fields += #","end":true"# }
    if isUnordered { fields += #","unordered":true"# }
    if isEnd { outer.endIsSent = true }
    let id = outer.hostID
    try say(host, #"{"op":"splice",\#(fields)}"#) { [ledger] in
      // It has ended, or a run's call is another by now: then it splices nothing.
      guard let outer = host.everHosted[id] else {
        inner.spliceIsSent = false
        return
      }
      ledger.spliced(inner, into: outer, isEnd: isEnd, isUnordered: isUnordered)
    }
  }
}

extension SimulatedCall {
  /// Nothing has been permitted to it.
  var isSpliceable: Bool { !spliceIsSent && !creditIsSent }
}
