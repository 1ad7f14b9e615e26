internal import Logging
internal import Transports
internal import Wire

/// Everything that can be set, with what holds when nothing is.
///
/// The options in `Option.all` are the only way to fill it, so every field has a key, a flag and a
/// variable, and every default printed is the one used; but for the workers, which only a file has.
struct Configuration: Equatable, Sendable {
  enum LogFormat: String, CaseIterable, Sendable {
    case text, json
  }

  /// Empty means the default Unix socket.
  var listen: [Endpoint] = []
  var allowRemote = false
  var socketMode = 0o600
  var tokensFile: String?
  /// Empty means this process's own user.
  var allowedUIDs: [UInt32] = []
  var allowedGIDs: [UInt32] = []
  var name = "coagentd"
  var logLevel = Logger.Level.info
  var logFormat = LogFormat.text
  var limits = Limits()
  var workers: [WorkerSettings] = []

  /// Checks what no single option can see. `origin` tells where an option was set.
  func validate(_ origin: (String) -> Origin) throws(ConfigurationError) {
    func refuse(_ key: String, _ message: String) -> ConfigurationError {
      ConfigurationError(origin: origin(key), message: message)
    }
    for (index, endpoint) in self.listen.enumerated() {
      if self.listen[..<index].contains(endpoint), !endpoint.takesFreePort {
        throw refuse("listen", "\(endpoint) is there twice")
      }
      if !endpoint.isLocal && !self.allowRemote {
        throw refuse(
          "listen",
          "\(endpoint) can be reached from other machines; allow_remote permits that, and what "
            + "goes over it is not encrypted")
      }
      if endpoint.isTCP && self.tokensFile == nil {
        throw refuse(
          "listen", "\(endpoint) wants tokens, as every TCP listener does: set tokens_file")
      }
    }
    if self.limits.connectionHardMarkBytes < self.limits.connectionHighMarkBytes {
      throw refuse(
        "limits.connection_hard_mark_bytes",
        "limits.connection_hard_mark_bytes (\(self.limits.connectionHardMarkBytes)) is below "
          + "limits.connection_high_mark_bytes (\(self.limits.connectionHighMarkBytes))")
    }
  }

  /// The endpoints to listen on: those configured, or the default Unix socket.
  func endpoints(_ environment: [String: String]) -> [Endpoint] {
    if !self.listen.isEmpty { return self.listen }
    let directory = Endpoint.standardDirectory { environment[$0] }
    return [.unix(path: directory + "/coagentd.sock")]
  }
}
