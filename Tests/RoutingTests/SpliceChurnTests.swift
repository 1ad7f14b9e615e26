import TestSupport
import Testing
import Wire

@testable import Routing

/// Calls that agents make for their replies, spliced, handed over, read, cancelled and lost at
/// random, with all records held against each other after each step, and what readers get against
/// what may be sent to them.
@Suite struct SpliceChurnTests {
  @Test(arguments: 1...6)
  func everythingAgreesWhateverHappens(seed: Int) {
    var churn = SpliceChurn(seed: UInt64(seed))
    for _ in 0..<1_200 { churn.step() }
    churn.finish()
  }
}

private struct SpliceChurn {
  private let network: Network
  private var random: SeededGenerator
  private var members: [SpliceMember] = []
  private var joined = 0

  init(seed: UInt64) {
    var limits = Limits()
    limits.connectionHighMarkBytes = 60_000
    limits.connectionHardMarkBytes = 150_000
    limits.callDepthMax = 6
    limits.cancelGraceMs = 300
    network = Network(limits: limits, seed: seed)
    network.isAudited = true
    random = SeededGenerator(seed: seed)
    for _ in 0..<5 { join() }
  }

  private mutating func join() {
    joined += 1
    members.append(SpliceMember(network.peer(), "p\(joined % 6)"))
  }

  private mutating func any<Element>(_ elements: [Element]) -> Element? {
    elements.randomElement(using: &random)
  }

  private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

