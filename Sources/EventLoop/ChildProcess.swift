internal import CLibuv

/// A child process, with its standard streams on the loop.
@LoopActor
public final class ChildProcess: LoopHandle {
  /// What the child sees as one of its standard streams.
  public enum StandardStream: Sendable {
    /// The parent's own.
    case inherit
    /// `/dev/null`.
    case null
    /// A pipe, whose other end the parent reads or writes as a `ByteStream`.
    case pipe
  }

  public struct Command: Sendable {
    /// A path, or a name that is looked up in `PATH`.
    public var executable: String
    /// Without the name of the program itself.
    public var arguments: [String]
    /// `nil`: the parent's.
    public var environment: [String: String]?
    /// `nil`: the parent's.
    public var directory: String?
    /// Makes the child the leader of a session and process group of its own: what the terminal
    /// sends does not reach it, and `killGroup` reaches what it has started as well.
    public var isGroupLeader = false
    public var input = StandardStream.null
    public var output = StandardStream.inherit
    public var errors = StandardStream.inherit

    public init(_ executable: String, arguments: [String] = []) {
      self.executable = executable
      self.arguments = arguments
    }
  }

  public enum Ending: Hashable, Sendable {
    case exited(code: Int64)
    /// Ended by a signal.
    case killed(signal: Int32)
  }

  public let pid: Int32
  /// The parent's ends of the pipes; whoever started the child closes them.
  public let input: ByteStream?
  public let output: ByteStream?
  public let errors: ByteStream?
  private let isGroupLeader: Bool
  private var onExit: (@LoopActor (Ending) -> Void)?
  public private(set) var hasExited = false

  /// Starts the child. `onExit` is called once, when it has ended; the object then closes itself.
  /// Output may still be in the pipes at that moment: read them to their end.
  ///
  /// Throws `ENOENT`, `EACCES` and the like when the program cannot be started.
  public init(
    _ command: Command, onExit: @escaping @LoopActor (Ending) -> Void
  ) throws(StreamError) {
    let process = UnsafeMutablePointer<uv_process_t>.allocate(capacity: 1)
    let streams = [command.input, command.output, command.errors].map { wanted in
      wanted == .pipe ? ByteStream(.pipe) : nil
    }
    let status = Self.spawn(process, command, streams)
    self.pid = status < 0 ? 0 : process.pointee.pid
    self.input = streams[0]
    self.output = streams[1]
    self.errors = streams[2]
    self.isGroupLeader = command.isGroupLeader
    self.onExit = onExit
    // libuv wants the handle closed even if the process could not be started.
    super.init(kind: .process, memory: process)
    if status < 0 {
      for stream in streams { stream?.close() }
      self.onExit = nil
      self.close()
      throw StreamError(code: status)
    }
    for stream in streams { stream?.isConnected = true }
  }

  /// Sends a signal. Throws `ESRCH` when the child has ended.
  public func kill(_ signal: Int32) throws(StreamError) {
    if self.hasExited || self.isClosing { throw StreamError(UV_ESRCH) }
    try throwing(uv_process_kill(self.memory.assumingMemoryBound(to: uv_process_t.self), signal))
  }

  /// Sends a signal to the child and to all in its group, which may outlive it. Only for a child
  /// that leads a group. Throws `ESRCH` when nobody is left.
  public func killGroup(_ signal: Int32) throws(StreamError) {
    precondition(self.isGroupLeader, "the child has no group of its own")
    try throwing(uv_kill(-self.pid, signal))
  }

  /// For a process that shall not outlive the one that started it: has the signal sent to it when
  /// that one ends, also after an exec; on Linux only. `false` when `parent` has ended before.
  public nonisolated static func endWithParent(_ parent: Int32, signal: Int32) -> Bool {
    coagent_signal_at_parents_end(signal) == 0 && getppid() == parent
  }

  private func didExit(_ ending: Ending) {
    self.hasExited = true
    self.onExit?(ending)
    self.close()
  }

  override func didClose() { self.onExit = nil }

  // MARK: - Spawning

  private static let onExit: uv_exit_cb = { raw, code, signal in
    let me = Unmanaged<ChildProcess>.fromOpaque(raw!.pointee.data!).takeUnretainedValue()
    let ending = signal == 0 ? Ending.exited(code: code) : .killed(signal: signal)
    LoopActor.assumeIsolated { me.didExit(ending) }
  }

  private static func spawn(
    _ process: UnsafeMutablePointer<uv_process_t>, _ command: Command, _ streams: [ByteStream?]
  ) -> Int32 {
    let wanted = [command.input, command.output, command.errors]
    var containers = zip(wanted, streams).enumerated().map { number, pair in
      Self.container(number, pair.0, pair.1)
    }
    let environment = command.environment?.map { "\($0.key)=\($0.value)" }
    return withCStrings([command.executable] + command.arguments) { arguments in
      withCStrings(environment ?? []) { variables in
        withCStrings([command.executable, command.directory ?? ""]) { names in
          containers.withUnsafeMutableBufferPointer { stdio in
            var options = uv_process_options_t()
            options.exit_cb = Self.onExit
            options.file = UnsafePointer(names[0])
            options.args = arguments
            options.env = environment == nil ? nil : variables
            options.cwd = command.directory == nil ? nil : UnsafePointer(names[1])
            options.flags = command.isGroupLeader ? UV_PROCESS_DETACHED.rawValue : 0
            options.stdio_count = Int32(stdio.count)
            options.stdio = stdio.baseAddress
            return uv_spawn(LoopExecutor.shared.loop, process, &options)
          }
        }
      }
    }
  }

  private static func container(
    _ number: Int, _ wanted: StandardStream, _ stream: ByteStream?
  ) -> uv_stdio_container_t {
    var container = uv_stdio_container_t()
    switch wanted {
    case .inherit:
      container.flags = UV_INHERIT_FD
      container.data.fd = Int32(number)
    case .null:
      container.flags = UV_IGNORE
    case .pipe:
      // Seen from the child: it reads its input and writes the rest.
      let direction = number == 0 ? UV_READABLE_PIPE : UV_WRITABLE_PIPE
      container.flags = uv_stdio_flags(UV_CREATE_PIPE.rawValue | direction.rawValue)
      container.data.stream = stream!.asStream
    }
    return container
  }
}

/// A list of C strings with `NULL` at the end, as `execve` takes it.
private func withCStrings<Result>(
  _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  var copies: [UnsafeMutablePointer<CChar>?] = strings.map { string in
    let bytes = Array(string.utf8CString)
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    copy.initialize(from: bytes, count: bytes.count)
    return copy
  }
  copies.append(nil)
  defer { for copy in copies { copy?.deallocate() } }
  return copies.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
}
