import EventLoop
import Foundation
import TestSupport
import Testing

@Suite @LoopActor struct ListenerTests {
  private let directory = TemporaryDirectory()

  private func mode(_ path: String) throws -> Int {
    let found = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
    return try #require(found as? Int)
  }

  /// A socket file whose owner is gone, as a crash leaves it.
  private func leaveStaleSocket(_ path: String) {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    close(descriptor)
  }

  @Test func onlyTheOwnerMayConnect() throws {
    let path = self.directory.file("s")
    let listener = try Listener.unix(path: path, delegate: Acceptor())
    #expect(try self.mode(path) == 0o600)
    listener.close()
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func aLiveSocketIsNotTaken() async throws {
    let path = self.directory.file("s")
    let acceptor = Acceptor()
    let listener = try Listener.unix(path: path, delegate: acceptor)
    #expect(throws: ListenError.alreadyRunning(path: path)) {
      try Listener.unix(path: path, delegate: acceptor)
    }
    let stream = try await ByteStream.connect(unixPath: path)
    stream.close()
    // The probe of the second listener is there as well.
    try await wait(for: "both connections") { acceptor.streams.count == 2 }
    acceptor.closeAll()
    listener.close()
  }

  @Test func aStaleSocketIsReplaced() async throws {
    let path = self.directory.file("s")
    self.leaveStaleSocket(path)
    #expect(FileManager.default.fileExists(atPath: path))
    let acceptor = Acceptor()
    let listener = try Listener.unix(path: path, delegate: acceptor)
    let stream = try await ByteStream.connect(unixPath: path)
    try await wait(for: "the connection") { acceptor.streams.count == 1 }
    stream.close()
    acceptor.closeAll()
    listener.close()
  }

