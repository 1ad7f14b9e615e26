import Wire

@testable import Auditing

/// What the frames of a simulation say, and whether the sidecar may write them.
///
/// It is told what peers send, when it has arrived and before the sidecar acts on it
/// (`Ledger+Peers`), and what the sidecar writes, as it does so; it knows nothing of the router's
/// own records.
final class Ledger {
  /// A session's instance at a host.
  struct Instance {
    var peer: Int
    /// The `close` that its host was sent, and when.
    var closing: (id: UInt64, at: UInt64)?
  }

  let limits: Limits
  var now: UInt64 = 0
  var peers: [SimulatedPeer] = []
  /// Everything that has not ended on both sides.
  var calls: [SimulatedCall] = []
  private var byNumber: [Int: SimulatedCall] = [:]
  var publications: [Int: SimulatedPublication] = [:]
  var instances: [String: Instance] = [:]
  /// The session that somebody deletes in this event.
  var deleted: String?
  /// Sessions of which nothing is given to hosts.
  var paused: Set<String> = []
  /// The signal that this event brings, and those of which something is to be said in it.
  var arriving: SimulatedSignal?
  var dueSignals: [SimulatedSignal] = []
  var lastSignal: [String: Int] = [:]
  var isDraining = false
  /// How often the sidecar said what, of itself.
  var words: [String: Int] = [:]
  private var lastArrival: [String: Int] = [:]
  private var arrivals = 0

  init(limits: Limits) {
    self.limits = limits
  }

  func add(_ call: SimulatedCall) {
    calls.append(call)
    byNumber[call.number] = call
  }

  /// Keeps a call known though nobody waits for it.
  func reserve(_ call: SimulatedCall) { byNumber[call.number] = call }

  func arrive(_ call: SimulatedCall) {
    arrivals += 1
    call.arrival = arrivals
  }

  /// Forgets what has ended on both sides.
  private func sweep() {
    calls.removeAll { call in
      let isDone =
        (call.isSend || call.hasEnded) && (call.host == nil ? call.hasEnded : call.hostHasEnded)
        && !(call.isUnread && call.host == nil)
      if isDone, call.run == nil || call.isReading { byNumber[call.number] = nil }
      return isDone
    }
  }

  // MARK: What the router writes

  func wrote(_ frame: SimulatedFrame, to peer: SimulatedPeer) throws(Violation) {
    guard let id = frame.id else { return try remarked(frame, to: peer) }
    switch frame.op {
    case .call: try gave(frame, id, to: peer)
    case .signal: try gaveSignal(frame, id, to: peer)
    case .close: try closed(frame, id, at: peer)
    case .ok: try confirmed(frame, id, peer)
    case .data, .error: try answered(frame, id, peer)
    case .cancel: try cancelled(id, peer)
    case .credit: try granted(frame.bytes, id, peer)
    default: throw Violation("\(frame.op) was sent to a client")
    }
  }

  private func remarked(_ frame: SimulatedFrame, to peer: SimulatedPeer) throws(Violation) {
    switch frame.op {
    case .welcome: peer.isGreeted = true
    case .ping: try require(peer.isTCP, "a ping over a Unix socket")
    case .goodbye: try require(isDraining, "p\(peer.number) was told goodbye")
    case .pong:
      peer.pongs -= 1
      try require(peer.pongs >= 0, "a pong that nobody asked for")
    case .error where frame.reason == "unknown_op":
      peer.remarks -= 1
      try require(peer.remarks >= 0, "an error without an id: \(frame.reason)")
    // The connection is closed after any other, and then it is asked why.
    case .error: peer.lastRemark = frame.reason
    default: throw Violation("\(frame.op) without an id")
    }
  }

  func give(_ id: UInt64, _ peer: SimulatedPeer) throws(Violation) {
    try require(id % 2 == 0, "the sidecar opened the odd id \(id)")
    try require(id > peer.lastGiven, "the sidecar opened \(id) after \(peer.lastGiven)")
    peer.lastGiven = id
  }

