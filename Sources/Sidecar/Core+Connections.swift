internal import Connections
internal import Routing
internal import Wire

/// One connection of a client's, as it is shown.
struct ConnectionView {
  let word: String
  let name: String
  let client: String
  let principal: Principal
  let kind: ServerConnection.Kind
  let ageMs: UInt64
  let load: ConnectionLoad
}

extension Core {
  /// What `welcome` calls a connection: `c` and its number, which no other has.
  static func word(of number: UInt64) -> String { "c\(number)" }

  static func number(ofWord word: String) -> UInt64? {
    guard word.first == "c", let number = UInt64(word.dropFirst()), self.word(of: number) == word
    else { return nil }
    return number
  }

  /// The greeted connection that `welcome` has called that.
  func connection(ofWord word: String) -> ConnectionIndex? {
    guard let number = Self.number(ofWord: word) else { return nil }
    return greeted.first { $0.number == number }?.connection
  }

  /// At most `limit` greeted connections that came after the one of that number, in the order in
  /// which they came, and whether there are more.
  func connections(after number: UInt64, limit: Int) -> (views: [ConnectionView], more: Bool) {
    let found = greeted.filter { $0.number > number }.sorted { $0.number < $1.number }
    return (found.prefix(limit).map(view(of:)), found.count > limit)
  }

  private func view(of greeted: Greeted) -> ConnectionView {
    ConnectionView(
      word: Self.word(of: greeted.number), name: router.name(of: greeted.connection),
      client: greeted.client, principal: router.principal(of: greeted.connection),
      kind: greeted.kind, ageMs: router.now - min(greeted.since, router.now),
      load: router.load(of: greeted.connection))
  }
}
