import EventLoop
import TestSupport
import Testing
import Transports

@Suite @LoopActor struct TransportListenersTests {
  final class Hall: TransportListenersDelegate {
    var guests: [(stream: ByteStream, peer: TransportPeer)] = []
    func didAccept(_ stream: ByteStream, from peer: TransportPeer) {
      self.guests.append((stream, peer))
    }
    func didPauseAccepting(on endpoint: Endpoint, because error: StreamError) {}
  }

  @Test func severalEndpointsLeadToOneDelegate() async throws {
    let directory = TemporaryDirectory()
    let hall = Hall()
    let listeners = TransportListeners(delegate: hall)
    let first = Endpoint.unix(path: directory.file("a"))
    try await listeners.listen(on: first)
    try await listeners.listen(on: .unix(path: directory.file("b")))
    let tcp = try await listeners.listen(on: .tcp(host: "::1", port: 0))
    #expect(listeners.endpoints.count == 3)
    #expect(listeners.endpoints[2] == tcp[0])
    var streams: [ByteStream] = []
    for endpoint in listeners.endpoints {
      streams.append(try await ByteStream.connect(to: endpoint))
    }
    try await wait(for: "three guests") { hall.guests.count == 3 }
    #expect(Set(hall.guests.map(\.peer.endpoint)) == Set(listeners.endpoints))
    for stream in streams + hall.guests.map(\.stream) { stream.close() }
    listeners.close()
    #expect(listeners.endpoints.isEmpty)
    await #expect(throws: StreamError.noSuchFile) { try await ByteStream.connect(to: first) }
  }

  @Test func aHostNameIsBoundOnAllItsAddressesWithOnePort() async throws {
    let hall = Hall()
    let listeners = TransportListeners(delegate: hall)
    let bound = try await listeners.listen(on: .tcp(host: "localhost", port: 0))
    let ports = Set(
      bound.map { endpoint -> UInt16 in
        if case .tcp(_, let port) = endpoint { port } else { 0 }
      })
    #expect(ports.count == 1)
    #expect(!ports.contains(0))
    listeners.close()
  }

  @Test func whatCannotBeBoundIsAnErrorAndLeavesTheOthers() async throws {
    let directory = TemporaryDirectory()
    let hall = Hall()
    let listeners = TransportListeners(delegate: hall)
    let path = directory.file("a")
    try await listeners.listen(on: .unix(path: path))
    await #expect(throws: ListenError.alreadyRunning(path: path)) {
      try await listeners.listen(on: .unix(path: path))
    }
    await #expect(throws: ListenError.self) {
      try await listeners.listen(on: .tcp(host: "no such host", port: 1))
    }
    #expect(listeners.endpoints == [.unix(path: path)])
    listeners.close()
  }
}
