import Discovery
import Testing
import Wire

/// Watches as a conversation: what is sent to whom, on a clock of numbers.
struct WatchesTests {
  private final class Stage {
    let directory = Directory()
    let watches: Watches
    var sent: [String] = []
    var blocks: [ContentBlock] = []

    init() {
      watches = Watches(directory.registry)
    }

    func open(
      _ id: UInt64, _ query: String = "{}", from: UInt64? = nil, window: Int = 1 << 20
    ) throws {
      let query = try DiscoveryQuery(JSONReader.read(Array(query.utf8)))
      watches.open(id, query, from: from, window: window, note)
    }

    /// Ticks when that is due at `now`; false when it is not.
    @discardableResult
    func advance(to now: UInt64) -> Bool {
      guard let due = watches.due(now: now), due <= now else { return false }
      watches.tick(now: now, note)
      return true
    }

    /// What was sent since the last time it was asked.
    func taken() -> [String] {
      defer { sent = [] }
      return sent
    }

    private func note(_ id: UInt64, _ message: Watches.Message, _ block: ContentBlock) {
      blocks.append(block)
      guard let value = try? JSONReader.read(block.bytes) else { return }
      func names(_ key: String) -> String {
        (value[key]?.elements ?? []).map { $0["name"]?.text ?? $0.text ?? "?" }
          .joined(separator: " ")
      }
      let revision = value["revision"]?.integer ?? -1
      switch message {
      case .snapshot: sent.append("\(id) snapshot \(revision): \(names("agents"))")
      case .change:
        sent.append("\(id) change \(revision): +\(names("registered")) -\(names("deregistered"))")
      }
    }
  }

  @Test func aSnapshotComesFirstThenChanges() throws {
    let stage = Stage()
    let a = stage.directory.register("a")
    try stage.open(1)
    #expect(stage.taken() == ["1 snapshot 1: a"])
    stage.directory.register("b")
    stage.advance(to: 100)
    #expect(stage.taken() == ["1 change 2: +b -"])
    stage.directory.deregister("a", a)
    stage.advance(to: 200)
    #expect(stage.taken() == ["1 change 3: + -a"])
    #expect(stage.watches.due(now: 300) == nil)
  }

  @Test func changesAreMergedForTheInterval() throws {
    let stage = Stage()
    try stage.open(1)
    _ = stage.taken()
    stage.directory.register("a")
    #expect(stage.advance(to: 1000))
    #expect(stage.taken() == ["1 change 1: +a -"])
    let b = stage.directory.register("b")
    #expect(stage.watches.due(now: 1001) == 1050)
    #expect(!stage.advance(to: 1049))
    stage.directory.register("c")
    stage.directory.deregister("b", b)
    #expect(stage.advance(to: 1050))
    #expect(stage.taken() == ["1 change 4: +c -"])
  }

  @Test func nothingIsDueWithoutWatches() throws {
    let stage = Stage()
    stage.directory.register("a")
    #expect(stage.watches.due(now: 0) == nil)
    try stage.open(1)
    stage.watches.close(1)
    stage.directory.register("b")
    #expect(stage.watches.due(now: 0) == nil)
    #expect(stage.watches.count == 0)
  }

  @Test func changesThatAreNotCoveredAreNotTold() throws {
    let stage = Stage()
    try stage.open(1, #"{"namespace":"tes","recursive":true}"#)
    _ = stage.taken()
    stage.directory.register("tester")
    stage.directory.register("test.a")
    stage.advance(to: 100)
    #expect(stage.taken().isEmpty)
    #expect(stage.watches.due(now: 200) == nil)
  }

  @Test func aKnownRevisionIsResumed() throws {
    let stage = Stage()
    stage.directory.register("a")
    stage.directory.register("b")
    try stage.open(1, from: 1)
    #expect(stage.taken().isEmpty)
    stage.advance(to: 10)
    #expect(stage.taken() == ["1 change 2: +b -"])
    try stage.open(2, from: 2)
    stage.advance(to: 100)
    #expect(stage.taken().isEmpty)
  }

  @Test func anUnknownRevisionGetsASnapshot() throws {
    let stage = Stage()
    stage.directory.register("a")
    try stage.open(1, from: 7)
    #expect(stage.taken() == ["1 snapshot 1: a"])
  }

  @Test func aClosedWindowGetsTheDifferenceLater() throws {
    let stage = Stage()
    try stage.open(1, window: 1)
    #expect(stage.taken() == ["1 snapshot 0: "])
    let a = stage.directory.register("a")
    stage.directory.register("b")
    stage.advance(to: 100)
    #expect(stage.taken().isEmpty)
    #expect(stage.watches.due(now: 200) == nil)
    stage.directory.deregister("a", a)
    stage.directory.register("c")
    stage.watches.permit(1, window: 1000)
    #expect(stage.advance(to: 200))
    #expect(stage.taken() == ["1 change 4: +b c -"])
  }

  @Test func aSnapshotWaitsForTheWindowToo() throws {
    let stage = Stage()
    try stage.open(1, window: 0)
    stage.directory.register("a")
    stage.advance(to: 100)
    #expect(stage.taken().isEmpty)
    stage.watches.permit(1, window: 1)
    stage.advance(to: 200)
    #expect(stage.taken() == ["1 snapshot 1: a"])
  }

  @Test func whoIsTooFarBehindGetsASnapshotAgain() throws {
    let stage = Stage()
    try stage.open(1, window: 1)
    _ = stage.taken()
    for _ in 0..<10_000 { stage.directory.deregister("x", stage.directory.register("x")) }
    stage.directory.register("a")
    stage.watches.permit(1, window: 1000)
    stage.advance(to: 100)
    #expect(stage.taken() == ["1 snapshot 20001: a"])
  }

  @Test func whatIsEqualIsWrittenOnce() throws {
    let stage = Stage()
    for id: UInt64 in 1...3 { try stage.open(id, #"{"recursive":true}"#) }
    try stage.open(4)
    stage.directory.register("a.x")
    stage.advance(to: 100)
    #expect(stage.taken().suffix(3) == (1...3).map { "\($0) change 1: +a.x -" })
    #expect(Set(stage.blocks.prefix(3).map { ObjectIdentifier($0) }).count == 1)
    #expect(Set(stage.blocks.suffix(3).map { ObjectIdentifier($0) }).count == 1)
  }

  @Test func closedWatchesAreToldNothing() throws {
    let stage = Stage()
    for id: UInt64 in [2, 4, 6] { try stage.open(id) }
    _ = stage.taken()
    stage.watches.close(4)
    stage.watches.close(5)
    stage.watches.permit(4, window: 10)
    stage.directory.register("a")
    stage.advance(to: 100)
    #expect(stage.taken() == ["2 change 1: +a -", "6 change 1: +a -"])
  }
}
