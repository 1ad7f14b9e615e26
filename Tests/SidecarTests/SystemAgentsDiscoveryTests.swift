import Routing
import Sidecar
import Testing
import Wire

/// `discovery`, called through the core like any agent.
struct SystemAgentsDiscoveryTests {
  private func names(_ frame: SystemStage.Frame, _ key: String = "agents") -> String {
    (frame.json[key]?.elements ?? []).map { $0["name"]?.text ?? $0.text ?? "?" }
      .joined(separator: " ")
  }

  @Test func aQueryIsAnsweredOnce() throws {
    let stage = SystemStage()
    let peer = try stage.connect()
    peer.register("a", #","description":"first","version":"1","labels":{"env":"prod"}"#)
    peer.register("a.x")
    let reply = try peer.ask("discovery", "DiscoveryQuery")
    #expect(reply.op == "data")
    #expect(reply.type == "DiscoveryReply")
    #expect(reply.header["end"] == .truth(true))
    #expect(
      reply.content == #"{"revision":2,"agents":[{"name":"a","description":"first"}]}"#)
    let detailed = try peer.ask(
      "discovery", "DiscoveryQuery", #"{"detailed":true,"labels":{"env":"prod"}}"#)
    #expect(
      detailed.content == #"{"revision":2,"agents":[{"name":"a","description":"first","#
        + #""version":"1","labels":{"env":"prod"},"operations":[],"replicas":1}]}"#)
  }

  @Test func theSameQuestionIsAnsweredAnewWhenReplicasCameOrWent() throws {
    let stage = SystemStage()
    let peer = try stage.connect()
    let other = try stage.connect()
    func replicas() throws -> JSON? {
      try peer.ask("discovery", "DiscoveryQuery", #"{"detailed":true}"#)
        .json["agents"]?.elements?.first?["replicas"]
    }
    #expect(try replicas() == nil)
    peer.register("a")
    #expect(try replicas() == .integer(1))
    other.register("a")
    #expect(try replicas() == .integer(2))
    #expect(try replicas() == .integer(2))
    other.disconnect()
    #expect(try replicas() == .integer(1))
    #expect(
      try peer.ask("discovery", "DiscoveryQuery").content
        == #"{"revision":1,"agents":[{"name":"a","description":""}]}"#)
  }

  @Test func aListOfQueriesGetsAListOfReplies() throws {
    let stage = SystemStage()
    let peer = try stage.connect()
    peer.register("a")
    peer.register("b.x")
    let reply = try peer.ask(
      "discovery", "DiscoveryQuery", #"[{}, {"namespace":"b"}, {"namespace":"c"}]"#)
    #expect(reply.type == "DiscoveryReply")
    let agents = reply.json.elements?.map { $0["agents"]?.elements?.first?["name"]?.text }
    #expect(agents == ["a", "b.x", nil])
    #expect(try peer.ask("discovery", "DiscoveryQuery", "[]").content == "[]")
  }

  @Test func theSidecarsOwnAgentsAreNotListed() throws {
    let stage = SystemStage()
    let peer = try stage.connect()
    let reply = try peer.ask("discovery", "DiscoveryQuery", #"{"recursive":true}"#)
    #expect(reply.content == #"{"revision":0,"agents":[]}"#)
  }

  @Test(arguments: ["discovery", "sessions", "stats"])
  func anUnknownTypeIsUnimplemented(_ agent: String) throws {
    let peer = try SystemStage().connect()
    for type in ["Nonsense", ""] {
      let error = try peer.ask(agent, type, "{}")
      #expect(error.op == "error")
      #expect(error.header["code"] == .string("unimplemented"))
      #expect(error.header["reason"] == .string("unhandled_type"))
      #expect(error.header["details"] == .object([JSON.Member("type", .string(type))]))
    }
  }

  @Test(arguments: [
    ("discovery", "DiscoveryQuery", "nonsense", ""),
    ("discovery", "DiscoveryQuery", "7", ""),
    ("discovery", "DiscoveryQuery", #"{"namespace":7}"#, "namespace"),
    ("discovery", "DiscoveryQuery", #"[{},{"recursive":"yes"}]"#, "[1].recursive"),
    ("discovery", "DiscoveryQuery", #"[{},[]]"#, "[1]"),
    ("discovery", "DiscoveryWatch", "[]", ""),
    ("discovery", "DiscoveryWatch", #"{"from_revision":-1}"#, "from_revision"),
    ("discovery", "DiscoveryWatch", #"{"labels":{"a":null}}"#, "labels"),
    ("sessions", "SessionList", "[]", ""),
    ("sessions", "SessionList", #"{"limit":0}"#, "limit"),
    ("sessions", "SessionList", #"{"limit":1.5}"#, "limit"),
    ("sessions", "SessionList", #"{"after":1}"#, "after"),
    ("sessions", "SessionList", #"{"agent":1}"#, "agent"),
    ("sessions", "SessionDescribe", "{}", "address"),
    ("sessions", "SessionDelete", #"{"address":7}"#, "address"),
    ("sessions", "CallList", #"{"limit":"9"}"#, "limit"),
    ("stats", "StatsQuery", "[]", ""),
    ("stats", "StatsQuery", "{", ""),
  ])
  func badContentNamesItsField(
    _ agent: String, _ type: String, _ content: String, _ field: String
  ) throws {
    let peer = try SystemStage().connect()
    let error = try peer.ask(agent, type, content)
    #expect(error.header["code"] == .string("invalid_argument"))
    #expect(error.header["reason"] == .string("bad_content"))
    #expect(error.header["details"] == .object([JSON.Member("field", .string(field))]))
    #expect(try peer.ask("stats", "StatsQuery").op == "data")
  }

  @Test func aWatchGetsASnapshotAndThenChanges() throws {
    let stage = SystemStage()
    let host = try stage.connect()
    let watcher = try stage.connect()
    host.register("a")
    let watch = watcher.open("call", #""to":"discovery","type":"DiscoveryWatch""#)
    let snapshot = try watcher.take()
    #expect(snapshot.map(\.type) == ["DiscoverySnapshot"])
    #expect(snapshot[0].id == watch)
    #expect(snapshot[0].header["end"] == nil)
    #expect(names(snapshot[0]) == "a")

    stage.advance(by: 100)
    host.register("b")
    let changes = try watcher.take()
    #expect(changes.map(\.type) == ["DiscoveryChange"])
    #expect(changes[0].json["revision"] == .integer(2))
    #expect(names(changes[0], "registered") == "b")
    #expect(names(changes[0], "deregistered") == "")

    host.disconnect()
    #expect(try watcher.take().isEmpty)
    stage.advance(by: 60)
    let gone = try watcher.take()
    #expect(names(gone[0], "deregistered") == "a b")

    watcher.send(#"{"op":"cancel","id":\#(watch)}"#)
    #expect(try watcher.take().map { $0.header["code"] } == [.string("cancelled")])
    try stage.connect().register("c")
    stage.advance(by: 100)
    #expect(try watcher.take().isEmpty)
    #expect(stage.core.router.calls(limit: 10).views.isEmpty)
  }

  @Test func changesWithinTheIntervalAreMerged() throws {
    let stage = SystemStage()
    let host = try stage.connect()
    let watcher = try stage.connect()
    watcher.open("call", #""to":"discovery","type":"DiscoveryWatch""#)
    _ = try watcher.take()
    stage.advance(by: 1000)
    host.register("a")
    #expect(try watcher.take().count == 1)
    host.register("b")
    host.register("c")
    let short = host.open("register", #""name":"d""#)
    host.send(#"{"op":"cancel","id":\#(short)}"#)
    #expect(try watcher.take().isEmpty)
    stage.advance(by: 40)
    #expect(try watcher.take().isEmpty)
    stage.advance(by: 20)
    let merged = try watcher.take()
    #expect(merged.count == 1)
    #expect(names(merged[0], "registered") == "b c")
    stage.advance(by: 1000)
    #expect(try watcher.take().isEmpty)
  }

  @Test func aWatchGoesOnFromARevision() throws {
    let stage = SystemStage(firstRevision: 1_000)
    let host = try stage.connect()
    let watcher = try stage.connect()
    host.register("a")
    host.register("b")
    func watch(from revision: Int) throws -> [SystemStage.Frame] {
      watcher.open(
        "call", #""to":"discovery","type":"DiscoveryWatch""#, #"{"from_revision":\#(revision)}"#)
      defer { stage.advance(by: 100) }
      return try watcher.take()
    }
    let known = try watch(from: 1_001)
    #expect(known.map(\.type) == ["DiscoveryChange"])
    #expect(names(known[0], "registered") == "b")
    #expect(try watch(from: 1_002).isEmpty)
    // From an earlier life of the sidecar, and from nowhere.
    #expect(try watch(from: 999).map(\.type) == ["DiscoverySnapshot"])
    #expect(try watch(from: 1_003).map(\.type) == ["DiscoverySnapshot"])
  }

  @Test func aSlowReaderGetsTheDifferenceWhenItReads() throws {
    let stage = SystemStage()
    let host = try stage.connect()
    let watcher = try stage.connect()
    let watch = watcher.open(
      "call", #""to":"discovery","type":"DiscoveryWatch","window":1"#)
    #expect(try watcher.take().map(\.type) == ["DiscoverySnapshot"])
    for name in ["a", "b", "c"] {
      host.register(name)
      stage.advance(by: 100)
    }
    let last = host.open("register", #""name":"d""#)
    stage.advance(by: 100)
    host.send(#"{"op":"cancel","id":\#(last)}"#)
    stage.advance(by: 100)
    #expect(try watcher.take().isEmpty)
    watcher.send(#"{"op":"credit","id":\#(watch),"bytes":4096}"#)
    stage.advance(by: 100)
    let changes = try watcher.take()
    #expect(changes.count == 1)
    #expect(names(changes[0], "registered") == "a b c")
  }

  @Test func aWatchThatNobodyReadsIsRefused() throws {
    let stage = SystemStage()
    let peer = try stage.connect()
    peer.send(#"{"op":"send","to":"discovery","type":"DiscoveryWatch"}"#)
    #expect(try peer.take().isEmpty)
    #expect(stage.core.router.metrics.calls.open == 0)
  }

  @Test func aWatchDoesNotHoldUpTheShutdown() throws {
    let stage = SystemStage()
    let watcher = try stage.connect()
    watcher.open("call", #""to":"discovery","type":"DiscoveryWatch""#)
    _ = try watcher.take()
    stage.core.drain(timeoutMs: 1000, now: stage.now)
    let frames = try watcher.take()
    #expect(frames.map(\.op) == ["goodbye", "error"])
    #expect(frames[1].header["reason"] == .string("shutdown"))
    #expect(!stage.core.router.isBusy)
  }

  @Test func aLostWatcherLeavesNothingBehind() throws {
    let stage = SystemStage()
    let watcher = try stage.connect()
    watcher.open("call", #""to":"discovery","type":"DiscoveryWatch""#)
    watcher.disconnect()
    let host = try stage.connect()
    host.register("a")
    stage.advance(by: 100)
    #expect(stage.core.router.metrics.calls.open == 0)
  }

  @Test func aListLargerThanAFrameComesInParts() throws {
    var limits = Limits()
    limits.contentBytesMax = 4096
    let stage = SystemStage(limits: limits)
    let host = try stage.connect()
    for number in 0..<300 { host.register("agent-\(number)") }
    _ = try host.take()
    let peer = try stage.connect()
    let id = peer.open("call", #""to":"discovery","type":"DiscoveryQuery","window":1"#)
    var frames = try peer.take()
    #expect(frames.count == 1)
    while frames.last?.header["end"] == nil, frames.count < 100 {
      peer.send(#"{"op":"credit","id":\#(id),"bytes":4352}"#)
      let more = try peer.take()
      #expect(!more.isEmpty)
      frames += more
    }
    #expect(frames.allSatisfy { $0.content.utf8.count <= 4096 })
    #expect(frames.dropLast().allSatisfy { $0.header["part"] == .truth(true) })
    #expect(frames.map(\.type) == ["DiscoveryReply"] + frames.dropFirst().map { _ in "" })
    let whole = try JSONReader.read(Array(frames.map(\.content).joined().utf8))
    #expect(whole["agents"]?.elements?.count == 300)
  }
}
