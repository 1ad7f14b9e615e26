import Wire

@testable import Auditing

/// What peers do with runs.
extension Simulation {
  func runOrRead(_ peer: SimulatedPeer) throws(Violation) {
    switch number(0...9) {
    case 0..<4: try openRun(peer)
    case 4..<6:
      let name = runs.last.map { $0.name } ?? "none"
      _ = try ask(
        peer, "runs", pick(["RunList", "RunDescribe"])!, #"{"run":"\#(name)"}"#)
    case 6: try repeatRun(peer)
    default: try attach(peer)
    }
  }

  private func openRun(_ peer: SimulatedPeer) throws(Violation) {
    let id = peer.newID(gap: 0)
    let call = newCall(peer, nil, to: address(), isSend: false)
    let content = message("m\(call.number)", number(10...300))
    call.opening.length = content.count
    call.opening.text = "m\(call.number)"
    var options = ""
    if chance(20) {
      call.timeoutMs = UInt64([200, 3_000][number(0...1)])
      options += #","timeout_ms":\#(call.timeoutMs)"#
    }
    if chance(40) { options += #","detach":true"# }
    let run = SimulatedRun(
      "r\(call.number)", call, principal: "\(peer.principal)",
      fields: #""to":"\#(call.to)","type":"t\#(call.number)","run":"r\#(call.number)""#,
      content: content)
    call.run = run
    runs.append(run)
    if runs.count > 40 { runs.removeFirst(20) }
    tally.count("runs")
    try read(run, peer, id, options)
  }

  /// The call of a run once more reads it.
  private func repeatRun(_ peer: SimulatedPeer) throws(Violation) {
    let own = runs.filter { $0.principal == "\(peer.principal)" && $0.call.isKnown }
    guard let run = pick(own) else { return }
    tally.count("runs repeated")
    try read(run, peer, peer.newID(gap: 0), chance(50) ? #","detach":true"# : "")
  }

  private func read(
    _ run: SimulatedRun, _ peer: SimulatedPeer, _ id: UInt64, _ options: String
  ) throws(Violation) {
    let reading = newReading(peer, id, run, from: 0)
    let fields = run.fields + options + #","window":\#(reading.window)"#
    try say(peer, #"{"op":"call","id":\#(id),\#(fields)}"#, run.content) { [ledger] in
      peer.everMade[id] = reading
      ledger.openedReading(reading, opening: run)
    }
  }

  private func attach(_ peer: SimulatedPeer) throws(Violation) {
    guard let run = pick(runs) else { return }
    let isOwn = run.principal == "\(peer.principal)"
    let known = run.seen.keys.max() ?? 0
    let from = chance(50) ? 0 : number(0...known + 1)
    let isTail = chance(20)
    let id = peer.newID(gap: 0)
    let reading = newReading(peer, id, isOwn ? run : nil, from: isTail ? nil : from)
    tally.count("runs attached")
    var content = #"{"run":"\#(run.name)""#
    content += isTail ? #","tail":true"# : #","from":\#(from)"#
    if chance(30) { content += #","resume":true"# }
    let fields = #""to":"runs","type":"Attach","window":\#(reading.window)"#
    try say(peer, #"{"op":"call","id":\#(id),\#(fields)}"#, Array((content + "}").utf8)) {
      [ledger] in
      peer.everMade[id] = reading
      ledger.openedReading(reading, opening: nil)
    }
  }

  private func newReading(
    _ peer: SimulatedPeer, _ id: UInt64, _ run: SimulatedRun?, from: Int?
  ) -> SimulatedCall {
    let reading = newCall(peer, id, to: "runs", isSend: false)
    reading.isSystem = true
    reading.isReading = true
    reading.run = run
    reading.readsFrom = from
    reading.window = [1 << 20, 1 << 20, 1 << 20, 1, 2_000, 0][number(0...5)]
    return reading
  }
}
