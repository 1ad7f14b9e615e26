/// Where functions begin and how many lines they take: by brackets in Swift, by indentation in
/// Python, by the closing brace below their first word in Go and JavaScript.
struct FunctionLength {
  var line: Int
  var lines: Int

  static func inSwift(_ file: SwiftFile) -> [FunctionLength] {
    let start = /(^|[^.\w])(func\s+\S|init[?!]?\s*[(<]|deinit\s*\{|subscript\s*[(<])/
    var found: [FunctionLength] = []
    for (index, line) in file.code.enumerated() where line.contains(start) {
      if let end = self.lastLine(file.code, from: index) {
        found.append(FunctionLength(line: index + 1, lines: end - index + 1))
      }
    }
    return found
  }

  /// The line that closes the body of what starts in `first`; `nil` for a requirement without one.
  private static func lastLine(_ code: [String], from first: Int) -> Int? {
    var parentheses = 0
    var braces = 0
    for index in first..<code.count {
      for byte in code[index].utf8 {
        switch byte {
        case UInt8(ascii: "("): parentheses += 1
        case UInt8(ascii: ")"): parentheses -= 1
        case UInt8(ascii: "{"): braces += 1
        case UInt8(ascii: "}"):
          braces -= 1
          // A brace among the parameters is a default value, not the body.
          if braces == 0 && parentheses == 0 { return index }
          if braces < 0 { return nil }
        default: break
        }
      }
      // A requirement of a protocol ends with its line.
      if braces == 0 && parentheses == 0 && self.isComplete(code, index) { return nil }
    }
    return nil
  }

  private static func isComplete(_ code: [String], _ index: Int) -> Bool {
    guard index + 1 < code.count else { return true }
    let next = code[index + 1].drop { $0 == " " }
    return
      !(next.hasPrefix("{") || next.hasPrefix("->") || next.hasPrefix("async")
      || next.hasPrefix("throws") || next.hasPrefix("where") || next.hasPrefix(")")
      || code[index].hasSuffix("where") || code[index].hasSuffix("->")
      || code[index].hasSuffix(",") || code[index].hasSuffix("("))
  }

  static func inPython(_ lines: [String]) -> [FunctionLength] {
    var found: [FunctionLength] = []
    for (index, line) in lines.enumerated() where line.contains(/^\s*(async )?def \w/) {
      let indent = line.prefix { $0 == " " }.count
      // The signature may take several lines, the last of which ends with a colon.
      guard
        let colon = lines[index...].firstIndex(where: { $0.contains(/:\s*(#.*)?$|:\s+\.\.\.$/) })
      else { continue }
      var last = colon
      for next in lines.indices.dropFirst(colon + 1) {
        if lines[next].allSatisfy({ $0 == " " }) { continue }
        if lines[next].prefix(while: { $0 == " " }).count <= indent { break }
        last = next
      }
      found.append(FunctionLength(line: index + 1, lines: last - index + 1))
    }
    return found
  }

  static func inGo(_ lines: [String]) -> [FunctionLength] {
    self.toClosingBrace(lines, from: /^func\s/)
  }

  static func inJavaScript(_ lines: [String]) -> [FunctionLength] {
    self.toClosingBrace(
      lines,
      from: /^\s*(export )?(static )?(async )?(function\b|\*?[#\w\[\].]+\([^;]*\) \{$)/)
  }

  private static func toClosingBrace(
    _ lines: [String], from start: some RegexComponent
  ) -> [FunctionLength] {
    var found: [FunctionLength] = []
    for (index, line) in lines.enumerated() where line.contains(start) {
      let indent = line.prefix { $0 == " " }
      let keyword = line.dropFirst(indent.count).prefix { $0.isLetter }
      if ["if", "for", "while", "switch", "catch"].contains(keyword) || line.hasSuffix("}") {
        continue
      }
      let last = lines[(index + 1)...].firstIndex { $0.hasPrefix(indent + "}") }
      if let last { found.append(FunctionLength(line: index + 1, lines: last - index + 1)) }
    }
    return found
  }
}
