/// Every text that is made from the table of options.
enum Usage {
  static let version = "0.1.0"

  static let help: String = {
    var lines = [
      "usage: coagentd [options]",
      "",
      "Lets agents in any language find and call each other. Every option can be given as a flag,",
      "as a variable or in a YAML file; a flag wins over a variable, a variable over the file.",
      "The file may also name `workers`: programs to start, and to start again when they end.",
      "",
      "  --config PATH           the YAML file (COAGENT_CONFIG)",
      "  --check-config          says whether the configuration is right, and ends",
      "  --print-config          prints the configuration in force as YAML, and ends",
      "  --version               prints the version, and ends",
      "  -h, --help              prints this, and ends",
    ]
    for option in Option.all {
      lines.append("")
      lines.append(option.isSwitch ? "  \(option.flag)" : "  \(option.flag) \(option.form)")
      lines += wrapped(option.meaning, width: 92).map { "      " + $0 }
      lines.append("      default: \(option.fallback)")
      lines.append("      file: \(option.key)   variable: \(option.variable)")
    }
    lines += ["", "Exit codes:"]
    lines += ExitCode.allCases.map { "  \($0.rawValue)  \($0.meaning)" }
    lines.append("")
    return lines.joined(separator: "\n")
  }()

  /// The table in docs/operating.md, which a test compares with this.
  static let table: String = {
    var lines = [
      "| key | flag | variable | value | default | meaning |", "|---|---|---|---|---|---|",
    ]
    for option in Option.all {
      let form = option.form.replacingBars()
      lines.append(
        "| `\(option.key)` | `\(option.flag)` | `\(option.variable)` | \(form) "
          + "| \(option.fallback) | \(option.meaning) |")
    }
    return lines.joined(separator: "\n") + "\n"
  }()

  /// The configuration in force as a file that would give the same, each line with its origin.
  static func yaml(_ reader: ConfigurationReader) -> String {
    var lines: [String] = []
    var section = ""
    for option in Option.all {
      var indent = ""
      if let dot = option.key.firstIndex(of: ".") {
        if section != option.key[..<dot] {
          section = String(option.key[..<dot])
          lines.append("\(section):")
        }
        indent = "  "
      }
      let values = option.show(reader.configuration).map(quoted)
      let origin = reader.origins[option.key] ?? .builtIn
      if values.isEmpty {
        lines.append("\(indent)# \(option.word): \(option.fallback)")
      } else if option.takesList {
        lines.append("\(indent)\(option.word): [\(values.joined(separator: ", "))]  # \(origin)")
      } else {
        lines.append("\(indent)\(option.word): \(values[0])  # \(origin)")
      }
    }
    if !reader.configuration.workers.isEmpty {
      lines.append("workers:")
      lines += reader.configuration.workers.flatMap { $0.yaml(quoted) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Single quotes, in which YAML knows no escape but the doubled quote.
  private static func quoted(_ value: String) -> String {
    let isPlain = value.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "/"):
        true
      default: false
      }
    }
    if isPlain && !value.isEmpty { return value }
    return "'"
      + value.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
  }

  private static func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
      if let last = lines.last, last.count + 1 + word.count <= width {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }
}

extension String {
  /// A bar would end the cell of a Markdown table.
  fileprivate func replacingBars() -> String {
    self.split(separator: "|", omittingEmptySubsequences: false)
      .map { $0.trimmingSpaces() }.joined(separator: ", ")
  }
}
