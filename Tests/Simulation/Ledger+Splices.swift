import Wire

@testable import Auditing

/// Replies that are woven of several calls': what may be the reader's next [SPEC: Splices].
///
/// `replies` of a call are what its host has said and the reader has not got, with a place for each
/// call that was spliced in; the reader's next is found from its own call downwards.
extension Ledger {
  // MARK: What hosts do

  func spliced(
    _ inner: SimulatedCall, into outer: SimulatedCall, isEnd: Bool, isUnordered: Bool
  ) {
    guard !outer.hostHasEnded else {
      inner.spliceIsSent = false
      return
    }
    let isGone = outer.cancelled > 0 || (outer.hasEnded && !outer.isUnheard)
    defer { if isEnd { hostEnded(outer) } }
    guard !isGone else { return }
    let wasOpen = !inner.hasEnded
    inner.caller.made[inner.callerID!] = nil
    inner.caller.everMade[inner.callerID!] = nil
    if wasOpen { inner.caller.hasEnded(inner.callerID!) }
    if wasOpen, inner.acceptsInput, !inner.inputEnded, !inner.hostHasEnded, inner.cancelled == 0 {
      var end = Expected()
      end.isEnd = true
      inner.inputs.append(end)
    }
    inner.inputEnded = true
    inner.isHeldBack = false
    inner.isExempt = true
    inner.wasSpliced = wasOpen
    if wasOpen, inner.isLazy, inner.arrival == nil { arrive(inner) }
    outer.isWoven = true
    if outer.isUnheard { return unread(inner) }
    if wasOpen {
      outer.woven.append(inner)
      inner.outer = outer
      inner.isHandedOver = isEnd
      inner.isUnordered = isUnordered
      if isUnordered {
        outer.unorderedInners.append(inner)
      } else {
        outer.replies.append(Expected(placeOf: inner))
      }
    } else if isEnd {
      var end = Expected()
      end.isEnd = true
      outer.replies.append(end)
    }
  }

  /// Nobody reads what it replies, nor what is spliced into that.
  private func unread(_ call: SimulatedCall) {
    let inners = call.inners
    call.isUnread = true
    call.hasEnded = true
    call.replies = []
    call.lane = []
    call.unorderedInners = []
    for inner in inners { unread(inner) }
  }

  /// Whether what goes wrong with a call is shown where its replies stand, or when they are asked
  /// for, instead of at once.
  func endsInPlace(_ call: SimulatedCall) -> Bool {
    call.outer != nil
      || (call.isHeldBack && call.parent != nil && !call.isDetached && !call.hasEnded)
  }

  /// The sidecar ends a call that ends in its place: what stands before its first inner call stays.
  func cutOff(_ call: SimulatedCall, _ reason: String) {
    guard !call.isCutOff, endsInPlace(call), !(call.replies.last?.isLast ?? false) else { return }
    call.isCutOff = true
    let root = call.root
    let inners = call.inners
    var isBegun = false
    if let open = root.openSource, open !== call { isBegun = open.isBelow(call) }
    if let place = call.replies.firstIndex(where: { $0.inner != nil }) {
      call.replies.removeSubrange(place...)
    }
    call.unorderedInners = []
    if isBegun {
      root.openSource = call
      if !call.replies.isEmpty { call.replies.insert(.unfinished, at: 0) }
    }
    var error = Expected()
    error.isError = true
    error.isEnd = true
    error.reason = reason
    call.replies.append(error)
    for inner in inners { endDown(inner) }
  }

  /// The host of a call is told of its end: the reader may be shown that first.
  func foresee(_ frame: SimulatedFrame, to peer: SimulatedPeer) {
    guard let id = frame.id, let call = peer.hosted[id] else { return }
    // Its opener's cancel, and the end of its parent, are told at once.
    if call.outer == nil, call.causes.contains(.cancelled), frame.reason == "cancelled" { return }
    if frame.reason != "parent_ended" { cutOff(call, frame.reason) }
  }

  /// A call ends with the one that it was spliced into.
  func endDown(_ call: SimulatedCall) {
    guard !call.hasEnded else { return }
    let inners = call.inners
    call.hasEnded = true
    call.outer = nil
    call.replies = []
    call.lane = []
    call.unorderedInners = []
    if call.isAtHost { call.isCancelled = true }
    for inner in inners { endDown(inner) }
  }

  // MARK: What the reader gets

  /// A message that may be the reader's next, as it would be delivered.
  private struct Turn {
    let source: SimulatedCall
    let isUnordered: Bool
    let said: Expected
    /// The end that it is stays where it is.
    var isMessageOnly = false
  }

  /// A frame for a reader whose reply is woven of several calls'.
  func toReader(_ frame: SimulatedFrame, _ root: SimulatedCall) throws(Violation) {
    let name = "call \(root.number)"
    skipSilent(root)
    let said = Expected(frame)
    if let turn = turns(root).first(where: { $0.said == said }) {
      try require(!root.isHeldBack || root.isCutOff, "\(name) got a reply before any credit")
      if said.cost > 0 {
        try require(root.window > 0, "\(name) got a reply with a window of \(root.window)")
        root.window -= said.cost
      }
      take(turn, root)
      return
    }
    try require(
      frame.op == .error && !frame.reason.hasPrefix("said"),
      "\(name) got \(said), not one of \(turns(root).map(\.said))")
    guard frame.has(.more) else {
      // The end of all, or that of what it was handed over to.
      let wasHeld = root.isHandingOver || root.isCutOff || root.mayHoldWords
      if wasHeld { words["held", default: 0] += 1 } else { try checkWord(frame.reason, root) }
      if root.host != nil, !root.hostHasEnded { root.isCancelled = true }
      return end(root)
    }
    root.window -= said.cost
    // One that no host was given has ended.
    let refused = candidates(root).first { $0.host == nil && $0.replies.isEmpty }
    guard let refused else {
      throw Violation("\(name): an error at the place of nothing: \(frame.reason)")
    }
    words["at its place \(frame.reason)", default: 0] += 1
    finishSource(refused, root)
  }

