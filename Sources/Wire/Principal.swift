/// Whose word a connection's is: the peer's user on a Unix socket, the token's name on TCP.
public enum Principal: Hashable, Sendable {
  case user(UInt32)
  case token(String)
  /// The sidecar itself, for its own agents.
  case sidecar
}

extension Principal: CustomStringConvertible {
  /// As listings show it.
  public var description: String {
    switch self {
    case .user(let uid): "uid \(uid)"
    case .token(let name): "token \(name)"
    case .sidecar: "sidecar"
    }
  }
}
