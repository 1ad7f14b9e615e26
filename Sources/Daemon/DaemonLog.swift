internal import EventLoop
internal import Glibc
internal import Logging
internal import Sidecar
internal import Wire

/// What the daemon writes to its log, and at which level.
struct DaemonLog {
  let logger: Logger
  private let handler: LineLogHandler

  init(_ configuration: Configuration, writer: any LogWriter = DescriptorLogWriter(descriptor: 2)) {
    let handler = LineLogHandler(
      logLevel: configuration.logLevel, format: configuration.logFormat, writer: writer)
    self.handler = handler
    self.logger = Logger(label: configuration.name) { _ in handler }
  }

  /// The one line that is written whatever the level: programs wait for it.
  func ready(_ addresses: [String]) {
    self.handler.write(
      .notice, "ready",
      [
        "listen": .array(addresses.map { .string($0) }),
        "pid": .stringConvertible(getpid()),
        "version": .string(Usage.version),
      ])
  }

  func report(_ event: CoreEvent) {
    switch event {
    case .greeted(let connection, let client, let name):
      self.logger.debug(
        "connected",
        metadata: [
          "connection": .stringConvertible(connection), "client": .string(client),
          "name": .string(name),
        ])
    case .fault(let connection, let fault):
      self.logger.info(
        "connection ended",
        metadata: [
          "connection": .stringConvertible(connection),
          "reason": .string(fault.reason.rawValue), "because": .string(fault.message),
        ])
    case .acceptPaused(let endpoint, let because):
      self.logger.warning(
        "not accepting connections for a moment",
        metadata: ["listen": .string(endpoint), "because": .string(because)])
    }
  }
}
