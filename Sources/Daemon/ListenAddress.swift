internal import EventLoop
internal import Transports

/// What a daemon asks of an endpoint beyond what a client does.
enum ListenAddress {
  /// Reads the written form of an endpoint to listen on; throws what is wrong with it, in words.
  static func read(_ text: String) throws(BadValue) -> Endpoint {
    let endpoint: Endpoint
    do throws(EndpointError) {
      endpoint = try Endpoint(parsing: text)
    } catch {
      throw BadValue("\(error)")
    }
    switch endpoint {
    case .unix: return endpoint
    case .tcp(let host, let port):
      // What a listener binds to must not depend on what a name server says.
      let address = host == "localhost" ? "127.0.0.1" : host
      guard SocketAddress(numericHost: address, port: port) != nil else {
        throw BadValue("\"\(text)\" wants a numeric address, such as 127.0.0.1, [::1] or 0.0.0.0")
      }
      return .tcp(host: address, port: port)
    }
  }
}

extension Endpoint {
  var isTCP: Bool {
    switch self {
    case .unix: false
    case .tcp: true
    }
  }

  /// Whether only this machine can reach it.
  var isLocal: Bool {
    switch self {
    case .unix: true
    case .tcp(let host, let port):
      SocketAddress(numericHost: host, port: port)?.isLoopback ?? false
    }
  }

  var takesFreePort: Bool {
    switch self {
    case .unix: false
    case .tcp(_, let port): port == 0
    }
  }
}

/// What is wrong with a setting's value; the reader adds where it stands.
struct BadValue: Error, Equatable {
  var message: String

  init(_ message: String) {
    self.message = message
  }
}
