internal import Hosting
public import Wire

extension Client {
  /// Who is there: the agents below a namespace, sorted by name.
  public func discover(
    _ namespace: String = "", recursive: Bool = false, inclusive: Bool = false,
    detailed: Bool = false, labels: [String: String] = [:], timeout: Duration? = .seconds(30)
  ) async throws -> [AgentCard] {
    let query = DiscoveryQuery(
      namespace: namespace, recursive: recursive, inclusive: inclusive, detailed: detailed,
      labels: labels)
    let message = Message(query.bytes(), type: "DiscoveryQuery")
    let json = try await call("discovery", message, timeout: timeout).json()
    return AgentCard.list(json["agents"])
  }

  /// Who is there, and then who comes and goes. Goes on over lost connections.
  ///
  /// - Parameter revision: the last change that is known: where the sidecar remembers it, what came
  ///   since is told in place of all that is there.
  public func watch(
    _ namespace: String = "", recursive: Bool = false, inclusive: Bool = false,
    detailed: Bool = false, labels: [String: String] = [:], fromRevision revision: Int64? = nil
  ) -> AgentChanges {
    let query = DiscoveryQuery(
      namespace: namespace, recursive: recursive, inclusive: inclusive, detailed: detailed,
      labels: labels)
    return AgentChanges(client: self, query: query, revision: revision)
  }
}

/// What is asked of the agent `discovery`.
struct DiscoveryQuery: Sendable {
  var namespace: String
  var recursive: Bool
  var inclusive: Bool
  var detailed: Bool
  var labels: [String: String]

  func bytes(fromRevision revision: Int64? = nil) -> [UInt8] {
    var writer = JSONWriter()
    writer.beginObject()
    writer.member("namespace", namespace)
    writer.member("recursive", recursive)
    writer.member("inclusive", inclusive)
    writer.member("detailed", detailed)
    if !labels.isEmpty {
      writer.key("labels")
      writer.raw(FlatObject.text(labels.mapValues { .string($0) }))
    }
    if let revision {
      writer.key("from_revision")
      writer.integer(revision)
    }
    writer.endObject()
    return writer.bytes
  }
}

/// An agent as discovery shows it. What is not asked for in detail is empty.
public struct AgentCard: Sendable, Equatable {
  public var name: String
  public var description: String
  public var version: String
  public var labels: [String: String]
  public var operations: [AgentOperation]
  /// How many hosts offer it; 0 when not asked for in detail.
  public var replicas: Int

  public init(_ json: JSON) {
    name = json["name"]?.text ?? ""
    description = json["description"]?.text ?? ""
    version = json["version"]?.text ?? ""
    labels = [:]
    for member in json["labels"]?.members ?? [] { labels[member.name] = member.value.text }
    operations = (json["operations"]?.elements ?? []).map { AgentOperation($0) }
    replicas = json["replicas"]?.integer.map { Int($0) } ?? 0
  }

  static func list(_ json: JSON?) -> [AgentCard] {
    (json?.elements ?? []).map { AgentCard($0) }
  }
}

/// What a watch tells.
public struct AgentChange: Sendable, Equatable {
  /// The registry's count of changes at that moment.
  public var revision: Int64
  /// Who came or changed; in a snapshot, all that match.
  public var registered: [AgentCard]
  /// Who went.
  public var deregistered: [String]
  /// All that match: at first, and whenever the watch could not go on where it was.
  public var isSnapshot: Bool

  init(_ message: Message) throws(AgentError) {
    let json = try message.json()
    isSnapshot = message.type == "DiscoverySnapshot"
    revision = json["revision"]?.integer ?? 0
    registered = AgentCard.list(json[isSnapshot ? "agents" : "registered"])
    deregistered = (json["deregistered"]?.elements ?? []).compactMap(\.text)
  }
}

/// The agents of a namespace as they come and go. To be iterated once, as long as is wanted.
public struct AgentChanges: AsyncSequence, Sendable {
  let client: Client
  let query: DiscoveryQuery
  let revision: Int64?

  public func makeAsyncIterator() -> Iterator {
    Iterator(client: client, query: query, revision: revision)
  }

  public struct Iterator: AsyncIteratorProtocol {
    let client: Client
    let query: DiscoveryQuery
    private var replies: Replies.Iterator?
    /// The registry's revision that was last told.
    private var revision: Int64?

    init(client: Client, query: DiscoveryQuery, revision: Int64?) {
      self.client = client
      self.query = query
      self.revision = revision
    }

    public mutating func next() async throws -> AgentChange? {
      while true {
        if replies == nil {
          var options = CallOptions()
          options.isIndependent = true
          let message = Message(query.bytes(fromRevision: revision), type: "DiscoveryWatch")
          replies = client.stream("discovery", message, options: options).makeAsyncIterator()
        }
        do {
          guard let message = try await replies?.next() else { return nil }
          let change = try AgentChange(message)
          revision = change.revision
          return change
        } catch let error as AgentError where error.code == .unavailable {
          if client.isClosed { throw error }
          replies = nil
        }
      }
    }
  }
}
