internal import Wire

typealias SubscriptionIndex = Int32
/// The number of a topic or pattern that somebody subscribes to.
typealias TopicIndex = Int32

/// Who subscribes to what. Topics are found by their bytes, patterns by a tree of their segments:
/// what it costs to find the subscriptions of a published topic does not grow with the number of
/// others.
///
/// Nothing is kept of a topic that nobody subscribes to.
struct TopicTable: ~Copyable {
  /// A topic or pattern, and who subscribes to it.
  struct Entry {
    /// Good as long as the entry is there.
    var name: UnsafeRawBufferPointer
    var subscriptions: [SubscriptionIndex] = []
    /// Where a pattern hangs in the tree; -1 for a topic.
    var node: Int32 = -1
    /// Messages that went to each of its subscriptions.
    var published: UInt64 = 0
  }

  /// A segment in the tree of patterns.
  struct Node {
    var parent: Int32
    /// The segment that leads here; empty for `*`, and for the root.
    var segment: UnsafeRawBufferPointer
    var children: Int32 = 0
    /// The child for any segment.
    var any: Int32 = -1
    /// The pattern that ends here, and the one that ends with `>` below.
    var here: TopicIndex = -1
    var rest: TopicIndex = -1
  }

  private(set) var entries = Slab<Entry>()
  private var names = ByteTable()
  private var nodes = Slab<Node>()
  /// A node's child for a segment; the node's number is the salt.
  private var edges = ByteTable()
  private let root: Int32

  init() {
    let none = UnsafeRawBufferPointer(start: nil, count: 0)
    root = nodes.insert(Node(parent: -1, segment: none))
  }

  /// The segments in the tree, for the tests.
  var nodeCount: Int { nodes.count - 1 }

  // MARK: Subscribing

  /// Adds a subscription to a topic or pattern; returns which it is and the subscription's place
  /// there.
  mutating func add(
    _ subscription: SubscriptionIndex, to topic: Topic
  ) -> (topic: TopicIndex, place: Int32) {
    let index = names.find(topic.bytes) ?? makeEntry(topic)
    entries.at(index).pointee.subscriptions.append(subscription)
    return (index, Int32(entries.at(index).pointee.subscriptions.count - 1))
  }

  /// Removes the subscription at a place. Returns the one that has its place now, if any has.
  mutating func remove(from topic: TopicIndex, at place: Int32) -> SubscriptionIndex? {
    let entry = entries.at(topic)
    let last = entry.pointee.subscriptions.removeLast()
    if entry.pointee.subscriptions.isEmpty {
      removeEntry(topic)
      return nil
    }
    guard Int(place) < entry.pointee.subscriptions.count else { return nil }
    entry.pointee.subscriptions[Int(place)] = last
    return last
  }

  func find(_ name: UnsafeRawBufferPointer) -> TopicIndex? {
    names.find(name)
  }

  private mutating func makeEntry(_ topic: Topic) -> TopicIndex {
    let index = entries.insert(Entry(name: topic.bytes))
    let name = names.insert(topic.bytes, index)
    entries.at(index).pointee.name = name
    guard topic.isPattern else { return index }
    var node = root
    var at = 0
    while at < name.count {
      let segment = Self.segment(name, at)
      at += segment.count + 1
      if segment.count == 1, segment[0] == UInt8(ascii: ">") {
        nodes.at(node).pointee.rest = index
        entries.at(index).pointee.node = node
        return index
      }
      node = child(of: node, segment)
    }
    nodes.at(node).pointee.here = index
    entries.at(index).pointee.node = node
    return index
  }

  private mutating func child(of node: Int32, _ segment: UnsafeRawBufferPointer) -> Int32 {
    if segment.count == 1, segment[0] == UInt8(ascii: "*") {
      if nodes.at(node).pointee.any >= 0 { return nodes.at(node).pointee.any }
      let none = UnsafeRawBufferPointer(start: nil, count: 0)
      let made = nodes.insert(Node(parent: node, segment: none))
      nodes.at(node).pointee.any = made
      return made
    }
    if let child = edges.find(segment, salt: UInt32(node)) { return child }
    let made = nodes.insert(Node(parent: node, segment: segment))
    nodes.at(made).pointee.segment = edges.insert(segment, salt: UInt32(node), made)
    nodes.at(node).pointee.children += 1
    return made
  }

  private mutating func removeEntry(_ index: TopicIndex) {
    let entry = entries.at(index).pointee
    names.remove(entry.name)
    entries.remove(index)
    guard entry.node >= 0 else { return }
    let node = nodes.at(entry.node)
    if node.pointee.here == index { node.pointee.here = -1 } else { node.pointee.rest = -1 }
    prune(entry.node)
  }

  /// Removes a node that leads to no pattern, and those above it that then lead to none.
  private mutating func prune(_ index: Int32) {
    var index = index
    while index != root {
      let node = nodes.at(index).pointee
      guard node.children == 0, node.any < 0, node.here < 0, node.rest < 0 else { return }
      if nodes.at(node.parent).pointee.any == index {
        nodes.at(node.parent).pointee.any = -1
      } else {
        edges.remove(node.segment, salt: UInt32(node.parent))
        nodes.at(node.parent).pointee.children -= 1
      }
      nodes.remove(index)
      index = node.parent
    }
  }

  // MARK: Publishing

  /// Appends the topic that is called `topic`, and the patterns that it matches, each once.
  func match(_ topic: UnsafeRawBufferPointer, into found: inout [TopicIndex]) {
    if let exact = names.find(topic) { found.append(exact) }
    if nodeCount > 0 || nodes.at(root).pointee.rest >= 0 { walk(root, topic, 0, &found) }
  }

  /// Follows the segments of a topic from `at` on. Its depth is that of a topic.
  private func walk(
    _ index: Int32, _ topic: UnsafeRawBufferPointer, _ at: Int, _ found: inout [TopicIndex]
  ) {
    let node = nodes.at(index)
    guard at < topic.count else {
      if node.pointee.here >= 0 { found.append(node.pointee.here) }
      return
    }
    if node.pointee.rest >= 0 { found.append(node.pointee.rest) }
    guard node.pointee.children > 0 || node.pointee.any >= 0 else { return }
    let segment = Self.segment(topic, at)
    let next = at + segment.count + 1
    if node.pointee.children > 0, let child = edges.find(segment, salt: UInt32(index)) {
      walk(child, topic, next, &found)
    }
    if node.pointee.any >= 0 { walk(node.pointee.any, topic, next, &found) }
  }

  /// The segment that begins at `at`.
  private static func segment(
    _ name: UnsafeRawBufferPointer, _ at: Int
  ) -> UnsafeRawBufferPointer {
    var end = at
    while end < name.count, name[end] != UInt8(ascii: ".") { end += 1 }
    return UnsafeRawBufferPointer(rebasing: name[at..<end])
  }
}
