public import Wire

/// A header as JSON, to be compared with a vector: the known fields, of their kind.
public enum HeaderSnapshot {
  public static let strings: [(String, StringField)] = [
    ("op", .op), ("client", .client), ("token", .token), ("name", .name), ("server", .server),
    ("connection", .connection), ("reason", .reason), ("description", .description),
    ("version", .version), ("to", .to), ("type", .type), ("trace", .trace),
    ("content_type", .contentType), ("from", .from), ("code", .code), ("message", .message),
    ("run", .run), ("features", .features),
  ]
  public static let integers: [(String, IntegerField)] = [
    ("v", .v), ("id", .id), ("max_content", .maxContent), ("heartbeat_ms", .heartbeatMs),
    ("timeout_ms", .timeoutMs), ("concurrency", .concurrency),
    ("session_concurrency", .sessionConcurrency), ("idle_ms", .idleMs), ("window", .window),
    ("bytes", .bytes), ("parent", .parent),
  ]
  public static let booleans: [(String, BooleanField)] = [
    ("exclusive", .exclusive), ("lazy", .lazy), ("input", .input), ("detach", .detach),
    ("new", .new), ("oneway", .oneway), ("observe", .observe), ("part", .part), ("end", .end),
    ("unordered", .unordered), ("more", .more), ("retry", .retry),
  ]
  public static let objects: [(String, ObjectField)] = [
    ("labels", .labels), ("ext", .ext), ("details", .details),
  ]

  /// What `header` has, as an object. A boolean that is false reads as absent.
  public static func json(_ header: Header) throws -> SpelledJSON {
    var members: [SpelledJSON.Member] = []
    for (name, field) in strings where header.has(field) {
      members.append(SpelledJSON.Member(name, .string(Array(header[field]))))
    }
    for (name, field) in integers {
      if let value = header[field] { members.append(SpelledJSON.Member(name, .integer(value))) }
    }
    for (name, field) in booleans where header[field] {
      members.append(SpelledJSON.Member(name, .bool(true)))
    }
    for (name, field) in objects where header.has(field) {
      members.append(SpelledJSON.Member(name, try SpelledJSON(parsing: header[field])))
    }
    return .object(members)
  }

  /// Of a header as a vector spells it, what `json` would show: known fields of their kind only,
  /// and nothing false.
  public static func known(_ header: SpelledJSON) -> SpelledJSON {
    .object((header.members ?? []).filter { isShown($0.name, $0.value) })
  }

  private static func isShown(_ name: String, _ value: SpelledJSON) -> Bool {
    switch value {
    case .string: strings.contains { $0.0 == name }
    case .number(let digits): digits.first != "-" && integers.contains { $0.0 == name }
    case .bool(let value): value && booleans.contains { $0.0 == name }
    case .object: objects.contains { $0.0 == name }
    case .null, .array: false
    }
  }
}
