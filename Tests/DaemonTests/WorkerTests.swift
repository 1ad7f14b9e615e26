import Glibc
import TestSupport
import Testing

@testable import Daemon

/// The running daemon with workers of its own, which are shell scripts here.
@Suite struct WorkerTests {
  private let folder: TemporaryFolder

  init() throws {
    self.folder = try TemporaryFolder()
  }

  /// Starts a daemon with one worker, `w`, that runs the script.
  private func start(_ script: String, _ settings: String = "") throws -> RunningDaemon {
    let quoted = script.split(separator: "'", omittingEmptySubsequences: false)
      .joined(separator: "''")
    let file = "workers:\n  w:\n    command: [/bin/sh, -c, '\(quoted)']\n" + settings
    let path = try self.folder.write("c.yaml", file, mode: 0o600)
    return try RunningDaemon(
      ["--config", path, "--listen", "unix:\(self.folder.path)/c.sock", "--log-level", "debug"],
      environment: ["PATH": "/usr/bin:/bin"])
  }

  private func end(_ daemon: RunningDaemon) throws {
    daemon.signal(SIGTERM)
    _ = try daemon.line(with: "stopped")
    #expect(try daemon.exitCode() == ExitCode.done.rawValue)
  }

  /// The pid in a line that says one.
  private func pid(_ line: String) throws -> pid_t {
    let text = try #require(line.firstMatch(of: /pid=(\d+)/)).output.1
    return try #require(pid_t(text))
  }

  @Test func aWorkerKnowsWhereTheDaemonIsAndIsHeardLineByLine() throws {
    let script = "echo $COAGENT_URL $COAGENT_WORKER $MORE; pwd >&2; printf cut; exec sleep 600"
    let daemon = try self.start(
      script, "    directory: /\n    environment: {MORE: more}\n    count: 2\n")
    let first = try daemon.line(with: "unix:\(self.folder.path)/c.sock w-")
    #expect(first.contains(" more") && first.contains("stream=output"))
    _ = try daemon.line(with: "stream=errors")
    try self.end(daemon)
  }

  @Test func oneThatEndsIsStartedAgainLaterEachTime() throws {
    let daemon = try self.start("exit 3")
    for delayMs in [100, 200, 400] {
      #expect(try daemon.line(with: "worker ended").contains("code=3"))
      #expect(try daemon.line(with: "started again").contains("in_ms=\(delayMs)"))
    }
    try self.end(daemon)
  }

  @Test func oneThatIsKilledIsStartedAgain() throws {
    let daemon = try self.start("exec sleep 600")
    let pid = try self.pid(try daemon.line(with: "worker started"))
    kill(pid, SIGKILL)
    #expect(try daemon.line(with: "worker ended").contains("signal=9"))
    #expect(try self.pid(try daemon.line(with: "worker started")) != pid)
    try self.end(daemon)
  }

  @Test func onFailureMeansNotAfterSuccess() throws {
    let script = "[ -e \(self.folder.path)/x ] && exit 0; touch \(self.folder.path)/x; exit 1"
    let daemon = try self.start(script, "    restart: on_failure\n")
    #expect(try daemon.line(with: "worker ended").contains("code=1"))
    #expect(try daemon.line(with: "worker ended").contains("code=0"))
    daemon.signal(SIGTERM)
    let rest = try daemon.rest()
    #expect(!rest.contains("started again") && rest.contains("stopped"))
  }

  @Test func aProgramThatIsNotThereIsNamed() throws {
    let path = try self.folder.write(
      "c.yaml", "workers:\n  w: {command: no-such-program}\n", mode: 0o600)
    let daemon = try RunningDaemon(
      ["--config", path, "--listen", "unix:\(self.folder.path)/c.sock"])
    _ = try daemon.line(with: "cannot start no-such-program: No such file or directory")
    #expect(try daemon.line(with: "worker ended").contains("code=127"))
    try self.end(daemon)
  }

  @Test func aDirectoryThatIsNotThereIsNamed() throws {
    let daemon = try self.start("exit 0", "    directory: /no/such/place\n")
    #expect(try daemon.line(with: "cannot start the worker").contains("/no/such/place"))
    try self.end(daemon)
  }

  @Test func drainingEndsWorkersAndWhatTheyStarted() throws {
    let held = try HeldPipe("\(self.folder.path)/held")
    let daemon = try self.start("sleep 600 3>\(held.path) & exec 3>\(held.path); echo held; wait")
    _ = try daemon.line(with: "held")
    try self.end(daemon)
    #expect(held.isLetGo())
  }

  @Test func aKilledDaemonTakesItsWorkersWithIt() throws {
    let held = try HeldPipe("\(self.folder.path)/held")
    let daemon = try self.start("exec 3>\(held.path); echo held; exec sleep 600")
    _ = try daemon.line(with: "held")
    daemon.signal(SIGKILL)
    #expect(try daemon.exitCode() == 128 + SIGKILL)
    #expect(held.isLetGo())
  }
}

/// A named pipe that processes hold open for writing, to see from outside when they are gone.
private final class HeldPipe {
  let path: String
  private let descriptor: Int32

  init(_ path: String) throws {
    self.path = path
    try #require(mkfifo(path, 0o600) == 0)
    self.descriptor = open(path, O_RDONLY | O_NONBLOCK)
    try #require(self.descriptor >= 0)
  }

  deinit { close(self.descriptor) }

  /// Waits, ten seconds at most, until all who held it have ended.
  func isLetGo() -> Bool {
    var request = pollfd(fd: self.descriptor, events: 0, revents: 0)
    return poll(&request, 1, 10_000) == 1 && request.revents & Int16(POLLHUP) != 0
  }
}
