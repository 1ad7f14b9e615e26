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
