import Connections
import Testing
import Wire

/// A client's connection and the frames that go past it, as text.
final class Conversation {
  let client: ClientConnection
  private let decoder = FrameDecoder(headerMax: 65_536, contentMax: 16 << 20)
  private let written = OutBuffer()

  init(heartbeatMs: Int = 0, features: String = "") {
    client = ClientConnection(out: written)
    client.greet(client: "test/1", token: nil, name: nil, nowMs: 0)
    _ = said()
    let fields = #""v":1,"server":"s","connection":"c1","heartbeat_ms":\#(heartbeatMs)"#
    _ = hear(#"{"op":"welcome",\#(fields),"features":"\#(features)"}"#)
  }

  /// A connection that has not been welcomed.
  init(greetingWith token: String?, name: String?) {
    client = ClientConnection(out: written)
    client.greet(client: "test/1", token: token, name: name, nowMs: 0)
  }

  /// A frame from the sidecar; returns what the client tells its owner.
  func hear(_ header: String, _ content: String = "") -> [ClientEvent] {
    var bytes: [UInt8] = []
    for length in [header.utf8.count, content.utf8.count] {
      withUnsafeBytes(of: UInt32(length).bigEndian) { bytes += $0 }
    }
    bytes += Array(header.utf8) + Array(content.utf8)
    var events: [ClientEvent] = []
    bytes.withUnsafeMutableBytes { raw in
      decoder.begin(raw)
      #expect(decoder.next() == .frame)
      client.received(decoder.header, decoder.content, into: &events)
      decoder.finish()
    }
    return events
  }

  /// What the client has written since the last time: each frame's header, and content behind `|`.
  func said() -> [String] {
    var bytes: [UInt8] = []
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 64) { vectors in
      while !written.isEmpty {
        let count = written.nextVectors(vectors)
        for vector in vectors[..<count] { bytes += vector }
        written.consume(vectors[..<count].reduce(0) { $0 + $1.count })
      }
    }
    var frames: [String] = []
    var rest = bytes[...]
    while rest.count >= 8 {
      let length = { (at: Int) in rest.dropFirst(at).prefix(4).reduce(0) { $0 << 8 | Int($1) } }
      let (header, content) = (length(0), length(4))
      let frame = rest.dropFirst(8).prefix(header + content)
      let text = String(decoding: frame.prefix(header), as: UTF8.self)
      let body = String(decoding: frame.dropFirst(header), as: UTF8.self)
      frames.append(content > 0 ? "\(text)|\(body)" : text)
      rest = rest.dropFirst(8 + header + content)
    }
    #expect(rest.isEmpty)
    return frames
  }

  func tick(_ nowMs: UInt64) -> [ClientEvent] {
    var events: [ClientEvent] = []
    client.tick(nowMs: nowMs, into: &events)
    return events
  }

  func lose() -> [ClientEvent] {
    var events: [ClientEvent] = []
    client.lost("the socket closed", into: &events)
    return events
  }

  func call(_ to: String, _ content: String = "1", input: Bool = false, window: Int? = nil) throws
    -> UInt64
  {
    var call = OutgoingCall(to: to, first: Piece(Array(content.utf8)))
    call.hasInput = input
    call.windowBytes = window
    return try client.open(call)
  }
}

/// Events as short texts, so that a conversation reads as one.
func short(_ events: [ClientEvent]) -> [String] {
  events.map { event in
    switch event {
    case .opened(let welcome): "opened \(welcome.server) \(welcome.connection)"
    case .pong: "pong"
    case .registered(let id): "registered \(id)"
    case .accepted(let id): "accepted \(id)"
    case .piece(let id, let piece):
      "piece \(id) \(String(decoding: piece.content, as: UTF8.self))\(piece.isPart ? "…" : "")"
    case .published(let id, let message):
      "published \(id) \(message.topic) \(message.source)"
        + (message.dropped > 0 ? " -\(message.dropped)" : "")
        + " \(String(decoding: message.piece.content, as: UTF8.self))"
    case .failedAt(let id, let failure): "failedAt \(id) \(failure.reason)"
    case .ended(let id, let failure): "ended \(id) \(failure?.reason ?? "ok")"
    case .credit(let id, let bytes): "credit \(id) \(bytes)"
    case .incoming(let call): "incoming \(call.id) \(call.to)"
    case .inputEnded(let id): "inputEnded \(id)"
    case .cancelled(let id, let reason): "cancelled \(id) \(reason)"
    case .close(let id, let address, let reason): "close \(id) \(address) \(reason)"
    case .signalled(let signal):
      "signalled \(signal.id) \(signal.name) "
        + (signal.call.map { "call \($0)" } ?? signal.to)
        + (signal.payload.map { " \(String(decoding: $0.content, as: UTF8.self))" } ?? "")
    case .goodbye(let reason, let timeoutMs): "goodbye \(reason) \(timeoutMs)"
    case .down(let failure): "down \(failure.code.rawValue) \(failure.reason)"
    }
  }
}
