internal import Logging
internal import Wire

/// Turns log entries into lines: for people, or one JSON object each.
///
///     2026-01-31T23:59:59.042Z notice   ready listen=unix:/run/user/1000/coagent/coagentd.sock
///     {"time":"2026-01-31T23:59:59.042Z","level":"notice","message":"ready","listen":["unix:…"]}
struct LineLogHandler: LogHandler {
  private static let lineBytesMax = DescriptorLogWriter.lineBytesMax

  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  let format: Configuration.LogFormat
  let writer: any LogWriter

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { self.metadata[key] }
    set { self.metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var metadata = self.metadata
    if let more = event.metadata { metadata.merge(more) { $1 } }
    self.write(event.level, event.message.description, metadata)
  }

  /// Writes a line whatever the level in force.
  func write(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) {
    let fields = metadata.sorted { $0.key < $1.key }
    let time = Timestamp.now()
    switch self.format {
    case .text: self.writer.write(Self.textLine(time, level, message, fields))
    case .json: self.writer.write(Self.jsonLine(time, level, message, fields))
    }
  }

  // MARK: - Text

  private typealias Field = (key: String, value: Logger.MetadataValue)

  private static func textLine(
    _ time: String, _ level: Logger.Level, _ message: String, _ fields: [Field]
  ) -> [UInt8] {
    let name = level.rawValue
    var line = "\(time) \(name)" + String(repeating: " ", count: max(0, 9 - name.utf8.count))
    // What peers send ends up here: a line break in it must not look like a line of ours.
    line += escaped(message)
    for field in fields { line += " \(field.key)=" + plain(field.value) }
    return Array(line.utf8) + [0x0A]
  }

  private static func plain(_ value: Logger.MetadataValue) -> String {
    switch value {
    case .string(let text): plain(text)
    case .stringConvertible(let value): plain(value.description)
    case .array(let values): values.map(plain).joined(separator: ",")
    case .dictionary(let fields):
      fields.sorted { $0.key < $1.key }.map { "\($0.key):" + plain($0.value) }
        .joined(separator: ",")
    }
  }

  /// As it is, or in quotes when its end would not be seen.
  private static func plain(_ text: String) -> String {
    let escaped = escaped(text)
    let isOneWord = !text.isEmpty && !text.utf8.contains { $0 <= 0x20 || $0 == 0x22 || $0 == 0x3D }
    return isOneWord ? escaped : "\"\(escaped)\""
  }

  // MARK: - JSON

  private static func jsonLine(
    _ time: String, _ level: Logger.Level, _ message: String, _ fields: [Field]
  ) -> [UInt8] {
    let head = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"message\":\""
    var tail = "\""
    for field in fields { tail += ",\"\(escaped(field.key))\":" + json(field.value) }
    tail += "}\n"
    // A line that is too long for the writer is still an object: its message gives way to its
    // fields, unless these alone are too long.
    if head.utf8.count + tail.utf8.count > Self.lineBytesMax { tail = "\",\"cut\":true}\n" }
    let room = Self.lineBytesMax - head.utf8.count - tail.utf8.count
    return Array((head + escaped(message, within: room) + tail).utf8)
  }

  private static func json(_ value: Logger.MetadataValue) -> String {
    switch value {
    case .string(let text): "\"\(escaped(text))\""
    case .stringConvertible(let number as any FixedWidthInteger): number.description
    case .stringConvertible(let flag as Bool): flag ? "true" : "false"
    case .stringConvertible(let value): "\"\(escaped(value.description))\""
    case .array(let values): "[" + values.map(json).joined(separator: ",") + "]"
    case .dictionary(let fields):
      "{"
        + fields.sorted { $0.key < $1.key }.map { "\"\(escaped($0.key))\":" + json($0.value) }
        .joined(separator: ",") + "}"
    }
  }
}

/// As much of the text as takes that many bytes escaped, with a mark where it is cut.
private func escaped(_ text: String, within roomBytes: Int) -> String {
  let whole = escaped(text)
  if whole.utf8.count <= roomBytes { return whole }
  let mark = "…"
  var leftBytes = roomBytes - mark.utf8.count
  let end = text.unicodeScalars.firstIndex { scalar in
    let isMarked = scalar == "\"" || scalar == "\\"
    leftBytes -= scalar.value < 0x20 ? 6 : isMarked ? 2 : UTF8.width(scalar)
    return leftBytes < 0
  }
  return escaped(String(text[..<(end ?? text.endIndex)])) + mark
}

private func escaped(_ text: String) -> String {
  var text = text
  return text.withUTF8 { bytes in
    withUnsafeTemporaryAllocation(byteCount: bytes.count * 6 + 1, alignment: 1) { out in
      let end = JSONText.escape(UnsafeRawBufferPointer(bytes), to: out.baseAddress!)
      return String(
        decoding: out[..<(end - UnsafeMutableRawPointer(out.baseAddress!))], as: UTF8.self)
    }
  }
}
