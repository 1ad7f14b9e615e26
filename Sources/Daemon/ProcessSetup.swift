internal import Glibc

/// What the process asks of the system before it does anything else.
enum ProcessSetup {
  /// Writing to a connection that is gone is an error to handle, not a signal to die of.
  ///
  /// Everything else is let through: who starts a daemon from a thread that blocks signals, as the
  /// threads of a pool do, would else get one that no SIGTERM ends.
  static func settleSignals() {
    signal(SIGPIPE, SIG_IGN)
    var none = sigset_t()
    sigemptyset(&none)
    sigprocmask(SIG_SETMASK, &none, nil)
  }

  /// Raises the number of descriptors to what the system allows; returns what is now in force.
  static func raiseDescriptorLimit() -> Int {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(resource, &limit) == 0 else { return 0 }
    if limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      setrlimit(resource, &limit)
      getrlimit(resource, &limit)
    }
    return Int(clamping: limit.rlim_cur)
  }

  static func environment() -> [String: String] {
    var variables: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      next += 1
    }
    return variables
  }

  /// Makes the directory of a Unix socket, with mode 0700, when it is not there.
  ///
  /// One that is there must not let strangers replace the socket: it belongs to this user or root,
  /// and others can write to it only if it is sticky, as /tmp is.
  static func prepareDirectory(ofSocket path: String) throws(BadValue) {
    let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    if directory.isEmpty { return }
    if mkdir(directory, 0o700) == 0 { return }
    guard errno == EEXIST else {
      throw BadValue("cannot make the directory \(directory): \(errorText(errno))")
    }
    var status = stat()
    guard stat(directory, &status) == 0 else {
      throw BadValue("cannot use the directory \(directory): \(errorText(errno))")
    }
    if status.st_mode & S_IFMT != S_IFDIR { throw BadValue("\(directory) is not a directory") }
    if status.st_uid != geteuid() && status.st_uid != 0 {
      throw BadValue("the directory \(directory) belongs to another user (\(status.st_uid))")
    }
    if status.st_mode & 0o022 != 0 && status.st_mode & S_ISVTX == 0 {
      throw BadValue("others may write to the directory \(directory) and replace the socket")
    }
  }
}
