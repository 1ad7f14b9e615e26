internal import CLibuv

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

// A request keeps itself, its stream and its bytes until libuv calls back. libuv copies the list of
// buffers but not what they point to. When submitting fails there is no callback, and it lets go.

@LoopActor
final class WriteRequest {
  private nonisolated(unsafe) let request = UnsafeMutablePointer<uv_write_t>.allocate(capacity: 1)
  private let stream: ByteStream
  private let owner: AnyObject?
  private let writer: (any ByteWriter)?

  init(stream: ByteStream, owner: AnyObject?, writer: (any ByteWriter)?) {
    self.stream = stream
    self.owner = owner
    self.writer = writer
  }

  func submit(_ buffers: UnsafePointer<uv_buf_t>, count: Int) throws(StreamError) {
    let me = Unmanaged.passRetained(self)
    self.request.pointee.data = me.toOpaque()
    let status = uv_write(self.request, self.stream.asStream, buffers, UInt32(count)) {
      raw, status in
      let me = Unmanaged<WriteRequest>.fromOpaque(raw!.pointee.data!).takeRetainedValue()
      LoopActor.assumeIsolated { me.didWrite(status) }
    }
    if status < 0 { me.release() }
    try throwing(status)
  }

  private func didWrite(_ status: Int32) {
    self.writer?.didWrite(status < 0 ? StreamError(code: status) : nil)
  }

  deinit { self.request.deallocate() }
}

@LoopActor
final class ShutdownRequest {
  private nonisolated(unsafe) let request = UnsafeMutablePointer<uv_shutdown_t>.allocate(
    capacity: 1)
  private let stream: ByteStream

  init(stream: ByteStream) {
    self.stream = stream
  }

  /// A stream that cannot be shut down has ended already, which its reader hears.
  func submit() {
    let me = Unmanaged.passRetained(self)
    self.request.pointee.data = me.toOpaque()
    let status = uv_shutdown(self.request, self.stream.asStream) { raw, _ in
      Unmanaged<ShutdownRequest>.fromOpaque(raw!.pointee.data!).release()
    }
    if status < 0 { me.release() }
  }

  deinit { self.request.deallocate() }
}

@LoopActor
final class ConnectRequest {
  private nonisolated(unsafe) let request = UnsafeMutablePointer<uv_connect_t>.allocate(capacity: 1)
  private let stream: ByteStream
  private let continuation: CheckedContinuation<Int32, Never>

  init(stream: ByteStream, continuation: CheckedContinuation<Int32, Never>) {
    self.stream = stream
    self.continuation = continuation
  }

  func submit(unixPath: String) {
    let pipe = self.stream.memory.assumingMemoryBound(to: uv_pipe_t.self)
    self.request.pointee.data = Unmanaged.passRetained(self).toOpaque()
    uv_pipe_connect(self.request, pipe, unixPath, Self.didConnect)
  }

  func submit(address: SocketAddress) {
    let tcp = self.stream.memory.assumingMemoryBound(to: uv_tcp_t.self)
    let me = Unmanaged.passRetained(self)
    self.request.pointee.data = me.toOpaque()
    let status = address.withSockaddr { uv_tcp_connect(self.request, tcp, $0, Self.didConnect) }
    if status < 0 {
      me.release()
      self.continuation.resume(returning: status)
    }
  }

  private static let didConnect: uv_connect_cb = { raw, status in
    let me = Unmanaged<ConnectRequest>.fromOpaque(raw!.pointee.data!).takeRetainedValue()
    LoopActor.assumeIsolated { me.continuation.resume(returning: status) }
  }

  deinit { self.request.deallocate() }
}

/// Bytes with an address that stays, for writes that take a while.
final class OwnedBytes {
  let bytes: UnsafeMutableRawBufferPointer

  init(copying source: [UInt8]) {
    self.bytes = .allocate(byteCount: source.count, alignment: 1)
    self.bytes.copyBytes(from: source)
  }

  deinit { self.bytes.deallocate() }
}

/// `close(2)`, which inside a type with a `close` of its own cannot be said.
func unistdClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
