internal import CLibuv
internal import Locking
internal import Synchronization

/// Runs Swift jobs on one libuv loop, on one thread, for the life of the process.
///
/// Jobs from other threads come through a mailbox, with one wake-up per batch. Jobs that the loop's
/// own work gives rise to (a continuation resumed, a task started) need no lock and no wake-up:
/// they run at the end of the turn, before the loop waits.
public final class LoopExecutor: SerialExecutor, @unchecked Sendable {
  static let shared = LoopExecutor()

  let loop: UnsafeMutablePointer<uv_loop_t>

  private struct Mailbox {
    var jobs: [UnownedJob] = []
    var isClaimed = false
  }

  private let mailbox = Locked(Mailbox())
  private let wakeup = UnsafeMutablePointer<uv_async_t>.allocate(capacity: 1)
  /// 0 until a thread is the loop's. `pthread_self` will not do for the comparison: the C library
  /// declares it `const`, so its value may be reused across a suspension.
  private let threadID = Atomic<UInt>(0)

  // From here on: touched by the loop's thread only.
  private let prepare = UnsafeMutablePointer<uv_prepare_t>.allocate(capacity: 1)
  private let check = UnsafeMutablePointer<uv_check_t>.allocate(capacity: 1)
  private let idle = UnsafeMutablePointer<uv_idle_t>.allocate(capacity: 1)
  private var batch: [UnownedJob] = []
  private var ownJobs: [UnownedJob] = []
  private var ownBatch: [UnownedJob] = []
  private var wantsTurn = false
  private var idles = false
  var hooks = LoopHooks()

  private init() {
    self.loop = .allocate(capacity: 1)
    mustSucceed(uv_loop_init(self.loop), "uv_loop_init")
    // The wake-up exists before any thread can enqueue and is never closed, so no send can race
    // the closing of it, a race that libuv leaves to its user.
    mustSucceed(
      uv_async_init(self.loop, self.wakeup) { _ in LoopExecutor.shared.runMailbox() },
      "uv_async_init")
    mustSucceed(uv_prepare_init(self.loop, self.prepare), "uv_prepare_init")
    mustSucceed(uv_check_init(self.loop, self.check), "uv_check_init")
    mustSucceed(uv_idle_init(self.loop, self.idle), "uv_idle_init")
    mustSucceed(
      uv_prepare_start(self.prepare) { _ in LoopExecutor.shared.willWait() }, "uv_prepare_start")
    mustSucceed(
      uv_check_start(self.check) { _ in LoopExecutor.shared.didPoll() }, "uv_check_start")
  }

  // MARK: - Executor

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if self.isOnLoopThread {
      self.ownJobs.append(job)
      return
    }
    var mustStart = false
    self.mailbox.withLock { mailbox in
      mailbox.jobs.append(job)
      if mailbox.jobs.count == 1 { mustSucceed(uv_async_send(self.wakeup), "uv_async_send") }
      mustStart = !mailbox.isClaimed
      mailbox.isClaimed = true
    }
    if mustStart { self.startThread() }
  }

  public func checkIsolated() {
    precondition(self.isOnLoopThread, "not on the loop's thread")
  }

  public func isIsolatingCurrentContext() -> Bool? {
    self.isOnLoopThread
  }

  var isOnLoopThread: Bool {
    Self.currentThread == self.threadID.load(ordering: .relaxed)
  }

  private static var currentThread: UInt {
    #if canImport(Darwin)
      UInt(bitPattern: uv_thread_self())
    #else
      UInt(uv_thread_self())
    #endif
  }

  // MARK: - The thread

  /// Makes the calling thread the loop's, before any other is.
  func claimThisThread() {
    let isFree = self.mailbox.withLock { mailbox in
      defer { mailbox.isClaimed = true }
      return !mailbox.isClaimed
    }
    precondition(isFree, "the loop already has a thread")
    self.threadID.store(Self.currentThread, ordering: .relaxed)
  }

  /// Turns for ever: the wake-up keeps the loop alive.
  func run() -> Never {
    coagent_block_sigpipe()
    _ = uv_run(self.loop, UV_RUN_DEFAULT)
    fatalError("the event loop has stopped")
  }

  private func startThread() {
    var options = uv_thread_options_t()
    options.flags = UInt32(UV_THREAD_HAS_STACK_SIZE.rawValue)
    // Callbacks run whatever their owners do, so they get the stack that a main thread has.
    options.stack_size = 8 << 20
    var thread = uv_thread_t()
    let status = uv_thread_create_ex(
      &thread, &options,
      { _ in
        let executor = LoopExecutor.shared
        executor.threadID.store(LoopExecutor.currentThread, ordering: .relaxed)
        executor.run()
      }, nil)
    mustSucceed(status, "uv_thread_create_ex")
  }

  // MARK: - Turns

  func requestTurn() {
    self.wantsTurn = true
  }

  /// One bounded pass: what is enqueued meanwhile runs in the next turn, so sockets do not starve.
  private func runMailbox() {
    self.mailbox.withLock { swap(&$0.jobs, &self.batch) }
    for job in self.batch { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    self.batch.removeAll(keepingCapacity: true)
  }

  private func runOwnJobs() {
    if self.ownJobs.isEmpty { return }
    swap(&self.ownJobs, &self.ownBatch)
    for job in self.ownBatch { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    self.ownBatch.removeAll(keepingCapacity: true)
  }

  private func willWait() {
    self.runOwnJobs()
    LoopActor.assumeIsolated { self.hooks.run(.beforeWaiting) }
    self.keepTurning()
    // What is asked for from here on, by the events of this turn too, is one more turn.
    self.wantsTurn = false
  }

  private func didPoll() {
    self.runOwnJobs()
    LoopActor.assumeIsolated { self.hooks.run(.afterEvents) }
    self.keepTurning()
    if self.idles && !self.wantsTurn && self.ownJobs.isEmpty {
      self.idles = false
      mustSucceed(uv_idle_stop(self.idle), "uv_idle_stop")
    }
  }

  /// While an idle handle is active, libuv looks for events without waiting for them.
  private func keepTurning() {
    if self.idles || (!self.wantsTurn && self.ownJobs.isEmpty) { return }
    self.idles = true
    mustSucceed(uv_idle_start(self.idle) { _ in }, "uv_idle_start")
  }
}