  mutating func step() {
    let member = any(members)!
    let handled = any(member.handled.keys.sorted())
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<10: open(member, for: chance(2) ? handled : nil)
    case 10..<26: if let handled { open(member, for: handled, isHeldBack: true) }
    case 26..<42: if let handled { splice(member, handled) }
    case 42..<66: if let handled { send(member, handled) }
    case 66..<74: credit(member)
    case 74..<77: if let made = any(member.made.keys.sorted()) { member.peer.cancel(made) }
    case 77..<79: leave(member)
    case 79..<88: network.pass(UInt64.random(in: 1..<80, using: &random))
    default: member.listen(&random)
    }
    for each in members where chance(3) { each.listen(&random) }
  }

  private mutating func open(
    _ member: SpliceMember, for parent: UInt64?, isHeldBack: Bool = false
  ) {
    guard member.made.count < 12 else { return }
    var fields: [String] = []
    let window = isHeldBack ? 0 : any([0, 1, 700, 3_000, 1 << 20])!
    fields.append(#""window":\#(window)"#)
    if let parent { fields.append(#""parent":\#(parent)"#) }
    if chance(4) { fields.append(#""timeout_ms":\#(Int.random(in: 1..<400, using: &random))"#) }
    if chance(5) { fields.append(#""lazy":true"#) }
    if chance(5) { fields.append(#""input":true"#) }
    if !isHeldBack, chance(6) {
      fields.append(#""run":"r\#(Int.random(in: 0..<9, using: &random))""#)
    }
    var to = "p\(Int.random(in: 0..<7, using: &random))"
    if chance(3) { to += ":s\(Int.random(in: 0..<2, using: &random))" }
    let words = fields.filter { !($0.contains("run") && fields.contains(#""lazy":true"#)) }
    let id = member.peer.call(to, with: words.joined(separator: ","))
    member.made[id] = SpliceMember.Made(window: window)
    if isHeldBack, let parent { member.handled[parent]?.children.append(id) }
  }

  private mutating func splice(_ member: SpliceMember, _ id: UInt64) {
    guard let handled = member.handled[id], !handled.isInMessage,
      let child = any(handled.children)
    else { return }
    member.handled[id]!.children.removeAll { $0 == child }
    let word = any(["", "", atEnd, outOfOrder])!
    member.peer.splice(id, child, word)
    member.made[child] = nil
    member.spliced.insert(child)
    if word == atEnd { member.handled[id] = nil }
  }

  private mutating func send(_ member: SpliceMember, _ id: UInt64) {
    let handled = member.handled[id]!
    guard handled.allowance > 0 else { return }
    if chance(8) {
      member.peer.fail(id, "broken", chance(2) ? #""more":true"# : "")
      member.handled[id] = nil
      return member.peer.end(id)
    }
    if chance(5) {
      member.handled[id] = nil
      return member.peer.end(id)
    }
    let isUnordered = chance(5)
    let isPart = !isUnordered && chance(3)
    let isLast = !isPart && chance(6)
    var fields: [String] = []
    if isUnordered { fields.append(outOfOrder) }
    if isPart { fields.append(asPart) }
    if isLast { fields.append(atEnd) }
    // All parts of a message say the same; long ones are told by their length.
    var text = "m\(handled.source).\(handled.messages)"
    if isUnordered { text = "u\(handled.source)" }
    if handled.source % 5 == 0 { text = String(repeating: " ", count: 5_000 + handled.source) }
    member.handled[id]!.allowance -= text.utf8.count + Limits.frameCostBytes
    if !isUnordered {
      member.handled[id]!.isInMessage = isPart
      if !isPart { member.handled[id]!.messages += 1 }
    }
    if isLast { member.handled[id] = nil }
    member.peer.reply(id, text, fields.joined(separator: ","))
  }

  private mutating func credit(_ member: SpliceMember) {
    guard let id = any(member.made.keys.sorted()) else { return }
    let bytes = Int.random(in: 1..<6_000, using: &random)
    member.made[id]!.window += bytes
    for (parent, handled) in member.handled {
      member.handled[parent]!.children = handled.children.filter { $0 != id }
    }
    member.peer.credit(id, bytes)
  }

  private mutating func leave(_ member: SpliceMember) {
    member.peer.leave()
    members.removeAll { $0 === member }
    join()
  }

  /// Everyone goes, time passes, and nothing is left.
  mutating func finish() {
    while let member = members.popLast() { member.peer.leave() }
    network.pass(400_000)
    #expect(network.router.calls.count == 0)
    #expect(network.router.lanes.count == 0)
    #expect(network.router.runs.count == 0)
    #expect(network.router.timers.count == 0)
  }
}

/// A connection that hosts an agent and calls others, and what it knows.
private final class SpliceMember {
  struct Handled {
    var allowance: Int
    /// Tells this call from all others in what it sends.
    let source: Int
    var messages = 0
    var isInMessage = false
    /// Calls made for it that may be spliced.
    var children: [UInt64] = []
  }

  struct Made {
    var window: Int
    /// What the message says that has begun and not ended.
    var open: String?
    /// The last message of each source.
    var messages: [String: Int] = [:]
  }

  let peer: Peer
  var handled: [UInt64: Handled] = [:]
  var made: [UInt64: Made] = [:]
  var spliced: Set<UInt64> = []
  private nonisolated(unsafe) static var sources = 0

  init(_ peer: Peer, _ name: String) {
    self.peer = peer
    // Calls that have waited for the name may come right behind the answer.
    peer.say(#"{"op":"register","id":\#(peer.newID()),"name":"\#(name)","concurrency":3}"#)
  }

  /// Takes what has come, and answers what must be.
  func listen(_ random: inout SeededGenerator) {
    for frame in peer.hear() {
      let (head, content) = frame.divided(at: "|")
      let words = head.split(separator: " ")
      guard words.count > 1, let id = UInt64(words[1]) else { continue }
      switch words[0] {
      case "call":
        let window = words.first { $0.hasPrefix("window=") }?.dropFirst(7)
        Self.sources += 1
        handled[id] = Handled(
          allowance: window.flatMap { Int($0) } ?? Limits.windowBytesDefault, source: Self.sources)
      case "credit" where id & 1 == 0: handled[id]?.allowance += Int(words[2])!
      case "cancel":
        handled[id] = nil
        if Bool.random(using: &random) { peer.end(id) }
      case "close": peer.say(#"{"op":"ok","id":\#(id)}"#)
      case "data" where id & 1 == 1, "error" where id & 1 == 1: read(id, words, content)
      default: break
      }
    }
  }

  /// One frame of a reply: within the window, no message inside another, each source in order, and
  /// nothing behind the end.
  private func read(_ id: UInt64, _ words: [Substring], _ content: Substring) {
    guard var reply = made[id] else {
      // An error may have crossed the splice.
      #expect(spliced.contains(id) && words[0] == "error", "\(words) behind the end of \(id)")
      return
    }
    let isError = words[0] == "error"
    let isLast = isError ? !words.contains("more") : words.contains("end")
    let length = content.hasSuffix(" bytes") ? Int(content.dropLast(6))! : content.utf8.count
    let cost = isError ? (isLast ? 0 : 256) : (isLast && content.isEmpty ? 0 : length + 256)
    #expect(cost == 0 || reply.window > 0, "\(words) overruns the window of \(id)")
    reply.window -= cost
    if let open = reply.open, !isError, cost > 0 {
      #expect(open == content, "a message inside another of \(id)")
    }
    reply.open = words.contains("part") ? String(content) : nil
    let name = content.split(separator: ".")
    if name.count == 2, let number = Int(name[1]) {
      #expect(number >= reply.messages[String(name[0])] ?? 0, "\(content) out of order in \(id)")
      reply.messages[String(name[0])] = number
    }
    made[id] = isLast ? nil : reply
  }
}

extension String {
  fileprivate func divided(at mark: Character) -> (Substring, Substring) {
    guard let place = firstIndex(of: mark) else { return (self[...], "") }
    return (self[..<place], self[index(after: place)...])
  }
}
