import Wire

@testable import Routing

/// A subscription of a simulation, with what its reader is still to get.
final class SimulatedSubscription {
  let pattern: [Substring]
  /// Empty when the peer reads.
  let agent: String
  /// What the reader permits, and what may be held for it beyond that.
  var window: Int
  let heldCostMax: Int
  var isConfirmed = false
  /// Messages go to it: its id has not ended, and its peer has not said goodbye.
  var isActive = true
  /// Nothing may come for its id any more.
  var hasEnded = false
  /// Published and neither passed on nor told of as dropped, in their order.
  var expected: [SimulatedPublication] = []
  /// Something of what is expected may have been dropped.
  var mayDrop = false
  /// What its reader has read and not granted again.
  var unread = 0

  init(pattern: String, agent: String, window: Int) {
    self.pattern = pattern.split(separator: ".")
    self.agent = agent
    self.window = window
    heldCostMax = min(window, 1 << 20)
  }

  func matches(_ topic: String) -> Bool {
    Self.matches(pattern[...], topic.split(separator: ".")[...])
  }

  private static func matches(_ pattern: ArraySlice<Substring>, _ topic: ArraySlice<Substring>)
    -> Bool
  {
    guard let first = pattern.first else { return topic.isEmpty }
    guard let segment = topic.first else { return false }
    if first == ">" { return true }
    guard first == "*" || first == segment else { return false }
    return matches(pattern.dropFirst(), topic.dropFirst())
  }
}

/// A published message.
final class SimulatedPublication {
  let number: Int
  let topic: String
  let source: String
  let from: String
  let length: Int
  let expires: UInt64
  var hasParent = false
  /// The sends that it becomes, by the agents that it feeds.
  var fed: [String: SimulatedCall] = [:]

  init(
    _ number: Int, topic: String, source: String, from: String, length: Int, expires: UInt64
  ) {
    self.number = number
    self.topic = topic
    self.source = source
    self.from = from
    self.length = length
    self.expires = expires
  }

  var cost: Int { length + Limits.frameCostBytes }
}

/// What the sidecar may write for subscriptions.
extension Ledger {
  /// A peer has published: each reader is to get it, and each session that it feeds, once.
  func published(_ publication: SimulatedPublication, _ router: Router) {
    publications[publication.number] = publication
    for peer in peers {
      let congestion = router.connections.at(peer.index).pointee.waitingBytes
      for subscription in peer.subscriptions.values
      where subscription.isActive && subscription.matches(publication.topic) {
        guard subscription.agent.isEmpty else {
          feed(publication, subscription.agent)
          continue
        }
        subscription.expected.append(publication)
        let cost = subscription.expected.reduce(0) { $0 + $1.cost }
        let isFull = cost > subscription.heldCostMax && subscription.expected.count > 1
        let isOverrun = congestion + cost + 4_096 > limits.connectionHardMarkBytes
        if isFull || isOverrun || publication.expires > 0 { subscription.mayDrop = true }
      }
    }
  }

  private func feed(_ publication: SimulatedPublication, _ agent: String) {
    let address = "\(agent):\(publication.source)"
    guard publication.fed[agent] == nil, publication.from != address else { return }
    let call = SimulatedCall(
      -publication.number, to: address, isSend: true, caller: peers[0], callerID: nil)
    call.from = publication.from
    call.hasParent = publication.hasParent
    call.deadline = publication.expires
    call.opening.text = "m\(publication.number)"
    call.opening.length = publication.length
    arrive(call)
    calls.append(call)
    publication.fed[agent] = call
  }

  /// The publisher was told that nobody gets it.
  func refused(_ publication: SimulatedPublication) {
    for peer in peers {
      for subscription in peer.subscriptions.values {
        subscription.expected.removeAll { $0 === publication }
      }
    }
    for call in publication.fed.values { call.hasEnded = true }
  }

  /// A message for a reader.
  func told(
    _ frame: SimulatedFrame, _ subscription: SimulatedSubscription
  ) throws(Violation) {
    let what = "\(frame.topic) \(frame.type)"
    try require(subscription.isConfirmed && subscription.isActive, "\(what) for nobody")
    try require(subscription.window > 0, "\(what) with a window of \(subscription.window)")
    guard
      let place = subscription.expected.firstIndex(where: { "p\($0.number)" == frame.type })
    else {
      throw Violation("\(what) came twice, out of order, or to one who did not ask for it")
    }
    let publication = subscription.expected[place]
    try require(frame.dropped == place, "\(what): \(frame.dropped) dropped, really \(place)")
    try require(place == 0 || subscription.mayDrop, "\(what): \(place) were dropped in vain")
    try require(
      frame.topic == publication.topic && frame.source == publication.source
        && frame.from == publication.from && frame.length == publication.length
        && frame.text == (publication.length == 0 ? "" : "m\(publication.number)"),
      "\(what) is not what was published")
    try require(
      publication.expires == 0 || now < publication.expires, "\(what) is worth nothing any more")
    subscription.window -= frame.cost
    subscription.expected.removeFirst(place + 1)
    if subscription.expected.isEmpty { subscription.mayDrop = false }
  }

  /// Nothing goes to these any more; what they were to get is gone.
  func ended(_ subscriptions: some Sequence<SimulatedSubscription>) {
    for subscription in subscriptions {
      subscription.isActive = false
      subscription.expected = []
    }
  }
}

