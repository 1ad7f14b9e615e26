import Connections
import Routing
import TestSupport
import Testing
import Wire

@testable import Sidecar

/// A core whose peers read only when they are told to.
private final class SlowStage {
  let core: Core
  private(set) var now: UInt64 = 10_000
  private(set) var closed: [ConnectionIndex: [String]] = [:]
  private(set) var events: [String] = []

  init(_ change: (inout Limits) -> Void = { _ in }) {
    var limits = Limits()
    change(&limits)
    core = Core(limits: limits, server: "coagentd/test", now: 10_000)
    core.onEvent = { [unowned self] event in
      switch event {
      case .greeted(_, let client, _): events.append("greeted \(client)")
      case .fault(_, let fault): events.append(fault.reason.rawValue)
      case .acceptPaused: events.append("paused")
      }
    }
  }

  /// A peer, which says hello and reads the answer unless it is not to.
  func connect(isPermitted: Bool = true, greets: Bool = true) -> (ConnectionIndex, OutBuffer) {
    let out = OutBuffer()
    let connection = core.accept(
      .unix, principal: .user(1), isPermitted: isPermitted, out: out, now: now)
    if greets {
      say(connection, #"{"op":"hello","v":1,"client":"test/1"}"#)
      #expect(read(connection, out).first?.contains(#""op":"welcome""#) == true)
    }
    return (connection, out)
  }

  func say(_ connection: ConnectionIndex, _ header: String, bytes: Int = 0) {
    var text = Array(header.utf8)
    let scanned = Header()
    let content = [UInt8](repeating: 0x2E, count: bytes)
    core.router.now = now
    text.withUnsafeMutableBytes { raw in
      #expect(scanned.scan(raw) == nil)
      content.withUnsafeBytes { core.receive(connection, scanned, Content($0)) }
    }
    perform()
  }

  /// The headers of what waits for a peer, which it takes now.
  @discardableResult
  func read(_ connection: ConnectionIndex, _ out: OutBuffer) -> [String] {
    var headers: [String] = []
    while !out.isEmpty {
      headers += Self.headers(out)
      core.drained(connection, now: now)
      perform()
    }
    return headers
  }

  func pass(_ milliseconds: UInt64) {
    now += milliseconds
    core.advance(to: now)
    perform()
  }

  /// What the shell does at the end of a turn, with sockets that take nothing.
  func perform() {
    core.takeDirty { connection in core.waits(connection, now: now) }
    core.takeClosing { connection in
      #expect(closed[connection] == nil, "closed twice")
      closed[connection] = Self.headers(core.router.out(connection))
      core.lost(connection, now: now)
    }
  }

  private static func headers(_ out: OutBuffer) -> [String] {
    guard out.pending > 0 else { return [] }
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: out.pending, alignment: 8)
    defer { bytes.deallocate() }
    out.copyOut(to: bytes)
    var headers: [String] = []
    var at = 0
    while at < bytes.count {
      let sizes = [at, at + 4].map {
        Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self)))
      }
      headers.append(UnsafeRawBufferPointer(rebasing: bytes[(at + 8)..<(at + 8 + sizes[0])]).text)
      at += 8 + sizes[0] + sizes[1]
    }
    return headers
  }
}

@Suite struct CoreTests {
  // MARK: Connecting

  @Test func aUserWhoMayNotConnectIsToldSoAndClosed() {
    let stage = SlowStage()
    let (connection, _) = stage.connect(isPermitted: false, greets: false)
    stage.perform()
    #expect(stage.closed[connection]?.first?.contains(#""reason":"peer_refused""#) == true)
    #expect(stage.core.connectionCount == 0)
  }

  @Test func connectionsAreCountedWhileTheyAreOpen() {
    let stage = SlowStage { $0.connectionsMax = 2 }
    let (first, _) = stage.connect()
    _ = stage.connect()
    let (third, _) = stage.connect(greets: false)
    stage.perform()
    #expect(stage.closed[third]?.first?.contains(#""reason":"too_many_connections""#) == true)
    stage.core.lost(first, now: stage.now)
    _ = stage.connect()
    #expect(stage.core.connectionCount == 2)
  }

