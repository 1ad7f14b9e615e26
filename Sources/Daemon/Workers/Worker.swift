internal import EventLoop
internal import Glibc
internal import Logging

/// One process of a worker, from start to start.
///
/// One that ends is started again after `backoffMsMin`, twice as long each time up to
/// `backoffMsMax`; one that has run for `settledMs` begins again at the least.
@LoopActor
final class Worker {
  static let backoffMsMin: UInt64 = 100
  static let backoffMsMax: UInt64 = 30_000
  static let settledMs: UInt64 = 10_000
  /// How long one that was asked to end may take.
  static let stopMs: UInt64 = 5_000

  /// Such as `words-2`; in the log, and in the worker's `COAGENT_WORKER`.
  let name: String
  private let settings: WorkerSettings
  private let environment: [String: String]
  private let logger: Logger

  private var process: ChildProcess?
  private var openOutputs = 0
  private var ending: ChildProcess.Ending?
  private var startedMs: UInt64 = 0
  private var backoffMs = Worker.backoffMsMin
  private var timer: LoopTimer?
  private var onStopped: (@LoopActor () -> Void)?
  private var isHeld = false

  init(
    _ settings: WorkerSettings, number: Int, environment: [String: String], logger: Logger
  ) {
    self.name = "\(settings.name)-\(number)"
    self.settings = settings
    var environment = environment.merging(settings.environment) { $1 }
    environment["COAGENT_WORKER"] = self.name
    self.environment = environment
    var logger = logger
    logger[metadataKey: "worker"] = .string(self.name)
    self.logger = logger
  }

  func start() {
    var command = ChildProcess.Command(
      "/proc/self/exe", arguments: WorkerLauncher.arguments(self.settings.command))
    command.environment = self.environment
    command.directory = self.settings.directory
    command.isGroupLeader = true
    command.output = .pipe
    command.errors = .pipe
    self.startedMs = LoopClock.turnMs
    self.ending = nil
    do throws(StreamError) {
      let process = try ChildProcess(command) { [unowned self] in self.didExit($0) }
      self.process = process
      self.logger.info("worker started", metadata: ["pid": .stringConvertible(process.pid)])
      self.read(process.output!, "output")
      self.read(process.errors!, "errors")
    } catch {
      let place = self.settings.directory.map { " in \($0)" } ?? ""
      self.logger.error("cannot start the worker\(place)", metadata: ["because": "\(error)"])
      self.ended(isFailure: true)
    }
  }

  /// Does not start it again when it ends.
  func hold() {
    self.isHeld = true
    self.timer?.stop()
  }

  /// Ends it, the hard way after `stopMs`. `stopped` is called once there is no process.
  func stop(_ stopped: @escaping @LoopActor () -> Void) {
    self.hold()
    guard let process = self.process else { return stopped() }
    self.onStopped = stopped
    try? process.killGroup(SIGTERM)
    self.killAfterGrace()
  }

  private func killAfterGrace() {
    self.after(Self.stopMs) { [unowned self] in
      self.logger.warning("the worker does not end: killed")
      try? self.process?.killGroup(SIGKILL)
    }
  }

  // MARK: - What happens to it

  private func read(_ stream: ByteStream, _ name: String) {
    self.openOutputs += 1
    let logger = self.logger
    let output = WorkerOutput(
      stream,
      onLine: { logger.info("\($0)", metadata: ["stream": .string(name)]) },
      onEnd: { [unowned self] in
        self.openOutputs -= 1
        self.endIfOver()
      })
    output.start()
  }

  private func didExit(_ ending: ChildProcess.Ending) {
    self.ending = ending
    // What it has started and left behind holds its output open, and belongs to nobody now.
    do throws(StreamError) {
      try self.process?.killGroup(SIGTERM)
      if self.onStopped == nil { self.killAfterGrace() }
    } catch {}  // Nobody is left.
    self.endIfOver()
  }

  private func endIfOver() {
    guard let ending, self.openOutputs == 0 else { return }
    self.process = nil
    var reason: Logger.Metadata = [:]
    switch ending {
    case .exited(let code): reason["code"] = .stringConvertible(code)
    case .killed(let signal): reason["signal"] = .stringConvertible(signal)
    }
    let isFailure = ending != .exited(code: 0)
    let level: Logger.Level = isFailure && !self.isHeld ? .warning : .info
    self.logger.log(level: level, "worker ended", metadata: reason)
    self.ended(isFailure: isFailure)
  }

  private func ended(isFailure: Bool) {
    if self.isHeld {
      self.timer?.stop()
      self.onStopped?()
      self.onStopped = nil
      return
    }
    switch self.settings.restart {
    case .never: return
    case .onFailure where !isFailure: return
    case .onFailure, .always: break
    }
    if LoopClock.turnMs - self.startedMs >= Self.settledMs { self.backoffMs = Self.backoffMsMin }
    self.logger.debug("the worker is started again", metadata: ["in_ms": "\(self.backoffMs)"])
    self.after(self.backoffMs) { [unowned self] in self.start() }
    self.backoffMs = min(self.backoffMs * 2, Self.backoffMsMax)
  }

  private func after(_ delayMs: UInt64, _ action: @escaping @LoopActor () -> Void) {
    self.timer?.close()
    self.timer = LoopTimer(onFire: action)
    self.timer!.start(afterMs: delayMs)
  }
}

/// All workers of the daemon.
@LoopActor
final class Workers {
  private let workers: [Worker]

  /// - Parameter environment: the daemon's own, and where its workers find it.
  init(_ settings: [WorkerSettings], environment: [String: String], logger: Logger) {
    self.workers = settings.flatMap { settings in
      (0..<settings.count).map {
        Worker(settings, number: $0 + 1, environment: environment, logger: logger)
      }
    }
  }

  func start() {
    for worker in self.workers { worker.start() }
  }

  /// The daemon drains: those that end now stay ended.
  func hold() {
    for worker in self.workers { worker.hold() }
  }

  /// Ends all, and says when none is left.
  func stop(_ stopped: @escaping @LoopActor () -> Void) {
    var left = self.workers.count
    if left == 0 { return stopped() }
    for worker in self.workers {
      worker.stop {
        left -= 1
        if left == 0 { stopped() }
      }
    }
  }
}