  /// The call that a frame starts: one that a peer opened, or that a topic made of a message.
  private func opened(_ frame: SimulatedFrame) -> SimulatedCall? {
    guard let number = Int(frame.type.dropFirst()) else { return nil }
    guard frame.type.first == "p" else { return byNumber[number] }
    guard let publication = publications[number], publication.topic == frame.topic,
      publication.source == frame.source
    else { return nil }
    return publication.fed[String(frame.to.prefix { $0 != ":" })]
  }

  private func gave(_ frame: SimulatedFrame, _ id: UInt64, to peer: SimulatedPeer) throws(Violation)
  {
    try give(id, peer)
    guard let call = opened(frame) else {
      throw Violation("a call that nobody opened: \(frame.type)")
    }
    let name = "call \(call.number)"
    _ = renewRun(call)
    try require(call.host == nil, "\(name) was given to a host twice")
    try require(
      !call.hasEnded || call.isUnread, "\(name) was given to a host after its end")
    guard let arrival = call.arrival else { throw Violation("\(name) is lazy and was started") }
    try require(call.to == frame.to, "\(name) to \(call.to) went to \(frame.to)")
    try require(call.from == frame.from, "\(name): from \(frame.from), not \(call.from)")
    var opening = Expected(frame)
    opening.type = ""
    try require(opening == call.opening, "\(name) says \(opening), not \(call.opening)")
    try require(frame.has(.oneway) == call.isSend, "\(name): oneway")
    try require(frame.has(.input) == call.acceptsInput, "\(name): input")
    try require(
      peer.registrations.values.contains {
        $0.name == call.agent && $0.isConfirmed && ($0.isActive || call.hasParent)
      },
      "\(name) went to a connection that does not host \(call.agent)")
    if call.isTimedByRun {
      // A repeat, which has other times, may have opened it again.
    } else if call.deadline > 0 {
      try require(
        frame.timeoutMs == max(1, call.deadline - min(now, call.deadline)),
        "\(name): \(frame.timeoutMs ?? 0) ms left")
    } else {
      try require(frame.timeoutMs == nil, "\(name) has no deadline")
    }
    if call.window <= 0 { call.floor = 64 << 10 }
    let window = call.isSend ? 1 << 20 : max(min(call.window, 1 << 20), call.floor)
    try require(
      frame.window == window || call.outer != nil || call.isUnread || call.run != nil,
      "\(name): window \(frame.window), not \(window)")
    if let session = call.session {
      try gaveToSession(session, frame, call, peer)
      // Of a run nobody knows which of its repeats has opened it.
      if call.run == nil {
        try require(arrival > lastArrival[session] ?? 0, "\(name) overtook another to \(session)")
        lastArrival[session] = arrival
      }
    } else if !call.isExempt, call.run == nil {
      let overtaken = calls.first {
        $0.isWaiting && $0.session == nil && !$0.isExempt && !$0.mayHoldWords && !$0.isSend
          && $0.arrival! < arrival
          && $0.agent == call.agent
      }
      try require(overtaken == nil, "\(name) overtook \(overtaken?.number ?? 0)")
    }
    call.host = peer
    call.hostID = id
    call.replyAllowance = frame.window
    call.replyAllowanceRead = frame.window
    peer.hosted[id] = call
    peer.everHosted[id] = call
  }

  private func gaveToSession(
    _ session: String, _ frame: SimulatedFrame, _ call: SimulatedCall, _ peer: SimulatedPeer
  ) throws(Violation) {
    if frame.has(.new) {
      if let old = instances[session] {
        let isClosed = old.closing.map { now >= $0.at + UInt64(limits.closeGraceMs) } ?? false
        try require(isClosed, "\(session) was made anew while it lives at p\(old.peer)")
      }
      instances[session] = Instance(peer: peer.number)
    } else {
      guard let instance = instances[session] else { throw Violation("\(session) was never made") }
      try require(
        instance.peer == peer.number, "\(session) is at p\(instance.peer), not p\(peer.number)")
      try require(instance.closing == nil, "a call to \(session), which was closed")
    }
    try require(!paused.contains(session), "\(session) is paused")
  }

