import Discovery
import Testing
import Wire

@testable import Auditing
@testable import Routing

/// A router with peers around it that share its memory: no socket, and time stands still until a
/// test moves it.
final class Network {
  let router: Router
  private(set) var now: UInt64 = 1_000
  /// Whether all of the router's records are read after each event.
  var isAudited = false

  init(limits: Limits = Limits(), seed: UInt64 = 1) {
    router = Router(limits: limits, now: 1_000, seed: seed)
  }

  deinit {
    // What is held for peers goes with them.
    for connection in router.connections.indices() { router.connectionLost(connection) }
  }

  /// A new connection.
  func peer(user: UInt32 = 1) -> Peer {
    Peer(self, .user(user))
  }

  /// The connection of the sidecar's own agents.
  func ownHost(_ name: String) -> Peer {
    let host = Peer(self, .sidecar)
    router.setOwnHost(host.index)
    host.register(name)
    return host
  }

  /// A new connection with agents registered, one for each name.
  func host(_ names: String..., with fields: String = "") -> Peer {
    let host = peer()
    for name in names { host.register(name, with: fields) }
    return host
  }

  /// Time goes on to `now` + `milliseconds`; what is due happens.
  func pass(_ milliseconds: UInt64) {
    now += milliseconds
    while let (kind, index) = router.takeTimer(now: now) {
      router.now = now
      router.timerFired(kind, index)
    }
    router.now = now
    audit()
  }

  func audit() {
    guard isAudited else { return }
    #expect(throws: Never.self) { try RouterAudit(router: router).run() }
  }
}

/// A connection as its client sees it: frames as text in both directions.
///
/// A frame heard is written as its op, its id, what matters of its fields in a fixed order, and its
/// content behind a bar, such as `data 1 type=Text end |hello`.
final class Peer {
  let network: Network
  let out = OutBuffer()
  let index: ConnectionIndex
  private let decoder = FrameDecoder(headerMax: 65_536, contentMax: 64 << 20)
  private var lastID: UInt64 = 0
  /// The last fault with which the router wanted this connection closed.
  private(set) var fault: ConnectionFault?

  fileprivate init(_ network: Network, _ principal: Principal) {
    self.network = network
    index = network.router.openConnection(principal: principal, name: "", out: out)
    network.router.setFeatures(.all, of: index)
  }

  // MARK: Saying

  /// Sends one frame; `content` is copied, or passed as a block if it is one.
  func say(_ header: String, _ content: Content = .none) {
    var bytes = Array(header.utf8)
    let scanned = Header()
    bytes.withUnsafeMutableBytes { raw in
      #expect(scanned.scan(raw) == nil, "not a header: \(header)")
      if let fault = network.router.receive(index, scanned, content) { self.fault = fault }
    }
    network.audit()
  }

  func say(_ header: String, text: String) {
    var text = text
    text.withUTF8 { say(header, Content(UnsafeRawBufferPointer($0))) }
  }

  /// Sends a frame with `bytes` bytes of content.
  func say(_ header: String, bytes: Int) {
    let content = [UInt8](repeating: UInt8(ascii: "."), count: bytes)
    content.withUnsafeBytes { raw in
      say(header, bytes > 32 << 10 ? Content(ContentBlock(copying: raw)) : Content(raw))
    }
  }

  /// The next id of this client's.
  func newID() -> UInt64 {
    lastID = lastID == 0 ? 1 : lastID + 2
    return lastID
  }

