import TestSupport
import Wire

/// A rule of the protocol that the sidecar broke, in words.
struct Violation: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

/// A client that keeps all rules, calls and hosts at random, and notices what must not happen.
final class SimulatedPeer {
  /// A call made here.
  struct OwnCall {
    let to: String
    let isLazy: Bool
    /// What the sidecar may still send; it may overdraw it by one frame.
    var window: Int
    /// What may still be sent as input; nil when the call takes none, or no more.
    var inputAllowance: Int?
    var repliesSeen = 0
    var inputSent = 0
  }

  /// A call handled here.
  struct HostedCall {
    let to: String
    let isSend: Bool
    var allowance: Int
    var isCancelled = false
    var repliesSent = 0
    var inputSeen = 0
    /// Input consumed and not granted again yet.
    var consumed = 0
  }

  /// A subscription of this client's.
  struct Subscribed {
    let topic: String
    /// The agent it feeds; nil when the client reads.
    let agent: String?
    var window: Int
    var isConfirmed = false
  }

  let name: String
  private unowned let world: SimulatedWorld
  private(set) var own: [UInt64: OwnCall] = [:]
  private(set) var hosted: [UInt64: HostedCall] = [:]
  private(set) var registered: [UInt64: String] = [:]
  /// What it subscribes to, by id: what may still come, for those that it reads itself.
  private(set) var subscriptions: [UInt64: Subscribed] = [:]
  private var sends: Set<UInt64> = []
  private var closes: [(id: UInt64, to: String)] = []
  private var lastID: UInt64 = 0
  private var lastGivenID: UInt64 = 0
  private var hasEnded: Set<UInt64> = []

  init(_ name: String, _ world: SimulatedWorld) {
    self.name = name
    self.world = world
  }

  private func send(_ header: String, _ content: [UInt8] = []) {
    world.stage.send(name, FrameBytes.frame(header, content))
  }

  private func nextID() -> UInt64 {
    // Gaps are allowed.
    lastID += lastID == 0 ? 1 : [2, 2, 2, 8].randomElement(using: &world.random)!
    return lastID
  }

  // MARK: Calling

