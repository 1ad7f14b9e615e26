import EventLoop
import Foundation
import TestSupport
import Transports
import Wire

/// A frame that a client has written.
struct Heard: Sendable, CustomStringConvertible {
  let header: JSON
  let content: String

  var op: String { header["op"]?.text ?? "" }
  var id: Int64 { header["id"]?.integer ?? 0 }

  subscript(_ field: String) -> String? {
    switch header[field] {
    case .string(let text): text
    case .integer(let value): "\(value)"
    case .truth(let value): "\(value)"
    case .object, .array, .number, .null, nil: nil
    }
  }

  var description: String {
    var writer = JSONWriter()
    writer.value(header)
    return String(decoding: writer.bytes, as: UTF8.self) + (content.isEmpty ? "" : "|\(content)")
  }
}

/// The other end of a client's connection, played by the test: it says `welcome` by itself, and
/// otherwise what it is told to, over a real socket.
final class FakeSidecar: Sendable {
  let url: String
  private let server: Server
  private let directory: String

  private init(_ server: Server, _ directory: String) {
    self.server = server
    self.directory = directory
    url = "unix:\(directory)/s"
  }

  /// - Parameter contentBytesMax: what `welcome` says; nil leaves it out.
  static func start(contentBytesMax: Int? = nil) async throws -> FakeSidecar {
    let directory = NSTemporaryDirectory() + "cc-" + UUID().uuidString.prefix(8)
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    let server = Server(contentBytesMax)
    let sidecar = FakeSidecar(server, directory)
    try await server.listen(directory + "/s")
    return sidecar
  }

  /// Runs a test against a fake sidecar and takes everything down after it.
  static func running(
    contentBytesMax: Int? = nil, _ body: (FakeSidecar) async throws -> Void
  ) async throws {
    let sidecar = try await start(contentBytesMax: contentBytesMax)
    do {
      try await body(sidecar)
      await sidecar.stop()
    } catch {
      await sidecar.stop()
      throw error
    }
  }

  func stop() async {
    await server.stop()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Says a frame on the newest connection.
  func say(_ header: String, _ content: String = "") async {
    await server.say(header, content)
  }

  /// The next frame from a client, within five seconds; `hello` is answered and left out.
  func heard() async throws -> Heard {
    try await server.next().value()
  }

  /// The next frame, which must be of this operation.
  func heard(_ op: String) async throws -> Heard {
    let heard = try await heard()
    if heard.op != op { throw Unexpected(wanted: op, heard: heard) }
    return heard
  }

  /// Hears a frame of this operation and says these back, each a header and a content.
  func answer(_ op: String, _ frames: (String, String)...) async throws -> Heard {
    let heard = try await heard(op)
    for (header, content) in frames { await say(header, content) }
    return heard
  }

  /// Breaks the newest connection.
  func drop() async { await server.drop() }

  /// How many connections have been made.
  var connectionCount: Int { get async { await server.connectionCount } }

  struct Unexpected: Error {
    let wanted: String
    let heard: Heard
  }
}

@LoopActor
private final class Server: TransportListenersDelegate, FrameConnectionDelegate {
  private lazy var listeners = TransportListeners(delegate: self)
  private var connections: [FrameConnection] = []
  private var frames: [Heard] = []
  private var waiting: [Awaited<Heard>] = []
  private(set) var connectionCount = 0

  private let contentBytesMax: Int?

  nonisolated init(_ contentBytesMax: Int?) { self.contentBytesMax = contentBytesMax }

  func listen(_ path: String) async throws {
    try await listeners.listen(on: .unix(path: path))
  }

  func stop() {
    listeners.close()
    for connection in connections { connection.close() }
  }

  func drop() { connections.last?.close() }

  func say(_ header: String, _ content: String) {
    guard let connection = connections.last else { return }
    say(header, content, on: connection)
  }

  private func say(_ header: String, _ content: String, on connection: FrameConnection) {
    var bytes: [UInt8] = []
    for length in [header.utf8.count, content.utf8.count] {
      withUnsafeBytes(of: UInt32(length).bigEndian) { bytes += $0 }
    }
    bytes += Array(header.utf8) + Array(content.utf8)
    bytes.withUnsafeBytes { connection.out.append($0) }
    connection.setNeedsFlush()
  }

  func next() -> Awaited<Heard> {
    let awaited = Awaited<Heard>("a frame from the client")
    if frames.isEmpty {
      waiting.append(awaited)
    } else {
      awaited.happened(frames.removeFirst())
    }
    return awaited
  }

  func didAccept(_ stream: ByteStream, from peer: TransportPeer) {
    connectionCount += 1
    let decoder = FrameDecoder(headerMax: 32_768, contentMax: 16 << 20)
    connections.append(FrameConnection(stream, decoder: decoder, delegate: self))
  }

  func didPauseAccepting(on endpoint: Endpoint, because error: StreamError) {}

  func didReceiveFrame(_ connection: FrameConnection) {
    if connection.header.operation == .hello {
      var fields = #""v":1,"server":"fake/1","connection":"c\#(connectionCount)""#
      if let contentBytesMax { fields += #","max_content":\#(contentBytesMax)"# }
      say(#"{"op":"welcome",\#(fields)}"#, "", on: connection)
      return
    }
    let heard = Heard(header: Self.read(connection.header), content: connection.content.bytes.text)
    if waiting.isEmpty {
      frames.append(heard)
    } else {
      waiting.removeFirst().happened(heard)
    }
  }

  /// The fields that the tests look at.
  private static func read(_ header: Header) -> JSON {
    var members: [JSON.Member] = []
    let strings: [(String, StringField)] = [
      ("op", .op), ("to", .to), ("type", .type), ("content_type", .contentType), ("name", .name),
      ("from", .from), ("trace", .trace), ("code", .code), ("reason", .reason),
      ("message", .message), ("description", .description), ("version", .version),
      ("topic", .topic), ("source", .source), ("agent", .agent), ("run", .run),
    ]
    for (name, field) in strings where header.has(field) {
      members.append(.init(name, .string(header[field].text)))
    }
    let integers: [(String, IntegerField)] = [
      ("id", .id), ("parent", .parent), ("timeout_ms", .timeoutMs), ("window", .window),
      ("bytes", .bytes), ("concurrency", .concurrency), ("idle_ms", .idleMs), ("call", .call),
    ]
    for (name, field) in integers {
      if let value = header[field] { members.append(.init(name, .integer(Int64(value)))) }
    }
    let truths: [(String, BooleanField)] = [
      ("input", .input), ("end", .end), ("part", .part), ("more", .more), ("observe", .observe),
      ("lazy", .lazy), ("retry", .retry), ("exclusive", .exclusive), ("detach", .detach),
      ("unordered", .unordered),
    ]
    for (name, field) in truths where header[field] {
      members.append(.init(name, .truth(true)))
    }
    for (name, field) in [("ext", ObjectField.ext), ("details", .details), ("labels", .labels)]
    where header.has(field) {
      members.append(.init(name, .string(header[field].text)))
    }
    return .object(members)
  }

  func didFail(_ connection: FrameConnection, with fault: FrameFault) { connection.close() }
  func didDrain(_ connection: FrameConnection) {}
  func didClose(_ connection: FrameConnection, because error: StreamError?) {
    connections.removeAll { $0 === connection }
  }
}
