import Testing

/// One file, one idea; one function, one screen.
@Suite struct SizeTests {
  private static let fileLinesMax = 400
  private static let functionLinesMax = 70
  private static let columnsMax = 100
  private static let trackedBytesMax = 200 << 10

  /// Whether it is written by hand: types that a compiler wrote are as long as they are.
  private static func isSource(_ file: Repository.File) -> Bool {
    file.ends(with: ".swift", ".py", ".c", ".h", ".mjs", ".js", ".go")
  }

  @Test func filesAreShort() throws {
    var findings: [Finding] = []
    for file in try Repository.all() where Self.isSource(file) || file.ends(with: ".sh") {
      let count = file.bytes.count { $0 == 0x0A }
      if count > Self.fileLinesMax {
        findings.append(
          Finding(path: file.path, what: "\(count) lines, \(Self.fileLinesMax) are the most"))
      }
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func functionsFitTheScreen() throws {
    var findings: [Finding] = []
    func take(_ path: String, _ functions: [FunctionLength]) {
      findings += functions.filter { $0.lines > Self.functionLinesMax }.map {
        Finding(
          path: path, line: $0.line,
          what: "a function of \($0.lines) lines, \(Self.functionLinesMax) are the most")
      }
    }
    for file in try Repository.swift() { take(file.path, FunctionLength.inSwift(file)) }
    for file in try Repository.all() where file.ends(with: ".py") {
      take(file.path, FunctionLength.inPython(file.lines))
    }
    for file in try Repository.all() where file.ends(with: ".go") {
      take(file.path, FunctionLength.inGo(file.lines))
    }
    for file in try Repository.all() where file.ends(with: ".js", ".mjs") {
      take(file.path, FunctionLength.inJavaScript(file.lines))
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func linesFitTheScreen() throws {
    var findings: [Finding] = []
    for file in try Repository.all() where Self.isSource(file) {
      let lines = file.lines
      guard lines.contains(where: { $0.unicodeScalars.count > Self.columnsMax }) else { continue }
      // What is said to type checkers stands at the end of its line, however long that is.
      let code =
        file.ends(with: ".swift")
        ? SwiftFile(file).code
        : lines.map { $0.replacing(/\s*# (type: ignore|noqa).*$/, with: "") }
      for (index, line) in lines.enumerated()
      where Self.width(of: line, code: code[index]) > Self.columnsMax {
        findings.append(
          Finding(path: file.path, line: index + 1, what: "wider than \(Self.columnsMax) columns"))
      }
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  /// A text that people read is not broken for the width: it counts up to where code ends.
  private static func width(of line: String, code: String) -> Int {
    let width = line.unicodeScalars.count
    if line.contains(/^\s*\/\//) { return width }
    return min(width, code.reversed().drop { $0 == " " }.count)
  }

  @Test func nothingLargeIsTracked() throws {
    let findings = try Repository.all().filter {
      $0.isTracked && $0.bytes.count > Self.trackedBytesMax
    }.map { Finding(path: $0.path, what: "\($0.bytes.count) bytes") }
    #expect(findings.isEmpty, "\(findings.report)")
  }
}
