import EventLoop
import Foundation
import TestSupport
import Testing

/// What counts the handles of the whole process runs in a process of its own.
@Suite struct OpenHandleTests {
  /// What is closing is gone after the turn.
  @LoopActor
  private static func waitForNoOpenHandles() async throws {
    for _ in 0..<1000 where OpenHandles.total > 0 { await Task.yield() }
    try #require(OpenHandles.summary == "")
  }

  @Test func thousandsOfConnectionsClosedFromEitherEndLeaveNothingOpen() async {
    await #expect(processExitsWith: .success) { @LoopActor in
      let directory = TemporaryDirectory()
      let acceptor = Acceptor()
      var echoes: [Echo] = []
      let listener = try Listener.unix(path: directory.file("s"), delegate: acceptor)
      let rounds = 12
      let perRound = 250
      for round in 0..<rounds {
        var near: [(ByteStream, Collector)] = []
        for _ in 0..<perRound {
          let stream = try await ByteStream.connect(unixPath: directory.file("s"))
          let collector = Collector(bufferBytes: 64)
          try stream.startReading(collector)
          near.append((stream, collector))
        }
        try await wait(for: "the accepted streams") { acceptor.streams.count == perRound }
        for stream in acceptor.streams { echoes.append(try Echo(stream)) }
        for (stream, _) in near { try stream.write(Array("round \(round)".utf8)) }
        // A third is closed here at once, a third there, the rest after their answer came.
        for index in 0..<perRound {
          switch index % 3 {
          case 0: near[index].0.close()
          case 1: acceptor.streams[index].close()
          default: break
          }
        }
        try await wait(for: "the answers or the ends") {
          (0..<perRound).allSatisfy { index in
            near[index].0.isClosing || near[index].1.hasEnded
              || near[index].1.text == "round \(round)"
          }
        }
        for (stream, _) in near { stream.close() }
        try await wait(for: "the ends there") { acceptor.streams.allSatisfy(\.isClosing) }
        acceptor.closeAll()
        echoes.removeAll()
      }
      listener.close()
      try await Self.waitForNoOpenHandles()
    }
  }

  @Test func withoutDescriptorsAListenerWaitsAndGoesOn() async {
    await #expect(processExitsWith: .success) { @LoopActor in
      var limit = rlimit(rlim_cur: 128, rlim_max: 128)
      try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      let directory = TemporaryDirectory()
      let acceptor = Acceptor()
      let listener = try Listener.unix(path: directory.file("s"), delegate: acceptor)
      let near = try await ByteStream.connect(unixPath: directory.file("s"))
      try await wait(for: "the first connection") { acceptor.streams.count == 1 }

      // The connecting end has its descriptor before the process runs out of them.
      listener.pauseAccepting()
      let late = try await ByteStream.connect(unixPath: directory.file("s"))
      try late.write(Array("I can wait".utf8))
      var taken: [Int32] = []
      while true {
        let descriptor = open("/dev/null", O_RDONLY)
        if descriptor < 0 { break }
        taken.append(descriptor)
      }
      listener.resumeAccepting()
      try await wait(for: "the pause") { !acceptor.pauses.isEmpty }
      #expect(acceptor.pauses[0] == .tooManyFiles)
      #expect(acceptor.streams.count == 1)

      for descriptor in taken { close(descriptor) }
      try await wait(for: "the late connection") { acceptor.streams.count == 2 }
      let collector = Collector()
      try acceptor.streams[1].startReading(collector)
      try await wait(for: "what it said") { collector.text == "I can wait" }
      near.close()
      late.close()
      acceptor.closeAll()
      listener.close()
      try await Self.waitForNoOpenHandles()
    }
  }
}
