public import Wire

/// What became of the question for changes.
public enum ChangesOutcome: Equatable, Sendable {
  case written
  /// Nothing that the query covers has changed; nothing was written.
  case none
  /// The changes since then are not all known any more: a snapshot must do.
  case tooOld
}

extension Registry {
  /// Writes `{"revision":N,"agents":[…]}`, sorted by the bytes of the names.
  public func query(_ query: DiscoveryQuery, into writer: inout JSONWriter) {
    // To grow into a list of everything costs as much as to write it.
    if query.namespace.isEmpty, query.recursive { writer.reserve(listed.count * 96) }
    writer.beginObject()
    writer.member("revision", revision)
    writer.key("agents")
    writer.beginArray()
    forEach(query) { agent, card in
      write(agent, card, detailed: query.detailed, into: &writer)
    }
    writer.endArray()
    writer.endObject()
  }

  /// Whether `changes` since that revision can be told.
  public func knowsChanges(since: UInt64) -> Bool {
    journal.knows(since)
  }

  /// Writes `{"revision":N,"registered":[…],"deregistered":[…]}`: what is different from how it
  /// was at revision `since`. Who came and went in between, or went and came back the same, is not
  /// told.
  public func changes(
    since: UInt64, matching query: DiscoveryQuery, into writer: inout JSONWriter
  ) -> ChangesOutcome {
    guard let before = journal.before(since: since) else { return .tooOld }
    var registered: [AgentIndex] = []
    var deregistered: [[UInt8]] = []
    for (name, then) in before where name.withUnsafeBytes(query.covers) {
      let was = then.flatMap { $0.labels.include(query.labels) ? $0 : nil }
      let agent = name.withUnsafeBytes(find)
      let card = agent.flatMap(card(of:))
      if let agent, let card, !card.isSystem, card.labels.include(query.labels) {
        if was?.fingerprint != card.fingerprint { registered.append(agent) }
      } else if was != nil {
        deregistered.append(name)
      }
    }
    guard !registered.isEmpty || !deregistered.isEmpty else { return .none }
    registered.sort { Self.precedes(name(of: $0), name(of: $1)) }
    deregistered.sort { $0.lexicographicallyPrecedes($1) }
    writer.beginObject()
    writer.member("revision", revision)
    writer.key("registered")
    writer.beginArray()
    for agent in registered {
      guard let card = card(of: agent) else { continue }
      write(agent, card, detailed: query.detailed, into: &writer)
    }
    writer.endArray()
    writer.key("deregistered")
    writer.beginArray()
    for name in deregistered { writer.string(name) }
    writer.endArray()
    writer.endObject()
    return .written
  }

  /// Visits the listed agents that `query` covers, in order.
  private func forEach(_ query: DiscoveryQuery, _ visit: (AgentIndex, Card) -> Void) {
    func visitIfWanted(_ listed: Listed) {
      listed.card._withUnsafeGuaranteedRef { card in
        if query.labels.isEmpty || card.labels.include(query.labels) { visit(listed.agent, card) }
      }
    }
    var prefix = query.namespace
    if query.inclusive, !prefix.isEmpty {
      let place = prefix.withUnsafeBytes(place(of:))
      if place < listed.count, name(of: listed[place].agent).elementsEqual(prefix) {
        visitIfWanted(listed[place])
      }
    }
    if !prefix.isEmpty { prefix.append(UInt8(ascii: ".")) }
    prefix.withUnsafeBytes { prefix in
      var index = place(of: prefix)
      while index < listed.count {
        let name = name(of: listed[index].agent)
        guard name.starts(with: prefix) else { return }
        if !query.recursive,
          let dot = name[prefix.count...].firstIndex(of: UInt8(ascii: "."))
        {
          // Below a child: on to where that child's own namespace ends.
          index = end(ofNamespace: UnsafeRawBufferPointer(rebasing: name[...dot]), from: index)
        } else {
          visitIfWanted(listed[index])
          index += 1
        }
      }
    }
  }

  /// The place after the last name that starts with `prefix`, which the one at `from` does. Strides
  /// double, then halve: a small namespace is passed in a step or two, a large one in a dozen.
  private func end(ofNamespace prefix: UnsafeRawBufferPointer, from: Int) -> Int {
    func isInside(_ index: Int) -> Bool {
      index < listed.count && name(of: listed[index].agent).starts(with: prefix)
    }
    var inside = from
    var stride = 1
    while isInside(inside + stride) {
      inside += stride
      stride *= 2
    }
    while stride > 1 {
      stride /= 2
      if isInside(inside + stride) { inside += stride }
    }
    return inside + 1
  }

  private func write(
    _ agent: AgentIndex, _ card: Card, detailed: Bool, into writer: inout JSONWriter
  ) {
    writer.beginObject()
    writer.member("name", name(of: agent))
    writer.raw(card.brief)
    if detailed {
      writer.raw(card.details)
      writer.member("replicas", replicaCount(of: agent))
    }
    writer.endObject()
  }
}
