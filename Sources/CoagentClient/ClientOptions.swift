/// How a client connects.
public struct ClientOptions: Sendable {
  /// Shows in the sidecar's listings.
  public var name: String?
  /// Else `COAGENT_TOKEN`, else what is in `COAGENT_TOKEN_FILE`.
  public var token: String?
  /// A file that holds the token; white space around it does not count.
  public var tokenFile: String?
  /// The program or library and its version.
  public var client = "coagent-swift/\(ClientOptions.version)"
  /// How long to keep trying when nobody is there at first.
  public var wait = Duration.zero
  /// Whether a lost connection is made again.
  public var reconnects = true

  public static let version = "0.1.0"

  public init() {}
}

/// What a sidecar says of itself.
public struct ServerDescription: Sendable {
  public let server: String
  /// This connection's name in the sidecar's listings.
  public let connection: String
  /// The longest content of one frame, in bytes.
  public let contentBytesMax: Int
}
