import TestSupport
import Wire

@testable import Auditing

/// A subscription of a simulation, with what its reader is still to get.
final class SimulatedSubscription {
  let pattern: PlainPattern
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
    self.pattern = PlainPattern(pattern)
    self.agent = agent
    self.window = window
    heldCostMax = min(window, 1 << 20)
  }
}

/// A published message.
final class SimulatedPublication {
  let number: Int
  let topic: String
  let source: String
  let from: String
  let length: Int
  let timeoutMs: UInt64
  let publisher: SimulatedPeer
  var expires: UInt64 = 0
  var hasParent = false
  /// The sends that it becomes, by the agents that it feeds.
  var fed: [String: SimulatedCall] = [:]

  init(
    _ number: Int, topic: String, source: String, from: String, length: Int, timeoutMs: UInt64,
    publisher: SimulatedPeer
  ) {
    self.number = number
    self.topic = topic
    self.source = source
    self.from = from
    self.length = length
    self.timeoutMs = timeoutMs
    self.publisher = publisher
  }

  var cost: Int { length + Limits.frameCostBytes }
}

/// What the sidecar may write for subscriptions.
extension Ledger {
  /// A peer has published: each reader is to get it, and each session that it feeds, once.
  ///
  /// - Parameter waiting: the bytes that wait for a peer.
  func published(_ publication: SimulatedPublication, _ waiting: (SimulatedPeer) -> Int) {
    publications[publication.number] = publication
    if publication.timeoutMs > 0 { publication.expires = now + publication.timeoutMs }
    for peer in peers where !peer.subscriptions.isEmpty {
      // What its other subscriptions get waits for it too.
      let others = publication.cost * peer.subscriptions.count
      for (_, subscription) in peer.subscriptions.sorted(by: { $0.key < $1.key })
      where subscription.isActive && subscription.pattern.matches(publication.topic) {
        guard subscription.agent.isEmpty else {
          feed(publication, subscription.agent)
          continue
        }
        subscription.expected.append(publication)
        let cost = subscription.expected.reduce(0) { $0 + $1.cost }
        let isFull = cost > subscription.heldCostMax && subscription.expected.count > 1
        let isOverrun = waiting(peer) + cost + others > limits.connectionHardMarkBytes
        if isFull || isOverrun || publication.expires > 0 { subscription.mayDrop = true }
      }
    }
  }

  private func feed(_ publication: SimulatedPublication, _ agent: String) {
    let address = "\(agent):\(publication.source)"
    guard publication.fed[agent] == nil, publication.from != address else { return }
    let call = SimulatedCall(
      -publication.number, to: address, isSend: true, caller: peers[0], callerID: nil)
    call.origin = publication.publisher
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
