import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Standard output and error: buffered, coloured only on a terminal, quiet when nobody reads.
enum Output {
  private static let buffer = Mutex<[UInt8]>([])
  private static let bufferBytes = 64 << 10

  static let isTerminal = isatty(STDOUT_FILENO) != 0
  static let errorIsTerminal = isatty(STDERR_FILENO) != 0
  private static let mayColour =
    getenv("NO_COLOR").map { $0.pointee == 0 } ?? true
    && getenv("TERM").map { strcmp($0, "dumb") != 0 } ?? true

  /// The columns of the terminal; nil when the output is no terminal.
  static let columns: Int? = {
    guard isTerminal else { return nil }
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }()

  static func write(_ bytes: [UInt8]) {
    let full = buffer.withLock { buffer in
      buffer += bytes
      return buffer.count >= bufferBytes
    }
    if full { flush() }
  }

  static func write(_ text: String) { write(Array(text.utf8)) }

  static func line(_ text: String = "") { write(text + "\n") }

  /// Hands everything over to whoever reads it. Ends the program, without a word, if nobody does.
  static func flush() {
    let bytes = buffer.withLock { buffer in
      defer { buffer.removeAll(keepingCapacity: true) }
      return buffer
    }
    if !put(bytes, STDOUT_FILENO) { _exit(0) }
  }

  /// A line for people, on standard error.
  static func complain(_ text: String) {
    flush()
    _ = put(Array((text + "\n").utf8), STDERR_FILENO)
  }

  /// A line that replaces itself while something long goes on; only on a terminal.
  static func progress(_ text: String) {
    if errorIsTerminal { _ = put(Array("\r\u{1B}[K\(text)".utf8), STDERR_FILENO) }
  }

  static func endProgress() { progress("") }

  private static func put(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR && errno != EAGAIN {
        return false
      }
    }
    return true
  }

  // MARK: - Colour

  enum Style: String {
    case bold = "1"
    case dim = "2"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"
  }

  static func styled(_ text: String, _ style: Style) -> String {
    isTerminal && mayColour ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
  }
}

/// Files as bytes.
enum Files {
  static func standardInput() throws -> [UInt8] {
    try readAll(STDIN_FILENO, "standard input")
  }

  static func read(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw Complaint("cannot read \(path): \(errorText)", exitCode: Complaint.usage)
    }
    defer { _ = close(descriptor) }
    return try readAll(descriptor, path)
  }

  private static var errorText: String { String(cString: strerror(errno)) }

  private static func readAll(_ descriptor: Int32, _ name: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 { return bytes }
      if count > 0 {
        bytes += chunk[..<count]
      } else if errno != EINTR {
        throw Complaint("cannot read \(name): \(errorText)", exitCode: Complaint.usage)
      }
    }
  }
}
