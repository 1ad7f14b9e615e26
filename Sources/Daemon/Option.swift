internal import Logging
internal import Transports
internal import Wire

/// One setting: how it is spelled everywhere, what it takes, and where its value goes.
///
/// `all` is the one table: the reader, `--help`, `--print-config` and the documentation come of it.
struct Option: Sendable {
  /// In the file, such as `limits.drain_ms`; flag and variable follow from its last word.
  var key: String
  /// What a value looks like, for people: `PATH`, `0…600000`, `text|json`.
  var form: String
  var meaning: String
  var takesList = false
  /// A flag without a value means true.
  var isSwitch = false
  /// In words, when the default is worked out at start.
  var defaultText: String?

  var assign: @Sendable (inout Configuration, [String]) throws(BadValue) -> Void
  var show: @Sendable (Configuration) -> [String]

  var word: String { String(self.key.split(separator: ".").last!) }
  var flag: String { "--" + self.word.map { $0 == "_" ? "-" : String($0) }.joined() }
  var variable: String { "COAGENT_" + self.word.uppercased() }
  var fallback: String { self.defaultText ?? self.show(Configuration()).joined(separator: ",") }

  static let all: [Option] = Self.general + Self.limits

  private static let general: [Option] = [
    Option(
      key: "listen", form: "unix:/PATH | tcp://ADDRESS:PORT",
      meaning: "Where to listen; may be given several times. Port 0 takes a free one.",
      takesList: true, defaultText: "the default Unix socket",
      assign: { (configuration, values) throws(BadValue) in
        var endpoints: [Endpoint] = []
        for value in values { endpoints.append(try ListenAddress.read(value)) }
        configuration.listen = endpoints
      },
      show: { $0.listen.map(\.description) }),
    Option(
      key: "allow_remote", form: "true | false",
      meaning: "Lets TCP listeners bind to addresses that other machines can reach.",
      isSwitch: true,
      assign: { (configuration, values) throws(BadValue) in
        configuration.allowRemote = try boolean(values[0])
      },
      show: { ["\($0.allowRemote)"] }),
    Option(
      key: "tokens_file", form: "PATH",
      meaning: "Who may connect over TCP: a line `name:token` each. Nobody else may read the file.",
      defaultText: "none",
      assign: { (configuration, values) throws(BadValue) in
        configuration.tokensFile = try text(values[0])
      },
      show: { $0.tokensFile.map { [$0] } ?? [] }),
    Option(
      key: "socket_mode", form: "0600…0777, octal",
      meaning:
        "Permissions of the Unix socket files; allowed_uids and allowed_gids are checked as well.",
      assign: { (configuration, values) throws(BadValue) in
        guard let mode = Int(values[0], radix: 8), 0o600...0o777 ~= mode, mode & 0o600 == 0o600
        else {
          throw BadValue("\"\(values[0])\" is no octal mode from 0600 to 0777")
        }
        configuration.socketMode = mode
      },
      show: { ["0" + String($0.socketMode, radix: 8)] }),
    Option(
      key: "allowed_uids", form: "NUMBERS",
      meaning: "Users that may connect to the Unix sockets.",
      takesList: true, defaultText: "the daemon's own user",
      assign: { (configuration, values) throws(BadValue) in
        configuration.allowedUIDs = try identifiers(values)
      },
      show: { $0.allowedUIDs.map(String.init) }),
    Option(
      key: "allowed_gids", form: "NUMBERS",
      meaning: "Groups that may connect to the Unix sockets as well, by primary group.",
      takesList: true, defaultText: "none",
      assign: { (configuration, values) throws(BadValue) in
        configuration.allowedGIDs = try identifiers(values)
      },
      show: { $0.allowedGIDs.map(String.init) }),
    Option(
      key: "name", form: "TEXT",
      meaning: "What the daemon calls itself towards clients and in its log.",
      assign: { (configuration, values) throws(BadValue) in
        let name = try text(values[0])
        guard name.utf8.count <= 128, !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
          throw BadValue("a name is 1 to 128 bytes without control characters")
        }
        configuration.name = name
      },
      show: { [$0.name] }),
    Option(
      key: "log_level", form: Logger.Level.allCases.map(\.rawValue).joined(separator: " | "),
      meaning: "The least severe entries to log. The line that says \"ready\" is always written.",
      assign: { (configuration, values) throws(BadValue) in
        configuration.logLevel = try choice(values[0], Logger.Level.allCases)
      },
      show: { [$0.logLevel.rawValue] }),
    Option(
      key: "log_format", form: "text | json",
      meaning: "Lines for people, or a JSON object a line.",
      assign: { (configuration, values) throws(BadValue) in
        configuration.logFormat = try choice(values[0], Configuration.LogFormat.allCases)
      },
      show: { [$0.logFormat.rawValue] }),
  ]
}

// MARK: - Reading values

private func boolean(_ value: String) throws(BadValue) -> Bool {
  switch value {
  case "true": return true
  case "false": return false
  default: throw BadValue("\"\(value)\" is neither true nor false")
  }
}

private func text(_ value: String) throws(BadValue) -> String {
  if value.isEmpty { throw BadValue("the value is empty") }
  return value
}

private func choice<Word: RawRepresentable<String>>(
  _ value: String, _ words: [Word]
) throws(BadValue) -> Word {
  if let found = Word(rawValue: value) { return found }
  throw BadValue("\"\(value)\" is none of \(words.map(\.rawValue).joined(separator: ", "))")
}

private func identifiers(_ values: [String]) throws(BadValue) -> [UInt32] {
  var numbers: [UInt32] = []
  for value in values {
    guard let number = UInt32(value) else {
      throw BadValue("\"\(value)\" is no user or group number")
    }
    numbers.append(number)
  }
  return numbers
}

extension Option {
  /// An option that takes one integer, such as a limit.
  static func integer(
    _ key: String, _ range: ClosedRange<Int>,
    _ field: any WritableKeyPath<Configuration, Int> & Sendable, _ meaning: String
  ) -> Option {
    Option(
      key: key, form: "\(range.lowerBound)…\(range.upperBound)", meaning: meaning,
      assign: { (configuration, values) throws(BadValue) in
        guard let number = Int(values[0]) else {
          throw BadValue("\"\(values[0])\" is no whole number")
        }
        guard range.contains(number) else {
          throw BadValue("\(number) is not from \(range.lowerBound) to \(range.upperBound)")
        }
        configuration[keyPath: field] = number
      },
      show: { ["\($0[keyPath: field])"] })
  }
}
