internal import Connections
internal import EventLoop
internal import Glibc
internal import Logging
internal import Sidecar
internal import Transports
internal import Wire

/// The running daemon: brings the sidecar up, tells everybody, and takes it down in order.
@LoopActor
final class DaemonProcess {
  private let configuration: Configuration
  private let environment: [String: String]
  private let log: DaemonLog
  private let notifier: ServiceNotifier
  private let sidecar: Sidecar
  private var signals: [SignalSource] = []
  private var isDraining = false
  private var bound: [Endpoint] = []
  private var workers: Workers?

  /// There is one, and it lives as long as the process.
  private static var current: DaemonProcess?

  init(_ configuration: Configuration, _ environment: [String: String], tokens: TokenList) {
    self.configuration = configuration
    self.environment = environment
    self.log = DaemonLog(configuration)
    self.notifier = ServiceNotifier(environment)
    let users = configuration.allowedUIDs.isEmpty ? [geteuid()] : configuration.allowedUIDs
    self.sidecar = Sidecar(
      limits: configuration.limits, server: "\(configuration.name)/\(Usage.version)",
      tokens: tokens,
      policy: PeerPolicy(users: Set(users), groups: Set(configuration.allowedGIDs)))
  }

  func start() {
    Self.current = self
    let log = self.log
    self.sidecar.core.onEvent = { log.report($0) }
    self.sidecar.onDrainRequest = { [unowned self] timeoutMs in
      self.drain(timeoutMs: timeoutMs, metadata: ["asked": "by the operator"])
    }
    let descriptors = ProcessSetup.raiseDescriptorLimit()
    log.logger.debug("descriptors", metadata: ["limit": .stringConvertible(descriptors)])
    // Signals count from here on: one that comes while we bind still drains.
    self.watch([SIGTERM, SIGINT]) { [unowned self] in self.stop($0) }
    self.watch([SIGHUP]) { [unowned self] _ in self.reload() }
    Task { @LoopActor in await self.listen() }
  }

  private func watch(_ numbers: [Int32], _ received: @escaping @LoopActor (Int32) -> Void) {
    for number in numbers {
      do throws(StreamError) {
        self.signals.append(try SignalSource(number) { received(number) })
      } catch {
        self.end(.failed, "cannot watch for signal \(number): \(error)")
      }
    }
  }

  private func listen() async {
    for endpoint in self.configuration.endpoints(self.environment) {
      do {
        try self.prepare(endpoint)
        self.bound += try await self.sidecar.listen(on: endpoint)
        try self.open(endpoint)
      } catch let error as ListenError {
        if case .alreadyRunning = error { self.end(.alreadyRunning, "\(error)") }
        self.end(.cannotListen, "\(error)")
      } catch {
        self.end(.cannotListen, "cannot listen on \(endpoint): \(error)")
      }
    }
    if self.isDraining { return }
    let addresses = self.bound.map(\.description)
    self.log.ready(addresses)
    self.notifier.send(["READY=1", "STATUS=listening on \(addresses.joined(separator: " "))"])
    self.startWorkers()
  }

  /// They find the daemon as any client does, by `COAGENT_URL`: on a Unix socket if there is one.
  private func startWorkers() {
    let isUnix = { (endpoint: Endpoint) in !endpoint.isTCP }
    guard let endpoint = self.bound.first(where: isUnix) ?? self.bound.first else { return }
    var environment = self.environment
    environment["COAGENT_URL"] = endpoint.description
    let workers = Workers(
      self.configuration.workers, environment: environment, logger: self.log.logger)
    self.workers = workers
    workers.start()
  }

  private func prepare(_ endpoint: Endpoint) throws {
    guard case .unix(let path) = endpoint else { return }
    // The default directory has a name that anyone can guess and make first: it is to be ours.
    if self.configuration.listen.isEmpty {
      try SocketDirectory.prepare(Endpoint.standardDirectory { self.environment[$0] })
    } else {
      try ProcessSetup.prepareDirectory(ofSocket: path)
    }
  }

  /// Widens the socket file's permissions, which are 0600 from its making, to those asked for.
  private func open(_ endpoint: Endpoint) throws(BadValue) {
    guard case .unix(let path) = endpoint, self.configuration.socketMode != 0o600 else { return }
    if chmod(path, mode_t(self.configuration.socketMode)) != 0 {
      throw BadValue("cannot change the mode of \(path): \(errorText(errno))")
    }
  }

  // MARK: - Signals

  private func stop(_ number: Int32) {
    if self.isDraining { self.end(.failed, "a second signal: not waiting for calls in flight") }
    let name = number == SIGTERM ? "SIGTERM" : "SIGINT"
    self.drain(
      timeoutMs: UInt64(self.configuration.limits.drainMs), metadata: ["signal": .string(name)])
  }

  private func drain(timeoutMs drainMs: UInt64, metadata: Logger.Metadata) {
    if self.isDraining { return }
    self.isDraining = true
    self.notifier.send(["STOPPING=1", "STATUS=draining"])
    self.log.logger.notice(
      "draining",
      metadata: [
        "bound_ms": .stringConvertible(drainMs),
        "connections": .stringConvertible(self.sidecar.core.connectionCount),
      ].merging(metadata) { $1 })
    self.workers?.hold()
    self.sidecar.drain(timeoutMs: drainMs) { [unowned self] in
      // Their calls are done by now.
      guard let workers = self.workers else { return self.stopped() }
      workers.stop { [unowned self] in self.stopped() }
    }
  }

  private func stopped() {
    self.log.logger.notice("stopped")
    exit(ExitCode.done.rawValue)
  }

  private func reload() {
    self.notifier.send(["RELOADING=1", ServiceNotifier.monotonicMicroseconds()])
    do throws(ConfigurationError) {
      let entries = try self.configuration.tokensFile.map(TokensFile.load) ?? []
      self.sidecar.core.tokens = TokenList(entries.map { (name: $0.name, token: $0.token) })
      self.log.logger.notice(
        "tokens read again", metadata: ["tokens": .stringConvertible(entries.count)])
    } catch {
      self.log.logger.error("the old tokens stay", metadata: ["because": "\(error)"])
    }
    self.notifier.send(["READY=1"])
  }

  private func end(_ code: ExitCode, _ message: String) -> Never {
    self.log.logger.critical("\(message)")
    exit(code.rawValue)
  }
}

extension BadValue: CustomStringConvertible {
  var description: String { self.message }
}
