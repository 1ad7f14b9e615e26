import EventLoop
import Foundation
import TestSupport
import Testing
import Transports
import Wire

/// One frame as bytes.
func frame(_ header: String, _ content: [UInt8] = []) -> [UInt8] {
  func bigEndian(_ value: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt32(value).bigEndian, Array.init)
  }
  return bigEndian(header.utf8.count) + bigEndian(content.count) + Array(header.utf8) + content
}

/// A frame without content, recognizable by its id.
func numbered(_ id: Int) -> [UInt8] { frame("{\"op\":\"data\",\"id\":\(id)}") }

/// `count` such frames, with the odd ids from 1 on.
func manyNumbered(_ count: Int) -> [UInt8] {
  var bytes: [UInt8] = []
  let start = Array(#"{"op":"data","id":"#.utf8)
  for index in 0..<count {
    let digits = String(index * 2 + 1).utf8
    let length = UInt8(start.count + digits.count + 1)
    bytes += [0, 0, 0, length, 0, 0, 0, 0] + start
    bytes += digits
    bytes.append(UInt8(ascii: "}"))
  }
  return bytes
}

/// Bytes of which every part looks different. Made eight at a time: unoptimized tests make
/// megabytes.
func pattern(_ count: Int) -> [UInt8] {
  let words = (count + 7) / 8
  let bytes = [UInt8](unsafeUninitializedCapacity: words * 8) { buffer, filled in
    buffer.withMemoryRebound(to: UInt64.self) { buffer in
      var index = 0
      while index < words {
        buffer[index] = UInt64(truncatingIfNeeded: index) &* 0x9e37_79b9_7f4a_7c15
        index += 1
      }
    }
    filled = words * 8
  }
  return Array(bytes[..<count])
}

/// Compares in one step, and says nothing of the elements: a difference of megabytes takes minutes
/// to describe.
func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  left.count == right.count
    && left.withUnsafeBytes { left in
      right.withUnsafeBytes { memcmp(left.baseAddress!, $0.baseAddress!, left.count) == 0 }
    }
}

/// Lets the loop run, without any event being needed.
@LoopActor
func waitForTurns(_ count: Int) async throws {
  var turns = 0
  try await wait(for: "\(count) turns") {
    turns += 1
    LoopActor.requestTurn()
    return turns > 2 * count
  }
}

/// Keeps what a connection delivers.
@LoopActor
final class Recorder: FrameConnectionDelegate {
  private(set) var ids: [UInt64] = []
  private(set) var contents: [[UInt8]] = []
  private(set) var faults: [FrameFault] = []
  private(set) var stalls = 0
  private(set) var drains = 0
  private(set) var ends: [StreamError?] = []
  var onFrame: (@LoopActor (FrameConnection) -> Void)?
  var onMany: (@LoopActor (FrameConnection) -> Void)?

  func didReceiveFrame(_ connection: FrameConnection) {
    self.ids.append(connection.header[.id] ?? 0)
    self.contents.append(Array(connection.content.bytes))
    self.onFrame?(connection)
  }

  func didReceiveMany(_ connection: FrameConnection) { self.onMany?(connection) }

  func didFail(_ connection: FrameConnection, with fault: FrameFault) {
    self.faults.append(fault)
  }

  func didStall(_ connection: FrameConnection) { self.stalls += 1 }

  func didDrain(_ connection: FrameConnection) { self.drains += 1 }

  func didClose(_ connection: FrameConnection, because error: StreamError?) {
    self.ends.append(error)
  }
}

/// A connection under test, and its peer's plain stream.
@LoopActor
final class Link: TransportListenersDelegate {
  let recorder = Recorder()
  private(set) var connection: FrameConnection!
  private(set) var far: ByteStream!
  private(set) var peer: TransportPeer!
  let received = Received()

  static func connect(_ endpoint: Endpoint? = nil) async throws -> Link {
    let directory = TemporaryDirectory()
    let link = Link()
    let listeners = TransportListeners(delegate: link)
    let bound = try await listeners.listen(
      on: endpoint ?? .unix(path: directory.file("s")))
    link.far = try await ByteStream.connect(to: bound[0])
    try await wait(for: "the connection") { link.connection != nil }
    listeners.close()
    try link.far.startReading(link.received)
    return link
  }

  func didAccept(_ stream: ByteStream, from peer: TransportPeer) {
    self.peer = peer
    let decoder = FrameDecoder(headerMax: 32768, contentMax: 16 << 20)
    self.connection = FrameConnection(stream, decoder: decoder, delegate: self.recorder)
  }

  func didPauseAccepting(on endpoint: Endpoint, because error: StreamError) {}

  func close() async throws {
    self.far.close()
    self.connection.close()
    let recorder = self.recorder
    try await wait(for: "the end") { recorder.ends.count == 1 }
  }
}

/// What the peer has got.
@LoopActor
final class Received: ByteReader {
  private(set) var bytes: [UInt8] = []
  private(set) var hasEnded = false
  private(set) var error: StreamError?
  private nonisolated(unsafe) let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: 1 << 18, alignment: 16)

  deinit { self.buffer.deallocate() }

  func lendBuffer() -> UnsafeMutableRawBufferPointer { self.buffer }
  func didRead(_ count: Int) {
    self.bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: self.buffer[..<count]))
  }
  func didEnd(_ error: StreamError?) {
    self.hasEnded = true
    self.error = error
  }
}
