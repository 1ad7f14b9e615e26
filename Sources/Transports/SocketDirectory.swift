#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// The directory of the default socket, which nobody else may enter: in a temporary directory
/// anyone could have made it first, to sit between a client and its sidecar.
public enum SocketDirectory {
  /// Makes the directory with mode 0700 unless it is there, then checks it.
  public static func prepare(_ path: String) throws(SocketDirectoryError) {
    if mkdir(path, 0o700) != 0 && errno != EEXIST {
      throw SocketDirectoryError(path: path, problem: "cannot be made: \(Self.errorText(errno))")
    }
    try self.check(path)
  }

  /// Checks that the directory is this user's and closed to others; for clients, before connecting.
  public static func check(_ path: String) throws(SocketDirectoryError) {
    var found = stat()
    if lstat(path, &found) != 0 {
      throw SocketDirectoryError(path: path, problem: Self.errorText(errno))
    }
    if found.st_mode & S_IFMT != S_IFDIR {
      throw SocketDirectoryError(path: path, problem: "is no directory")
    }
    if found.st_uid != geteuid() {
      throw SocketDirectoryError(path: path, problem: "belongs to user \(found.st_uid)")
    }
    if found.st_mode & 0o077 != 0 {
      let mode = String(found.st_mode & 0o777, radix: 8)
      throw SocketDirectoryError(
        path: path, problem: "is open to other users (mode \(mode), must be 700)")
    }
  }

  private static func errorText(_ number: Int32) -> String {
    String(cString: strerror(number))
  }
}

public struct SocketDirectoryError: Error, Equatable, Sendable, CustomStringConvertible {
  public var path: String
  public var problem: String

  public var description: String { "the socket directory \(self.path): \(self.problem)" }
}
