import EventLoop
import Foundation
import TestSupport
import Testing

/// Keeps what a stream delivers.
@LoopActor
final class Collector: ByteReader {
  private nonisolated(unsafe) let buffer: UnsafeMutableRawBufferPointer
  private(set) var bytes: [UInt8] = []
  private(set) var reads = 0
  private(set) var hasEnded = false
  private(set) var error: StreamError?
  /// While it is false, the collector lends nothing.
  var wantsMore = true
  private(set) var refusals = 0

  init(bufferBytes: Int = 64 * 1024) {
    self.buffer = .allocate(byteCount: bufferBytes, alignment: 16)
  }

  deinit { self.buffer.deallocate() }

  var text: String { String(decoding: self.bytes, as: UTF8.self) }

  func lendBuffer() -> UnsafeMutableRawBufferPointer {
    if self.wantsMore { return self.buffer }
    self.refusals += 1
    return UnsafeMutableRawBufferPointer(start: nil, count: 0)
  }

  func didRead(_ count: Int) {
    self.reads += 1
    self.bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: self.buffer[..<count]))
  }

  func didEnd(_ error: StreamError?) {
    self.hasEnded = true
    self.error = error
  }
}

/// Sends back what it gets, and closes when the other end does.
@LoopActor
final class Echo: ByteReader {
  private let stream: ByteStream
  private nonisolated(unsafe) let buffer = UnsafeMutableRawBufferPointer.allocate(
    byteCount: 16384, alignment: 16)

  init(_ stream: ByteStream) throws {
    self.stream = stream
    try stream.startReading(self)
  }

  deinit { self.buffer.deallocate() }

  func lendBuffer() -> UnsafeMutableRawBufferPointer { self.buffer }

  func didRead(_ count: Int) {
    do {
      try self.stream.write(Array(self.buffer[..<count]))
    } catch {
      self.stream.close()
    }
  }

  func didEnd(_ error: StreamError?) { self.stream.close() }
}

/// Accepts, and gives every stream to the test.
@LoopActor
final class Acceptor: ListenerDelegate {
  private(set) var streams: [ByteStream] = []
  private(set) var pauses: [StreamError] = []
  var onAccept: (@LoopActor (ByteStream) -> Void)?

  func listener(_ listener: Listener, didAccept stream: ByteStream) {
    self.streams.append(stream)
    self.onAccept?(stream)
  }

  func listener(_ listener: Listener, didPause error: StreamError) {
    self.pauses.append(error)
  }

  func closeAll() {
    for stream in self.streams { stream.close() }
    self.streams.removeAll()
  }
}

/// Both ends of one connection over a Unix socket.
@LoopActor
struct StreamPair {
  let near: ByteStream
  let far: ByteStream

  static func connect() async throws -> StreamPair {
    let directory = TemporaryDirectory()
    let acceptor = Acceptor()
    let listener = try Listener.unix(path: directory.file("s"), delegate: acceptor)
    let near = try await ByteStream.connect(unixPath: directory.file("s"))
    try await wait(for: "the accepted stream") { !acceptor.streams.isEmpty }
    listener.close()
    return StreamPair(near: near, far: acceptor.streams[0])
  }

  func close() {
    self.near.close()
    self.far.close()
  }
}

/// Asks the kernel to take `bytes` now.
@LoopActor
func tryWrite(_ stream: ByteStream, _ bytes: [UInt8]) throws -> Int {
  try bytes.withUnsafeBytes { raw in
    try withUnsafePointer(to: WriteSlice(raw.baseAddress, count: raw.count)) {
      try stream.tryWrite(UnsafeBufferPointer(start: $0, count: 1))
    }
  }
}
