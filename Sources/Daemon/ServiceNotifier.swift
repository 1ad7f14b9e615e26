internal import Glibc

/// Tells the service manager that started us how far we are (sd_notify's protocol, sent by hand).
///
/// Without `NOTIFY_SOCKET` in the environment nobody asked, and every call does nothing.
struct ServiceNotifier {
  private let socket: String?

  init(_ environment: [String: String]) {
    self.socket = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// `lines` such as `["READY=1", "STATUS=…"]`, in one datagram. Returns whether it was sent: a
  /// service manager that does not listen is not our failure.
  @discardableResult
  func send(_ lines: [String]) -> Bool {
    guard let path = self.socket else { return false }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
      if bytes.count >= room.count { return false }
      room.copyBytes(from: bytes)
      // `@name` stands for a name in the abstract namespace, which starts with a zero byte.
      if bytes[0] == UInt8(ascii: "@") { room[0] = 0 }
      return true
    }
    let descriptor = Glibc.socket(
      AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard fits, descriptor >= 0 else { return false }
    defer { close(descriptor) }
    let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + bytes.count
    let text = Array(lines.joined(separator: "\n").utf8)
    return withUnsafePointer(to: address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        sendto(
          descriptor, text, text.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT),
          address, socklen_t(length)) == text.count
      }
    }
  }

  /// What goes with RELOADING=1, so that the manager can tell this reload from an earlier one.
  static func monotonicMicroseconds() -> String {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return "MONOTONIC_USEC=\(time.tv_sec * 1_000_000 + time.tv_nsec / 1_000)"
  }
}
