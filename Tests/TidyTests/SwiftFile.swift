/// A Swift file with its comments and texts blanked, line by line, so that rules look at code only.
struct SwiftFile {
  var path: String
  /// As written.
  var lines: [String]
  /// The same lines; what is in comments and string literals is spaces.
  var code: [String]

  init(_ file: Repository.File) {
    self.init(path: file.path, text: String(decoding: file.bytes, as: UTF8.self))
  }

  init(path: String, text: String) {
    self.path = path
    self.lines = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
    var blanker = SwiftBlanker(Array(text.utf8))
    self.code = blanker.blanked().split(separator: 0x0A, omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
  }

  /// `Sources/<module>/…`
  var module: String? {
    let parts = self.path.split(separator: "/")
    return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
  }

  var name: String { String(self.path.split(separator: "/").last ?? "") }

  /// Every line of code that matches, with what matched.
  func findings<Output>(_ pattern: Regex<Output>, _ what: String) -> [Finding] {
    self.code.enumerated().compactMap { index, line in
      line.firstMatch(of: pattern).map {
        Finding(path: self.path, line: index + 1, what: "\(line[$0.range]): \(what)")
      }
    }
  }
}

/// Replaces comments and the contents of string literals by spaces; line breaks stay.
struct SwiftBlanker {
  private let bytes: [UInt8]
  private var out: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    self.out = bytes
  }

  mutating func blanked() -> [UInt8] {
    self.code(untilParenthesis: false)
    return self.out
  }

  private func sees(_ text: StaticString) -> Bool {
    let end = self.position + text.utf8CodeUnitCount
    guard end <= self.bytes.count else { return false }
    return self.bytes[self.position..<end]
      .elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private mutating func blank(_ count: Int) {
    for _ in 0..<min(count, self.bytes.count - self.position) {
      if self.bytes[self.position] != 0x0A { self.out[self.position] = 0x20 }
      self.position += 1
    }
  }

  /// Code up to the end, or up to the parenthesis that ends an interpolation.
  private mutating func code(untilParenthesis isInterpolation: Bool) {
    var depth = 0
    while self.position < self.bytes.count {
      if self.sees("//") {
        while self.position < self.bytes.count, self.bytes[self.position] != 0x0A { self.blank(1) }
      } else if self.sees("/*") {
        self.comment()
      } else if let hashes = self.hashesBeforeQuote() {
        self.text(hashes: hashes)
      } else {
        let byte = self.bytes[self.position]
        if byte == UInt8(ascii: "(") { depth += 1 }
        if byte == UInt8(ascii: ")") {
          if isInterpolation && depth == 0 { return }
          depth -= 1
        }
        self.position += 1
      }
    }
  }

  private mutating func comment() {
    var depth = 0
    repeat {
      if self.sees("/*") {
        depth += 1
        self.blank(2)
      } else if self.sees("*/") {
        depth -= 1
        self.blank(2)
      } else {
        self.blank(1)
      }
    } while depth > 0 && self.position < self.bytes.count
  }

  /// How many `#` stand before the quote that begins a literal here, or `nil` if none does.
  private func hashesBeforeQuote() -> Int? {
    var at = self.position
    while at < self.bytes.count, self.bytes[at] == UInt8(ascii: "#") { at += 1 }
    guard at < self.bytes.count, self.bytes[at] == UInt8(ascii: "\"") else { return nil }
    return at - self.position
  }

  private mutating func text(hashes: Int) {
    self.blank(hashes)
    let isLong = self.sees("\"\"\"")
    self.blank(isLong ? 3 : 1)
    while self.position < self.bytes.count {
      if self.bytes[self.position] == UInt8(ascii: "\\"), self.hasHashes(hashes, after: 1) {
        self.blank(1 + hashes)
        if self.sees("(") {
          self.blank(1)
          self.code(untilParenthesis: true)
        }
        self.blank(1)
      } else if isLong ? self.sees("\"\"\"") : self.sees("\""),
        self.hasHashes(hashes, after: isLong ? 3 : 1)
      {
        self.blank((isLong ? 3 : 1) + hashes)
        return
      } else {
        self.blank(1)
      }
    }
  }

  private func hasHashes(_ count: Int, after offset: Int) -> Bool {
    let start = self.position + offset
    return start + count <= self.bytes.count
      && self.bytes[start..<(start + count)].allSatisfy { $0 == UInt8(ascii: "#") }
  }
}
