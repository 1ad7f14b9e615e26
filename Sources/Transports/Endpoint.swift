#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Where a sidecar is reached: `unix:/path` or `tcp://host:port`.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
  case unix(path: String)
  /// `host` is a name or an address, without the brackets of IPv6.
  case tcp(host: String, port: UInt16)

  /// Reads `unix:/path` (also `unix:///path`), `tcp://host:port` or `tcp://[::1]:port`.
  public init(parsing text: String) throws(EndpointError) {
    if let rest = text.afterPrefix("unix:") {
      // An empty authority, as a URL would have it, changes nothing.
      let path = rest.hasPrefix("///") ? rest.dropFirst(2) : rest
      guard path.hasPrefix("/"), !path.hasPrefix("//"), path != "/" else {
        throw .init(text, "a Unix socket is unix: and an absolute path, as in unix:/run/c.sock")
      }
      guard !path.utf8.contains(0) else { throw .init(text, "the path contains a null byte") }
      self = .unix(path: String(path))
    } else if let rest = text.afterPrefix("tcp://") {
      self = try Self.parseTCP(rest, text)
    } else {
      throw .init(text, "neither unix:/path nor tcp://host:port")
    }
  }

  private static func parseTCP(
    _ rest: Substring, _ text: String
  ) throws(EndpointError) -> Endpoint {
    guard let colon = rest.lastIndex(of: ":") else {
      throw .init(text, "the port is missing, as in tcp://127.0.0.1:7000")
    }
    let digits = rest[rest.index(after: colon)...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
      let port = UInt16(digits)
    else { throw .init(text, "the port is not a number from 0 to 65535") }
    var host = rest[..<colon]
    if host.hasPrefix("[") && host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      throw .init(text, "an IPv6 address stands in brackets, as in tcp://[::1]:7000")
    }
    guard !host.isEmpty else { throw .init(text, "the host is missing") }
    let isPlain = host.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && !"/?#@[]".utf8.contains($0) }
    guard isPlain else { throw .init(text, "the host contains a character that no host has") }
    return .tcp(host: String(host), port: port)
  }

  public var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .tcp(let host, let port):
      host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
    }
  }
}

/// Why a text names no endpoint.
public struct EndpointError: Error, Equatable, Sendable, CustomStringConvertible {
  public var text: String
  public var problem: String

  init(_ text: String, _ problem: String) {
    self.text = text
    self.problem = problem
  }

  public var description: String { "\"\(self.text)\" is no endpoint: \(self.problem)" }
}

extension Endpoint {
  /// Where the sidecar is when nothing else is said; the same rule for daemon, clients and CLI.
  ///
  /// `COAGENT_URL`, else `coagent/coagentd.sock` in `XDG_RUNTIME_DIR`, else
  /// `coagent-<uid>/coagentd.sock` in `TMPDIR` or `/tmp`. An empty variable counts as absent.
  public static func standard(
    environment: (String) -> String? = Self.environment
  ) throws(EndpointError) -> Endpoint {
    if let url = self.value(environment, "COAGENT_URL") { return try Endpoint(parsing: url) }
    return .unix(path: self.standardDirectory(environment) + "/coagentd.sock")
  }

  /// The directory of the default socket, without a slash at the end.
  public static func standardDirectory(
    _ environment: (String) -> String? = Self.environment
  ) -> String {
    if let runtime = self.value(environment, "XDG_RUNTIME_DIR") {
      return self.joined(runtime, "coagent")
    }
    let temporary = self.value(environment, "TMPDIR") ?? "/tmp"
    return self.joined(temporary, "coagent-\(geteuid())")
  }

  /// One variable of this process's environment.
  public static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }

  private static func value(_ environment: (String) -> String?, _ name: String) -> String? {
    environment(name).flatMap { $0.isEmpty ? nil : $0 }
  }

  private static func joined(_ directory: String, _ name: String) -> String {
    directory.hasSuffix("/") ? directory + name : directory + "/" + name
  }
}

extension String {
  fileprivate func afterPrefix(_ prefix: String) -> Substring? {
    self.hasPrefix(prefix) ? self.dropFirst(prefix.count) : nil
  }
}
