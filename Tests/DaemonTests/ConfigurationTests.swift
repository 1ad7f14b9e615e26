import Glibc
import Logging
import TestSupport
import Testing
import Transports
import Wire

@testable import Daemon

/// Reads a configuration from text in the place of a file.
func configured(
  _ flags: [String] = [], variables: [String: String] = [:], file: String? = nil
) throws -> ConfigurationReader {
  var variables = variables
  if file != nil { variables["COAGENT_CONFIG"] = "desk.yaml" }
  return try ConfigurationReader.read(try Arguments(flags), variables) { _ throws(BadValue) in
    Array((file ?? "").utf8)
  }
}

/// What a wrong configuration is answered with.
func refusal(
  _ flags: [String] = [], variables: [String: String] = [:], file: String? = nil
) -> String {
  do {
    _ = try configured(flags, variables: variables, file: file)
    return "nothing was refused"
  } catch {
    return "\(error)"
  }
}

@Suite struct ConfigurationTests {
  @Test func aFlagWinsOverAVariableAndAVariableOverTheFile() throws {
    let file = "log_level: debug\nname: from-file\nlimits:\n  drain_ms: 1\n"
    let variables = ["COAGENT_LOG_LEVEL": "error", "COAGENT_NAME": "from-variable"]
    let reader = try configured(["--log-level", "trace"], variables: variables, file: file)
    #expect(reader.configuration.logLevel == .trace)
    #expect(reader.configuration.name == "from-variable")
    #expect(reader.configuration.limits.drainMs == 1)
    #expect(reader.origins["log_level"] == .flag("--log-level"))
    #expect(reader.origins["limits.drain_ms"] == .file(path: "desk.yaml", line: 4))
    #expect(reader.origins["log_format"] == nil)
  }

  @Test func everyOptionSaysTheSameAsFlagVariableAndInTheFile() throws {
    for option in Option.all {
      let value = Self.value(otherThanTheDefaultOf: option)
      let tokens = option.key == "tokens_file" ? [] : ["--tokens-file", "/t"]
      let byFlag = try configured(["\(option.flag)=\(value)"] + tokens)
      let byVariable = try configured(tokens, variables: [option.variable: value])
      let words = option.key.split(separator: ".")
      let lines =
        words.count == 1 ? "\(words[0]): \(value)" : "\(words[0]):\n  \(words[1]): \(value)"
      let byFile = try configured(tokens, file: lines)
      #expect(byFlag.configuration == byVariable.configuration, "\(option.key)")
      #expect(byFlag.configuration == byFile.configuration, "\(option.key)")
      #expect(option.show(byFlag.configuration) != option.show(Configuration()), "\(option.key)")
    }
  }

  private static func value(otherThanTheDefaultOf option: Option) -> String {
    switch option.key {
    case "listen": "unix:/tmp/x.sock"
    case "allow_remote": "true"
    case "tokens_file": "/elsewhere"
    case "socket_mode": "0660"
    case "allowed_uids", "allowed_gids": "7"
    case "name": "desk"
    case "log_level": "error"
    case "log_format": "json"
    // A range's end is never the default; the marks are held in their order.
    case "limits.connection_high_mark_bytes": "65536"
    default: String(option.form.split(separator: "…")[1])
    }
  }

  @Test func listsComeAsAListSeparatedByCommasOrByRepetition() throws {
    let expected: [Endpoint] = [.unix(path: "/tmp/a"), .unix(path: "/tmp/b")]
    let file = try configured(file: "listen:\n  - unix:/tmp/a\n  - \"unix:/tmp/b\"\n")
    #expect(file.configuration.listen == expected)
    let variable = try configured(variables: ["COAGENT_LISTEN": "unix:/tmp/a, unix:/tmp/b"])
    #expect(variable.configuration.listen == expected)
    let flags = try configured(["--listen", "unix:/tmp/a", "--listen=unix:/tmp/b"])
    #expect(flags.configuration.listen == expected)
  }

