internal import EventLoop
internal import Glibc

/// What runs in a worker's process before the worker does.
///
/// A worker must not outlive a daemon that was killed: with the next one's it would be there twice.
/// Only the process itself can ask the system for that, so the daemon starts its own program again,
/// which asks and then becomes the worker.
enum WorkerLauncher {
  static let flag = "--exec-worker"
  private static let cannotStart: Int32 = 127

  /// The arguments with which the daemon's program becomes `command`.
  static func arguments(_ command: [String]) -> [String] {
    [self.flag, "\(getpid())"] + command
  }

  /// Becomes the worker if that is what the arguments, after the program's name, ask for.
  static func becomeWorker(_ arguments: some Collection<String>) {
    guard arguments.first == self.flag, arguments.count > 2 else { return }
    let rest = Array(arguments.dropFirst())
    guard let parent = pid_t(rest[0]), ChildProcess.endWithParent(parent, signal: SIGTERM) else {
      exit(self.cannotStart)
    }
    let command = rest.dropFirst()
    var words = command.map { strdup($0) } + [nil]
    execvp(words[0]!, &words)
    FileText.write("cannot start \(command.first!): \(errorText(errno))\n", to: 2)
    exit(self.cannotStart)
  }
}
