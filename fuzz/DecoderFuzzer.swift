// libFuzzer target for the frame decoder: the same bytes, cut in any way and taken through either
// door, are the same frames and the same fault. It is compiled together with Sources/Wire.
private import Glibc

/// What a decoder found in a run of bytes.
private struct Found: Equatable {
  struct Frame: Equatable {
    let operation: Operation
    let wrongField: String?
    let id: UInt64?
    let to: [UInt8]
    let ext: [UInt8]
    let content: [UInt8]
    let frameBytes: Int
  }

  var frames: [Frame] = []
  var fault: FrameFault?
  var isInsideFrame = false
}

private enum Door: Int {
  case begin, contentRoom, leavingEarly
}

/// Small limits, so that short inputs reach them.
private func decoder(isFirst: Bool) -> FrameDecoder {
  FrameDecoder(headerMax: 4096, contentMax: 200_000, firstHeaderMax: isFirst ? 256 : nil)
}

private func take(_ decoder: FrameDecoder, _ found: inout Found, atMost: Int = .max) {
  var taken = 0
  while taken < atMost, found.fault == nil {
    switch decoder.next() {
    case .frame:
      let header = decoder.header
      found.frames.append(
        Found.Frame(
          operation: header.operation, wrongField: header.wrongField, id: header[.id],
          to: Array(header[.to]), ext: Array(header[.ext]), content: Array(decoder.content.bytes),
          frameBytes: decoder.frameBytes))
      taken += 1
    case .needsMore: return
    case .fault(let fault): found.fault = fault
    }
  }
}

/// Feeds `bytes` in pieces of 1…`pieceMax` bytes, as `random` has it.
private func decode(
  _ bytes: UnsafeRawBufferPointer, isFirst: Bool, door: Door, pieceMax: Int, random: inout UInt64
) -> Found {
  let decoder = decoder(isFirst: isFirst)
  var found = Found()
  var at = 0
  while at < bytes.count, found.fault == nil {
    random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    var count = min(bytes.count - at, 1 + Int(random >> 33) % pieceMax)
    if door == .contentRoom, let room = decoder.contentRoom() {
      count = min(count, room.count)
      room.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[at..<at + count]))
      decoder.committedContent(count)
      take(decoder, &found)
      decoder.finish()
    } else {
      let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
      piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[at..<at + count]))
      decoder.begin(piece)
      take(decoder, &found, atMost: door == .leavingEarly ? 1 : .max)
      if door == .leavingEarly, decoder.contentRoom() != nil { take(decoder, &found) }
      decoder.finish()
      piece.deallocate()
    }
    at += count
  }
  take(decoder, &found)
  decoder.finish()
  found.isInsideFrame = found.fault == nil && decoder.isInsideFrame
  return found
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDecoder(_ input: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  guard size > 2 else { return 0 }
  // Two bytes choose how the rest is cut.
  let isFirst = input[0] & 1 != 0
  let door = Door(rawValue: Int(input[0] >> 1) % 3)!
  let pieceMax = [1, 7, 100, 5000, 70_000][Int(input[0] >> 4) % 5]
  var random = UInt64(input[1])
  let bytes = UnsafeRawBufferPointer(start: input + 2, count: size - 2)
  let whole = decode(bytes, isFirst: isFirst, door: .begin, pieceMax: 1 << 30, random: &random)
  let cut = decode(bytes, isFirst: isFirst, door: door, pieceMax: pieceMax, random: &random)
  guard whole == cut else {
    let report = "frames depend on how bytes arrive:\n\(whole)\n\(cut)\n"
    write(STDERR_FILENO, report, report.utf8.count)
    abort()
  }
  // A frame's size is what it took from the stream; nothing is invented.
  precondition(whole.frames.reduce(0) { $0 + $1.frameBytes } <= bytes.count)
  return 0
}