  @Test func aFileThatIsNoSocketIsLeftAlone() throws {
    let path = self.directory.file("precious")
    try "content".write(toFile: path, atomically: true, encoding: .utf8)
    #expect(throws: ListenError.failed("bind", path, .addressInUse)) {
      try Listener.unix(path: path, delegate: Acceptor())
    }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "content")
  }

  @Test func closingLeavesASuccessorsSocketAlone() throws {
    let path = self.directory.file("s")
    let listener = try Listener.unix(path: path, delegate: Acceptor())
    try FileManager.default.removeItem(atPath: path)
    let successor = try Listener.unix(path: path, delegate: Acceptor())
    listener.close()
    #expect(FileManager.default.fileExists(atPath: path))
    successor.close()
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func aPathThatIsTooLongIsRefusedByName() async throws {
    let path = self.directory.file(String(repeating: "x", count: 200))
    #expect(throws: ListenError.pathTooLong(path: path, bytesMax: 107)) {
      try Listener.unix(path: path, delegate: Acceptor())
    }
    await #expect(throws: StreamError.nameTooLong) {
      try await ByteStream.connect(unixPath: path)
    }
  }

  @Test func aMissingDirectoryIsAnError() {
    let directory = self.directory.file("missing")
    #expect(throws: ListenError.failed("open the directory", directory, .noSuchFile)) {
      try Listener.unix(path: directory + "/s", delegate: Acceptor())
    }
  }

  @Test func connectingToNobodySaysWhy() async throws {
    let path = self.directory.file("s")
    await #expect(throws: StreamError.noSuchFile) {
      try await ByteStream.connect(unixPath: path)
    }
    self.leaveStaleSocket(path)
    await #expect(throws: StreamError.connectionRefused) {
      try await ByteStream.connect(unixPath: path)
    }
    #expect(StreamError.connectionRefused.name == "ECONNREFUSED")
    #expect(StreamError.connectionRefused.message == "connection refused")
  }

  @Test(arguments: ["127.0.0.1", "::1"])
  func aFreePortIsFoundAndConnectedTo(host: String) async throws {
    let acceptor = Acceptor()
    let bound = try #require(SocketAddress(numericHost: host, port: 0))
    let listener = try Listener.tcp(bound, delegate: acceptor)
    let address = try #require(listener.address)
    #expect(address.port != 0)
    #expect(address.isLoopback)
    let stream = try await ByteStream.connect(to: address)
    try await wait(for: "the connection") { acceptor.streams.count == 1 }
    #expect(acceptor.streams[0].peerAddress?.host == host)
    #expect(acceptor.streams[0].peerCredentials == nil)
    #expect(stream.peerAddress?.description == address.description)
    let echo = try Echo(acceptor.streams[0])
    let collector = Collector()
    try stream.startReading(collector)
    try stream.write(Array("there and back".utf8))
    try await wait(for: "the echo") { collector.text == "there and back" }
    _ = echo
    stream.close()
    listener.close()
    await #expect(throws: StreamError.connectionRefused) {
      try await ByteStream.connect(to: address)
    }
  }

  @Test func aTakenPortIsAnError() throws {
    let any = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
    let listener = try Listener.tcp(any, delegate: Acceptor())
    let address = try #require(listener.address)
    #expect(throws: ListenError.failed("listen", "\(address)", .addressInUse)) {
      try Listener.tcp(address, delegate: Acceptor())
    }
    listener.close()
  }

  @Test func namesAreLookedUpOffTheLoop() async throws {
    let acceptor = Acceptor()
    let any = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
    let listener = try Listener.tcp(any, delegate: acceptor)
    let port = try #require(listener.address).port
    let stream = try await ByteStream.connect(host: "localhost", port: port)
    try await wait(for: "the connection") { acceptor.streams.count == 1 }
    stream.close()
    acceptor.closeAll()
    listener.close()
    await #expect(throws: StreamError.self) {
      try await ByteStream.connect(host: "no such host", port: 1)
    }
  }

  @Test func addressesAreReadAndWritten() throws {
    #expect(SocketAddress(numericHost: "localhost", port: 1) == nil)
    let four = try #require(SocketAddress(numericHost: "10.1.2.3", port: 7000))
    #expect(four.description == "10.1.2.3:7000")
    #expect(!four.isLoopback)
    let six = try #require(SocketAddress(numericHost: "2001:db8::1", port: 7000))
    #expect(six.description == "[2001:db8::1]:7000")
    #expect(!six.isLoopback)
    #expect(SocketAddress(numericHost: "127.9.9.9", port: 1)?.isLoopback == true)
    #expect(SocketAddress(numericHost: "::ffff:127.0.0.1", port: 1)?.isLoopback == true)
  }

  @Test func aPausedListenerLeavesConnectionsWaiting() async throws {
    let path = self.directory.file("s")
    let acceptor = Acceptor()
    let listener = try Listener.unix(path: path, delegate: acceptor)
    listener.pauseAccepting()
    let stream = try await ByteStream.connect(unixPath: path)
    try stream.write(Array("early".utf8))
    var turns = 0
    try await wait(for: "a few turns") {
      turns += 1
      LoopActor.requestTurn()
      return turns > 20
    }
    #expect(acceptor.streams.isEmpty)
    listener.resumeAccepting()
    try await wait(for: "the connection") { acceptor.streams.count == 1 }
    let collector = Collector()
    try acceptor.streams[0].startReading(collector)
    try await wait(for: "what was written meanwhile") { collector.text == "early" }
    stream.close()
    acceptor.closeAll()
    listener.close()
  }

  @Test func aCancelledTaskStopsConnecting() async throws {
    // Nobody accepts and the backlog is full, so a connection has to wait (TCP) or is refused.
    let any = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
    let listener = try Listener.tcp(any, backlog: 0, delegate: Acceptor())
    listener.pauseAccepting()
    let address = try #require(listener.address)
    let first = try await ByteStream.connect(to: address)
    let task = Task { @LoopActor in
      do throws(StreamError) {
        let stream = try await ByteStream.connect(to: address)
        stream.close()
        return nil as StreamError?
      } catch {
        return error
      }
    }
    await Task.yield()
    task.cancel()
    #expect(await task.value == .cancelled)
    first.close()
    listener.close()
  }
}
