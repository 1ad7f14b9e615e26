internal import EventLoop

/// Reads what a worker writes, line by line.
@LoopActor
final class WorkerOutput: ByteReader {
  /// What of a line is passed on; the rest of it is dropped.
  static let lineBytesMax = 8_192

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
    for byte in self.room[..<count] {
      if byte == 0x0A {
        self.endLine()
      } else if self.line.count < Self.lineBytesMax {
        self.line.append(byte)
      } else {
        self.droppedBytes += 1
      }
    }
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
