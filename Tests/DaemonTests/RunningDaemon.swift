import Glibc
import TestSupport
import Testing

/// The built coagentd as a child process, with what it writes. Killed when the test lets go of it.
final class RunningDaemon {
  struct Unexpected: Error, CustomStringConvertible {
    var description: String
  }

  let pid: pid_t
  private let output: Int32
  private var unread: [UInt8] = []
  private var hasEnded = false

  /// The program that this build made, beside the tests that it made.
  static func program() throws -> String {
    let tests = try #require(CommandLine.arguments.first)
    let folder = try #require(tests.firstRange(of: "/debug/"))
    return tests[..<folder.upperBound] + "coagentd"
  }

  /// - Parameter environment: all of it but what sanitizers are told; nothing else is inherited.
  init(_ arguments: [String], environment: [String: String] = [:]) throws {
    var ends: [Int32] = [0, 0]
    // Else a daemon of another test inherits them, and no end of this one is seen before its own.
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    for descriptor: Int32 in [1, 2] {
      posix_spawn_file_actions_adddup2(&actions, ends[1], descriptor)
    }
    let program = try Self.program()
    var words = ([program] + arguments).map { strdup($0) } + [nil]
    var environment = environment
    for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] {
      environment[name] = getenv(name).map { String(cString: $0) }
    }
    var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { (words + variables).forEach { free($0) } }
    var pid = pid_t()
    let status = posix_spawn(&pid, program, &actions, nil, &words, &variables)
    close(ends[1])
    self.pid = pid
    self.output = ends[0]
    guard status == 0 else {
      self.hasEnded = true
      throw Unexpected(description: "\(program): \(String(cString: strerror(status)))")
    }
  }

  /// Waits for a line with `text` in it and returns that line.
  func line(with text: String) throws -> String {
    while true {
      while let end = self.unread.firstIndex(of: 0x0A) {
        let line = String(decoding: self.unread[..<end], as: UTF8.self)
        self.unread.removeSubrange(...end)
        if line.contains(text) { return line }
      }
      let before = String(decoding: self.unread, as: UTF8.self)
      guard try self.readMore() else {
        throw Unexpected(description: "it ended without a line with \"\(text)\": \(before)")
      }
    }
  }

  /// Everything from here to its end.
  func rest() throws -> String {
    while try self.readMore() {}
    defer { self.unread = [] }
    return String(decoding: self.unread, as: UTF8.self)
  }

  /// Waits for its end; the exit code, or 128 and the signal that ended it.
  func exitCode() throws -> Int32 {
    // Its standard output closes with it, so what follows does not wait for long.
    while try self.readMore() {}
    var status: Int32 = 0
    try #require(waitpid(self.pid, &status, 0) == self.pid)
    self.hasEnded = true
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + (status & 0x7F)
  }

  func signal(_ number: Int32) {
    kill(self.pid, number)
  }

  /// Reads what there is, waiting at most ten seconds for it; `false` at the end.
  private func readMore() throws -> Bool {
    var request = pollfd(fd: self.output, events: Int16(POLLIN), revents: 0)
    guard poll(&request, 1, 10_000) == 1 else {
      throw Unexpected(description: "nothing came from the daemon in ten seconds")
    }
    var room = [UInt8](repeating: 0, count: 4_096)
    let count = read(self.output, &room, room.count)
    if count > 0 { self.unread += room[..<count] }
    return count > 0
  }

  deinit {
    if !self.hasEnded {
      kill(self.pid, SIGKILL)
      var status: Int32 = 0
      waitpid(self.pid, &status, 0)
    }
    close(self.output)
  }
}
