internal import Glibc
internal import Synchronization

/// Takes finished log lines. Called from any thread.
protocol LogWriter: Sendable {
  func write(_ line: [UInt8])
}

/// Writes log lines to a descriptor without ever waiting for who reads them.
///
/// The loop logs, and it must not stand still because a terminal is paused or a collector hangs.
/// When the descriptor would block, the line is dropped and counted, and the next line that fits
/// is preceded by the count.
final class DescriptorLogWriter: LogWriter {
  /// A pipe that polls as writable takes this much at once (PIPE_BUF), so no write of it blocks.
  static let lineBytesMax = 4_096

  private let descriptor: Int32
  private let dropped = Mutex(0)

  init(descriptor: Int32) {
    self.descriptor = descriptor
  }

  func write(_ line: [UInt8]) {
    self.dropped.withLock { dropped in
      guard self.isWritable else {
        dropped += 1
        return
      }
      if dropped > 0 {
        let notice = Array("coagentd: \(dropped) log lines were dropped, nobody read them\n".utf8)
        guard self.put(notice[...]) else {
          dropped += 1
          return
        }
        dropped = 0
      }
      if !(self.isWritable && self.put(Self.cut(line))) { dropped += 1 }
    }
  }

  private var isWritable: Bool {
    var request = pollfd(fd: self.descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&request, 1, 0) == 1 && request.revents & Int16(POLLOUT) != 0
  }

  /// One system call a line: lines of several writers do not mix.
  private func put(_ line: ArraySlice<UInt8>) -> Bool {
    line.withUnsafeBytes { bytes in
      while true {
        if Glibc.write(self.descriptor, bytes.baseAddress, bytes.count) >= 0 { return true }
        if errno != EINTR { return false }
      }
    }
  }

  private static func cut(_ line: [UInt8]) -> ArraySlice<UInt8> {
    if line.count <= self.lineBytesMax { return line[...] }
    return line.prefix(self.lineBytesMax - 4) + Array("...\n".utf8)
  }
}
