/// What the command line asks for, before any of it is checked against the rest.
struct Arguments: Sendable {
  struct Setting: Sendable {
    var option: Option
    var values: [String]
  }

  enum Mode: Equatable, Sendable {
    case run, help, version, checkConfiguration, printConfiguration
  }

  var mode = Mode.run
  var configurationFile: String?
  var settings: [Setting] = []

  private static let modes: [String: Mode] = [
    "--help": .help, "-h": .help, "--version": .version,
    "--check-config": .checkConfiguration, "--print-config": .printConfiguration,
  ]

  /// Reads the arguments after the program's name.
  init(_ arguments: some Sequence<String>) throws(ConfigurationError) {
    var rest = Array(arguments)[...]
    while let argument = rest.popFirst() {
      if let mode = Self.modes[argument] {
        // Help and version win over checking and printing, whatever their order.
        if self.mode != .help && self.mode != .version { self.mode = mode }
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let flag = String(parts[0])
      let given = parts.count > 1 ? String(parts[1]) : nil
      if flag == ConfigurationReader.fileFlag {
        self.configurationFile = try Self.value(of: flag, given, &rest)
        continue
      }
      guard let option = Option.all.first(where: { $0.flag == flag }) else {
        throw Self.unknown(argument, flag)
      }
      let value = option.isSwitch ? given ?? "true" : try Self.value(of: flag, given, &rest)
      self.add(option, value)
    }
  }

  /// A flag given again replaces its value; one that takes a list adds to it.
  private mutating func add(_ option: Option, _ value: String) {
    if let index = self.settings.firstIndex(where: { $0.option.key == option.key }) {
      if option.takesList {
        self.settings[index].values.append(value)
      } else {
        self.settings[index].values = [value]
      }
    } else {
      self.settings.append(Setting(option: option, values: [value]))
    }
  }

  private static func value(
    of flag: String, _ given: String?, _ rest: inout ArraySlice<String>
  ) throws(ConfigurationError) -> String {
    if let given { return given }
    guard let next = rest.popFirst() else {
      throw ConfigurationError(origin: .flag(flag), message: "the value is missing")
    }
    return next
  }

  private static func unknown(_ argument: String, _ flag: String) -> ConfigurationError {
    guard argument.hasPrefix("-") else {
      return ConfigurationError(
        origin: .builtIn, message: "\"\(argument)\" is not expected; the options all start with --")
    }
    let flags = Option.all.map(\.flag) + [ConfigurationReader.fileFlag] + Array(self.modes.keys)
    let hint = nearest(to: flag, of: flags.sorted()).map { "; did you mean \($0)?" } ?? ""
    return ConfigurationError(origin: .builtIn, message: "unknown option \(flag)\(hint)")
  }
}