/// What peers do with topics.
extension Simulation {
  private static let topics = ["t", "t.a", "t.b", "t.a.x", "u"]
  private static let patterns = topics + ["*", ">", "t.*", "t.>", "*.a", "t.*.x", "*.*.>"]

  func subscribe(_ peer: SimulatedPeer) throws(Violation) {
    let id = peer.newID(gap: UInt64(number(0...1)))
    let own = peer.registrations.values.filter { $0.isActive && $0.isConfirmed }.map(\.name)
    let agent = chance(50) ? pick(own.sorted()) ?? "" : ""
    let window = chance(50) ? 1 << 20 : [0, 1, 300, 5_000, 100_000][number(0...4)]
    let pattern = pick(Self.patterns)!
    let subscription = SimulatedSubscription(pattern: pattern, agent: agent, window: window)
    subscription.isActive = !peer.hasSaidGoodbye
    peer.subscriptions[id] = subscription
    var fields = #""topic":"\#(pattern)""#
    if !agent.isEmpty { fields += #","agent":"\#(agent)""# }
    if window != 1 << 20 { fields += #","window":\#(window)"# }
    try say(peer, #"{"op":"subscribe","id":\#(id),\#(fields)}"#)
  }

  func publish(_ peer: SimulatedPeer) throws(Violation) {
    callCount += 1
    let (topic, source) = (pick(Self.topics)!, pick(Self.sessions)!)
    var fields = #""topic":"\#(topic)","source":"\#(source)","type":"p\#(callCount)""#
    var from = ""
    var hasParent = false
    let parents = peer.everHosted.filter { $0.value.isRead && !$0.value.hostHasEnded }
    if chance(30), let id = pick(parents.keys.sorted()) {
      fields += #","parent":\#(id)"#
      from = parents[id]!.to
      hasParent = true
    } else if chance(20), let own = pick(peer.registrations.values.map(\.name).sorted()) {
      from = "\(own):\(pick(Self.sessions)!)"
      fields += #","from":"\#(from)""#
    }
    var expires: UInt64 = 0
    if chance(15) {
      let time = [20, 200, 3_000][number(0...2)]
      expires = ledger.now + UInt64(time)
      fields += #","timeout_ms":\#(time)"#
    }
    let content = message("m\(callCount)", size() + 1)
    let publication = SimulatedPublication(
      callCount, topic: topic, source: source, from: from, length: content.count,
      expires: expires)
    publication.hasParent = hasParent
    // Without an answer only what is sure to be taken, so that the ledger knows.
    if !from.isEmpty || peer.hasSaidGoodbye || chance(50) {
      let id = peer.newID(gap: 0)
      peer.sent.insert(id)
      peer.published[id] = publication
      fields = #""id":\#(id),"# + fields
    }
    ledger.published(publication, router)
    try say(peer, #"{"op":"publish",\#(fields)}"#, content)
  }

  func unsubscribe(_ peer: SimulatedPeer) throws(Violation) {
    let open = peer.subscriptions.filter { $0.value.isActive && $0.value.isConfirmed }
    guard let id = pick(open.keys.sorted()) else { return }
    ledger.ended([open[id]!])
    try say(peer, #"{"op":"cancel","id":\#(id)}"#)
  }

  /// A reader permits more.
  func grantSubscription(_ peer: SimulatedPeer, all: Bool = false) throws(Violation) {
    let reading = peer.subscriptions.filter {
      $0.value.isActive && $0.value.isConfirmed && $0.value.agent.isEmpty
    }
    guard let id = pick(reading.keys.sorted()) else { return }
    try grant(reading[id]!, id, peer, all ? 1 << 24 : 0)
  }

  private func grant(
    _ subscription: SimulatedSubscription, _ id: UInt64, _ peer: SimulatedPeer, _ more: Int
  ) throws(Violation) {
    let bytes =
      more > 0 ? more : subscription.unread > 0 ? subscription.unread : number(1...5_000)
    subscription.unread = 0
    subscription.window = min(subscription.window + bytes, Limits.windowBytesMax)
    try say(peer, #"{"op":"credit","id":\#(id),"bytes":\#(bytes)}"#)
  }

  /// Readers get all that is held for them; returns whether there was any.
  func finishSubscriptions(_ peer: SimulatedPeer) throws(Violation) -> Bool {
    var isBusy = false
    for id in peer.subscriptions.keys.sorted() {
      guard let subscription = peer.subscriptions[id], subscription.isActive,
        subscription.isConfirmed, !subscription.expected.isEmpty, subscription.window < 1 << 20
      else { continue }
      try grant(subscription, id, peer, 1 << 24)
      isBusy = true
    }
    return isBusy
  }

  /// At rest nobody waits for what was not dropped; then everyone stops reading.
  func endSubscriptions() throws(Violation) {
    for peer in alive {
      for id in peer.subscriptions.keys.sorted() {
        guard let subscription = peer.subscriptions[id], !subscription.hasEnded,
          subscription.isConfirmed, subscription.isActive
        else { continue }
        try require(
          subscription.expected.isEmpty || subscription.mayDrop,
          "p\(peer.number) still waits for \(subscription.expected.count) messages of \(id)")
        ledger.ended([subscription])
        try say(peer, #"{"op":"cancel","id":\#(id)}"#)
      }
    }
  }
}
