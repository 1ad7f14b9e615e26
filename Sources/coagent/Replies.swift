import ArgumentParser
import CoagentClient

/// A dotted path into a JSON value: `.content`, `.choices.0.text`, `.` for all of it.
struct Filter {
  private let steps: [String]

  init(_ text: String) throws {
    guard text.hasPrefix(".") else {
      throw ValidationError("-F \(text): a filter begins with a dot, as in .content")
    }
    var steps: [String] = []
    for step in text.dropFirst().split(separator: ".", omittingEmptySubsequences: false) {
      // `.items[0]` is `.items.0`.
      let parts = step.split(separator: "[", omittingEmptySubsequences: false)
      if !parts[0].isEmpty { steps.append(String(parts[0])) }
      for index in parts.dropFirst() {
        guard index.hasSuffix("]"), Int(index.dropLast()) != nil else {
          throw ValidationError("-F \(text): an index is a number in brackets, as in .items[0]")
        }
        steps.append(String(index.dropLast()))
      }
    }
    self.steps = steps
  }

  /// The part of the value; nil when there is none.
  func apply(_ value: JSON) -> JSON? {
    var value = value
    for step in steps {
      if let elements = value.elements {
        guard let index = Int(step), elements.indices.contains(index) else { return nil }
        value = elements[index]
      } else {
        guard let next = value[step] else { return nil }
        value = next
      }
    }
    return value
  }
}

/// Prints the replies of a call as they come.
struct ReplyPrinter: Sendable {
  let asJSON: Bool
  let oneline: Bool
  let filters: [Filter]
  /// Whether the last text that was printed has ended its line itself.
  private var atLineStart = true
  private var open: Message?

  init(asJSON: Bool, oneline: Bool, filters: [Filter]) {
    self.asJSON = asJSON
    self.oneline = oneline
    self.filters = filters
  }

  /// Shows one frame: a text at once, anything else when its message is whole.
  mutating func show(_ part: ReplyPart) {
    let isText = open.map(\.isText) ?? part.message.isText
    if isText && !asJSON {
      write(part.message.content)
      open = part.isLast ? nil : (open ?? part.message)
      if part.isLast { separate() }
    } else {
      if open == nil { open = part.message } else { open!.content += part.message.content }
      guard part.isLast, let message = open else { return }
      open = nil
      show(message)
    }
    Output.flush()
  }

  /// Shows a whole message.
  mutating func show(_ message: Message) {
    if !message.isText && !message.isJSON {
      showBytes(message)
    } else if let value = try? message.json() {
      show(value, verbatim: message.isText ? nil : message.content)
    } else {
      write(message.content)
      separate()
    }
  }

  /// Shows a value; `verbatim` is how it came.
  mutating func show(_ value: JSON, verbatim: [UInt8]? = nil) {
    var value = value
    var verbatim = verbatim
    if !filters.isEmpty {
      // The first that finds something; what has none of them is not shown.
      guard let found = filters.lazy.compactMap({ $0.apply(value) }).first(where: { $0 != .null })
      else { return }
      value = found
      verbatim = nil
    }
    if !asJSON, case .string(let text) = value {
      write(Array(text.utf8))
    } else if Output.isTerminal && !asJSON && !oneline {
      write(Array(Pretty.text(value).utf8))
    } else if let verbatim {
      write(Pretty.compact(verbatim))
    } else {
      write(Pretty.compact(value))
    }
    separate()
  }

  private mutating func showBytes(_ message: Message) {
    if Output.isTerminal {
      Output.line("(\(message.content.count) bytes of \(message.contentType))")
    } else {
      Output.write(message.content)
    }
  }

  private mutating func write(_ bytes: [UInt8]) {
    Output.write(bytes)
    if let last = bytes.last { atLineStart = last == UInt8(ascii: "\n") }
  }

  private mutating func separate() {
    if !oneline || asJSON { endLine() }
  }

  /// A text may bring its own end of the line.
  private mutating func endLine() {
    if !atLineStart { Output.line() }
    atLineStart = true
  }

  /// Ends the line that `oneline` has left open.
  mutating func end() {
    endLine()
    Output.flush()
  }
}

/// JSON as text.
enum Pretty {
  static func compact(_ value: JSON) -> [UInt8] {
    var writer = JSONWriter()
    writer.value(value)
    return writer.bytes
  }

  /// The same text, without the white space between its tokens: numbers stay as they are spelled.
  static func compact(_ text: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: max(1, text.count)) { buffer, count in
      text.withUnsafeBytes { text in
        let start = UnsafeMutableRawPointer(buffer.baseAddress!)
        count = JSONText.compact(text, to: start) - start
      }
    }
  }

  /// Indented by two, coloured on a terminal.
  static func text(_ value: JSON, indent: String = "") -> String {
    switch value {
    case .array(let elements) where !elements.isEmpty:
      let inner = indent + "  "
      let lines = elements.map { inner + text($0, indent: inner) }
      return "[\n" + lines.joined(separator: ",\n") + "\n\(indent)]"
    case .object(let members) where !members.isEmpty:
      let inner = indent + "  "
      let lines = members.map { member in
        inner + Output.styled(spelled(.string(member.name)), .cyan) + ": "
          + text(member.value, indent: inner)
      }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
    case .string: return Output.styled(spelled(value), .green)
    case .null, .truth, .integer, .number: return Output.styled(spelled(value), .yellow)
    case .array, .object: return spelled(value)
    }
  }

  private static func spelled(_ value: JSON) -> String {
    String(decoding: compact(value), as: UTF8.self)
  }
}
