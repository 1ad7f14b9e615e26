/// A worker as configured: a program that the daemon starts, and starts again when it ends.
///
///     workers:
///       words:
///         command: [python3, agents.py]
///         count: 2
///         directory: /srv/agents
///         environment:
///           WORDS_LANGUAGE: en
///         restart: on_failure
struct WorkerSettings: Equatable, Sendable {
  /// When a worker that has ended is started again.
  enum Restart: String, CaseIterable, Sendable {
    case always
    /// Not after exit code 0.
    case onFailure = "on_failure"
    case never
  }

  static let countMax = 1_000

  var name: String
  /// The program, a path or a name in `PATH`, and its arguments. No shell looks at them.
  var command: [String]
  /// How many processes of it run side by side.
  var count = 1
  /// Where it runs; `nil`: where the daemon does.
  var directory: String?
  /// Beside the daemon's own environment, and over it.
  var environment: [String: String] = [:]
  var restart = Restart.always

  init(name: String, command: [String]) {
    self.name = name
    self.command = command
  }
}

// MARK: - From the file

extension WorkerSettings {
  private static let keys = ["command", "count", "directory", "environment", "restart"]

  /// Reads the mapping below `workers`: a name each, with its settings.
  static func read(
    _ node: YAMLNode, path: String
  ) throws(ConfigurationError) -> [WorkerSettings] {
    var workers: [WorkerSettings] = []
    for entry in try node.mapping("workers", of: "names to settings", path) {
      let isName = entry.key.utf8.allSatisfy { byte in
        byte == 0x2D || byte == 0x5F || (0x30...0x39).contains(byte)
          || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
      }
      guard isName, 1...64 ~= entry.key.utf8.count else {
        throw refusal(
          "workers: \"\(entry.key)\" is no name: 1 to 64 of A–Z a–z 0–9 _ -", path, entry.line)
      }
      workers.append(try self.one(entry, path))
    }
    return workers
  }

  private static func one(
    _ entry: YAMLNode.Entry, _ path: String
  ) throws(ConfigurationError) -> WorkerSettings {
    let key = "workers.\(entry.key)"
    var worker = WorkerSettings(name: entry.key, command: [])
    for setting in try entry.value.mapping(key, of: "settings to values", path) {
      let key = "\(key).\(setting.key)"
      switch setting.key {
      case "command": worker.command = try setting.value.texts(key, path)
      case "directory": worker.directory = try setting.value.text(key, path)
      case "count":
        let text = try setting.value.text(key, path)
        guard let count = Int(text), 0...self.countMax ~= count else {
          throw refusal(
            "\(key): \"\(text)\" is no number from 0 to \(self.countMax)", path, setting.line)
        }
        worker.count = count
      case "restart":
        let text = try setting.value.text(key, path)
        guard let restart = Restart(rawValue: text) else {
          let words = Restart.allCases.map(\.rawValue).joined(separator: ", ")
          throw refusal("\(key): \"\(text)\" is none of \(words)", path, setting.line)
        }
        worker.restart = restart
      case "environment":
        for variable in try setting.value.mapping(key, of: "variables to values", path) {
          let name = variable.key
          if name.isEmpty || name.utf8.contains(where: { $0 == 0x3D || $0 < 0x20 }) {
            throw refusal("\(key): \"\(name)\" cannot name a variable", path, variable.line)
          }
          worker.environment[name] = try variable.value.text(
            "\(key).\(name)", path, mayBeEmpty: true)
        }
      default:
        let hint = nearest(to: setting.key, of: self.keys).map { "; did you mean \"\($0)\"?" } ?? ""
        throw refusal("unknown key \"\(key)\"\(hint)", path, setting.line)
      }
    }
    if worker.command.first?.isEmpty ?? true {
      throw refusal(
        "\(key): command is missing, a list of the program and its arguments", path,
        entry.line)
    }
    return worker
  }

  /// The lines that give these settings when they are read.
  func yaml(_ quoted: (String) -> String) -> [String] {
    var lines = ["  \(self.name):"]
    lines.append("    command: [\(self.command.map(quoted).joined(separator: ", "))]")
    lines.append("    count: \(self.count)")
    if let directory { lines.append("    directory: \(quoted(directory))") }
    if !self.environment.isEmpty {
      lines.append("    environment:")
      for (name, value) in self.environment.sorted(by: { $0.key < $1.key }) {
        lines.append("      \(quoted(name)): \(quoted(value))")
      }
    }
    lines.append("    restart: \(self.restart.rawValue)")
    return lines
  }
}

private func refusal(_ message: String, _ path: String, _ line: Int) -> ConfigurationError {
  ConfigurationError(origin: .file(path: path, line: line), message: message)
}

extension YAMLNode {
  /// Its entries. `of` says what the mapping is from and to.
  fileprivate func mapping(
    _ key: String, of what: String, _ path: String
  ) throws(ConfigurationError) -> [Entry] {
    guard case .mapping(let entries, _) = self else {
      throw refusal("\(key) is a mapping of \(what)", path, self.line)
    }
    return entries
  }

  fileprivate func text(
    _ key: String, _ path: String, mayBeEmpty: Bool = false
  ) throws(ConfigurationError) -> String {
    guard case .scalar(let text, let isPlain, let line) = self else {
      throw refusal("\(key): a single value is expected", path, self.line)
    }
    if text.isEmpty && (isPlain || !mayBeEmpty) {
      throw refusal("\(key): the value is missing", path, line)
    }
    return text
  }

  /// A list of values; one alone is a list of one.
  fileprivate func texts(_ key: String, _ path: String) throws(ConfigurationError) -> [String] {
    guard case .list(let nodes, _) = self else { return [try self.text(key, path)] }
    var texts: [String] = []
    for node in nodes { texts.append(try node.text(key, path, mayBeEmpty: true)) }
    return texts
  }
}
