import Glibc
import TestSupport
import Testing

@testable import Daemon

/// The program as systemd, a shell and a script see it.
@Suite struct ProcessTests {
  private let folder: TemporaryFolder
  private var socket: String { "\(self.folder.path)/c.sock" }

  init() throws {
    self.folder = try TemporaryFolder()
  }

  private func start(
    _ arguments: [String] = [], environment: [String: String] = [:]
  ) throws -> RunningDaemon {
    try RunningDaemon(["--listen", "unix:\(self.socket)"] + arguments, environment: environment)
  }

  /// Connects to the daemon's socket and sends bytes, then everything that comes back.
  private func answer(to bytes: [UInt8]) throws -> String {
    let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var bound = timeval(tv_sec: 5, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &bound, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(self.socket.utf8)) }
    let status = withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(status == 0)
    try #require(write(descriptor, bytes, bytes.count) == bytes.count)
    var room = [UInt8](repeating: 0, count: 4_096)
    let count = read(descriptor, &room, room.count)
    return String(decoding: room[..<max(0, count)], as: UTF8.self)
  }

  private func frame(_ header: String) -> [UInt8] {
    let length = UInt32(header.utf8.count)
    return withUnsafeBytes(of: length.bigEndian, Array.init) + [0, 0, 0, 0] + Array(header.utf8)
  }

  @Test func itSaysWhereItListensServesAndDrains() throws {
    let daemon = try self.start()
    #expect(try daemon.line(with: "ready").contains("listen=unix:\(self.socket) "))
    var status = stat()
    #expect(stat(self.socket, &status) == 0 && status.st_mode & 0o777 == 0o600)
    let welcome = try self.answer(to: self.frame(#"{"op":"hello","v":1,"client":"test"}"#))
    #expect(welcome.contains(#""op":"welcome""#) && welcome.contains("coagentd/\(Usage.version)"))
    daemon.signal(SIGTERM)
    _ = try daemon.line(with: "draining")
    #expect(try daemon.exitCode() == ExitCode.done.rawValue)
    #expect(access(self.socket, F_OK) != 0)
  }

  @Test func inJSONTheReadyLineNamesPortsThatWereFree() throws {
    let tokens = try self.folder.write("tokens", "ci:0123456789abcdef\n", mode: 0o600)
    let daemon = try self.start(
      [
        "--listen", "tcp://127.0.0.1:0", "--tokens-file", tokens, "--log-format", "json",
        "--log-level", "critical",
      ])
    let line = try daemon.line(with: "ready")
    let ready = try SpelledJSON(parsing: line)
    let listen = (ready["listen"]?.elements ?? []).compactMap(\.string)
    try #require(listen.count == 2)
    #expect(listen[0] == "unix:\(self.socket)")
    let port = try #require(listen[1].split(separator: ":").last.flatMap { Int($0) })
    #expect(listen[1].hasPrefix("tcp://127.0.0.1:") && port > 0)
    #expect(ready["pid"]?.integer == Int(daemon.pid))
    daemon.signal(SIGINT)
    #expect(try daemon.exitCode() == ExitCode.done.rawValue)
  }

  @Test func aSecondDaemonRefusesAndTheFirstGoesOn() throws {
    let first = try self.start()
    _ = try first.line(with: "ready")
    let second = try self.start()
    #expect(try second.rest().contains("already listening on \(self.socket)"))
    #expect(try second.exitCode() == ExitCode.alreadyRunning.rawValue)
    #expect(try self.answer(to: self.frame(#"{"op":"ping"}"#)).contains("hello_expected"))
    first.signal(SIGTERM)
    #expect(try first.exitCode() == ExitCode.done.rawValue)
  }

  @Test func aSocketLeftByAKilledDaemonIsReplaced() throws {
    let first = try self.start()
    _ = try first.line(with: "ready")
    first.signal(SIGKILL)
    #expect(try first.exitCode() == 128 + SIGKILL)
    #expect(access(self.socket, F_OK) == 0)
    let second = try self.start()
    _ = try second.line(with: "ready")
    second.signal(SIGTERM)
    #expect(try second.exitCode() == ExitCode.done.rawValue)
  }

  @Test func theDefaultSocketIsMadeInADirectoryOfItsOwn() throws {
    let daemon = try RunningDaemon([], environment: ["XDG_RUNTIME_DIR": self.folder.path])
    let path = "\(self.folder.path)/coagent"
    defer { rmdir(path) }
    #expect(try daemon.line(with: "ready").contains("unix:\(path)/coagentd.sock"))
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o700)
    daemon.signal(SIGTERM)
    #expect(try daemon.exitCode() == ExitCode.done.rawValue)
  }

  @Test func aDirectoryThatOthersMayWriteToIsRefused() throws {
    let path = "\(self.folder.path)/coagent"
    try #require(mkdir(path, 0o700) == 0)
    defer { rmdir(path) }
    chmod(path, 0o777)
    let byDefault = try RunningDaemon([], environment: ["XDG_RUNTIME_DIR": self.folder.path])
    #expect(try byDefault.exitCode() == ExitCode.cannotListen.rawValue)
    let asAsked = try RunningDaemon(["--listen", "unix:\(path)/c.sock"])
    #expect(try asAsked.rest().contains("replace the socket"))
    #expect(try asAsked.exitCode() == ExitCode.cannotListen.rawValue)
  }

  @Test func mistakesEndWithTheirOwnCode() throws {
    let file = try self.folder.write("desk.yaml", "name: x\nlisen: y\n", mode: 0o600)
    let unknown = try self.start(["--config", file])
    #expect(try unknown.rest().contains("\(file):2: unknown key \"lisen\""))
    #expect(try unknown.exitCode() == ExitCode.badConfiguration.rawValue)
    let open = try self.folder.write("tokens", "a:b\n", mode: 0o644)
    let shared = try self.start(["--tokens-file", open])
    #expect(try shared.rest().contains("chmod 600"))
    #expect(try shared.exitCode() == ExitCode.badConfiguration.rawValue)
    let nowhere = try RunningDaemon(["--listen", "unix:/nowhere/at/all.sock"])
    #expect(try nowhere.exitCode() == ExitCode.cannotListen.rawValue)
  }

  @Test func questionsAboutItselfAreAnsweredWithoutListening() throws {
    #expect(try RunningDaemon(["--version"]).rest() == "coagentd \(Usage.version)\n")
    #expect(try RunningDaemon(["--help"]).rest() == Usage.help)
    #expect(try RunningDaemon(["--check-config"]).rest() == "the configuration is right\n")
    let printed = try RunningDaemon(["--print-config", "--drain-ms", "7"])
    #expect(try printed.rest().contains("  drain_ms: 7  # --drain-ms\n"))
    #expect(try printed.exitCode() == ExitCode.done.rawValue)
  }

  @Test func tokensAreReadAgainOnSIGHUPAndAMistakeKeepsTheOldOnes() throws {
    let tokens = try self.folder.write("tokens", "a:one\n", mode: 0o600)
    let daemon = try self.start(["--tokens-file", tokens])
    _ = try daemon.line(with: "ready")
    _ = try self.folder.write("tokens", "a:one\nb:two\n", mode: 0o600)
    daemon.signal(SIGHUP)
    #expect(try daemon.line(with: "tokens read again").contains("tokens=2"))
    _ = try self.folder.write("tokens", "a:one\na:two\n", mode: 0o600)
    daemon.signal(SIGHUP)
    #expect(try daemon.line(with: "the old tokens stay").contains("tokens:2"))
    daemon.signal(SIGTERM)
    #expect(try daemon.exitCode() == ExitCode.done.rawValue)
  }

  @Test func theServiceManagerHearsOfReadinessAndOfTheEnd() throws {
    let path = "\(self.folder.path)/notify"
    let receiver = try ServiceNotifierTests().receiver(at: path)
    defer { close(receiver) }
    let daemon = try self.start(environment: ["NOTIFY_SOCKET": path])
    // The notice follows the line; from the drain on, both notices are there.
    _ = try daemon.line(with: "ready")
    daemon.signal(SIGTERM)
    #expect(try daemon.exitCode() == ExitCode.done.rawValue)
    let notices = ServiceNotifierTests()
    #expect(notices.receive(receiver) == "READY=1\nSTATUS=listening on unix:\(self.socket)")
    #expect(notices.receive(receiver).hasPrefix("STOPPING=1\n"))
  }
}
