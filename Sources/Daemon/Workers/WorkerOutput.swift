internal import EventLoop
internal import Glibc

/// Reads what a worker writes, line by line.
@LoopActor
final class WorkerOutput: ByteReader {
  /// What of a line is passed on; the rest of it is dropped. A line of the log has room for it.
  static let lineBytesMax = 3_072

  /// Freed with the end, which comes once and only from the stream.
  private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 16_384, alignment: 1)
  private var line: [UInt8] = []
  private var droppedBytes = 0
  private let stream: ByteStream
  private let onLine: (String) -> Void
  private let onEnd: () -> Void

  /// - Parameters:
  ///   - onLine: called with each line, without its end; one that is cut says so.
  ///   - onEnd: called once, when nothing more will come. The stream is closed by then.
  init(_ stream: ByteStream, onLine: @escaping (String) -> Void, onEnd: @escaping () -> Void) {
    self.stream = stream
    self.onLine = onLine
    self.onEnd = onEnd
  }

  func start() {
    do throws(StreamError) { try self.stream.startReading(self) } catch { self.didEnd(error) }
  }

  func lendBuffer() -> UnsafeMutableRawBufferPointer { self.room }

  func didRead(_ count: Int) {
    var rest = UnsafeRawBufferPointer(rebasing: self.room[..<count])
    while let start = rest.baseAddress, let end = memchr(start, 0x0A, rest.count) {
      let length = start.distance(to: UnsafeRawPointer(end))
      self.take(rest[..<length])
      self.endLine()
      rest = UnsafeRawBufferPointer(rebasing: rest[(length + 1)...])
    }
    self.take(rest[...])
  }

  private func take(_ bytes: Slice<UnsafeRawBufferPointer>) {
    let kept = min(bytes.count, Self.lineBytesMax - self.line.count)
    self.line.append(contentsOf: bytes.prefix(kept))
    self.droppedBytes += bytes.count - kept
  }

  func didEnd(_ error: StreamError?) {
    if !self.line.isEmpty { self.endLine() }
    self.stream.close()
    self.room.deallocate()
    self.onEnd()
  }

  private func endLine() {
    if self.line.last == 0x0D { self.line.removeLast() }
    let text = String(decoding: self.line, as: UTF8.self)
    self.onLine(
      self.droppedBytes == 0 ? text : "\(text)… (\(self.droppedBytes) more bytes in this line)")
    self.line.removeAll(keepingCapacity: true)
    self.droppedBytes = 0
  }
}
