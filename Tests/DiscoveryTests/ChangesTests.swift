import Discovery
import Testing
import Wire

/// What is different from how it was at an earlier revision.
struct ChangesTests {
  private func query(_ text: String = #"{"recursive":true}"#) throws -> DiscoveryQuery {
    try DiscoveryQuery(JSONReader.read(Array(text.utf8)))
  }

  @Test func changesAreMergedAndSorted() throws {
    let directory = Directory()
    let gone = directory.register("gone")
    let since = directory.registry.revision
    directory.register("b.x", Card("bx"))
    directory.deregister("gone", gone)
    directory.register("a")
    let (outcome, text) = directory.changes(since: since, try query())
    #expect(outcome == .written)
    #expect(
      text == #"{"revision":4,"registered":[{"name":"a","description":""},"#
        + #"{"name":"b.x","description":"bx"}],"deregistered":["gone"]}"#)
  }

  @Test func whoCameAndWentIsNotTold() throws {
    let directory = Directory()
    let replica = directory.register("a")
    directory.deregister("a", replica)
    #expect(directory.registry.revision == 2)
    #expect(directory.changes(since: 0, try query()) == (.none, ""))
    // Seen from between, it went.
    #expect(directory.changes(since: 1, try query()).1.contains(#""deregistered":["a"]"#))
  }

  @Test func whoCameBackTheSameIsNotTold() throws {
    let directory = Directory()
    let replica = directory.register("a", Card("x"))
    directory.deregister("a", replica)
    directory.register("a", Card("x"))
    #expect(directory.changes(since: 1, try query()) == (.none, ""))
    #expect(directory.changes(since: 2, try query()).0 == .written)
  }

  @Test func whoCameBackDifferentIsRegisteredAgain() throws {
    let directory = Directory()
    let replica = directory.register("a", Card("x"))
    directory.deregister("a", replica)
    directory.register("a", Card("y"))
    #expect(
      directory.changes(since: 1, try query()).1
        == #"{"revision":3,"registered":[{"name":"a","description":"y"}],"deregistered":[]}"#)
  }

  @Test func anotherReplicaIsNoChangeUnlessItsCardDiffers() throws {
    let directory = Directory()
    directory.register("a", Card("x"))
    let second = directory.register("a", Card("x"))
    directory.deregister("a", second)
    #expect(directory.registry.revision == 1)
    let third = directory.register("a", Card("y"))
    #expect(directory.changes(since: 1, try query()).1.contains(#""description":"y""#))
    directory.deregister("a", third)
    #expect(directory.registry.revision == 3)
    #expect(directory.changes(since: 2, try query()).1.contains(#""description":"x""#))
    #expect(directory.changes(since: 1, try query()) == (.none, ""))
  }

  @Test func onlyWhatTheQueryCoversIsTold() throws {
    let directory = Directory()
    directory.register("a")
    directory.register("a.x")
    directory.register("a.x.y")
    directory.register("ab")
    let children = try query(#"{"namespace":"a"}"#)
    #expect(directory.changes(since: 0, children).1.contains(#"[{"name":"a.x""#))
    #expect(directory.changes(since: 2, children) == (.none, ""))
  }

  @Test func changedLabelsEnterAndLeaveAFilter() throws {
    let directory = Directory()
    let filter = try query(#"{"labels":{"env":"prod"}}"#)
    let first = directory.register("a", Card(labels: #"{"env":"dev"}"#))
    #expect(directory.changes(since: 0, filter) == (.none, ""))
    let second = directory.register("a", Card(labels: #"{"env":"prod"}"#))
    #expect(directory.changes(since: 1, filter).1.contains(#""registered":[{"name":"a""#))
    directory.deregister("a", second)
    #expect(directory.changes(since: 2, filter).1.contains(#""deregistered":["a"]"#))
    directory.deregister("a", first)
    #expect(directory.changes(since: 3, filter) == (.none, ""))
  }

  @Test func revisionsThatAreNotKnownAreTooOld() throws {
    let registry = Registry(revision: 1000)
    let agent = bytes("a", registry.intern)
    registry.add(1, to: agent, card: Card(), owner: .sidecar)
    #expect(registry.revision == 1001)
    var writer = JSONWriter()
    let everything = try query()
    #expect(registry.changes(since: 1000, matching: everything, into: &writer) == .written)
    #expect(registry.changes(since: 1001, matching: everything, into: &writer) == .none)
    #expect(registry.changes(since: 999, matching: everything, into: &writer) == .tooOld)
    #expect(registry.changes(since: 1002, matching: everything, into: &writer) == .tooOld)
  }

  @Test func theJournalIsBounded() throws {
    let directory = Directory()
    for number in 0..<17_000 { directory.register("agent-\(number)") }
    let everything = try query()
    #expect(directory.changes(since: 16_999, everything).0 == .written)
    #expect(directory.changes(since: 17_000 - 16_384, everything).0 == .written)
    #expect(directory.changes(since: 17_000 - 16_385, everything).0 == .tooOld)
    // Large labels push others out sooner.
    let large = Card(labels: "{\"k\":\"\(String(repeating: "x", count: 30_000))\"}")
    for _ in 0..<1000 { directory.deregister("big", directory.register("big", large)) }
    #expect(directory.changes(since: 19_000 - 1024, everything).0 == .none)
    #expect(directory.changes(since: 19_000 - 1025, everything).0 == .tooOld)
  }

  /// Applying the changes to an old snapshot gives the new one, from any revision to any other.
  @Test func changesLeadFromEverySnapshotToTheLast() throws {
    let directory = Directory()
    let everything = try query()
    var snapshots: [(UInt64, [String: String])] = []
    var replicas: [String: [ReplicaIndex]] = [:]
    for round in 0..<400 {
      let name = ["a", "a.b", "c", "d.e", "d"].randomElement()!
      if Bool.random(), let replica = replicas[name]?.randomElement() {
        replicas[name]?.removeAll { $0 == replica }
        directory.deregister(name, replica)
      } else {
        let card = Card("\(round % 3)")
        replicas[name, default: []].append(directory.register(name, card))
      }
      snapshots.append((directory.registry.revision, try shown(directory.reply(everything))))
    }
    let last = snapshots[snapshots.count - 1].1
    for (revision, snapshot) in snapshots {
      let (outcome, text) = directory.changes(since: revision, everything)
      guard outcome == .written else {
        #expect(snapshot == last)
        continue
      }
      let change = try JSONReader.read(Array(text.utf8))
      var state = snapshot
      for name in change["deregistered"]?.elements ?? [] {
        #expect(state.removeValue(forKey: name.text ?? "") != nil)
      }
      for agent in change["registered"]?.elements ?? [] {
        state[agent["name"]?.text ?? ""] = agent["description"]?.text
      }
      #expect(state == last)
    }
  }

  private func shown(_ reply: String) throws -> [String: String] {
    var found: [String: String] = [:]
    for agent in try JSONReader.read(Array(reply.utf8))["agents"]?.elements ?? [] {
      found[agent["name"]?.text ?? ""] = agent["description"]?.text
    }
    return found
  }
}