  @Test func aMistakeInTheFileNamesItsLine() {
    #expect(
      refusal(file: "name: x\nlisen: unix:/a\n")
        == "desk.yaml:2: unknown key \"lisen\"; did you mean \"listen\"?")
    #expect(
      refusal(file: "limits:\n  drain_msec: 5\n")
        == "desk.yaml:2: unknown key \"limits.drain_msec\"; did you mean \"limits.drain_ms\"?")
    #expect(
      refusal(file: "\n\nlog_format: xml\n")
        == "desk.yaml:3: log_format: \"xml\" is none of text, json")
    #expect(
      refusal(file: "limits:\n  names_max: 0\n")
        == "desk.yaml:2: limits.names_max: 0 is not from 1 to 1000000")
    #expect(
      refusal(file: "limits:\n  names_max: 1e3\n")
        == "desk.yaml:2: limits.names_max: \"1e3\" is no whole number")
    #expect(
      refusal(file: "name: a\nlog_level: info\nname: b\n")
        == "desk.yaml:3: \"name\" is there twice, first in line 1")
    #expect(refusal(file: "name: [a, b]\n").hasPrefix("desk.yaml:1: name: a single value"))
    #expect(refusal(file: "listen:\n  - a: b\n").hasPrefix("desk.yaml:2: listen: a single value"))
    #expect(refusal(file: "limits: 5\n") == "desk.yaml:1: limits is a mapping of keys to values")
    #expect(refusal(file: "name:\n") == "desk.yaml:1: name: the value is missing")
  }

  @Test func whatYAMLHasAndTheFileMayNotIsRefused() {
    #expect(refusal(file: "name: &a x\n") == "desk.yaml:1: anchors are not supported")
    #expect(refusal(file: "\nname: *a\n") == "desk.yaml:2: aliases are not supported")
    #expect(refusal(file: "name: !!str x\n") == "desk.yaml:1: tags are not supported")
    #expect(refusal(file: "name: a\n---\nname: b\n") == "desk.yaml:2: more than one document")
    #expect(refusal(file: "- a\n").hasPrefix("desk.yaml:1: the file is not a mapping"))
    #expect(refusal(file: "name: a\n  b: c\n").hasPrefix("desk.yaml:2: "))
    #expect(refusal(file: "name: \"a\n").hasPrefix("desk.yaml:"))
    #expect(refusal(file: "name: \u{1}\n").hasPrefix("desk.yaml:"))
    #expect(refusal(file: "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[").hasPrefix("desk.yaml:1"))
    #expect(refusal(file: "name: [[[[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]]]\n").contains("too deep"))
  }

  @Test func anEmptyFileSaysNothing() throws {
    for text in ["", "\n", "# only a remark\n", "---\n"] {
      #expect(try configured(file: text).configuration == Configuration())
    }
  }

  @Test func aMistakeElsewhereNamesTheFlagOrTheVariable() {
    #expect(
      refusal(["--log-level", "loud"])
        == "--log-level: log_level: \"loud\" is none of trace, debug, info, notice, "
        + "warning, error, critical")
    #expect(
      refusal(variables: ["COAGENT_DRAIN_MS": "-1"])
        == "COAGENT_DRAIN_MS: limits.drain_ms: -1 is not from 0 to 86400000")
    #expect(refusal(["--liste", "x"]) == "unknown option --liste; did you mean --listen?")
    #expect(refusal(["start"]) == "\"start\" is not expected; the options all start with --")
    #expect(refusal(["--name"]) == "--name: the value is missing")
    #expect(refusal(["--allow-remote=yes"]).hasSuffix("\"yes\" is neither true nor false"))
    #expect(refusal(["--socket-mode", "0400"]).contains("no octal mode"))
    #expect(refusal(["--allowed-uids", "root"]).contains("\"root\" is no user or group number"))
  }

  @Test func aMissingFileIsRefusedInTheNameOfWhoAskedForIt() throws {
    let arguments = try Arguments(["--config", "/nowhere/desk.yaml"])
    #expect(
      throws: ConfigurationError(
        origin: .flag("--config"),
        message: "cannot read /nowhere/desk.yaml: No such file or directory")
    ) { try ConfigurationReader.read(arguments, [:]) }
    let other = try Arguments([])
    #expect(
      throws: ConfigurationError(
        origin: .variable("COAGENT_CONFIG"), message: "cannot read /: it is not a regular file")
    ) { try ConfigurationReader.read(other, ["COAGENT_CONFIG": "/"]) }
  }

  @Test func tcpWantsTokensAndLoopbackUnlessToldOtherwise() throws {
    #expect(refusal(["--listen", "tcp://127.0.0.1:0"]).contains("wants tokens"))
    let remote = ["--listen", "tcp://0.0.0.0:7070", "--tokens-file", "/t"]
    #expect(refusal(remote).contains("can be reached from other machines"))
    #expect(
      try configured(remote + ["--allow-remote"]).configuration.listen
        == [.tcp(host: "0.0.0.0", port: 7070)])
    let local = ["--listen", "tcp://[::1]:7070", "--tokens-file", "/t"]
    #expect(try configured(local).configuration.listen == [.tcp(host: "::1", port: 7070)])
  }

  @Test func marksThatContradictEachOtherAreRefused() {
    #expect(
      refusal(["--connection-hard-mark-bytes", "65536"])
        == "--connection-hard-mark-bytes: limits.connection_hard_mark_bytes (65536) is below "
        + "limits.connection_high_mark_bytes (8388608)")
    #expect(
      refusal(["--listen", "unix:/a", "--listen", "unix:/a"]) == "--listen: unix:/a is there twice")
  }

  @Test func endpointsAreReadAndWritten() throws {
    for text in ["unix:/run/a b.sock", "tcp://127.0.0.1:7070", "tcp://[::1]:0"] {
      #expect(try ListenAddress.read(text).description == text)
    }
    #expect(try ListenAddress.read("tcp://localhost:1") == .tcp(host: "127.0.0.1", port: 1))
    for text in [
      "", "/tmp/a", "unix:a", "tcp://a", "tcp://127.0.0.1", "tcp://example.com:1",
      "tcp://127.0.0.1:65536", "tcp://127.0.0.1:-1", "tcp://:1", "udp://127.0.0.1:1",
    ] {
      #expect(throws: BadValue.self, "\(text)") { try ListenAddress.read(text) }
    }
  }

  @Test func theDefaultSocketFollowsTheEnvironment() throws {
    let reader = try configured()
    #expect(
      reader.configuration.endpoints(["XDG_RUNTIME_DIR": "/run/user/7", "TMPDIR": "/var/tmp"])
        == [.unix(path: "/run/user/7/coagent/coagentd.sock")])
    #expect(
      reader.configuration.endpoints(["TMPDIR": "/t"])
        == [.unix(path: "/t/coagent-\(geteuid())/coagentd.sock")])
    // Where clients are sent is not where a daemon listens.
    #expect(
      reader.configuration.endpoints(["TMPDIR": "/t", "COAGENT_URL": "unix:/elsewhere"])
        == [.unix(path: "/t/coagent-\(geteuid())/coagentd.sock")])
  }
}