  private func closed(_ frame: SimulatedFrame, _ id: UInt64, at peer: SimulatedPeer)
    throws(Violation)
  {
    try give(id, peer)
    guard let instance = instances[frame.to] else {
      throw Violation("\(frame.to) is not there and was closed")
    }
    try require(instance.peer == peer.number, "\(frame.to) was closed at another host")
    try require(instance.closing == nil, "\(frame.to) was closed twice")
    instances[frame.to]!.closing = (id, now)
    peer.closing[id] = (frame.to, false)
  }

  private func confirmed(
    _ frame: SimulatedFrame, _ id: UInt64, _ peer: SimulatedPeer
  ) throws(Violation) {
    if try signalEnded(frame, id, peer) { return }
    if peer.registrations[id] != nil {
      try require(!peer.registrations[id]!.isConfirmed, "a second ok for the registration \(id)")
      peer.registrations[id]!.isConfirmed = true
    } else if let subscription = peer.subscriptions[id] {
      try require(!subscription.isConfirmed, "a second ok for the subscription \(id)")
      subscription.isConfirmed = true
    } else {
      peer.published[id] = nil
      try require(peer.sent.remove(id) != nil, "an ok for \(id), which waits for none")
      peer.hasEnded(id)
    }
  }

  private func answered(_ frame: SimulatedFrame, _ id: UInt64, _ peer: SimulatedPeer)
    throws(Violation)
  {
    if id % 2 == 0 { return try toHost(frame, id, peer) }
    if let call = peer.made[id] { return try toCaller(frame, call) }
    if frame.op == .data, let subscription = peer.subscriptions[id] {
      return try told(frame, subscription)
    }
    try require(frame.op == .error && !frame.has(.more), "\(frame.op) for \(id), which has ended")
    if try signalEnded(frame, id, peer) { return }
    if let registration = peer.registrations[id] {
      try require(!registration.hasEnded, "the registration \(id) ended twice")
      peer.registrations[id]!.hasEnded = true
      peer.registrations[id]!.isActive = false
    } else if let subscription = peer.subscriptions[id] {
      try require(!subscription.hasEnded, "the subscription \(id) ended twice")
      subscription.hasEnded = true
      ended([subscription])
    } else {
      if let publication = peer.published.removeValue(forKey: id) { refused(publication) }
      try require(peer.sent.remove(id) != nil, "an error for \(id), which has ended")
    }
    peer.hasEnded(id)
  }

  private func toCaller(_ frame: SimulatedFrame, _ call: SimulatedCall) throws(Violation) {
    let name = "call \(call.number)"
    if call.isReading { return try toReading(frame, call) }
    if call.isWoven { return try toReader(frame, call) }
    let said = Expected(frame)
    let isForetold = call.isSystem ? frame.op == .data : call.replies.first == said
    if isForetold {
      if !call.isSystem { call.replies.removeFirst() }
      try require(!call.isHeldBack || call.isCutOff, "\(name) got a reply before any credit")
      if said.cost > 0 {
        try require(call.window > 0, "\(name) got a reply with a window of \(call.window)")
        call.window -= said.cost
      }
    } else {
      // What no host said is the sidecar's own word.
      try require(
        frame.op == .error && !frame.has(.more) && !frame.reason.hasPrefix("said"),
        "\(name) got \(said), not \(call.replies.first.map { "\($0)" } ?? "nothing")")
      // What was held for it may have been true long ago.
      let wasHeld = call.isCutOff || call.mayHoldWords
      if !wasHeld { try checkWord(frame.reason, call) }
      if call.host != nil, !call.hostHasEnded { call.isCancelled = true }
    }
    guard said.isEnd else { return }
    end(call)
  }

