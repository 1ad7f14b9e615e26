import Connections
import Routing
import TestSupport
import Wire

@testable import Sidecar

/// A frame that a peer has received.
struct ReceivedFrame: CustomStringConvertible {
  let header: SpelledJSON
  let content: [UInt8]

  var description: String { "\(header) \(ContentText.shown(content))" }
}

/// One peer on the stage: its side of a connection, without a socket.
private final class StagePeer {
  let connection: ConnectionIndex
  let out: OutBuffer
  let decoder = FrameDecoder(
    headerMax: Limits.headerBytesMaxClient, contentMax: Limits().contentBytesMax,
    firstHeaderMax: Limits.helloHeaderBytesMax)
  var received: [ReceivedFrame] = []
  /// Whether the sidecar has closed the connection, or the peer has.
  var isClosed = false
  /// When it last sent a byte.
  var heardAt: UInt64

  init(_ connection: ConnectionIndex, _ out: OutBuffer, now: UInt64) {
    self.connection = connection
    self.out = out
    heardAt = now
  }
}

/// The sidecar's core with peers, played by a test in virtual time. It does what the shell does,
/// with sockets that take everything at once.
final class Stage {
  let core: Core
  private(set) var now: UInt64 = 1_000_000
  private var peers: [String: StagePeer] = [:]
  private var peersByConnection: [ConnectionIndex: StagePeer] = [:]
  private var isDraining = false

  /// - Parameter seed: what the choice between replicas depends on.
  init(limits: Limits = Limits(), tokens: [String] = [], seed: UInt64 = 0) {
    core = Core(
      limits: limits, server: "coagentd/test",
      tokens: TokenList(tokens.map { (name: "token", token: $0) }), seed: seed, now: now)
    core.router.operatorPrincipal = .user(1000)
    core.lastHeard = { [unowned self] in peersByConnection[$0]?.heardAt ?? now }
  }

  deinit {
    // What the router holds for them goes with its connections.
    for connection in peersByConnection.keys { core.lost(connection, now: now) }
  }

  // MARK: What peers do

  func connect(_ name: String, uid: UInt32 = 1000, isTCP: Bool = false) {
    let out = OutBuffer()
    let connection = core.accept(
      isTCP ? .tcp : .unix, principal: isTCP ? .token("") : .user(uid), isPermitted: true,
      out: out, now: now)
    let peer = StagePeer(connection, out, now: now)
    peers[name] = peer
    peersByConnection[connection] = peer
    settle()
  }

  /// Connects a peer that nobody has mentioned yet, and greets.
  func greet(_ name: String) throws {
    connect(name)
    let hello =
      #"{"op":"hello","v":1,"client":"test/1","name":"\#(name)","features":"\#(Features.all.words)"}"#
    send(name, FrameBytes.frame(hello, []))
    let welcome = try next(name)
    guard welcome?.header["op"]?.string == "welcome" else {
      throw Proto.Missing(description: "no welcome for \(name): \(String(describing: welcome))")
    }
  }

  func isKnown(_ name: String) -> Bool { peers[name] != nil }

  func send(_ name: String, _ bytes: [UInt8]) {
    guard let peer = peers[name], !peer.isClosed else { return }
    var bytes = bytes
    bytes.withUnsafeMutableBytes { bytes in
      peer.heardAt = now
      peer.decoder.begin(bytes)
      receive(peer)
      peer.decoder.finish()
    }
    settle()
  }

  func close(_ name: String) {
    guard let peer = peers[name], !peer.isClosed else { return }
    peer.isClosed = true
    peersByConnection[peer.connection] = nil
    core.lost(peer.connection, now: now)
    settle()
  }

  private func receive(_ peer: StagePeer) {
    while !peer.isClosed {
      switch peer.decoder.next() {
      case .frame:
        core.router.now = now
        core.receive(peer.connection, peer.decoder.header, peer.decoder.content)
      case .needsMore: return
      case .fault(let fault):
        core.receive(peer.connection, fault)
        return
      }
    }
  }

