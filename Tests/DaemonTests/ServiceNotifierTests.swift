import Glibc
import Testing

@testable import Daemon

@Suite struct ServiceNotifierTests {
  /// Binds a datagram socket where a service manager would listen.
  func receiver(at path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    try #require(descriptor >= 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = path.hasPrefix("@") ? [0] + Array(path.utf8.dropFirst()) : Array(path.utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + bytes.count)
    let status = withUnsafePointer(to: address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    try #require(status == 0)
    return descriptor
  }

  func receive(_ descriptor: Int32) -> String {
    var room = [UInt8](repeating: 0, count: 4_096)
    let count = recv(descriptor, &room, room.count, Int32(MSG_DONTWAIT))
    return count < 0 ? "nothing" : String(decoding: room[..<count], as: UTF8.self)
  }

  @Test func linesArriveInOneDatagram() throws {
    let folder = try TemporaryFolder()
    for path in ["\(folder.path)/notify", "@coagent-test-\(getpid())"] {
      let receiver = try self.receiver(at: path)
      defer { close(receiver) }
      let notifier = ServiceNotifier(["NOTIFY_SOCKET": path])
      #expect(notifier.send(["READY=1", "STATUS=listening"]))
      #expect(self.receive(receiver) == "READY=1\nSTATUS=listening")
    }
  }

  @Test func nobodyAskedAndNobodyThereAreNoFailures() {
    #expect(!ServiceNotifier([:]).send(["READY=1"]))
    #expect(!ServiceNotifier(["NOTIFY_SOCKET": ""]).send(["READY=1"]))
    #expect(!ServiceNotifier(["NOTIFY_SOCKET": "/nowhere/notify"]).send(["READY=1"]))
    let long = String(repeating: "x", count: 200)
    #expect(!ServiceNotifier(["NOTIFY_SOCKET": "/\(long)"]).send(["READY=1"]))
  }
}
