import CoagentClient

/// What the client's frame decoder makes of bytes.
enum Decoding {
  static func result(of command: Command) throws -> JSON {
    guard let bytes = Hex.bytes(try command.word("hex")) else {
      throw Unsupported(why: "not hex")
    }
    let decoder = FrameDecoder(
      headerMax: Limits.headerBytesMaxSidecar, contentMax: Limits().contentBytesMax)
    var frames: [JSON] = []
    var whole = 0
    for var piece in pieces(bytes, command["split"]) {
      if let fault = feed(&piece, to: decoder, &frames, &whole) {
        return object(("frames", .array(frames)), ("fatal", .string(fault.reason.rawValue)))
      }
    }
    return object(("frames", .array(frames)), ("rest", count(bytes.count - whole)))
  }

  private static func pieces(_ bytes: [UInt8], _ split: JSON?) -> [[UInt8]] {
    if split?.text == "bytes" { return bytes.map { [$0] } }
    guard let sizes = split?.elements else { return [bytes] }
    var pieces: [[UInt8]] = []
    var rest = bytes[...]
    for size in sizes {
      let next = rest.prefix(Int(size.integer ?? 0))
      if !next.isEmpty { pieces.append(Array(next)) }
      rest = rest.dropFirst(next.count)
    }
    if !rest.isEmpty { pieces.append(Array(rest)) }
    return pieces
  }

  private static func feed(
    _ piece: inout [UInt8], to decoder: FrameDecoder, _ frames: inout [JSON], _ whole: inout Int
  ) -> FrameFault? {
    piece.withUnsafeMutableBytes { bytes in
      decoder.begin(bytes)
      defer { decoder.finish() }
      while true {
        switch decoder.next() {
        case .needsMore: return nil
        case .fault(let fault): return fault
        case .frame:
          whole += decoder.frameBytes
          let content = Hex.text(decoder.content.bytes)
          frames.append(
            object(("header", header(decoder.header)), ("content_hex", .string(content))))
        }
      }
    }
  }

  /// The fields that the client keeps.
  private static func header(_ header: Header) -> JSON {
    var members: [JSON.Member] = []
    for (name, field) in strings where header.has(field) {
      members.append(.init(name, .string(header[field].text)))
    }
    for (name, field) in integers {
      if let value = header[field] { members.append(.init(name, .integer(Int64(value)))) }
    }
    for (name, field) in truths where header[field] { members.append(.init(name, .truth(true))) }
    for (name, field) in objects where header.has(field) {
      guard let json = try? JSONReader.read(header[field]) else { continue }
      members.append(.init(name, json))
    }
    return .object(members)
  }

  private static let strings: [(String, StringField)] = [
    ("op", .op), ("client", .client), ("token", .token), ("name", .name), ("server", .server),
    ("connection", .connection), ("reason", .reason), ("description", .description),
    ("version", .version), ("to", .to), ("type", .type), ("trace", .trace),
    ("content_type", .contentType), ("from", .from), ("code", .code), ("message", .message),
    ("run", .run), ("features", .features),
  ]
  private static let integers: [(String, IntegerField)] = [
    ("v", .v), ("id", .id), ("max_content", .maxContent), ("heartbeat_ms", .heartbeatMs),
    ("timeout_ms", .timeoutMs), ("concurrency", .concurrency),
    ("session_concurrency", .sessionConcurrency), ("idle_ms", .idleMs), ("window", .window),
    ("bytes", .bytes), ("parent", .parent),
  ]
  private static let truths: [(String, BooleanField)] = [
    ("exclusive", .exclusive), ("lazy", .lazy), ("input", .input), ("detach", .detach),
    ("new", .new), ("oneway", .oneway), ("observe", .observe), ("part", .part), ("end", .end),
    ("unordered", .unordered), ("more", .more), ("retry", .retry),
  ]
  private static let objects: [(String, ObjectField)] = [
    ("labels", .labels), ("ext", .ext), ("details", .details),
  ]
}
