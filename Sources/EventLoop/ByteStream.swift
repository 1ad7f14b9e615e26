internal import CLibuv

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Some bytes to be written, laid out like the system's `iovec`.
public struct WriteSlice {
  public var base: UnsafeRawPointer?
  public var count: Int

  @inlinable
  public init(_ base: UnsafeRawPointer?, count: Int) {
    self.base = base
    self.count = count
  }
}

/// Takes the bytes of a stream. All calls come on the loop, never from within a call of the
/// reader's.
public protocol ByteReader: AnyObject {
  /// Where the next bytes shall go. Called before every read, and the memory is used only until the
  /// `didRead` that follows. An empty buffer means "nothing more in this turn": what the socket
  /// holds is offered again in the next turn. For a longer pause, use `stopReading`.
  @LoopActor func lendBuffer() -> UnsafeMutableRawBufferPointer

  /// `count` (at least 1) bytes are at the beginning of the buffer lent last.
  @LoopActor func didRead(_ count: Int)

  /// Nothing more will be read: `nil` when the peer has finished, else why. Called at most once,
  /// and not after the stream was closed on this side. The stream still has to be closed.
  @LoopActor func didEnd(_ error: StreamError?)
}

/// Hears of the end of a write that could not be made at once.
public protocol ByteWriter: AnyObject {
  /// All of it was written, or `error` says why not (`ECANCELED` when the stream was closed first;
  /// the stream may already be closing). Never called from within `write`.
  @LoopActor func didWrite(_ error: StreamError?)
}

/// A connected Unix or TCP socket, or a pipe to a child process, of bytes in order.
///
/// The stream keeps its reader until it is closed, and lives until then. After `close`, no method
/// but `close` may be called, and the reader hears nothing more.
@LoopActor
public final class ByteStream: LoopHandle {
  public enum Transport: Sendable {
    case unix, tcp, pipe
  }

  public let transport: Transport
  var isConnected = false
  private var reader: (any ByteReader)?

  var asStream: UnsafeMutablePointer<uv_stream_t> {
    self.memory.assumingMemoryBound(to: uv_stream_t.self)
  }

  /// A stream that is not connected to anything yet.
  init(_ transport: Transport) {
    self.transport = transport
    let loop = LoopExecutor.shared.loop
    let memory: UnsafeMutableRawPointer
    if transport == .tcp {
      let tcp = UnsafeMutablePointer<uv_tcp_t>.allocate(capacity: 1)
      mustSucceed(uv_tcp_init(loop, tcp), "uv_tcp_init")
      memory = UnsafeMutableRawPointer(tcp)
    } else {
      let pipe = UnsafeMutablePointer<uv_pipe_t>.allocate(capacity: 1)
      mustSucceed(uv_pipe_init(loop, pipe, 0), "uv_pipe_init")
      memory = UnsafeMutableRawPointer(pipe)
    }
    super.init(kind: .stream, memory: memory)
  }

  /// Takes over a connected descriptor; on failure the descriptor is closed.
  convenience init(_ transport: Transport, descriptor: Int32) throws(StreamError) {
    self.init(transport)
    let status =
      transport == .tcp
      ? uv_tcp_open(self.memory.assumingMemoryBound(to: uv_tcp_t.self), descriptor)
      : uv_pipe_open(self.memory.assumingMemoryBound(to: uv_pipe_t.self), descriptor)
    if status < 0 {
      _ = unistdClose(descriptor)
      self.close()
      throw StreamError(code: status)
    }
    self.didConnect()
  }

  /// Small frames must not wait for the acknowledgement of earlier ones.
  func didConnect() {
    if self.transport == .tcp {
      _ = uv_tcp_nodelay(self.memory.assumingMemoryBound(to: uv_tcp_t.self), 1)
    }
  }

  // MARK: - Reading

  /// Delivers what arrives to `reader`, beginning with the next turn. Starting again replaces the
  /// reader. Throws when the stream cannot be read.
  public func startReading(_ reader: any ByteReader) throws(StreamError) {
    precondition(!self.isClosing, "reading from a closed stream")
    self.reader = reader
    let status = uv_read_start(
      self.asStream,
      { raw, _, lent in
        let me = ByteStream.from(raw!)
        nonisolated(unsafe) let lent = lent!
        LoopActor.assumeIsolated { me.willRead(lent) }
      },
      { raw, count, _ in
        let me = ByteStream.from(UnsafeMutableRawPointer(raw!))
        LoopActor.assumeIsolated { me.didRead(count) }
      })
    if status != UV_EALREADY.rawValue { try throwing(status) }
  }

  /// Leaves what arrives in the socket, until `startReading`. Stopping twice is allowed.
  public func stopReading() {
    if !self.isClosing { uv_read_stop(self.asStream) }
  }

  @inline(__always)
  private static nonisolated func from(_ raw: UnsafeMutablePointer<uv_handle_t>) -> ByteStream {
    Unmanaged<ByteStream>.fromOpaque(raw.pointee.data!).takeUnretainedValue()
  }

  @inline(__always)
  private static nonisolated func from(_ raw: UnsafeMutableRawPointer) -> ByteStream {
    Self.from(raw.assumingMemoryBound(to: uv_handle_t.self))
  }

