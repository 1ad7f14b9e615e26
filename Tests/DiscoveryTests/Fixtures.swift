import Discovery
import Wire

func bytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
  var text = text
  return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
}

extension Card {
  convenience init(
    _ description: String = "", version: String = "", labels: String = "",
    operations: String = "", isSystem: Bool = false
  ) {
    // One run of bytes that outlives the initializer's reading of it.
    let all = Array((description + version + labels).utf8)
    let parts = UnsafeMutableRawBufferPointer.allocate(byteCount: all.count, alignment: 1)
    defer { parts.deallocate() }
    parts.copyBytes(from: all)
    let first = description.utf8.count
    let second = first + version.utf8.count
    self.init(
      description: UnsafeRawBufferPointer(rebasing: parts[..<first]),
      version: UnsafeRawBufferPointer(rebasing: parts[first..<second]),
      labels: UnsafeRawBufferPointer(rebasing: parts[second...]),
      operations: Array(operations.utf8), isSystem: isSystem)
  }
}

/// A registry driven by names, with replicas numbered as they come.
final class Directory {
  let registry = Registry()
  private var replicas: ReplicaIndex = 0

  @discardableResult
  func register(_ name: String, _ card: Card = Card()) -> ReplicaIndex {
    replicas += 1
    let agent = bytes(name, registry.intern)
    registry.add(replicas, to: agent, card: card, owner: .user(1))
    return replicas
  }

  func deregister(_ name: String, _ replica: ReplicaIndex) {
    guard let agent = bytes(name, registry.find) else { return }
    registry.remove(replica, from: agent)
    if registry.replicaCount(of: agent) == 0 { registry.release(agent) }
  }

  func reply(_ query: DiscoveryQuery) -> String {
    var writer = JSONWriter()
    registry.query(query, into: &writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  /// The names that a query finds, joined by spaces.
  func names(
    _ namespace: String = "", recursive: Bool = false, inclusive: Bool = false,
    labels: [(String, String)] = []
  ) -> String {
    var query = DiscoveryQuery()
    query.namespace = Array(namespace.utf8)
    query.recursive = recursive
    query.inclusive = inclusive
    query.labels = labels.map { (name: Array($0.0.utf8), value: Array($0.1.utf8)) }
    let value = try? JSONReader.read(Array(reply(query).utf8))
    let agents = value?["agents"]?.elements ?? []
    return agents.compactMap { $0["name"]?.text }.joined(separator: " ")
  }

  func changes(since: UInt64, _ query: DiscoveryQuery) -> (ChangesOutcome, String) {
    var writer = JSONWriter()
    let outcome = registry.changes(since: since, matching: query, into: &writer)
    return (outcome, String(decoding: writer.bytes, as: UTF8.self))
  }
}
