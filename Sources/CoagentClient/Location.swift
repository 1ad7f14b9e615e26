internal import Hosting
internal import Transports
internal import Wire

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Where the sidecar is and what to show it, by the rules that all clients share.
enum Location {
  static func endpoint(_ url: String?) throws(AgentError) -> Endpoint {
    do {
      if let url { return try Endpoint(parsing: url) }
      let endpoint = try Endpoint.standard()
      try checkDirectory(of: endpoint)
      return endpoint
    } catch let error as EndpointError {
      throw AgentError(.badAddress, error.description)
    } catch let error as SocketDirectoryError {
      throw AgentError(.permissionDenied, error.description)
    } catch {
      throw AgentError(reporting: error)
    }
  }

  /// In a temporary directory somebody else could have made the socket's directory first.
  private static func checkDirectory(of endpoint: Endpoint) throws(SocketDirectoryError) {
    let directory = Endpoint.standardDirectory()
    guard case .unix("\(directory)/coagentd.sock") = endpoint, access(directory, F_OK) == 0
    else { return }
    try SocketDirectory.check(directory)
  }

  static func token(_ options: ClientOptions) throws(AgentError) -> String? {
    if let token = options.token { return token }
    if let file = options.tokenFile { return try read(file) }
    if let token = Endpoint.environment("COAGENT_TOKEN"), !token.isEmpty { return token }
    guard let file = Endpoint.environment("COAGENT_TOKEN_FILE"), !file.isEmpty else { return nil }
    return try read(file)
  }

  private static func read(_ path: String) throws(AgentError) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw AgentError(
        .unauthenticated, "cannot read the token file \(path): \(String(cString: strerror(errno)))")
    }
    defer { _ = close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: tokenBytesMax)
    let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
    guard count >= 0 else {
      throw AgentError(
        .unauthenticated, "cannot read the token file \(path): \(String(cString: strerror(errno)))")
    }
    let isSpace = { (byte: UInt8) in byte == 0x20 || (0x09...0x0D).contains(byte) }
    let text = bytes[..<count].drop(while: isSpace).reversed().drop(while: isSpace).reversed()
    return String(decoding: text, as: UTF8.self)
  }

  private static let tokenBytesMax = 4_096
}

extension AgentError {
  /// Whether another attempt to connect may help.
  var isPassing: Bool {
    switch code {
    case .unauthenticated, .permissionDenied, .failedPrecondition, .invalidArgument: false
    case .notFound, .alreadyExists, .resourceExhausted, .aborted, .unimplemented, .internal,
      .unavailable, .deadlineExceeded, .cancelled:
      true
    }
  }
}
