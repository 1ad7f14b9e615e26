#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// A value that is only reached under a lock.
///
/// It is the system's mutex rather than the standard library's, because the thread sanitizer knows
/// that one: it cannot see who waits for the other, and reports races where there are none.
public final class Locked<Value>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private var value: Value

  public init(_ value: sending Value) {
    self.value = value
    let status = pthread_mutex_init(self.mutex, nil)
    precondition(status == 0, "pthread_mutex_init failed: \(status)")
  }

  deinit {
    pthread_mutex_destroy(self.mutex)
    self.mutex.deallocate()
  }

  /// Calls `body` while no other thread does. Not to be nested.
  public func withLock<Result, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    pthread_mutex_lock(self.mutex)
    defer { pthread_mutex_unlock(self.mutex) }
    return try body(&self.value)
  }
}