  private func take(_ turn: Turn, _ root: SimulatedCall) {
    let source = turn.source
    if turn.isUnordered {
      source.lane.removeFirst()
      return
    }
    let item = source.replies[0]
    root.openSource = turn.said.isPart ? source : nil
    if turn.isMessageOnly {
      var end = Expected()
      end.isEnd = true
      if item.cost > 0 { source.replies[0] = end }
      return
    }
    source.replies.removeFirst()
    if item.isEnd { finishSource(source, root) }
  }

  /// All that a call had to say has been delivered.
  private func finishSource(_ source: SimulatedCall, _ root: SimulatedCall) {
    var call = source
    while call !== root, let outer = call.outer {
      outer.unorderedInners.removeAll { $0 === call }
      outer.replies.removeAll { $0.inner == call.number }
      call.hasEnded = true
      call.outer = nil
      if call.isAtHost { call.isCancelled = true }
      guard call.isHandedOver else { return skipSilent(root) }
      call = outer
    }
    end(root)
  }

  /// Ends that say nothing are not delivered.
  private func skipSilent(_ root: SimulatedCall) {
    guard !root.hasEnded, root.openSource == nil else { return }
    for source in candidates(root) where source !== root {
      guard let item = source.replies.first, item.isEnd, item.cost == 0, !item.isError,
        !hasUnordered(source), !mustWait(source), ended(by: source) !== root
      else { continue }
      source.replies.removeFirst()
      return finishSource(source, root)
    }
  }

  private func turns(_ root: SimulatedCall) -> [Turn] {
    if let open = root.openSource { return [turn(of: open, root)].compactMap { $0 } }
    var turns: [Turn] = []
    for source in candidates(root) {
      if let message = source.lane.first {
        turns.append(Turn(source: source, isUnordered: true, said: message))
      }
      if let turn = turn(of: source, root) { turns.append(turn) }
    }
    return turns
  }

  /// The calls that have come to the front, or are bound to no place.
  private func candidates(_ call: SimulatedCall) -> [SimulatedCall] {
    var found = [call]
    for inner in call.unorderedInners { found += candidates(inner) }
    if let number = call.replies.first?.inner, let inner = call.inner(number) {
      found += candidates(inner)
    }
    return found
  }

  private func turn(of source: SimulatedCall, _ root: SimulatedCall) -> Turn? {
    guard var said = source.replies.first, said.inner == nil else { return nil }
    guard said.isEnd else { return Turn(source: source, isUnordered: false, said: said) }
    let isMessage = said.cost > 0
    let isOpen = root.openSource === source
    if mustWait(source) {
      if !isMessage { said = isOpen ? .unfinished : said }
      if !isMessage, !isOpen { return nil }
      said.isEnd = false
      return Turn(source: source, isUnordered: false, said: said, isMessageOnly: true)
    }
    if ended(by: source) === root { return Turn(source: source, isUnordered: false, said: said) }
    if isMessage || said.isError {
      said.isEnd = false
      return Turn(source: source, isUnordered: false, said: said)
    }
    return isOpen ? Turn(source: source, isUnordered: false, said: .unfinished) : nil
  }

  /// Whether unordered calls are under way, so that an end has to wait.
  private func mustWait(_ source: SimulatedCall) -> Bool {
    var call = source
    while true {
      if !call.unorderedInners.isEmpty { return true }
      guard call.isHandedOver, let outer = call.outer else { return false }
      call = outer
    }
  }

  /// Whether unordered messages wait, of a call or of one that ends with it: they come before that.
  private func hasUnordered(_ source: SimulatedCall) -> Bool {
    var call = source
    while call.lane.isEmpty {
      guard call.isHandedOver, let outer = call.outer else { return false }
      call = outer
    }
    return true
  }

  /// The outermost call that ends with this one.
  private func ended(by source: SimulatedCall) -> SimulatedCall {
    var call = source
    while call.isHandedOver, let outer = call.outer { call = outer }
    return call
  }
}

/// Where a call stands among those that are spliced.
extension SimulatedCall {
  var isUnheard: Bool { isSend || isUnread }

  var root: SimulatedCall {
    var call = self
    while let outer = call.outer { call = outer }
    return call
  }

  /// What is spliced into it and has not ended.
  var inners: [SimulatedCall] {
    woven.filter { $0.outer === self }
  }

  func inner(_ number: Int) -> SimulatedCall? { woven.first { $0.number == number } }

  func isBelow(_ other: SimulatedCall) -> Bool {
    var call = outer
    while let at = call {
      if at === other { return true }
      call = at.outer
    }
    return false
  }

  /// Its end is that of another.
  var isHandingOver: Bool { woven.contains { $0.isHandedOver } }

  /// Who works on it: its own host's call, or the one it was handed over to.
  var worker: SimulatedCall {
    var call = self
    while let inner = call.woven.last, inner.isHandedOver, inner.outer === call { call = inner }
    return call
  }
}
