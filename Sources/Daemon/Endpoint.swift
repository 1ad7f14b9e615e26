internal import EventLoop

/// Where the daemon listens: `unix:/path` or `tcp://address:port`.
enum Endpoint: Hashable, Sendable, CustomStringConvertible {
  case unix(path: String)
  case tcp(host: String, port: UInt16)

  /// Reads the written form; throws what is wrong with it, in words.
  init(_ text: String) throws(BadValue) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst("unix:".count))
      guard path.hasPrefix("/") else {
        throw BadValue("\"\(text)\" wants an absolute path, as in unix:/run/coagent/coagentd.sock")
      }
      self = .unix(path: path)
    } else if text.hasPrefix("tcp://") {
      self = try Self.tcp(text, authority: text.dropFirst("tcp://".count))
    } else {
      throw BadValue("\"\(text)\" is neither unix:/path nor tcp://address:port")
    }
  }

  private static func tcp(_ text: String, authority: Substring) throws(BadValue) -> Endpoint {
    guard let colon = authority.lastIndex(of: ":") else {
      throw BadValue("\"\(text)\" has no port, as in tcp://127.0.0.1:7070")
    }
    guard let port = UInt16(authority[authority.index(after: colon)...]) else {
      throw BadValue("the port of \"\(text)\" is not a number from 0 to 65535")
    }
    var host = String(authority[..<colon])
    if host.hasPrefix("[") && host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    // A listener's address must not depend on what a name server says.
    if host == "localhost" { host = "127.0.0.1" }
    guard SocketAddress(numericHost: host, port: port) != nil else {
      throw BadValue("\"\(text)\" wants a numeric address, such as 127.0.0.1, [::1] or 0.0.0.0")
    }
    return .tcp(host: host, port: port)
  }

  /// Whether only this machine can reach it.
  var isLocal: Bool {
    switch self {
    case .unix: true
    case .tcp(let host, let port):
      SocketAddress(numericHost: host, port: port)?.isLoopback ?? false
    }
  }

  var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .tcp(let host, let port) where host.contains(":"): "tcp://[\(host)]:\(port)"
    case .tcp(let host, let port): "tcp://\(host):\(port)"
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
