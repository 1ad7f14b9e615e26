internal import EventLoop
internal import FoundationEssentials
internal import Hosting
internal import Transports
internal import Wire

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Connects to a sidecar of its own, hands the client to `body`, and ends both when that is done.
///
/// The sidecar is a child process on a socket in a temporary folder, found as `program`, else as
/// `COAGENTD`, else as `coagentd` beside this program or on the `PATH`, and started with
/// `arguments`. On Linux it also ends when this process is killed. Others may connect to it at the
/// client's `url`. Throws `unavailable`, with the end of the daemon's log, when it does not start
/// within 10 s.
public func withLocalClient<Result>(
  program: String? = nil, arguments: [String] = [], options: ClientOptions = ClientOptions(),
  _ body: (Client) async throws -> Result
) async throws -> Result {
  let sidecar = try await LocalSidecar(program ?? LocalSidecar.program(), arguments)
  do {
    let client = try await sidecar.connect(options)
    let result: Result
    do {
      result = try await body(client)
    } catch {
      await client.close()
      throw error
    }
    await client.close()
    await sidecar.end()
    return result
  } catch {
    await sidecar.end()
    throw error
  }
}

/// A private coagentd.
@LoopActor
final class LocalSidecar {
  private let child: ChildProcess
  private let folder: String
  private let url: String
  private let exit: Exit

  /// How the child has ended, for those who wait for it.
  @LoopActor
  private final class Exit {
    var ending: ChildProcess.Ending?
    var waiting: [CheckedContinuation<Void, Never>] = []

    nonisolated init() {}

    func happened(_ ending: ChildProcess.Ending) {
      self.ending = ending
      for waiter in waiting { waiter.resume() }
      waiting = []
    }

    func wait() async {
      if ending == nil { await withCheckedContinuation { waiting.append($0) } }
    }
  }

  /// The end of what the child writes.
  @LoopActor
  private final class Log: ByteReader {
    private var bytes: [UInt8] = []
    private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 4_096, alignment: 1)
    private static let keptBytes = 2_000

    nonisolated init() {}

    isolated deinit { room.deallocate() }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    func lendBuffer() -> UnsafeMutableRawBufferPointer { room }

    func didRead(_ count: Int) {
      bytes = (bytes + room[..<count]).suffix(Self.keptBytes)
    }

    func didEnd(_ error: StreamError?) {}
  }

  private let log = Log()

  init(_ program: String, _ arguments: [String]) throws(AgentError) {
    folder = try Self.temporaryFolder()
    url = "unix:\(folder)/s"
    let exit = Exit()
    self.exit = exit
    // The daemon's program first asks to be ended with its parent, and then becomes the daemon.
    let launch = ["--exec-worker", "\(getpid())", program]
    var command = ChildProcess.Command(program, arguments: launch + ["--listen", url] + arguments)
    // What says where a sidecar is or how it runs is not meant for this one.
    command.environment = ProcessInfo.processInfo.environment
      .filter { !$0.key.hasPrefix("COAGENT") }
    command.output = .null
    command.errors = .pipe
    do {
      child = try ChildProcess(command) { exit.happened($0) }
      try child.errors?.startReading(log)
    } catch {
      _ = rmdir(folder)
      throw AgentError(.unavailable, "cannot start \(program): \(error.message)")
    }
  }

  /// What is started when nobody names it.
  nonisolated static func program() -> String {
    if let named = Endpoint.environment("COAGENTD"), !named.isEmpty { return named }
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/exe", &path, path.count - 1)
    if count > 0 {
      let own = String(decoding: path[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let beside = own[..<(own.lastIndex(of: "/") ?? own.startIndex)] + "/coagentd"
      if access(String(beside), X_OK) == 0 { return String(beside) }
    }
    return "coagentd"
  }

  /// Short enough for the path of a socket in it.
  private static func temporaryFolder() throws(AgentError) -> String {
    let wanted = Endpoint.environment("TMPDIR") ?? "/tmp"
    let base = wanted.utf8.count < 60 && !wanted.isEmpty ? wanted : "/tmp"
    var template = Array("\(base)/coagent-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw AgentError(
        .unavailable, "cannot make a folder in \(base): \(String(cString: strerror(errno)))")
    }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static let startTime = Duration.seconds(10)
  private static let stopTime = Duration.seconds(15)

  /// Returns once the daemon answers.
  func connect(_ options: ClientOptions) async throws -> Client {
    let until = ContinuousClock.now + Self.startTime
    var options = options
    options.wait = .zero
    while true {
      // Judged before trying: on a busy machine the time may pass while nobody looks.
      let isLast = ContinuousClock.now > until
      do {
        return try await Client.connect(url, options: options)
      } catch let error as AgentError where error.isPassing {
        if let ending = exit.ending {
          throw AgentError(.unavailable, "coagentd did not start: \(ending) \(log.text)")
        }
        if isLast {
          throw AgentError(.unavailable, "coagentd does not listen after \(Self.startTime)")
        }
        try await Task.sleep(for: .milliseconds(5))
      }
    }
  }

  /// Ends the daemon and removes its folder.
  func end() async {
    try? child.kill(SIGTERM)
    let exit = exit
    let child = child
    let alarm = Task { @LoopActor in
      try await Task.sleep(for: Self.stopTime)
      try? child.kill(SIGKILL)
    }
    await exit.wait()
    alarm.cancel()
    child.errors?.close()
    try? FileManager.default.removeItem(atPath: folder)
  }
}
