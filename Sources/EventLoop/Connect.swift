internal import CLibuv

extension ByteStream {
  /// Connects to the Unix socket at `path`.
  ///
  /// Throws `ENAMETOOLONG` for a path that a socket address cannot hold, `ENOENT` when there is no
  /// such file, `ECONNREFUSED` when nobody listens, `EAGAIN` when too many others wait,
  /// `ECANCELED` when the task is cancelled.
  public static func connect(unixPath path: String) async throws(StreamError) -> ByteStream {
    // libuv would cut a longer path, and connect to something else.
    if path.utf8.count > coagent_unix_path_max() { throw .nameTooLong }
    if path.utf8.contains(0) { throw .invalid }
    let stream = ByteStream(.unix)
    return try await Self.connect(stream) { $0.submit(unixPath: path) }
  }

  /// Connects to one address. Throws as `connect(2)` does, and `ECANCELED`.
  public static func connect(to address: SocketAddress) async throws(StreamError) -> ByteStream {
    let stream = ByteStream(.tcp)
    return try await Self.connect(stream) { $0.submit(address: address) }
  }

  /// Looks up `host` (off the loop) and connects to the first of its addresses that answers.
  /// Throws what the last of them, or the name service, said.
  public static func connect(host: String, port: UInt16) async throws(StreamError) -> ByteStream {
    var failure = StreamError.unknownHost
    for address in try await SocketAddress.resolve(host: host, port: port) {
      do throws(StreamError) {
        return try await Self.connect(to: address)
      } catch {
        if error == .cancelled { throw error }
        failure = error
      }
    }
    throw failure
  }

  private static func connect(
    _ stream: ByteStream, _ submit: (ConnectRequest) -> Void
  ) async throws(StreamError) -> ByteStream {
    let status = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        submit(ConnectRequest(stream: stream, continuation: continuation))
      }
    } onCancel: {
      Task { @LoopActor in stream.cancelConnecting() }
    }
    if status < 0 || stream.isClosing {
      stream.close()
      throw status < 0 ? StreamError(code: status) : .cancelled
    }
    stream.isConnected = true
    stream.didConnect()
    return stream
  }

  /// A cancellation that comes after the connection is the caller's to deal with.
  private func cancelConnecting() {
    if !self.isConnected { self.close() }
  }
}