  private func willRead(_ lent: UnsafeMutablePointer<uv_buf_t>) {
    guard let buffer = self.reader?.lendBuffer(), buffer.count > 0 else { return }
    lent.pointee.base = buffer.baseAddress!.assumingMemoryBound(to: CChar.self)
    lent.pointee.len = buffer.count
  }

  private func didRead(_ count: Int) {
    if count > 0 {
      self.reader?.didRead(count)
      return
    }
    // Zero is "nothing there after all", and ENOBUFS is libuv's word for an empty buffer.
    if count == 0 || count == Int(UV_ENOBUFS.rawValue) || self.isClosing { return }
    let reader = self.reader
    self.reader = nil
    uv_read_stop(self.asStream)
    reader?.didEnd(count == Int(UV_EOF.rawValue) ? nil : StreamError(code: Int32(count)))
  }

  // MARK: - Writing

  /// Gives the kernel as much as it takes now, in one system call, without allocating.
  ///
  /// Returns how many bytes it took: 0 when it would block or an earlier `write` is not done.
  public func tryWrite(_ slices: UnsafeBufferPointer<WriteSlice>) throws(StreamError) -> Int {
    precondition(!self.isClosing, "writing to a closed stream")
    guard let first = slices.baseAddress else { return 0 }
    // The two structures are laid out alike, which the C shim asserts.
    let buffers = UnsafeRawPointer(first).assumingMemoryBound(to: uv_buf_t.self)
    let status = uv_try_write(self.asStream, buffers, UInt32(slices.count))
    if status == UV_EAGAIN.rawValue { return 0 }
    try throwing(status)
    return Int(status)
  }

  /// Writes all of `slices`, in order after earlier writes, as the peer takes it.
  ///
  /// The bytes (not the array of slices) must stay as they are until `writer` hears that they were
  /// written; `owner` is kept until then. Nothing is called back when this throws.
  public func write(
    _ slices: UnsafeBufferPointer<WriteSlice>, keeping owner: AnyObject?, writer: (any ByteWriter)?
  ) throws(StreamError) {
    precondition(!self.isClosing, "writing to a closed stream")
    guard let first = slices.baseAddress else { return }
    let request = WriteRequest(stream: self, owner: owner, writer: writer)
    let buffers = UnsafeRawPointer(first).assumingMemoryBound(to: uv_buf_t.self)
    try request.submit(buffers, count: slices.count)
  }

  /// Writes a copy of `bytes`. That it could not be written shows in the end of the reading.
  public func write(_ bytes: [UInt8]) throws(StreamError) {
    if bytes.isEmpty { return }
    let copy = OwnedBytes(copying: bytes)
    var slice = WriteSlice(copy.bytes.baseAddress, count: copy.bytes.count)
    let status = withUnsafePointer(to: &slice) { pointer -> StreamError? in
      do throws(StreamError) {
        try self.write(
          UnsafeBufferPointer(start: pointer, count: 1), keeping: copy, writer: nil)
        return nil
      } catch {
        return error
      }
    }
    if let status { throw status }
  }

  /// How many bytes of earlier writes wait for the peer.
  public var pendingBytes: Int {
    self.isClosing ? 0 : uv_stream_get_write_queue_size(self.asStream)
  }

  /// Tells the peer, once earlier writes are done, that nothing more will come. Reading goes on.
  public func finishWriting() {
    precondition(!self.isClosing, "finishing a closed stream")
    ShutdownRequest(stream: self).submit()
  }

  // MARK: - The socket

  /// The descriptor, for socket options; -1 when there is none.
  var descriptor: Int32 {
    var descriptor: uv_os_fd_t = -1
    return uv_fileno(self.asHandle, &descriptor) == 0 ? descriptor : -1
  }

  /// Asks for kernel buffers of this many bytes each way; the system may give less (on Linux the
  /// upper bound is `net.core.wmem_max` and `rmem_max`). Larger ones let large contents through in
  /// fewer turns.
  public func setBufferSizes(sendBytes: Int, receiveBytes: Int) {
    let descriptor = self.descriptor
    if self.isClosing || descriptor < 0 { return }
    _ = coagent_set_option(descriptor, SOL_SOCKET, SO_SNDBUF, Int32(clamping: sendBytes))
    _ = coagent_set_option(descriptor, SOL_SOCKET, SO_RCVBUF, Int32(clamping: receiveBytes))
  }

  /// Who is at the other end of a Unix socket, by the kernel's word; `nil` on TCP.
  public var peerCredentials: PeerCredentials? {
    var found = coagent_credentials()
    if self.transport != .unix || coagent_peer_credentials(self.descriptor, &found) != 0 {
      return nil
    }
    return PeerCredentials(uid: found.uid, gid: found.gid, pid: found.pid)
  }

  /// The address at the other end; `nil` on Unix sockets, whose clients have none.
  public var peerAddress: SocketAddress? {
    guard self.transport == .tcp else { return nil }
    return SocketAddress { coagent_peer_address(self.descriptor, $0) }
  }

  override func didClose() { self.reader = nil }
}

/// Who a process is, as the kernel says. `pid` is 0 where the system does not tell.
public struct PeerCredentials: Hashable, Sendable {
  public var uid: UInt32
  public var gid: UInt32
  public var pid: Int32
}