  @Test func nothingIsHeardAfterAFault() {
    let stage = SlowStage()
    let (connection, out) = stage.connect()
    var text = Array(#"{"op":"call","id":2,"to":"discovery"}"#.utf8)
    let header = Header()
    text.withUnsafeMutableBytes { raw in
      _ = header.scan(raw)
      stage.core.receive(connection, header, .none)
      stage.core.receive(connection, header, .none)
      stage.core.receive(connection, .headerLength(1, max: 2))
    }
    #expect(!out.isEmpty)
    stage.perform()
    #expect(stage.closed[connection]?.count == 1)
    #expect(stage.events.filter { $0 != "greeted test/1" } == ["bad_id"])
  }

  // MARK: Slow readers

  @Test func whoTakesNothingForThirtySecondsIsClosed() {
    let stage = SlowStage()
    let (connection, _) = stage.connect()
    stage.say(connection, #"{"op":"ping"}"#)
    stage.pass(29_990)
    #expect(stage.closed.isEmpty)
    stage.pass(20)
    #expect(stage.closed[connection]?.last?.contains(#""reason":"slow_reader""#) == true)
    #expect(stage.events.last == "slow_reader")
  }

  @Test func whoTakesSomethingNowAndThenIsNot() {
    let stage = SlowStage()
    let (connection, out) = stage.connect()
    for _ in 0..<20 { stage.say(connection, #"{"op":"ping"}"#) }
    for _ in 0..<10 {
      stage.pass(20_000)
      out.consume(8 + #"{"op":"pong"}"#.utf8.count)
      stage.core.drained(connection, now: stage.now)
    }
    #expect(stage.closed.isEmpty)
    stage.pass(29_990)
    #expect(stage.closed.isEmpty)
    stage.pass(20)
    #expect(stage.closed[connection] != nil)
  }

  @Test func whoHasTakenEverythingIsWatchedNoMore() {
    let stage = SlowStage()
    let (connection, out) = stage.connect()
    stage.say(connection, #"{"op":"ping"}"#)
    stage.pass(29_000)
    stage.read(connection, out)
    stage.pass(100_000)
    #expect(stage.closed.isEmpty)
    // The next wait is a new one.
    stage.say(connection, #"{"op":"ping"}"#)
    stage.pass(29_000)
    #expect(stage.closed.isEmpty)
    stage.pass(1_010)
    #expect(stage.closed[connection] != nil)
  }

  @Test func whoAsksAndNeverReadsTheAnswersIsClosedOnce() {
    let stage = SlowStage {
      $0.connectionHardMarkBytes = 2_000
      $0.contentBytesMax = 1_000
    }
    let (connection, _) = stage.connect()
    var pings = 0
    while stage.closed.isEmpty, pings < 1_000 {
      stage.say(connection, #"{"op":"ping"}"#)
      pings += 1
    }
    #expect(stage.closed[connection]?.last?.contains(#""reason":"slow_reader""#) == true)
    #expect(stage.closed[connection]?.count == pings + 1)
    #expect(stage.core.connectionCount == 0)
  }

  // MARK: The sidecar's own agents

  @Test func inputThatNoAgentOfTheSidecarReadsDoesNotStopTheOthers() {
    let stage = SlowStage { $0.connectionHighMarkBytes = 1 << 20 }
    let (connection, out) = stage.connect()
    var id = 1
    for _ in 0..<4 {
      stage.say(
        connection,
        #"{"op":"call","id":\#(id),"to":"discovery","type":"DiscoveryWatch","lazy":true,"input":true}"#
      )
      for _ in 0..<15 { stage.say(connection, #"{"op":"data","id":\#(id)}"#, bytes: 60_000) }
      stage.say(connection, #"{"op":"credit","id":\#(id),"bytes":1000}"#)
      id += 2
    }
    _ = stage.read(connection, out)
    stage.say(connection, #"{"op":"call","id":\#(id),"to":"discovery","type":"DiscoveryQuery"}"#)
    #expect(stage.read(connection, out).contains { $0.contains("DiscoveryReply") })
  }
}
