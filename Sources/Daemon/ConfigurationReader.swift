/// Puts the configuration together: flags, over variables, over the file, over defaults.
struct ConfigurationReader {
  private(set) var configuration = Configuration()
  /// Where each key that was set was set last.
  private(set) var origins: [String: Origin] = [:]

  /// Reads everything and checks it. `readFile` gives a file's bytes, or throws why not.
  static func read(
    _ arguments: Arguments, _ environment: [String: String],
    readFile: (String) throws(BadValue) -> [UInt8] = { path throws(BadValue) in
      try SmallFile.read(path, bytesMax: 1 << 20).bytes
    }
  ) throws(ConfigurationError) -> ConfigurationReader {
    var reader = ConfigurationReader()
    if let file = Self.file(arguments, environment) {
      let text: [UInt8]
      do throws(BadValue) {
        text = try readFile(file.path)
      } catch {
        throw ConfigurationError(origin: file.origin, message: error.message)
      }
      try reader.take(try YAMLReader.read(text, path: file.path), path: file.path)
    }
    for option in Option.all {
      guard let value = environment[option.variable] else { continue }
      let values = option.takesList ? Self.split(value) : [value]
      try reader.set(option, values, .variable(option.variable))
    }
    for setting in arguments.settings {
      try reader.set(setting.option, setting.values, .flag(setting.option.flag))
    }
    try reader.configuration.validate { reader.origins[$0] ?? .builtIn }
    return reader
  }

  static let fileFlag = "--config"
  static let fileVariable = "COAGENT_CONFIG"

  private static func file(
    _ arguments: Arguments, _ environment: [String: String]
  ) -> (path: String, origin: Origin)? {
    if let path = arguments.configurationFile { return (path, .flag(self.fileFlag)) }
    if let path = environment[self.fileVariable], !path.isEmpty {
      return (path, .variable(self.fileVariable))
    }
    return nil
  }

  /// Values in variables are separated by commas.
  private static func split(_ value: String) -> [String] {
    value.split(separator: ",").map { String($0.trimmingSpaces()) }
  }

  private mutating func set(
    _ option: Option, _ values: [String], _ origin: Origin
  ) throws(ConfigurationError) {
    do throws(BadValue) {
      try option.assign(&self.configuration, values)
    } catch {
      throw ConfigurationError(origin: origin, message: "\(option.key): \(error.message)")
    }
    self.origins[option.key] = origin
  }

  // MARK: - The file

  private mutating func take(
    _ entries: [YAMLNode.Entry], path: String, prefix: String = ""
  ) throws(ConfigurationError) {
    for entry in entries {
      let key = prefix + entry.key
      let origin = Origin.file(path: path, line: entry.line)
      if let option = Option.all.first(where: { $0.key == key }) {
        try self.set(option, try Self.values(entry.value, of: option, path: path), origin)
      } else if key == "workers" {
        self.configuration.workers = try WorkerSettings.read(entry.value, path: path)
      } else if Option.all.contains(where: { $0.key.hasPrefix(key + ".") }) {
        guard case .mapping(let inner, _) = entry.value else {
          throw ConfigurationError(origin: origin, message: "\(key) is a mapping of keys to values")
        }
        try self.take(inner, path: path, prefix: key + ".")
      } else {
        throw Self.unknown(key, origin)
      }
    }
  }

  private static func unknown(_ key: String, _ origin: Origin) -> ConfigurationError {
    let keys = Option.all.map(\.key) + ["limits", "workers"]
    let hint = nearest(to: key, of: keys).map { "; did you mean \"\($0)\"?" } ?? ""
    return ConfigurationError(origin: origin, message: "unknown key \"\(key)\"\(hint)")
  }

  private static func values(
    _ node: YAMLNode, of option: Option, path: String
  ) throws(ConfigurationError) -> [String] {
    func refuse(_ message: String, _ line: Int) -> ConfigurationError {
      ConfigurationError(
        origin: .file(path: path, line: line), message: "\(option.key): \(message)")
    }
    func text(_ node: YAMLNode) throws(ConfigurationError) -> String {
      guard case .scalar(let text, let isPlain, let line) = node else {
        throw refuse("a single value is expected", node.line)
      }
      if isPlain && (text.isEmpty || text == "~" || text == "null") {
        throw refuse("the value is missing", line)
      }
      return text
    }
    guard case .list(let nodes, let line) = node else { return [try text(node)] }
    if !option.takesList { throw refuse("a single value is expected, not a list", line) }
    var values: [String] = []
    for node in nodes { values.append(try text(node)) }
    return values
  }
}

extension StringProtocol {
  /// Without spaces and tabs at both ends.
  func trimmingSpaces() -> SubSequence {
    func isSpace(_ character: Character) -> Bool { character == " " || character == "\t" }
    guard let first = self.firstIndex(where: { !isSpace($0) }) else {
      return self[self.endIndex...]
    }
    return self[first...].dropLast(while: isSpace)
  }
}

extension Collection where Self: BidirectionalCollection {
  fileprivate func dropLast(while matches: (Element) -> Bool) -> SubSequence {
    var end = self.endIndex
    while end > self.startIndex, matches(self[self.index(before: end)]) {
      end = self.index(before: end)
    }
    return self[..<end]
  }
}
