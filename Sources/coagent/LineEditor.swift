#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Reads lines from people: with editing and a history on a terminal, plainly otherwise.
struct LineEditor {
  enum Entry {
    case line(String)
    /// Ctrl-C: the line is dropped.
    case interrupted
    /// Ctrl-D on an empty line, or the end of the input.
    case end
  }

  private var history: [String] = []
  private static let historyMax = 500

  private let isTerminal = isatty(STDIN_FILENO) != 0 && Output.isTerminal
  // What was read and not used yet.
  private var pending: [UInt8] = []

  init() {}

  mutating func read(prompt: String) -> Entry {
    guard isTerminal else {
      return readLine().map { .line($0) } ?? .end
    }
    Output.flush()
    var saved = termios()
    guard tcgetattr(STDIN_FILENO, &saved) == 0 else { return readLine().map { .line($0) } ?? .end }
    var raw = saved
    cfmakeraw(&raw)
    raw.c_oflag |= tcflag_t(OPOST)
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
    defer { tcsetattr(STDIN_FILENO, TCSADRAIN, &saved) }
    let entry = edit(prompt)
    Output.write("\r\n")
    Output.flush()
    if case .line(let line) = entry, !line.isEmpty, line != history.last {
      history.append(line)
      if history.count > Self.historyMax { history.removeFirst() }
    }
    return entry
  }

  private mutating func edit(_ prompt: String) -> Entry {
    var line = Line()
    var place = history.count
    var draft = Line()
    while true {
      // Of what is pasted, only the end is drawn.
      if pending.isEmpty { Self.draw(prompt, line) }
      switch key() {
      case .text(let text): line.insert(text)
      case .enter: return .line(String(line.characters))
      case .interrupt: return .interrupted
      case .endOfInput: if line.characters.isEmpty { return .end } else { line.deleteForward() }
      case .closed: return .end
      case .left: line.cursor = max(0, line.cursor - 1)
      case .right: line.cursor = min(line.characters.count, line.cursor + 1)
      case .home: line.cursor = 0
      case .lineEnd: line.cursor = line.characters.count
      case .backspace: line.deleteBackward()
      case .delete: line.deleteForward()
      case .deleteWord: line.deleteWord()
      case .deleteToStart: line.deleteToStart()
      case .deleteToEnd: line.characters.removeSubrange(line.cursor...)
      case .clear: Output.write("\u{1B}[H\u{1B}[J")
      case .up:
        guard place > 0 else { continue }
        if place == history.count { draft = line }
        place -= 1
        line = Line(history[place])
      case .down:
        guard place < history.count else { continue }
        place += 1
        line = place == history.count ? draft : Line(history[place])
      case .none: continue
      }
    }
  }

  private struct Line {
    var characters: [Character] = []
    var cursor = 0

    init() {}

    init(_ text: String) {
      characters = Array(text)
      cursor = characters.count
    }

    mutating func insert(_ text: String) {
      characters.insert(contentsOf: text, at: cursor)
      cursor += text.count
    }

    mutating func deleteBackward() {
      guard cursor > 0 else { return }
      cursor -= 1
      characters.remove(at: cursor)
    }

    mutating func deleteForward() {
      if cursor < characters.count { characters.remove(at: cursor) }
    }

    mutating func deleteWord() {
      var start = cursor
      while start > 0, characters[start - 1] == " " { start -= 1 }
      while start > 0, characters[start - 1] != " " { start -= 1 }
      characters.removeSubrange(start..<cursor)
      cursor = start
    }

    mutating func deleteToStart() {
      characters.removeSubrange(..<cursor)
      cursor = 0
    }
  }

  /// Redraws the line; of one longer than the terminal, what is around the cursor.
  private static func draw(_ prompt: String, _ line: Line) {
    let room = max(8, (Output.columns ?? 80) - prompt.count - 1)
    let start = max(0, line.cursor - room)
    let shown = line.characters[start...].prefix(room)
    let back = shown.count - (line.cursor - start)
    var text = "\r\u{1B}[K" + Output.styled(prompt, .bold) + String(shown)
    if back > 0 { text += "\u{1B}[\(back)D" }
    Output.write(text)
    Output.flush()
  }

  // MARK: - Keys

  private enum Key {
    case text(String)
    case enter, interrupt, endOfInput, closed, left, right, home, lineEnd, backspace, delete
    case deleteWord, deleteToStart, deleteToEnd, clear, up, down, none
  }

  private mutating func key() -> Key {
    guard let byte = nextByte() else { return .closed }
    switch byte {
    case 0x0D, 0x0A: return .enter
    case 0x03: return .interrupt
    case 0x04: return .endOfInput
    case 0x01: return .home
    case 0x05: return .lineEnd
    case 0x02: return .left
    case 0x06: return .right
    case 0x08, 0x7F: return .backspace
    case 0x0B: return .deleteToEnd
    case 0x0C: return .clear
    case 0x0E: return .down
    case 0x10: return .up
    case 0x15: return .deleteToStart
    case 0x17: return .deleteWord
    case 0x1B: return escape()
    case 0x09: return .text("  ")
    case ..<0x20: return .none
    default: return .text(character(byte))
    }
  }

  private mutating func escape() -> Key {
    guard let kind = nextByte(), kind == UInt8(ascii: "[") || kind == UInt8(ascii: "O"),
      let byte = nextByte()
    else { return .none }
    switch byte {
    case UInt8(ascii: "A"): return .up
    case UInt8(ascii: "B"): return .down
    case UInt8(ascii: "C"): return .right
    case UInt8(ascii: "D"): return .left
    case UInt8(ascii: "H"): return .home
    case UInt8(ascii: "F"): return .lineEnd
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      var number = [byte]
      while let next = nextByte(), next != UInt8(ascii: "~") {
        if next >= 0x40 { return .none }
        number.append(next)
      }
      switch String(decoding: number, as: UTF8.self) {
      case "1", "7": return .home
      case "3": return .delete
      case "4", "8": return .lineEnd
      default: return .none
      }
    default: return .none
    }
  }

  /// The character that begins with `first`: UTF-8 says how many bytes follow.
  private mutating func character(_ first: UInt8) -> String {
    let more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0
    var bytes = [first]
    for _ in 0..<more {
      if let next = nextByte() { bytes.append(next) }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private mutating func nextByte() -> UInt8? {
    if pending.isEmpty {
      var bytes = [UInt8](repeating: 0, count: 256)
      var count = 0
      repeat {
        count = bytes.withUnsafeMutableBytes { Glibc.read(STDIN_FILENO, $0.baseAddress, $0.count) }
      } while count < 0 && errno == EINTR
      guard count > 0 else { return nil }
      pending = Array(bytes[..<count])
    }
    return pending.removeFirst()
  }
}
