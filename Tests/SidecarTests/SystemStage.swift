import Connections
import Routing
import Sidecar
import Wire

/// The core with peers that are buffers, on a clock of numbers.
final class SystemStage {
  struct Frame {
    let header: JSON
    let content: String

    var op: String { header["op"]?.text ?? "" }
    var id: Int64 { header["id"]?.integer ?? 0 }
    var type: String { header["type"]?.text ?? "" }
    var json: JSON { (try? JSONReader.read(Array(content.utf8))) ?? .null }
  }

  let core: Core
  private(set) var now: UInt64 = 10_000

  init(limits: Limits = Limits(), firstRevision: UInt64 = 0) {
    core = Core(limits: limits, server: "stage/1", firstRevision: firstRevision, now: now)
    core.router.now = now
    core.router.nowMicros = now * 1000
  }

  /// A greeted peer.
  func connect(_ name: String = "") throws -> Peer {
    let out = OutBuffer()
    let connection = core.accept(
      .unix, principal: .user(7), isPermitted: true, out: out, now: now)
    let peer = Peer(self, connection, out)
    peer.send(#"{"op":"hello","v":1,"client":"test/1","name":"\#(name)"}"#)
    _ = try peer.take()
    return peer
  }

  func advance(by milliseconds: UInt64) {
    now += milliseconds
    core.router.nowMicros = now * 1000
    core.advance(to: now)
  }

  final class Peer {
    let stage: SystemStage
    let connection: ConnectionIndex
    private let out: OutBuffer
    private let decoder = FrameDecoder(headerMax: 32_768, contentMax: 16 << 20)
    private var lastID: Int64 = -1

    init(_ stage: SystemStage, _ connection: ConnectionIndex, _ out: OutBuffer) {
      self.stage = stage
      self.connection = connection
      self.out = out
    }

    func send(_ header: String, _ content: String = "") {
      func length(_ count: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) }
      }
      var bytes = length(header.utf8.count) + length(content.utf8.count)
      bytes += Array(header.utf8) + Array(content.utf8)
      bytes.withUnsafeMutableBytes { bytes in
        decoder.begin(bytes)
        while decoder.next() == .frame {
          stage.core.receive(connection, decoder.header, decoder.content)
        }
        decoder.finish()
      }
    }

    /// Opens an id with the fields given, and returns it.
    @discardableResult
    func open(_ op: String, _ fields: String, _ content: String = "") -> Int64 {
      lastID += 2
      send(#"{"op":"\#(op)","id":\#(lastID),\#(fields)}"#, content)
      return lastID
    }

    /// The frames that have come since they were last taken.
    func take() throws -> [Frame] {
      stage.core.takeDirty { _ in }
      var bytes = [UInt8](repeating: 0, count: out.pending)
      bytes.withUnsafeMutableBytes { out.copyOut(to: $0) }
      var frames: [Frame] = []
      var rest = bytes[...]
      func number() -> Int {
        defer { rest = rest.dropFirst(4) }
        return rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      }
      while !rest.isEmpty {
        let (header, content) = (number(), number())
        frames.append(
          Frame(
            header: try JSONReader.read(Array(rest.prefix(header))),
            content: String(decoding: rest.dropFirst(header).prefix(content), as: UTF8.self)))
        rest = rest.dropFirst(header + content)
      }
      stage.core.drained(connection, now: stage.now)
      return frames
    }

    /// Calls an agent of the sidecar's, and returns the frame that ends the call.
    func ask(_ agent: String, _ type: String, _ content: String = "") throws -> Frame {
      let id = open("call", #""to":"\#(agent)","type":"\#(type)""#, content)
      let frames = try take().filter { $0.id == id }
      guard let last = frames.last else { throw NoAnswer() }
      return last
    }

    func register(_ name: String, _ fields: String = "", _ operations: String = "") {
      open("register", #""name":"\#(name)"\#(fields)"#, operations)
    }

    func disconnect() {
      stage.core.lost(connection, now: stage.now)
    }
  }

  struct NoAnswer: Error {}
}
