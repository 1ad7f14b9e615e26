internal import CLibuv

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Socket files: making one without taking a living process's, and removing only one's own.
enum UnixPath {
  struct Inode: Equatable {
    var device: UInt64
    var number: UInt64
  }

  /// How long to wait for another process that is starting on the same directory.
  private static let lockAttempts = 100
  private static let lockPauseMs: Int32 = 5

  /// Binds and listens. Of several processes that find the same stale file, one replaces it and the
  /// others find the one listening: looking, removing and binding happen under a lock on the
  /// directory.
  static func bind(
    _ path: String, backlog: Int
  ) throws(ListenError) -> (descriptor: Int32, inode: Inode?) {
    let bytesMax = coagent_unix_path_max()
    if path.utf8.count > bytesMax { throw .pathTooLong(path: path, bytesMax: bytesMax) }
    if path.isEmpty || path.utf8.contains(0) { throw .failed("listen", path, .invalid) }

    let lock = try self.lockDirectory(of: path)
    defer { _ = unistdClose(lock) }

    var address = sockaddr_storage()
    let length = coagent_unix_address(path, &address)
    let descriptor = coagent_socket(AF_UNIX)
    try ListenError.check(descriptor, "make a socket", path)
    do throws(ListenError) {
      var status = coagent_bind_private(descriptor, &address, length)
      if status == -EADDRINUSE {
        try self.removeStale(path, &address, length)
        status = coagent_bind_private(descriptor, &address, length)
      }
      try ListenError.check(status, "bind", path)
      let inode = self.inode(path)
      status = coagent_listen(descriptor, Int32(clamping: backlog))
      if status < 0, let inode { self.remove(path, ifStill: inode) }
      try ListenError.check(status, "listen", path)
      return (descriptor, inode)
    } catch {
      _ = unistdClose(descriptor)
      throw error
    }
  }

  /// Removes a socket file only if a connection to it is refused. Anything else is left alone: a
  /// file that is no socket, one of another user's, one that somebody listens on.
  private static func removeStale(
    _ path: String, _ address: inout sockaddr_storage, _ length: socklen_t
  ) throws(ListenError) {
    guard self.isSocket(path) else { throw .failed("bind", path, .addressInUse) }
    let probe = coagent_socket(AF_UNIX)
    try ListenError.check(probe, "make a socket", path)
    let status = coagent_connect(probe, &address, length)
    _ = unistdClose(probe)
    switch -status {
    case ECONNREFUSED:
      if unlink(path) != 0 && errno != ENOENT {
        throw .failed("replace the stale socket", path, StreamError(code: -errno))
      }
    case ENOENT: break
    // Connected, or the backlog is full: somebody is there.
    case 0, EAGAIN, EINPROGRESS: throw .alreadyRunning(path: path)
    default: throw .failed("bind", path, StreamError(code: status))
    }
  }

  static func remove(_ path: String, ifStill inode: Inode) {
    if self.inode(path) == inode { unlink(path) }
  }

  private static func lockDirectory(of path: String) throws(ListenError) -> Int32 {
    let directory = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { slash in
      slash == path.startIndex ? "/" : String(path[..<slash])
    }
    let name = directory ?? "."
    let lock = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if lock < 0 { throw .failed("open the directory", name, StreamError(code: -errno)) }
    for _ in 0..<self.lockAttempts {
      if flock(lock, LOCK_EX | LOCK_NB) == 0 { return lock }
      // The holder is between two system calls of its own start, not waiting for anything.
      _ = poll(nil, 0, self.lockPauseMs)
    }
    _ = unistdClose(lock)
    throw .failed("lock the directory", name, StreamError(code: -EBUSY))
  }

  private static func status(_ path: String) -> stat? {
    var found = stat()
    return lstat(path, &found) == 0 ? found : nil
  }

  private static func isSocket(_ path: String) -> Bool {
    self.status(path).map { $0.st_mode & S_IFMT == S_IFSOCK } ?? true
  }

  private static func inode(_ path: String) -> Inode? {
    self.status(path).map { Inode(device: UInt64($0.st_dev), number: UInt64($0.st_ino)) }
  }
}
