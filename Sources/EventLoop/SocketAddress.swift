internal import CLibuv

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// An IP address and a port, as numbers: `127.0.0.1:7000`, `[::1]:7000`.
public struct SocketAddress: Sendable, CustomStringConvertible {
  private var storage = sockaddr_storage()

  /// Reads a numeric IPv4 or IPv6 address (without brackets); `nil` for a name.
  public init?(numericHost host: String, port: UInt16) {
    let found = withUnsafeMutablePointer(to: &self.storage) { storage in
      storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        uv_ip4_addr(host, Int32(port), $0) == 0
      }
        || storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
          uv_ip6_addr(host, Int32(port), $0) == 0
        }
    }
    if !found { return nil }
  }

  init?(_ fill: (UnsafeMutablePointer<sockaddr_storage>) -> Int32) {
    if fill(&self.storage) < 0 || !self.isInternet { return nil }
  }

  init(copying address: UnsafePointer<sockaddr>, length: socklen_t) {
    withUnsafeMutableBytes(of: &self.storage) { bytes in
      bytes.copyMemory(
        from: UnsafeRawBufferPointer(start: address, count: min(Int(length), bytes.count)))
    }
  }

  private var family: Int32 { Int32(self.storage.ss_family) }

  private var isInternet: Bool { self.family == AF_INET || self.family == AF_INET6 }

  var isIPv6: Bool { self.family == AF_INET6 }

  public var port: UInt16 {
    // In both families the port follows the family, in network order.
    withUnsafeBytes(of: self.storage) {
      UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self))
    }
  }

  /// Whether only this machine can reach it: 127.0.0.0/8, `::1`.
  public var isLoopback: Bool {
    withUnsafeBytes(of: self.storage) { bytes in
      if !self.isIPv6 { return bytes[4] == 127 }
      let address = bytes[8..<24]
      let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127]
      return address.elementsEqual([UInt8](repeating: 0, count: 15) + [1])
        || address.starts(with: mapped)
    }
  }

  /// The address without its port, for example `127.0.0.1` or `::1`.
  public var host: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { name in
      let status = withUnsafePointer(to: self.storage) { storage in
        self.isIPv6
          ? storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
            uv_ip6_name($0, name.baseAddress, name.count)
          }
          : storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
            uv_ip4_name($0, name.baseAddress, name.count)
          }
      }
      return status < 0 ? "?" : String(cString: name.baseAddress!)
    }
  }

  public var description: String {
    self.isIPv6 ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
  }

  var length: socklen_t {
    socklen_t(self.isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
  }

  func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>) -> Result) -> Result {
    withUnsafePointer(to: self.storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
    }
  }

  func withStorage<Result>(_ body: (UnsafePointer<sockaddr_storage>) -> Result) -> Result {
    withUnsafePointer(to: self.storage, body)
  }
}

extension SocketAddress {
  /// Finds the addresses of a host, best first and at least one. Names are looked up off the loop;
  /// numbers are only read. Throws `EAI_NONAME` and the like.
  @LoopActor
  public static func resolve(host: String, port: UInt16) async throws(StreamError)
    -> [SocketAddress]
  {
    if let numeric = SocketAddress(numericHost: host, port: port) { return [numeric] }
    let answer = await withCheckedContinuation { continuation in
      ResolveRequest(continuation).submit(host: host, port: port)
    }
    return try answer.get()
  }
}

@LoopActor
private final class ResolveRequest {
  typealias Answer = Result<[SocketAddress], StreamError>

  private nonisolated(unsafe) let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(
    capacity: 1)
  private let continuation: CheckedContinuation<Answer, Never>

  init(_ continuation: CheckedContinuation<Answer, Never>) {
    self.continuation = continuation
  }

  func submit(host: String, port: UInt16) {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    let me = Unmanaged.passRetained(self)
    self.request.pointee.data = me.toOpaque()
    let status = uv_getaddrinfo(
      LoopExecutor.shared.loop, self.request,
      { raw, status, found in
        let me = Unmanaged<ResolveRequest>.fromOpaque(raw!.pointee.data!).takeRetainedValue()
        let answer = ResolveRequest.answer(status, found)
        uv_freeaddrinfo(found)
        LoopActor.assumeIsolated { me.continuation.resume(returning: answer) }
      }, host, String(port), &hints)
    if status < 0 {
      me.release()
      self.continuation.resume(returning: .failure(StreamError(code: status)))
    }
  }

  private static nonisolated func answer(
    _ status: Int32, _ found: UnsafeMutablePointer<addrinfo>?
  ) -> Answer {
    if status < 0 { return .failure(StreamError(code: status)) }
    var addresses: [SocketAddress] = []
    var next = found
    while let entry = next {
      if let address = entry.pointee.ai_addr {
        addresses.append(SocketAddress(copying: address, length: entry.pointee.ai_addrlen))
      }
      next = entry.pointee.ai_next
    }
    return addresses.isEmpty ? .failure(.unknownHost) : .success(addresses)
  }

  deinit { self.request.deallocate() }
}