  func call(_ to: String, parent: UInt64? = nil) {
    let id = nextID()
    let isLazy = world.chance(0.08)
    let isHeld = isLazy || world.chance(0.1)
    let window = isHeld ? 0 : world.chance(0.3) ? world.number(1...2000) : 1 << 20
    let hasInput = world.chance(0.25)
    let content = world.content(world.callNumber(from: name, to: to, isOrdered: !isLazy))
    var header = #"{"op":"call","id":\#(id),"to":"\#(to)""#
    if window != 1 << 20 { header += #","window":\#(window)"# }
    if isLazy { header += #","lazy":true"# }
    if hasInput { header += #","input":true"# }
    if let parent { header += #","parent":\#(parent)"# }
    if parent != nil, world.chance(0.1) { header += #","detach":true"# }
    if world.chance(0.25) { header += #","timeout_ms":\#(world.number(1...3000))"# }
    own[id] = OwnCall(
      to: to, isLazy: isLazy, window: window,
      inputAllowance: hasInput ? (1 << 20) - content.count - 256 : nil)
    send(header + "}", content)
  }

  func sendMessage(_ to: String) {
    let content = world.content(world.callNumber(from: name, to: to, isOrdered: true))
    guard world.chance(0.7) else { return send(#"{"op":"send","to":"\#(to)"}"#, content) }
    let id = nextID()
    sends.insert(id)
    send(#"{"op":"send","id":\#(id),"to":"\#(to)"}"#, content)
  }

  /// Something for one of the calls made here: credit, input, its end, or a cancel.
  func continueOwn() {
    guard let id = own.keys.sorted().randomElement(using: &world.random) else { return }
    switch world.number(0...9) {
    case 0: send(#"{"op":"cancel","id":\#(id)}"#)
    case 1...4: grant(id, world.number(1...5000))
    case 5...8: sendInput(id)
    default: endInput(id)
    }
  }

  private func grant(_ id: UInt64, _ bytes: Int) {
    own[id]?.window += bytes
    send(#"{"op":"credit","id":\#(id),"bytes":\#(bytes)}"#)
  }

  private func sendInput(_ id: UInt64) {
    guard let call = own[id], let allowance = call.inputAllowance, allowance > 0 else { return }
    let content = world.content(call.inputSent)
    own[id]!.inputSent += 1
    own[id]!.inputAllowance = allowance - content.count - 256
    send(#"{"op":"data","id":\#(id)}"#, content)
  }

  private func endInput(_ id: UInt64) {
    guard own[id]?.inputAllowance != nil else { return }
    own[id]!.inputAllowance = nil
    send(#"{"op":"data","id":\#(id),"end":true}"#)
  }

  // MARK: Topics

  func continueTopics() {
    switch world.number(0...9) {
    case 0...4: publish()
    case 5, 6: subscribe()
    case 7:
      guard let id = readSubscription() else { return }
      send(#"{"op":"cancel","id":\#(id)}"#)
    default:
      guard let id = readSubscription() else { return }
      let bytes = world.number(1...3000)
      subscriptions[id]!.window += bytes
      send(#"{"op":"credit","id":\#(id),"bytes":\#(bytes)}"#)
    }
  }

  private func publish() {
    let topic = world.topic()
    let content = world.content(world.publishNumber(from: name, on: topic))
    let fields = #""topic":"\#(topic)","source":"\#(world.number(1...3))""#
    guard world.chance(0.5) else { return send(#"{"op":"publish",\#(fields)}"#, content) }
    let id = nextID()
    sends.insert(id)
    send(#"{"op":"publish","id":\#(id),\#(fields)}"#, content)
  }

  private func subscribe() {
    let id = nextID()
    let topic = [world.topic(), world.topic(), "t.>", "*", ">", "*.a"][world.number(0...5)]
    let agent = world.chance(0.5) ? registered.values.sorted().first : nil
    let window = world.chance(0.5) ? 1 << 20 : world.number(0...2000)
    subscriptions[id] = Subscribed(topic: topic, agent: agent, window: window)
    var header = #"{"op":"subscribe","id":\#(id),"topic":"\#(topic)","window":\#(window)"#
    if let agent { header += #","agent":"\#(agent)""# }
    send(header + "}")
  }

  private func readSubscription() -> UInt64? {
    subscriptions.filter { $0.value.isConfirmed && $0.value.agent == nil }.keys.sorted()
      .randomElement(using: &world.random)
  }

  private func receivePublished(_ id: UInt64, _ frame: ReceivedFrame) throws {
    let subscription = subscriptions[id]!
    guard subscription.isConfirmed, subscription.agent == nil, subscription.window > 0,
      frame.header["topic"]?.string != nil, frame.header["source"]?.string != nil
    else { throw Violation("\(name): \(frame) was not asked for") }
    subscriptions[id]!.window -= frame.content.count + 256
    try world.inOrder(Numbered(frame.content), at: "\(name) \(id)")
  }

  // MARK: Hosting

  func register(_ agent: String) {
    guard !registered.values.contains(agent) else { return }
    let id = nextID()
    registered[id] = agent
    send(
      #"{"op":"register","id":\#(id),"name":"\#(agent)","concurrency":3,"idle_ms":700}"#)
  }

  func unregister() {
    guard let id = registered.keys.sorted().randomElement(using: &world.random) else { return }
    send(#"{"op":"cancel","id":\#(id)}"#)
  }

  /// Something for one of the calls handled here: a reply, credit, the end, an error, a child.
  func continueHosted() {
    guard let id = hosted.keys.sorted().randomElement(using: &world.random) else { return }
    let call = hosted[id]!
    switch world.number(0...9) {
    case 0...3: reply(id)
    case 4 where call.consumed > 0:
      send(#"{"op":"credit","id":\#(id),"bytes":\#(call.consumed)}"#)
      hosted[id]!.consumed = 0
    case 5 where !call.isCancelled: self.call(world.address(), parent: id)
    case 6: end(id, isError: true)
    case 7, 8: end(id, isError: false)
    default: break
    }
  }

  private func reply(_ id: UInt64) {
    guard let call = hosted[id], call.allowance > 0 else { return }
    if world.chance(0.1) {
      hosted[id]!.allowance -= 256
      return send(#"{"op":"error","id":\#(id),"code":"aborted","more":true}"#)
    }
    let content = world.content(call.repliesSent)
    hosted[id]!.repliesSent += 1
    hosted[id]!.allowance -= content.count + 256
    send(#"{"op":"data","id":\#(id)}"#, content)
  }

  private func end(_ id: UInt64, isError: Bool) {
    let call = hosted.removeValue(forKey: id)!
    world.ended(call.to, at: self)
    if isError {
      send(#"{"op":"error","id":\#(id),"code":"internal","reason":"agent_error"}"#)
    } else if call.allowance > 0, world.chance(0.5) {
      send(#"{"op":"data","id":\#(id),"end":true}"#, world.content(call.repliesSent))
    } else {
      send(#"{"op":"data","id":\#(id),"end":true}"#)
    }
  }

  func answerCloses() {
    while !closes.isEmpty {
      let (id, to) = closes.removeFirst()
      world.closed(to, at: self)
      send(#"{"op":"ok","id":\#(id)}"#)
    }
  }

  /// Lets everything come to its end.
  func windUp() {
    answerCloses()
    for id in own.keys.sorted() where own[id] != nil { grant(id, 1 << 20) }
    for id in hosted.keys.sorted() where hosted[id] != nil { end(id, isError: false) }
  }

  /// Its connection is gone.
  func disconnect() {
    for call in hosted.values { world.ended(call.to, at: self) }
    world.forgetInstances(of: self)
    world.stage.close(name)
  }

  // MARK: Receiving

  func receive() throws {
    while let frame = try world.stage.next(name) { try receive(frame) }
    if world.stage.isClosed(name) { throw Violation("\(name) was disconnected") }
  }

  private func receive(_ frame: ReceivedFrame) throws {
    let header = frame.header
    guard let op = header["op"]?.string else { throw Violation("\(name) got \(frame)") }
    guard let number = header["id"]?.integer else {
      throw Violation("\(name) was told of a fault: \(frame)")
    }
    let id = UInt64(number)
    switch op {
    case "call": try receiveCall(id, frame)
    case "data" where subscriptions[id] != nil: try receivePublished(id, frame)
    case "data" where id & 1 == 1: try receiveReply(id, frame)
    case "data": try receiveInput(id, frame)
    case "error": try receiveError(id, header)
    case "ok" where subscriptions[id]?.isConfirmed == false:
      subscriptions[id]!.isConfirmed = true
    case "ok":
      guard registered[id] != nil || sends.remove(id) != nil else {
        throw Violation("\(name) got an ok that it did not ask for: \(frame)")
      }
    case "credit":
      let bytes = header["bytes"]?.integer ?? 0
      if own[id]?.inputAllowance != nil { own[id]!.inputAllowance! += bytes }
      hosted[id]?.allowance += bytes
    case "cancel": hosted[id]?.isCancelled = true
    case "close": closes.append((id, header["to"]?.string ?? ""))
    default: throw Violation("\(name) got \(frame)")
    }
  }

  private func receiveCall(_ id: UInt64, _ frame: ReceivedFrame) throws {
    let header = frame.header
    guard id & 1 == 0, id > lastGivenID, let to = header["to"]?.string,
      let window = header["window"]?.integer, window > 0
    else { throw Violation("\(name) got a call that is none: \(frame)") }
    lastGivenID = id
    let agent = String(to.prefix { $0 != ":" })
    guard registered.values.contains(agent) || world.mayBeLate(agent, self) else {
      throw Violation("\(name) does not host \(agent): \(frame)")
    }
    hosted[id] = HostedCall(
      to: to, isSend: header["oneway"]?.bool ?? false, allowance: window)
    try world.arrived(
      to, at: self, isNew: header["new"]?.bool ?? false, number: Numbered(frame.content))
  }

  private func receiveReply(_ id: UInt64, _ frame: ReceivedFrame) throws {
    guard let call = own[id] else {
      throw Violation("\(name): a frame behind the end of call \(id): \(frame)")
    }
    let isEnd = frame.header["end"]?.bool ?? false
    if !(isEnd && frame.content.isEmpty) {
      guard call.window > 0 else { throw Violation("\(name): no window for \(frame)") }
      guard Numbered(frame.content).number == call.repliesSeen else {
        throw Violation("\(name): reply \(call.repliesSeen) of \(id) should come: \(frame)")
      }
      own[id]!.repliesSeen += 1
      own[id]!.window -= frame.content.count + 256
    }
    if isEnd { try ended(id) }
  }

  private func receiveInput(_ id: UInt64, _ frame: ReceivedFrame) throws {
    // It may have crossed the end of the call.
    guard let call = hosted[id] else { return }
    if frame.header["end"]?.bool ?? false, frame.content.isEmpty { return }
    guard Numbered(frame.content).number == call.inputSeen else {
      throw Violation("\(name): input \(call.inputSeen) of \(id) should come: \(frame)")
    }
    hosted[id]!.inputSeen += 1
    hosted[id]!.consumed += frame.content.count + 256
  }

  private func receiveError(_ id: UInt64, _ header: SpelledJSON) throws {
    if header["more"]?.bool ?? false {
      guard let call = own[id], call.window > 0 else { throw Violation("\(name): \(header)") }
      own[id]!.window -= 256
    } else if registered.removeValue(forKey: id) == nil, sends.remove(id) == nil,
      subscriptions.removeValue(forKey: id) == nil
    {
      try ended(id)
    }
  }

  private func ended(_ id: UInt64) throws {
    guard own.removeValue(forKey: id) != nil, hasEnded.insert(id).inserted else {
      throw Violation("\(name): call \(id) ended twice")
    }
  }
}

/// Content that begins with a number, so that order and loss show.
struct Numbered {
  let sender: String
  let number: Int

  init(_ content: [UInt8]) {
    let text = String(decoding: content.prefix(40), as: UTF8.self)
    let parts = text.prefix { $0 != ";" }.split(separator: "/", omittingEmptySubsequences: false)
    sender = parts.count > 1 ? String(parts[0]) : ""
    number = parts.last.flatMap { Int($0) } ?? -1
  }
}
