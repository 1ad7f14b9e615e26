internal import Glibc

/// A file that is read whole, at start: a configuration, a list of tokens.
struct SmallFile {
  var bytes: [UInt8]
  /// Permission bits and owner, taken from the open file, so that they are of what was read.
  var mode: mode_t
  var owner: uid_t

  /// Reads a regular file; throws why not, in words.
  static func read(_ path: String, bytesMax: Int) throws(BadValue) -> SmallFile {
    // Without O_NONBLOCK, opening a named pipe would wait for its writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw BadValue("cannot read \(path): \(errorText(errno))") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw BadValue("cannot read \(path): \(errorText(errno))")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw BadValue("cannot read \(path): it is not a regular file")
    }
    var bytes: [UInt8] = []
    while true {
      let count = try Self.append(descriptor, path, to: &bytes)
      if count == 0 { break }
      if bytes.count > bytesMax {
        throw BadValue("cannot read \(path): it is larger than \(bytesMax) bytes")
      }
    }
    return SmallFile(bytes: bytes, mode: status.st_mode & 0o7777, owner: status.st_uid)
  }

  private static func append(
    _ descriptor: Int32, _ path: String, to bytes: inout [UInt8]
  ) throws(BadValue) -> Int {
    var failure: Int32 = 0
    let chunk = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
      var got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      while got < 0 && errno == EINTR {
        got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      }
      if got < 0 { failure = errno }
      count = max(0, got)
    }
    if failure != 0 { throw BadValue("cannot read \(path): \(errorText(failure))") }
    bytes += chunk
    return chunk.count
  }
}

/// What the system says about an error number, such as "No such file or directory".
func errorText(_ number: Int32) -> String {
  String(cString: strerror(number))
}
