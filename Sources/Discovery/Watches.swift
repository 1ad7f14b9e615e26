public import Wire

/// The watches of discovery: who has seen what.
///
/// A watch is state, not a log: its filter, the last revision that it was told, and the window that
/// is left. So one that reads slowly costs nothing, and gets the difference when it reads again.
public final class Watches {
  /// What a message to a watch holds; its type on the wire.
  public enum Message: String, Sendable {
    case snapshot = "DiscoverySnapshot"
    case change = "DiscoveryChange"
  }

  /// Called with the watch's number, what the content is, and the content, shared by all watches
  /// that get the same.
  public typealias Send = (UInt64, Message, ContentBlock) -> Void

  private final class Filter {
    let query: DiscoveryQuery
    let key: [UInt8]
    var watches = 0

    init(_ query: DiscoveryQuery, key: [UInt8]) {
      self.query = query
      self.key = key
    }
  }

  private struct Watch {
    let id: UInt64
    let filter: Filter
    /// Nil: it has to get a snapshot first.
    var seen: UInt64?
    /// Content that its reader still permits, in bytes.
    var window: Int
  }

  private struct Wanted: Hashable {
    let filter: ObjectIdentifier
    let seen: UInt64?
  }

  private let registry: Registry
  private let intervalMs: UInt64
  /// By number.
  private var watches: [Watch] = []
  private var filters: [[UInt8]: Filter] = [:]
  /// The last snapshot, for many who come at once.
  private var snapshot: (filter: ObjectIdentifier, generation: UInt64, block: ContentBlock)?
  private var tickedAt: UInt64?
  private var tickedRevision: UInt64 = 0
  /// A watch that was passed over at the last tick, or has come since, may have something to get.
  private var isBehind = false

  /// - Parameter intervalMs: changes are merged for at least so long.
  public init(_ registry: Registry, intervalMs: UInt64 = 50) {
    self.registry = registry
    self.intervalMs = intervalMs
  }

  public var count: Int { watches.count }

  /// Begins a watch. It is sent a snapshot, unless all changes since revision `from` are known;
  /// those are then due.
  ///
  /// - Parameters:
  ///   - id: the watch's number, the caller's choice, not in use.
  ///   - window: bytes that may be sent before the next `permit`.
  public func open(
    _ id: UInt64, _ query: DiscoveryQuery, from: UInt64?, window: Int, _ send: Send
  ) {
    let place = place(of: id)
    precondition(place == watches.count || watches[place].id != id, "a watch was opened twice")
    let key = Self.key(query)
    let filter = filters[key] ?? Filter(query, key: key)
    filters[key] = filter
    filter.watches += 1
    var watch = Watch(id: id, filter: filter, seen: from, window: window)
    if let from, registry.knowsChanges(since: from) {
      isBehind = true
    } else {
      watch.seen = nil
      deliver(&watch, .snapshot, snapshot(of: filter), send)
    }
    watches.insert(watch, at: place)
  }

  /// Its reader permits so many bytes now.
  public func permit(_ id: UInt64, window: Int) {
    guard let place = find(id) else { return }
    watches[place].window = window
    isBehind = true
  }

  public func close(_ id: UInt64) {
    guard let place = find(id) else { return }
    let filter = watches.remove(at: place).filter
    filter.watches -= 1
    if filter.watches == 0 {
      filters[filter.key] = nil
      if snapshot?.filter == ObjectIdentifier(filter) { snapshot = nil }
    }
  }

  /// When `tick` is due, in milliseconds on the caller's clock; nil while there is nothing to tell.
  public func due(now: UInt64) -> UInt64? {
    guard !watches.isEmpty, isBehind || tickedRevision != registry.revision else { return nil }
    return tickedAt.map { max($0 + intervalMs, now) } ?? now
  }

  /// Tells every watch with an open window what is different from what it knows.
  public func tick(now: UInt64, _ send: Send) {
    tickedAt = now
    tickedRevision = registry.revision
    isBehind = false
    // Most watches know the same: what differs is written once for all of them.
    var written: [Wanted: (Message, ContentBlock)?] = [:]
    for place in watches.indices where watches[place].window > 0 {
      let watch = watches[place]
      guard watch.seen != registry.revision else { continue }
      let wanted = Wanted(filter: ObjectIdentifier(watch.filter), seen: watch.seen)
      let message = written[wanted] ?? difference(for: watch)
      written[wanted] = .some(message)
      if let (kind, block) = message {
        deliver(&watches[place], kind, block, send)
      } else {
        watches[place].seen = registry.revision
      }
    }
  }

  private func deliver(
    _ watch: inout Watch, _ kind: Message, _ block: ContentBlock, _ send: Send
  ) {
    guard watch.window > 0 else { return }
    watch.window -= block.count + Limits.frameCostBytes
    watch.seen = registry.revision
    send(watch.id, kind, block)
  }

  private func difference(for watch: Watch) -> (Message, ContentBlock)? {
    guard let seen = watch.seen else { return (.snapshot, snapshot(of: watch.filter)) }
    var writer = JSONWriter()
    switch registry.changes(since: seen, matching: watch.filter.query, into: &writer) {
    case .written: return (.change, writer.block)
    case .none: return nil
    case .tooOld: return (.snapshot, snapshot(of: watch.filter))
    }
  }

  private func snapshot(of filter: Filter) -> ContentBlock {
    let id = ObjectIdentifier(filter)
    if let snapshot, snapshot.filter == id, snapshot.generation == registry.generation {
      return snapshot.block
    }
    var writer = JSONWriter()
    registry.query(filter.query, into: &writer)
    let block = writer.block
    snapshot = (id, registry.generation, block)
    return block
  }

  private func find(_ id: UInt64) -> Int? {
    let place = place(of: id)
    return place < watches.count && watches[place].id == id ? place : nil
  }

  private func place(of id: UInt64) -> Int {
    var low = 0
    var high = watches.count
    while low < high {
      let middle = (low + high) / 2
      if watches[middle].id < id { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Equal for queries that find the same.
  private static func key(_ query: DiscoveryQuery) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginArray()
    writer.string(query.namespace)
    for flag in [query.recursive, query.inclusive, query.detailed] { writer.truth(flag) }
    for label in query.labels {
      writer.string(label.name)
      writer.string(label.value)
    }
    writer.endArray()
    return writer.bytes
  }
}

extension JSONWriter {
  /// What was written, in one counted run of bytes.
  public var block: ContentBlock {
    bytes.withUnsafeBytes { ContentBlock(copying: $0) }
  }
}
