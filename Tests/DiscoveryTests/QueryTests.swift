import Discovery
import Testing
import Wire

/// What a namespace and the flags cover, by whole segments.
struct QueryTests {
  private func directory() -> Directory {
    let directory = Directory()
    for name in ["b.z.0", "a.y", "a", "b", "a.x.0", "b.y", "a.x", "a.y.0", "b.x"] {
      directory.register(name)
    }
    return directory
  }

  @Test func emptyNamespaceFindsTheTopLevel() {
    #expect(directory().names() == "a b")
  }

  @Test func emptyNamespaceRecursivelyFindsAll() {
    #expect(directory().names(recursive: true) == "a a.x a.x.0 a.y a.y.0 b b.x b.y b.z.0")
  }

  @Test func namespaceFindsItsDirectChildren() {
    #expect(directory().names("a") == "a.x a.y")
  }

  @Test func inclusiveAddsTheNamespaceItself() {
    #expect(directory().names("a", inclusive: true) == "a a.x a.y")
    #expect(directory().names("", inclusive: true) == "a b")
  }

  @Test func recursiveFindsTheWholeSubtree() {
    #expect(directory().names("a", recursive: true) == "a.x a.x.0 a.y a.y.0")
    #expect(directory().names("a", recursive: true, inclusive: true) == "a a.x a.x.0 a.y a.y.0")
  }

  @Test func childrenOfAnUnregisteredAgentAreNoDirectChildren() {
    #expect(directory().names("b") == "b.x b.y")
    #expect(directory().names("b", recursive: true) == "b.x b.y b.z.0")
  }

  @Test func namespaceIsNoStringPrefix() {
    let directory = Directory()
    directory.register("tester")
    directory.register("test.a")
    #expect(directory.names("tes", recursive: true) == "")
    #expect(directory.names("test", recursive: true, inclusive: true) == "test.a")
  }
}

/// Order, labels, and what is shown of an agent.
struct ListingTests {
  @Test func namesAreSortedByTheirBytes() {
    let directory = Directory()
    for name in ["a.x", "a-b", "a", "a0", "B", "_", "a_b", "a-b.c"] { directory.register(name) }
    #expect(directory.names() == "B _ a a-b a0 a_b")
    #expect(directory.names(recursive: true) == "B _ a a-b a-b.c a.x a0 a_b")
    #expect(directory.names("a", recursive: true, inclusive: true) == "a a.x")
    #expect(directory.names("a-b", inclusive: true) == "a-b a-b.c")
  }

  @Test func briefRepliesHaveNameAndDescription() {
    let directory = Directory()
    directory.register("shop.b", Card("says \"b\"\n", version: "2"))
    directory.register("shop.a")
    var query = DiscoveryQuery()
    query.namespace = Array("shop".utf8)
    #expect(
      directory.reply(query) == #"{"revision":2,"agents":[{"name":"shop.a","description":""},"#
        + #"{"name":"shop.b","description":"says \"b\"\n"}]}"#)
  }

  @Test func detailedRepliesHaveEverything() {
    let directory = Directory()
    let card = Card(
      "d", version: "1.2", labels: #"{ "env" : "pr\u006fd" }"#, operations: #"[{"name":"Ask"}]"#)
    directory.register("a", card)
    directory.register("a", card)
    directory.register("b")
    var query = DiscoveryQuery()
    query.detailed = true
    #expect(
      directory.reply(query)
        == #"{"revision":2,"agents":[{"name":"a","description":"d","version":"1.2","#
        + #""labels":{"env":"prod"},"operations":[{"name":"Ask"}],"replicas":2},"#
        + #"{"name":"b","description":"","version":"","labels":{},"operations":[],"replicas":1}]}"#)
  }

  @Test func theNewestReplicaIsShown() {
    let directory = Directory()
    let first = directory.register("a", Card("old"))
    let second = directory.register("a", Card("new"))
    #expect(directory.reply(DiscoveryQuery()).contains(#""description":"new""#))
    directory.deregister("a", second)
    #expect(directory.reply(DiscoveryQuery()).contains(#""description":"old""#))
    directory.deregister("a", first)
    #expect(directory.names() == "")
  }

  @Test func everyLabelOfTheFilterMustMatch() {
    let directory = Directory()
    directory.register("a", Card(labels: #"{"env":"prod","team":"x"}"#))
    directory.register("b", Card(labels: #"{"env":"prod"}"#))
    directory.register("c", Card(labels: #"{"env":"dev","team":"x"}"#))
    directory.register("d")
    #expect(directory.names(labels: [("env", "prod")]) == "a b")
    #expect(directory.names(labels: [("env", "prod"), ("team", "x")]) == "a")
    #expect(directory.names(labels: [("team", "")]) == "")
    #expect(directory.names(labels: []) == "a b c d")
  }

  @Test func agentsOfTheSidecarAreNotListed() {
    let directory = Directory()
    directory.register("discovery", Card(isSystem: true))
    directory.register("a")
    #expect(directory.names(recursive: true) == "a")
    #expect(directory.names("discovery", inclusive: true) == "")
    #expect(directory.registry.revision == 1)
    #expect(directory.registry.listedCount == 1)
  }

  @Test func namesWithoutReplicasAreNotListed() {
    let directory = Directory()
    let replica = directory.register("a")
    let agent = bytes("a", directory.registry.intern)
    directory.registry.remove(replica, from: agent)
    #expect(directory.names("a", inclusive: true) == "")
    #expect(bytes("a", directory.registry.find) == agent)
    #expect(directory.registry.owner(of: agent) == nil)
  }

  /// Thousands of registrations against the definition, written down a second time.
  @Test func anyQueryFindsWhatTheDefinitionSays() {
    var random = SystemRandomNumberGenerator()
    let directory = Directory()
    var replicas: [String: ReplicaIndex] = [:]
    let segments = ["a", "b", "a-", "a0", "_", "Z"]
    for _ in 0..<3000 {
      let depth = Int.random(in: 1...4, using: &random)
      let name = (0..<depth).map { _ in segments.randomElement(using: &random)! }
        .joined(separator: ".")
      if let replica = replicas.removeValue(forKey: name) {
        directory.deregister(name, replica)
      } else {
        replicas[name] = directory.register(name)
      }
    }
    for _ in 0..<300 {
      let depth = Int.random(in: 0...3, using: &random)
      let namespace = (0..<depth).map { _ in segments.randomElement(using: &random)! }
      let recursive = Bool.random(using: &random)
      let inclusive = Bool.random(using: &random)
      let expected = replicas.keys.filter { name in
        let parts = name.split(separator: ".").map(String.init)
        if parts == namespace { return inclusive }
        guard parts.count > depth, Array(parts[..<depth]) == namespace else { return false }
        return recursive || parts.count == depth + 1
      }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      #expect(
        directory.names(
          namespace.joined(separator: "."), recursive: recursive, inclusive: inclusive)
          == expected.joined(separator: " "))
    }
  }
}
