import TestSupport
import Testing

@testable import Daemon

@Suite struct UsageTests {
  @Test func thePrintedConfigurationReadsBackAsTheSame() throws {
    let reader = try configured(
      [
        "--listen", "unix:/tmp/it's.sock", "--name", "a: 'b' #c", "--log-level", "debug",
        "--allowed-uids", "0", "--allowed-uids", "7", "--drain-ms", "5", "--socket-mode", "0660",
      ])
    let again = try configured(file: Usage.yaml(reader))
    #expect(again.configuration == reader.configuration)
    let untouched = try configured(file: Usage.yaml(try configured()))
    #expect(untouched.configuration == Configuration())
  }

  @Test func keysFlagsAndVariablesAreEachOnlyOnce() {
    for names in [Option.all.map(\.key), Option.all.map(\.flag), Option.all.map(\.variable)] {
      #expect(Set(names).count == names.count)
    }
    // What clients read must not configure the daemon by accident.
    for variable in ["COAGENT_URL", "COAGENT_TOKEN", "COAGENT_TOKEN_FILE"] {
      #expect(!Option.all.contains { $0.variable == variable })
    }
  }

  @Test func everyConfigurableLimitIsAnOptionWithItsDefaultAndMeaning() throws {
    let limits = try #require(try Proto.json("limits.json").members)
    var keys: [String] = []
    for limit in limits where limit.value["configurable"]?.bool == true {
      if limit.value["later"]?.bool == true { continue }
      let key = try #require(limit.value["key"]?.string)
      let option = try #require(Option.all.first { $0.key == key }, "no option \(key)")
      #expect(option.fallback == limit.value["value"]?.integer.map { "\($0)" }, "\(key)")
      #expect(option.meaning == limit.value["meaning"]?.string, "\(key)")
      keys.append(key)
    }
    #expect(keys.sorted() == Option.limits.map(\.key).sorted())
  }

  @Test func helpNamesEveryOptionAndFitsTheScreen() {
    for option in Option.all {
      #expect(Usage.help.contains("  \(option.flag)"))
      #expect(Usage.help.contains("variable: \(option.variable)"))
    }
    #expect(Usage.help.split(separator: "\n").allSatisfy { $0.count <= 120 })
  }

  @Test func theDocumentedTablesAreTheOnesInForce() throws {
    let page = String(
      decoding: try Files.bytes(try Proto.repository() + "/docs/operating.md"), as: UTF8.self)
    #expect(page.contains(Usage.table), "docs/operating.md wants this table:\n\(Usage.table)")
    for code in ExitCode.allCases {
      #expect(page.contains("| \(code.rawValue) | \(code.meaning) |"))
    }
  }

  @Test func helpAndVersionWinOverChecking() throws {
    #expect(try Arguments(["--check-config", "--help", "--print-config"]).mode == .help)
    #expect(try Arguments(["--version", "--check-config"]).mode == .version)
    #expect(try Arguments(["--print-config"]).mode == .printConfiguration)
    #expect(try Arguments([]).mode == .run)
  }
}
