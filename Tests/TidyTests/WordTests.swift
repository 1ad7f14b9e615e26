import TestSupport
import Testing

/// Words that do not belong: in code, in names, anywhere.
@Suite struct WordTests {
  /// Where the compiler's checks are set aside, and what makes that right. Nowhere else.
  private static let uncheckedFiles: [String: String] = [
    "Sources/EventLoop/LoopActor.swift": "drops an isolation that was just checked at run time",
    "Sources/EventLoop/LoopExecutor.swift": "a lock and the loop's thread guard its state",
    "Sources/Locking/Locked.swift": "reached only under its lock",
    "Sources/Wire/ContentBlock.swift": "written before it is shared, then only read",
    "Tests/EventLoopTests/TimerAndHookTests.swift": "a box that only the loop's thread touches",
  ]

  @Test func coreModulesKnowNoConcurrency() throws {
    let core: Set = ["Wire", "Discovery", "Routing", "Connections"]
    let findings = try Repository.swift().filter { core.contains($0.module ?? "") }
      .flatMap {
        $0.findings(
          /\b(async|await|actor|Task|Mutex|LoopActor|Atomic)\b/, "the core is synchronous")
      }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func whatAlwaysWasAMistakeIsNowhere() throws {
    var findings: [Finding] = []
    for file in try Repository.swift() {
      findings += file.findings(/\bAsyncStream\b|\bAsyncThrowingStream\b/, "it has no backpressure")
      findings += file.findings(/\btry!/, "say what fails")
      findings += file.findings(
        /\b(usleep|nanosleep|sleep)\s*\(/, "wait for the event, with a bound")
      findings += file.findings(/\.disabled\(/, "a skipped test is a failed test")
      // The programs talk to people; the libraries do not.
      if let module = file.module, module != "coagent" {
        findings += file.findings(/(^|[^.\w])(print|debugPrint|dump)\(/, "libraries do not print")
      }
    }
    for file in try Repository.all()
    where file.ends(with: ".py") && file.isUnder("clients", "Tests", "proto", "examples") {
      for (index, line) in file.lines.enumerated() {
        func refuse(_ what: String) {
          findings.append(Finding(path: file.path, line: index + 1, what: what))
        }
        if line.contains(/\btime\.sleep\(/) { refuse("wait for the event, with a bound") }
        if line.contains(/pytest\.(mark\.)?(skip|xfail)/) {
          refuse("a skipped test is a failed test")
        }
      }
    }
    for file in try Repository.all() where file.ends(with: ".go", ".js", ".mjs") {
      for (index, line) in file.lines.enumerated() {
        if line.contains(/\btime\.Sleep\(|\bt\.Skip|\b(test|it)\.skip\(|\bskip:\s/) {
          let what = "wait for the event, with a bound; a skipped test is a failed test"
          findings.append(Finding(path: file.path, line: index + 1, what: what))
        }
      }
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func compilerChecksAreSetAsideOnlyWhereItIsSaidWhy() throws {
    let findings = try Repository.swift().filter { Self.uncheckedFiles[$0.path] == nil }
      .flatMap {
        $0.findings(/@unchecked\s+Sendable|\bunsafeBitCast\b/, "not in the list of this test")
      }
    #expect(findings.isEmpty, "\(findings.report)")
    let paths = Set(try Repository.all().map(\.path))
    let gone = Self.uncheckedFiles.keys.filter { !paths.contains($0) }
    #expect(gone.isEmpty, "no such file any more: \(gone)")
  }

  @Test func namesSayWhatAThingIs() throws {
    let types =
      /\b(class|struct|enum|protocol|actor|typealias)\s+\w*(Manager|Helper|Util|Channel|Info)\w*/
    let values = /\b(let|var|func)\s+(manager|helper|util|utils|channel|info)\b/
    var findings: [Finding] = []
    for file in try Repository.swift() {
      findings += file.findings(types, "find the noun")
      findings += file.findings(values, "find the noun")
    }
    for file in try Repository.all() {
      let name = file.path.split(separator: "/").last ?? ""
      if name.contains(/(?i)(manager|helper|utils?\b|channel)/) {
        findings.append(Finding(path: file.path, what: "find the noun"))
      }
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func nothingIsLeftForLater() throws {
    // Spelled so that this file does not find itself.
    let later = ["TO" + "DO", "FIX" + "ME", "HA" + "CK"]
    var findings: [Finding] = []
    for file in try Repository.all() where file.path != "LICENSE" {
      for (index, line) in file.lines.enumerated() {
        for word in later where line.contains(word) {
          findings.append(Finding(path: file.path, line: index + 1, what: word))
        }
      }
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }

  @Test func errorCodesAreThoseOfTheTable() throws {
    let table = try Proto.json("errors.json")
    let codes = Set((table["codes"]?.elements ?? []).compactMap { $0["code"]?.string })
    #expect(codes.count == 13)
    var findings: [Finding] = []
    for file in try Repository.swift() where file.module != nil {
      for (index, line) in file.lines.enumerated() {
        for match in line.matches(of: /\bcode: "([a-z_]+)"/)
        where !codes.contains(String(match.output.1)) {
          findings.append(
            Finding(path: file.path, line: index + 1, what: "\(match.output.1) is no error code"))
        }
      }
    }
    #expect(findings.isEmpty, "\(findings.report)")
  }
}