  // MARK: What happens by itself

  func advance(_ milliseconds: UInt64) {
    let end = now + milliseconds
    while let due = core.router.nextTimer(), due <= end {
      now = max(now + 1, due)
      guard now <= end else { break }
      core.advance(to: now)
      settle()
    }
    now = end
    core.advance(to: now)
    settle()
  }

  func drain() {
    isDraining = true
    core.drain(timeoutMs: UInt64(core.limits.drainMs), now: now)
    settle()
  }

  /// Performs effects until there are none: what a turn of the loop does at its end.
  private func settle() {
    var isDone = false
    while !isDone {
      isDone = true
      var dirty: [ConnectionIndex] = []
      core.takeDirty { dirty.append($0) }
      for connection in dirty {
        guard let peer = peersByConnection[connection] else { continue }
        isDone = false
        let wasMuch = peer.out.pending >= 128 << 10
        take(peer)
        if wasMuch { core.drained(connection, now: now) }
      }
      core.takeClosing { connection in
        isDone = false
        if let peer = peersByConnection[connection] { sidecarCloses(peer) }
      }
    }
    if let milliseconds = core.takeDrainRequest(), !isDraining {
      isDraining = true
      core.drain(timeoutMs: milliseconds, now: now)
      return settle()
    }
    guard isDraining else { return }
    let isDrained = core.isDrained()
    for peer in peersByConnection.values { take(peer) }
    if isDrained {
      core.endDrain()
      for peer in peersByConnection.values { sidecarCloses(peer) }
    }
  }

  private func sidecarCloses(_ peer: StagePeer) {
    take(peer)
    peer.isClosed = true
    peersByConnection[peer.connection] = nil
    core.lost(peer.connection, now: now)
  }

  /// Moves what waits for a peer to it.
  private func take(_ peer: StagePeer) {
    let bytes = peer.out.drained()
    peer.received += FrameBytes.frames(bytes)
  }

  // MARK: What peers see

  func next(_ name: String) throws -> ReceivedFrame? {
    guard let peer = peers[name], !peer.received.isEmpty else { return nil }
    return peer.received.removeFirst()
  }

  func waiting(_ name: String) -> [ReceivedFrame] { peers[name]?.received ?? [] }

  func isClosed(_ name: String) -> Bool { peers[name]?.isClosed ?? false }
}

extension OutBuffer {
  fileprivate func drained() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(pending)
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 64) { vectors in
      while !isEmpty {
        let filled = nextVectors(vectors)
        let taken = vectors[..<filled].reduce(0) { $0 + $1.count }
        for vector in vectors[..<filled] { bytes.append(contentsOf: vector) }
        consume(taken)
      }
    }
    return bytes
  }
}

/// Frames as bytes.
enum FrameBytes {
  static func frame(_ header: String, _ content: [UInt8]) -> [UInt8] {
    length(header.utf8.count) + length(content.count) + Array(header.utf8) + content
  }

  /// The frames that `bytes`, written by the sidecar, are. Anything else is reported as a frame
  /// whose header is null.
  static func frames(_ bytes: [UInt8]) -> [ReceivedFrame] {
    var frames: [ReceivedFrame] = []
    var rest = bytes[...]
    while rest.count >= 8 {
      let header = length(rest)
      let content = length(rest.dropFirst(4))
      guard rest.count >= 8 + header + content else { break }
      let text = rest.dropFirst(8).prefix(header)
      frames.append(
        ReceivedFrame(
          header: (try? SpelledJSON(parsing: text)) ?? .null,
          content: Array(rest.dropFirst(8 + header).prefix(content))))
      rest = rest.dropFirst(8 + header + content)
    }
    if !rest.isEmpty { frames.append(ReceivedFrame(header: .null, content: Array(rest))) }
    return frames
  }

  private static func length(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
  }

  private static func length(_ value: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt32(value).bigEndian) { Array($0) }
  }
}
