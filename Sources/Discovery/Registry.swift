public import Wire

/// An agent's place in the registry, for as long as it has replicas or is interned.
public typealias AgentIndex = Int32
/// The router's number for one replica; the registry only keeps it.
public typealias ReplicaIndex = Int32

/// Which agents there are: names to numbers for the router, listings and changes for discovery.
///
/// Synchronous and without a clock. It decides nothing: who may register a name is the router's.
public final class Registry {
  struct Entry {
    var name: UnsafeRawBufferPointer
    var replicas: [ReplicaIndex] = []
    /// One for each replica, in the order in which they came.
    var cards: [Card] = []
    var owner: Principal?
  }

  /// An agent that is listed, and the card that is shown, which the entry keeps. Side by side: to
  /// list thousands is to wait for memory, so the way to each card is short.
  struct Listed {
    let agent: AgentIndex
    var card: Unmanaged<Card>
  }

  private var table = ByteTable()
  private(set) var entries: [Entry] = []
  private var free: [AgentIndex] = []
  /// The listed agents, by the bytes of their names; so a namespace is a run of neighbours.
  ///
  /// A plain array: to insert in the middle of 10,000 moves 80 kB, which takes a few microseconds.
  private(set) var listed: [Listed] = []
  private(set) var journal: ChangeJournal

  /// - Parameter revision: where numbering begins. With the time of the start in it, a revision
  ///   from an earlier life of the sidecar is known for what it is.
  public init(revision: UInt64 = 0) {
    journal = ChangeJournal(revision: revision)
  }

  /// Moves with each change of what discovery shows; not when only the number of replicas changes.
  public var revision: UInt64 { journal.revision }

  /// Moves whenever a replica comes or goes: what `query` writes is the same while it stays.
  public private(set) var generation: UInt64 = 0

  /// Agents that are listed: registered, and not the sidecar's own.
  public var listedCount: Int { listed.count }

  // MARK: Names

  /// The agent of that name, with or without replicas.
  public func find(_ name: UnsafeRawBufferPointer) -> AgentIndex? {
    table.find(name)
  }

  /// Finds the agent of that name or makes one, without replicas.
  public func intern(_ name: UnsafeRawBufferPointer) -> AgentIndex {
    if let agent = table.find(name) { return agent }
    let agent = free.popLast() ?? AgentIndex(entries.count)
    let entry = Entry(name: table.insert(name, agent))
    if Int(agent) == entries.count {
      entries.append(entry)
    } else {
      entries[Int(agent)] = entry
    }
    return agent
  }

  /// Forgets an agent that has no replicas; its number will be used again.
  public func release(_ agent: AgentIndex) {
    precondition(entries[Int(agent)].replicas.isEmpty, "an agent with replicas was released")
    table.remove(entries[Int(agent)].name)
    entries[Int(agent)] = Entry(name: UnsafeRawBufferPointer(start: nil, count: 0))
    free.append(agent)
  }

  /// The name's bytes, which stay where they are until `release`.
  public func name(of agent: AgentIndex) -> UnsafeRawBufferPointer {
    entries[Int(agent)].name
  }

  // MARK: Replicas

  /// The principal of the first replica, while there is any.
  public func owner(of agent: AgentIndex) -> Principal? {
    entries[Int(agent)].owner
  }

  public func replicaCount(of agent: AgentIndex) -> Int {
    entries[Int(agent)].replicas.count
  }

  /// The replica at `place`, counted from the one that came first.
  public func replica(of agent: AgentIndex, at place: Int) -> ReplicaIndex {
    entries[Int(agent)].replicas[place]
  }

  /// The card that discovery shows: the newest replica's.
  public func card(of agent: AgentIndex) -> Card? {
    entries[Int(agent)].cards.last
  }

  public func add(
    _ replica: ReplicaIndex, to agent: AgentIndex, card: Card, owner: Principal
  ) {
    let index = Int(agent)
    precondition(!entries[index].replicas.contains(replica), "a replica was added twice")
    let before = entries[index].cards.last
    entries[index].replicas.append(replica)
    entries[index].cards.append(card)
    if before == nil { entries[index].owner = owner }
    shown(agent, before: before, now: card)
  }

  public func remove(_ replica: ReplicaIndex, from agent: AgentIndex) {
    let index = Int(agent)
    guard let place = entries[index].replicas.firstIndex(of: replica) else { return }
    // Kept here until the list no longer refers to it.
    let before = entries[index].cards.last
    entries[index].replicas.remove(at: place)
    entries[index].cards.remove(at: place)
    if entries[index].replicas.isEmpty { entries[index].owner = nil }
    shown(agent, before: before, now: entries[index].cards.last)
  }

  /// Keeps the list and the journal up when an agent comes, goes, or shows another card.
  private func shown(_ agent: AgentIndex, before: Card?, now: Card?) {
    generation += 1
    let before = before.flatMap { $0.isSystem ? nil : $0 }
    let now = now.flatMap { $0.isSystem ? nil : $0 }
    let name = entries[Int(agent)].name
    switch (before, now) {
    case (nil, let now?):
      listed.insert(Listed(agent: agent, card: .passUnretained(now)), at: place(of: name))
    case (_?, nil):
      listed.remove(at: place(of: name))
    case (_?, let now?):
      listed[place(of: name)].card = .passUnretained(now)
    case (nil, nil):
      return
    }
    if before?.fingerprint != now?.fingerprint { journal.append(name, before: before) }
  }

  // MARK: Order

  /// Where in `listed` the first name is that does not come before `name`.
  func place(of name: UnsafeRawBufferPointer) -> Int {
    var low = 0
    var high = listed.count
    while low < high {
      let middle = (low + high) / 2
      if Self.precedes(entries[Int(listed[middle].agent)].name, name) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low
  }
}
