import CLibuv

/// What a system call on a stream, a timer or a process answered, by its libuv name.
///
/// A value of one integer: making, passing and comparing it allocates nothing.
public struct StreamError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The negative error number that libuv uses (on Unix: `-errno`, or one of its own below -3000).
  public let code: Int32

  public init(code: Int32) {
    precondition(code < 0, "an error has a negative code")
    self.code = code
  }

  /// The symbolic name, for example `ECONNREFUSED`.
  public var name: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      String(cString: uv_err_name_r(self.code, buffer.baseAddress, buffer.count))
    }
  }

  /// The system's sentence for people, for example `connection refused`.
  public var message: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      String(cString: uv_strerror_r(self.code, buffer.baseAddress, buffer.count))
    }
  }

  public var description: String { "\(self.name): \(self.message)" }

  public static let cancelled = StreamError(UV_ECANCELED)
  public static let connectionRefused = StreamError(UV_ECONNREFUSED)
  public static let connectionReset = StreamError(UV_ECONNRESET)
  public static let brokenPipe = StreamError(UV_EPIPE)
  public static let noSuchFile = StreamError(UV_ENOENT)
  public static let addressInUse = StreamError(UV_EADDRINUSE)
  public static let nameTooLong = StreamError(UV_ENAMETOOLONG)
  public static let unknownHost = StreamError(UV_EAI_NONAME)
  public static let timedOut = StreamError(UV_ETIMEDOUT)
  public static let tooManyFiles = StreamError(UV_EMFILE)
  public static let tooManyFilesInSystem = StreamError(UV_ENFILE)
  public static let invalid = StreamError(UV_EINVAL)

  init(_ code: uv_errno_t) {
    self.init(code: code.rawValue)
  }
}

/// Turns libuv's way of saying "failed" into Swift's.
@inline(__always)
func throwing(_ status: Int32) throws(StreamError) {
  if status < 0 { throw StreamError(code: status) }
}

/// For calls that fail only when this module has broken a rule of libuv's.
func mustSucceed(_ status: Int32, _ what: StaticString) {
  if status < 0 { fatalError("\(what) failed: \(StreamError(code: status))") }
}