  /// Its caller has its terminal frame.
  func end(_ call: SimulatedCall) {
    for inner in call.inners { endDown(inner) }
    call.hasEnded = true
    call.openSource = nil
    call.replies.removeAll()
    call.inputs.removeAll()
    call.caller.made[call.callerID!] = nil
    call.caller.hasEnded(call.callerID!)
  }

  private func toHost(_ frame: SimulatedFrame, _ id: UInt64, _ peer: SimulatedPeer)
    throws(Violation)
  {
    guard let call = peer.hosted[id] else {
      throw Violation("\(frame.op) for \(id), which has ended")
    }
    let name = "call \(call.number)"
    if frame.op == .error {
      // Only what cannot be read is answered so, and it ends the call.
      try require(frame.reason == "bad_field", "the host of \(name) got \(frame.reason)")
      return hostEnded(call)
    }
    try require(call.cancelled == 0, "\(name) got input behind its cancel")
    let said = Expected(frame)
    try require(
      call.inputs.first == said,
      "\(name) got the input \(said), not \(call.inputs.first.map { "\($0)" } ?? "none")")
    call.inputs.removeFirst()
    if said.cost > 0 {
      try require(call.inputWindow > 0, "\(name) got input with a window of \(call.inputWindow)")
      call.inputWindow -= said.cost
    }
  }

  private func cancelled(_ id: UInt64, _ peer: SimulatedPeer) throws(Violation) {
    guard let call = peer.hosted[id] else { throw Violation("a cancel for \(id), which has ended") }
    try require(call.cancelled == 0, "call \(call.number) was cancelled twice")
    call.cancelled = max(now, 1)
    call.isCancelled = true
    call.inputs.removeAll()
  }

  private func granted(_ bytes: Int, _ id: UInt64, _ peer: SimulatedPeer) throws(Violation) {
    try require(bytes > 0, "a credit of nothing")
    if id % 2 == 0 {
      guard let call = peer.hosted[id] else { throw Violation("credit for \(id), which has ended") }
      call.replyAllowance += bytes
    } else {
      guard let call = peer.made[id] else { throw Violation("credit for \(id), which has ended") }
      try require(
        call.acceptsInput && !call.inputEnded, "credit for the input of call \(call.number)")
      call.inputAllowance += bytes
    }
  }

  // MARK: What must hold after each event

  func check() throws(Violation) {
    sweep()
    for call in calls
    where !call.isSend && !call.hasEnded && call.isAtHost && call.cancelled == 0
      && call.outer == nil && !call.isWoven
    {
      // Nobody may send more than its reader has room for [CRD-7].
      let replies = call.replies.reduce(0) { $0 + $1.cost }
      try require(
        call.replyAllowance <= max(min(call.window, 1 << 20), call.floor) - replies,
        "the host of call \(call.number) may send too much")
      let inputs = call.inputs.reduce(0) { $0 + $1.cost }
      try require(
        !call.acceptsInput || call.inputAllowance <= min(call.inputWindow, 1 << 20) - inputs,
        "the caller of call \(call.number) may send too much")
    }
    for call in calls {
      guard let parent = call.parent, call.isOpen, !call.isDetached, !call.isSend else { continue }
      let isOrphan =
        parent.isCancelled || (parent.caller.isLost && !parent.isSend && !parent.wasSpliced)
      try require(!isOrphan, "call \(call.number) outlives its parent \(parent.number)")
    }
    for call in calls where call.isCancelled && call.isAtHost && !call.host!.isLost {
      try require(call.cancelled > 0, "the host of call \(call.number) was not told of its end")
    }
  }

  /// After time has passed: nothing is open whose time is over.
  func checkDeadlines() throws(Violation) {
    for call in calls
    where call.isOpen && call.deadline > 0 && !call.mayHoldWords && !call.isTimedByRun {
      try require((call.deadline + 9) / 10 * 10 > now / 10 * 10, "call \(call.number) is late")
    }
  }
}
