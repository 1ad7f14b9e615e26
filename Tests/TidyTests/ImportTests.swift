import Testing

/// Imports run with the data: the table in docs/architecture.md is the law.
@Suite struct ImportTests {
  /// What is no module of ours, and who may have it beside the modules named in the table.
  private static let everywhere: Set = ["Glibc", "Darwin", "Musl", "Synchronization"]

  /// `| module | may import |` rows, by module.
  private static func table() throws -> [String: Set<String>] {
    let page = try #require(try Repository.all().first { $0.path == "docs/architecture.md" })
    var table: [String: Set<String>] = [:]
    var isInside = false
    for line in page.lines {
      if line.hasPrefix("| module | may import |") { isInside = true }
      if !line.hasPrefix("|") { isInside = false }
      guard isInside, let match = line.firstMatch(of: /^\| (`?[\w, `]+`?) \| (.*) \|$/) else {
        continue
      }
      let names = match.output.2.matches(of: /\w+/).map { String($0.output) }
      for module in match.output.1.matches(of: /\w+/) { table[String(module.output)] = Set(names) }
    }
    return table
  }

  @Test func everyImportIsInTheTable() throws {
    let table = try Self.table()
    var findings: [Finding] = []
    for file in try Repository.swift() {
      guard let module = file.module else { continue }
      guard let allowed = table[module] else {
        findings.append(Finding(path: file.path, what: "\(module) is not in docs/architecture.md"))
        continue
      }
      for (index, line) in file.code.enumerated() {
        guard let match = line.firstMatch(of: Self.statement) else { continue }
        let imported = String(match.output.1)
        if !allowed.contains(imported) && !Self.everywhere.contains(imported) {
          findings.append(
            Finding(path: file.path, line: index + 1, what: "\(module) may not import \(imported)"))
        }
      }
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func foundationIsFarFromTheLoop() throws {
    let findings = try Repository.swift().filter { $0.module != nil }
      .flatMap { $0.findings(/\bimport\s+Foundation\s*$/, "FoundationEssentials, if it must be") }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func mainFilesOnlyStart() throws {
    let mains = try Repository.swift().filter { $0.name == "main.swift" && $0.module == "coagentd" }
    #expect(mains.count == 1)
    for main in mains { #expect(main.lines.count <= 40, "\(main.path)") }
  }

  private static var statement: Regex<(Substring, Substring)> {
    /^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:\w+\s+)?import\s+(?:(?:struct|class|enum|func)\s+)?(\w+)/
  }
}