  /// Registers an agent and expects to be told that it is.
  func register(_ name: String, with fields: String = "") {
    let id = newID()
    say(#"{"op":"register","id":\#(id),"name":"\#(name)"\#(Self.more(fields))}"#)
    #expect(hear() == ["ok \(id)"])
  }

  /// Opens a call; returns its id.
  @discardableResult
  func call(_ to: String, with fields: String = "", bytes: Int = 0) -> UInt64 {
    let id = newID()
    say(#"{"op":"call","id":\#(id),"to":"\#(to)"\#(Self.more(fields))}"#, bytes: bytes)
    return id
  }

  /// Sends a message without an answer.
  func send(_ to: String, with fields: String = "", text: String = "") {
    say(#"{"op":"send","to":"\#(to)"\#(Self.more(fields))}"#, text: text)
  }

  /// Ends a call that this connection handles, with an empty answer.
  func end(_ id: UInt64) {
    say(#"{"op":"data","id":\#(id),"end":true}"#)
  }

  func data(_ id: UInt64, bytes: Int) {
    say(#"{"op":"data","id":\#(id)}"#, bytes: bytes)
  }

  func cancel(_ id: UInt64) {
    say(#"{"op":"cancel","id":\#(id)}"#)
  }

  func credit(_ id: UInt64, _ bytes: Int) {
    say(#"{"op":"credit","id":\#(id),"bytes":\#(bytes)}"#)
  }

  /// The connection is lost.
  func leave() {
    network.router.connectionLost(index)
    network.audit()
  }

  // MARK: Hearing

  /// Everything that waits for this client, until nothing does, and the frames it makes.
  func hear() -> [String] {
    var frames: [String] = []
    while !out.isEmpty {
      take(out.pending, into: &frames)
      network.router.drained(index)
      network.audit()
    }
    return frames
  }

  /// The first `bytes` bytes that wait, and the frames they complete.
  func hear(atMost bytes: Int) -> [String] {
    var frames: [String] = []
    take(min(bytes, out.pending), into: &frames)
    network.router.drained(index)
    network.audit()
    return frames
  }

  private func take(_ bytes: Int, into frames: inout [String]) {
    var taken = out.bytes(bytes)
    out.consume(taken.count)
    taken.withUnsafeMutableBytes { raw in
      decoder.begin(raw)
      while decoder.next() == .frame { frames.append(Self.text(decoder.header, decoder.content)) }
      decoder.finish()
    }
  }

  private static func text(_ header: Header, _ content: Content) -> String {
    var words = [header[.op].text]
    if let id = header[.id] { words.append("\(id)") }
    if header.has(.to) { words.append(header[.to].text) }
    if let call = header[.call] { words.append("call=\(call)") }
    if header.operation == .signal { words.append("name=\(header[.name].text)") }
    if header.has(.from) { words.append("from=\(header[.from].text)") }
    if header.has(.type) { words.append("type=\(header[.type].text)") }
    if let time = header[.timeoutMs] { words.append("timeout=\(time)") }
    // Most calls have the default window, and then nobody wants to read it.
    if let window = header[.window], window != 1 << 20 { words.append("window=\(window)") }
    if let bytes = header[.bytes] { words.append("\(bytes)") }
    let truths: [(BooleanField, String)] = [
      (.new, "new"), (.oneway, "oneway"), (.observe, "observe"), (.input, "input"),
      (.part, "part"), (.end, "end"), (.more, "more"), (.retry, "retry"),
    ]
    for (field, word) in truths where header[field] { words.append(word) }
    if header.has(.reason) { words.append(header[.reason].text) }
    if let path = Self.path(header) { words.append("path=\(path)") }
    if content.count > 40 {
      words.append("|\(content.count) bytes")
    } else if !content.isEmpty {
      words.append("|\(content.bytes.text)")
    }
    return words.joined(separator: " ")
  }

  /// Of the details only what no message shows.
  private static func path(_ header: Header) -> String? {
    let start = #"{"path":""#
    guard header[.details].text.hasPrefix(start) else { return nil }
    return String(header[.details].text.dropFirst(start.count).dropLast(2))
  }

  private static func more(_ fields: String) -> String { fields.isEmpty ? "" : ",\(fields)" }
}

extension OutBuffer {
  /// Copies of `count` bytes that wait, behind the first `skipped` of them; all go on waiting.
  func bytes(_ count: Int, behind skipped: Int = 0) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    var room = 64
    while true {
      bytes.removeAll(keepingCapacity: true)
      withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: room) { vectors in
        let filled = nextVectors(vectors)
        var left = skipped
        for vector in vectors[..<filled] where bytes.count < count {
          let wanted = vector.dropFirst(left).prefix(count - bytes.count)
          bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: wanted))
          left -= min(left, vector.count)
        }
      }
      if bytes.count == count { return bytes }
      room *= 4
    }
  }
}
