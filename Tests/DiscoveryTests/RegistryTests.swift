import Discovery
import Testing
import Wire

/// Names to numbers, replicas and owners.
struct RegistryTests {
  @Test func namesAreFoundAndNumbersReused() {
    let registry = Registry()
    #expect(bytes("a", registry.find) == nil)
    let a = bytes("a", registry.intern)
    let b = bytes("b", registry.intern)
    #expect(a != b)
    #expect(bytes("a", registry.intern) == a)
    #expect(registry.name(of: b).text == "b")
    registry.release(a)
    #expect(bytes("a", registry.find) == nil)
    #expect(bytes("c", registry.intern) == a)
    #expect(registry.name(of: a).text == "c")
  }

  @Test func namesStayWhereTheyAre() {
    let registry = Registry()
    let agent = bytes("first", registry.intern)
    let name = registry.name(of: agent)
    for number in 0..<1000 { _ = bytes("agent-\(number)", registry.intern) }
    #expect(registry.name(of: agent).baseAddress == name.baseAddress)
    #expect(name.text == "first")
  }

  @Test func replicasStandInTheOrderTheyCame() {
    let registry = Registry()
    let agent = bytes("a", registry.intern)
    for replica: ReplicaIndex in [7, 3, 9] {
      registry.add(replica, to: agent, card: Card(), owner: .user(1))
    }
    #expect(registry.replicaCount(of: agent) == 3)
    #expect((0..<3).map { registry.replica(of: agent, at: $0) } == [7, 3, 9])
    registry.remove(3, from: agent)
    registry.remove(4, from: agent)
    #expect((0..<2).map { registry.replica(of: agent, at: $0) } == [7, 9])
  }

  @Test func aNameIsItsFirstRegistrarsWhileRegistered() {
    let registry = Registry()
    let agent = bytes("a", registry.intern)
    #expect(registry.owner(of: agent) == nil)
    registry.add(1, to: agent, card: Card(), owner: .token("ops"))
    registry.add(2, to: agent, card: Card(), owner: .sidecar)
    registry.remove(1, from: agent)
    #expect(registry.owner(of: agent) == .token("ops"))
    registry.remove(2, from: agent)
    #expect(registry.owner(of: agent) == nil)
    registry.add(3, to: agent, card: Card(), owner: .user(5))
    #expect(registry.owner(of: agent) == .user(5))
  }
}

/// What `register` may carry, and what a query may be.
struct ContentTests {
  private func check(_ text: String) throws(BadContent) -> String {
    let result = bytes(text) { content in
      Result { () throws(BadContent) in try Operations.check(content) }
    }
    return String(decoding: try result.get(), as: UTF8.self)
  }

  private func field(_ text: String) -> String? {
    do {
      _ = try check(text)
      return nil
    } catch {
      return error.field
    }
  }

  @Test func operationsAreKeptWithoutWhiteSpace() throws {
    #expect(try check("") == "[]")
    #expect(try check(" [ ] ") == "[]")
    #expect(
      try check(
        """
        [{"name": "Ask", "description": "a b", "input": {"type": "object"}, "output": true,
          "streaming": false, "more": [1, 2]}, {"name": "x"}]
        """)
        == #"[{"name":"Ask","description":"a b","input":{"type":"object"},"output":true,"#
        + #""streaming":false,"more":[1,2]},{"name":"x"}]"#)
  }

  @Test(arguments: [
    ("{", "operations"), ("{}", "operations"), ("null", "operations"), ("[1]", "operations[0]"),
    ("[{}]", "operations[0].name"), (#"[{"name":"a"},{"name":1}]"#, "operations[1].name"),
    (#"[{"name":""}]"#, "operations[0].name"),
    (#"[{"name":"a","description":null}]"#, "operations[0].description"),
    (#"[{"name":"a","input":[]}]"#, "operations[0].input"),
    (#"[{"name":"a","output":"x"}]"#, "operations[0].output"),
    (#"[{"name":"a","streaming":1}]"#, "operations[0].streaming"),
  ])
  func badOperationsNameTheirField(_ text: String, _ expected: String) {
    #expect(field(text) == expected)
  }

  @Test func operationsAreBounded() {
    func named(_ length: Int) -> String {
      #"[{"name":"\#(String(repeating: "n", count: length))"}]"#
    }
    #expect(field(named(128)) == nil)
    #expect(field(named(129)) == "operations[0].name")
    func described(_ length: Int) -> String {
      #"[{"name":"a","description":"\#(String(repeating: "d", count: length))"}]"#
    }
    let frame = described(0).utf8.count
    #expect(field(described(262_144 - frame)) == nil)
    #expect(field(described(262_145 - frame)) == "operations")
  }

  @Test(arguments: [
    ("[]", ""), ("null", ""), (#"{"namespace":null}"#, "namespace"),
    (#"{"namespace":"a."}"#, "namespace"), (#"{"namespace":".a"}"#, "namespace"),
    (#"{"namespace":"a..b"}"#, "namespace"), (#"{"namespace":"a b"}"#, "namespace"),
    (#"{"recursive":1}"#, "recursive"), (#"{"inclusive":"true"}"#, "inclusive"),
    (#"{"detailed":null}"#, "detailed"), (#"{"labels":[]}"#, "labels"),
    (#"{"labels":{"a":1}}"#, "labels"),
  ])
  func badQueriesNameTheirField(_ text: String, _ field: String) throws {
    let value = try JSONReader.read(Array(text.utf8))
    let failure = #expect(throws: BadContent.self) { try DiscoveryQuery(value) }
    #expect(failure?.field == field)
  }

  @Test func queriesHaveDefaultsAndIgnoreWhatTheyDoNotKnow() throws {
    let query = try DiscoveryQuery(JSONReader.read(Array(#"{"more":null}"#.utf8)))
    #expect(query.namespace.isEmpty)
    #expect(!query.recursive && !query.inclusive && !query.detailed)
    #expect(query.labels.isEmpty)
    let text =
      #"{"namespace":"a.b","recursive":true,"inclusive":true,"#
      + #""detailed":true,"labels":{"x":""}}"#
    let full = try DiscoveryQuery(JSONReader.read(Array(text.utf8)))
    #expect(full.namespace == Array("a.b".utf8))
    #expect(full.recursive && full.inclusive && full.detailed)
    #expect(full.labels.count == 1)
  }
}
