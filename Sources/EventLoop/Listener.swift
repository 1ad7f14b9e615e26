internal import CLibuv

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Takes the connections that a listener accepts. All calls come on the loop.
public protocol ListenerDelegate: AnyObject {
  /// `stream` is connected and belongs to the delegate now, who reads it or closes it.
  @LoopActor func listener(_ listener: Listener, didAccept stream: ByteStream)

  /// The process or system has no descriptor (`EMFILE`, `ENFILE`) or memory left: whoever wants to
  /// connect waits, and accepting is tried again after `Listener.retryMs`. Called once per pause.
  @LoopActor func listener(_ listener: Listener, didPause error: StreamError)
}

/// Accepts connections on a Unix socket or a TCP port.
///
/// It watches its own descriptor rather than use libuv's listening, which closes waiting
/// connections when descriptors run out, accepts without bound in one turn, and has no pause.
@LoopActor
public final class Listener: LoopHandle {
  public static let retryMs: UInt64 = 100
  /// So that a storm of new connections does not starve those that are there.
  static let acceptedPerTurnMax = 64

  public let transport: ByteStream.Transport
  /// The bound address with the real port; `nil` on Unix sockets.
  public let address: SocketAddress?
  /// The path of the Unix socket; `nil` on TCP.
  public let path: String?

  private let descriptor: Int32
  private let inode: UnixPath.Inode?
  private var delegate: (any ListenerDelegate)?
  private var retry: LoopTimer?
  private var isHeld = false

  /// Listens on the Unix socket `path`, which only this user may connect to (mode 0600).
  ///
  /// A socket file that nobody listens on any more is replaced. Throws `ListenError.alreadyRunning`
  /// when somebody does, `.pathTooLong`, or `.failed`.
  public static func unix(
    path: String, backlog: Int = 4096, delegate: any ListenerDelegate
  ) throws(ListenError) -> Listener {
    let bound = try UnixPath.bind(path, backlog: backlog)
    return try Listener(
      .unix, descriptor: bound.descriptor, path: path, inode: bound.inode, delegate: delegate)
  }

  /// Listens on a TCP address. Port 0 takes a free one, which `address` tells.
  public static func tcp(
    _ address: SocketAddress, backlog: Int = 4096, delegate: any ListenerDelegate
  ) throws(ListenError) -> Listener {
    let descriptor = coagent_socket(address.isIPv6 ? AF_INET6 : AF_INET)
    try ListenError.check(descriptor, "socket", "\(address)")
    var status = coagent_set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
    if status == 0 {
      status = address.withStorage { coagent_bind(descriptor, $0, address.length) }
    }
    if status == 0 { status = coagent_listen(descriptor, Int32(clamping: backlog)) }
    if status < 0 {
      _ = unistdClose(descriptor)
      throw .failed("listen", "\(address)", StreamError(code: status))
    }
    return try Listener(.tcp, descriptor: descriptor, path: nil, inode: nil, delegate: delegate)
  }

  private init(
    _ transport: ByteStream.Transport, descriptor: Int32, path: String?, inode: UnixPath.Inode?,
    delegate: any ListenerDelegate
  ) throws(ListenError) {
    let poll = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
    let status = uv_poll_init(LoopExecutor.shared.loop, poll, descriptor)
    if status < 0 {
      poll.deallocate()
      _ = unistdClose(descriptor)
      throw .failed("listen", path ?? "tcp", StreamError(code: status))
    }
    self.transport = transport
    self.descriptor = descriptor
    self.path = path
    self.inode = inode
    self.address =
      transport == .tcp ? SocketAddress { coagent_local_address(descriptor, $0) } : nil
    self.delegate = delegate
    super.init(kind: .listener, memory: poll)
    self.watch()
  }

  // MARK: - Accepting

  /// Leaves new connections waiting in the kernel, until `resumeAccepting`.
  public func pauseAccepting() {
    self.isHeld = true
    if !self.isClosing { uv_poll_stop(self.poll) }
  }

  public func resumeAccepting() {
    if self.isClosing || !self.isHeld { return }
    self.isHeld = false
    if self.retry == nil { self.watch() }
  }

  private var poll: UnsafeMutablePointer<uv_poll_t> {
    self.memory.assumingMemoryBound(to: uv_poll_t.self)
  }

  private func watch() {
    let status = uv_poll_start(self.poll, Int32(UV_READABLE.rawValue)) { raw, _, _ in
      let me = Unmanaged<Listener>.fromOpaque(raw!.pointee.data!).takeUnretainedValue()
      LoopActor.assumeIsolated { me.didBecomeReadable() }
    }
    mustSucceed(status, "uv_poll_start")
  }

  private func didBecomeReadable() {
    for _ in 0..<Self.acceptedPerTurnMax {
      if self.isClosing || self.isHeld { return }
      let accepted = coagent_accept(self.descriptor)
      if accepted >= 0 {
        // A connection that ended while it waited is no concern of the delegate's.
        guard let stream = try? ByteStream(self.transport, descriptor: accepted) else { continue }
        stream.isConnected = true
        self.delegate?.listener(self, didAccept: stream)
        continue
      }
      switch -accepted {
      case EAGAIN: return
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: return self.pause(StreamError(code: accepted))
      default: continue  // the connection's own failure: ECONNABORTED, or a network error
      }
    }
  }

  /// The listening socket stays readable, so watching it meanwhile would keep the loop spinning.
  private func pause(_ error: StreamError) {
    uv_poll_stop(self.poll)
    let retry = LoopTimer { [unowned self] in self.didWaitForDescriptors() }
    self.retry = retry
    retry.start(afterMs: Self.retryMs)
    self.delegate?.listener(self, didPause: error)
  }

  private func didWaitForDescriptors() {
    self.retry?.close()
    self.retry = nil
    if !self.isClosing && !self.isHeld { self.watch() }
  }

  // MARK: - Closing

  /// The socket file goes before the socket, or it might be a successor's by then.
  override func willClose() {
    self.retry?.close()
    self.retry = nil
    if let path = self.path, let inode = self.inode { UnixPath.remove(path, ifStill: inode) }
    uv_poll_stop(self.poll)
    _ = unistdClose(self.descriptor)
  }

  override func didClose() { self.delegate = nil }
}

/// Why a listener could not be made.
public enum ListenError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Somebody accepts connections on this socket already.
  case alreadyRunning(path: String)
  case pathTooLong(path: String, bytesMax: Int)
  /// What was attempted, on what, and what the system said.
  case failed(_ operation: String, _ subject: String, StreamError)

  public var description: String {
    switch self {
    case .alreadyRunning(let path):
      "another process is already listening on \(path)"
    case .pathTooLong(let path, let bytesMax):
      "the socket path \(path) has \(path.utf8.count) bytes, more than \(bytesMax)"
    case .failed(let operation, let subject, let error):
      "cannot \(operation) on \(subject): \(error.message) (\(error.name))"
    }
  }

  static func check(
    _ status: Int32, _ operation: String, _ subject: String
  ) throws(ListenError) {
    if status < 0 { throw .failed(operation, subject, StreamError(code: status)) }
  }
}
