import TestSupport
import Wire

/// A frame as a test sees it.
struct DecodedFrame: Equatable {
  let header: SpelledJSON
  let content: [UInt8]
  let frameBytes: Int
}

/// What a decoder made of some bytes.
struct Decoded: Equatable {
  var frames: [DecodedFrame] = []
  var fault: FrameFault?
  var isInsideFrame = false
}

extension FrameDecoder {
  /// A decoder with the protocol's limits, as the side that hears `vector` has it.
  convenience init(hearing vector: FrameVector) {
    self.init(
      headerMax: vector.isFromClient ? Limits.headerBytesMaxClient : Limits.headerBytesMaxSidecar,
      contentMax: Limits().contentBytesMax,
      firstHeaderMax: vector.isFirst ? Limits.helloHeaderBytesMax : nil)
  }

  /// Lends `pieces` one after the other, each copied to a buffer of its own that is overwritten
  /// afterwards, so that a decoder that kept a pointer to it would be found out.
  func decode(_ pieces: [[UInt8]]) throws -> Decoded {
    var decoded = Decoded()
    for piece in pieces {
      let lent = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 1)
      defer { lent.deallocate() }
      lent.copyBytes(from: piece)
      begin(lent)
      try take(into: &decoded)
      finish()
      lent.initializeMemory(as: UInt8.self, repeating: 0xAA)
    }
    decoded.isInsideFrame = isInsideFrame
    return decoded
  }

  /// Reads as a socket's owner does that uses `contentRoom`: straight into a large content where
  /// there is one, at most `readMax` bytes at a time.
  func decodeIntoRoom(_ bytes: [UInt8], readMax: Int) throws -> Decoded {
    var decoded = Decoded()
    var at = 0
    var buffer = [UInt8](repeating: 0, count: readMax)
    while at < bytes.count, decoded.fault == nil {
      if let room = contentRoom() {
        let count = min(room.count, bytes.count - at, readMax)
        room.copyBytes(from: bytes[at..<at + count])
        committedContent(count)
        at += count
        try take(into: &decoded)
        finish()
      } else {
        let count = min(bytes.count - at, readMax)
        try buffer.withUnsafeMutableBytes { buffer in
          buffer.copyBytes(from: bytes[at..<at + count])
          begin(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
          try take(into: &decoded)
          finish()
        }
        at += count
      }
    }
    decoded.isInsideFrame = isInsideFrame
    return decoded
  }

  private func take(into decoded: inout Decoded) throws {
    while true {
      switch next() {
      case .frame:
        decoded.frames.append(
          DecodedFrame(
            header: try HeaderSnapshot.json(header), content: Array(content.bytes),
            frameBytes: frameBytes))
      case .needsMore:
        return
      case .fault(let fault):
        decoded.fault = fault
        return
      }
    }
  }
}

/// A frame's bytes.
func frame(_ header: String, _ content: [UInt8] = []) -> [UInt8] {
  bigEndian(header.utf8.count) + bigEndian(content.count) + Array(header.utf8) + content
}

private func bigEndian(_ value: Int) -> [UInt8] {
  withUnsafeBytes(of: UInt32(value).bigEndian) { Array($0) }
}
