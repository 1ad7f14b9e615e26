public import EventLoop

/// Takes the connections of all listeners. All calls come on the loop.
public protocol TransportListenersDelegate: AnyObject {
  /// `stream` belongs to the delegate now, who makes a connection of it or closes it.
  @LoopActor func didAccept(_ stream: ByteStream, from peer: TransportPeer)

  /// `endpoint` takes nobody for the moment, because descriptors or memory ran out; it tries again
  /// by itself.
  @LoopActor func didPauseAccepting(on endpoint: Endpoint, because error: StreamError)
}

/// Who has connected, as far as the transport knows.
public struct TransportPeer: Sendable {
  /// The listener's own endpoint, with the real port.
  public var endpoint: Endpoint
  /// Unix sockets: the peer's user, group and process, by the kernel's word. `nil` on TCP.
  public var credentials: PeerCredentials?
  /// TCP: the other end. `nil` on Unix sockets.
  public var address: SocketAddress?
}

/// Several listeners, Unix and TCP, that hand their connections to one delegate.
@LoopActor
public final class TransportListeners: ListenerDelegate {
  /// Asked for on every accepted Unix socket: at the system's usual 208 KiB, a content of 1 MiB
  /// takes many turns.
  public static let socketBufferBytes = 1 << 20

  private var listeners: [(endpoint: Endpoint, listener: Listener)] = []
  private weak var delegate: (any TransportListenersDelegate)?

  /// The delegate is not kept alive.
  public init(delegate: any TransportListenersDelegate) {
    self.delegate = delegate
    // Its hooks come first, so that the delegate's find what they have delivered.
    _ = TurnQueue.shared
  }

  /// The endpoints that are listened on, with real ports, in the order of the calls.
  public var endpoints: [Endpoint] { self.listeners.map(\.endpoint) }

  /// Listens on all addresses of `endpoint`; returns what is bound, with the real ports.
  ///
  /// Throws `ListenError`; what this call had bound is closed again.
  @discardableResult
  public func listen(on endpoint: Endpoint) async throws(ListenError) -> [Endpoint] {
    switch endpoint {
    case .unix(let path):
      self.listeners.append((endpoint, try Listener.unix(path: path, delegate: self)))
      return [endpoint]
    case .tcp(let host, let port):
      return try await self.listen(host, port)
    }
  }

  private func listen(_ host: String, _ port: UInt16) async throws(ListenError) -> [Endpoint] {
    let addresses: [SocketAddress]
    do throws(StreamError) {
      addresses = try await SocketAddress.resolve(host: host, port: port)
    } catch {
      throw .failed("look up the host", host, error)
    }
    var made: [(endpoint: Endpoint, listener: Listener)] = []
    do throws(ListenError) {
      for address in addresses {
        // A free port, once found, is the same on all addresses of the host.
        let wanted = SocketAddress(
          numericHost: address.host,
          port: port == 0 ? made.first?.listener.address?.port ?? 0 : port)
        let listener = try Listener.tcp(wanted ?? address, delegate: self)
        let bound = listener.address ?? address
        made.append((.tcp(host: bound.host, port: bound.port), listener))
      }
    } catch {
      for (_, listener) in made { listener.close() }
      throw error
    }
    self.listeners += made
    return made.map(\.endpoint)
  }

  /// Leaves whoever wants to connect waiting, on all endpoints.
  public func pauseAccepting() {
    for (_, listener) in self.listeners { listener.pauseAccepting() }
  }

  public func resumeAccepting() {
    for (_, listener) in self.listeners { listener.resumeAccepting() }
  }

  /// Stops listening and removes socket files. Accepted connections stay.
  public func close() {
    for (_, listener) in self.listeners { listener.close() }
    self.listeners.removeAll()
  }

  public func listener(_ listener: Listener, didAccept stream: ByteStream) {
    guard let delegate = self.delegate, let endpoint = self.endpoint(of: listener) else {
      stream.close()
      return
    }
    if stream.transport == .unix {
      stream.setBufferSizes(
        sendBytes: Self.socketBufferBytes, receiveBytes: Self.socketBufferBytes)
    }
    delegate.didAccept(
      stream,
      from: TransportPeer(
        endpoint: endpoint, credentials: stream.peerCredentials, address: stream.peerAddress))
  }

  public func listener(_ listener: Listener, didPause error: StreamError) {
    guard let endpoint = self.endpoint(of: listener) else { return }
    self.delegate?.didPauseAccepting(on: endpoint, because: error)
  }

  private func endpoint(of listener: Listener) -> Endpoint? {
    self.listeners.first { $0.listener === listener }?.endpoint
  }
}

extension ByteStream {
  /// Connects to a sidecar. Throws what the socket, the name service or a cancellation says.
  @LoopActor
  public static func connect(to endpoint: Endpoint) async throws(StreamError) -> ByteStream {
    switch endpoint {
    case .unix(let path):
      let stream = try await ByteStream.connect(unixPath: path)
      stream.setBufferSizes(
        sendBytes: TransportListeners.socketBufferBytes,
        receiveBytes: TransportListeners.socketBufferBytes)
      return stream
    case .tcp(let host, let port):
      return try await ByteStream.connect(host: host, port: port)
    }
  }
}
