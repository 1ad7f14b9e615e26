public import Wire

/// Which agents are asked for, and how much of each.
public struct DiscoveryQuery: Sendable {
  /// Empty, or a name: the agents below it are meant, by whole segments.
  public var namespace: [UInt8] = []
  /// All below the namespace, not only its direct children.
  public var recursive = false
  /// And the agent that is called like the namespace.
  public var inclusive = false
  /// With version, labels, operations and the number of replicas.
  public var detailed = false
  /// Only agents that have all of these.
  public var labels: [(name: [UInt8], value: [UInt8])] = []

  public init() {}

  /// Reads `{namespace?, recursive?, inclusive?, detailed?, labels?}`; other members are ignored.
  public init(_ value: JSON) throws(BadContent) {
    guard value.members != nil else { throw BadContent("", "must be an object") }
    if let member = value["namespace"] {
      guard let text = member.text else { throw BadContent("namespace", "must be a string") }
      namespace = Array(text.utf8)
      guard namespace.isEmpty || namespace.withUnsafeBytes(Address.isName) else {
        throw BadContent("namespace", "must be empty or a name")
      }
    }
    recursive = try Self.flag("recursive", of: value)
    inclusive = try Self.flag("inclusive", of: value)
    detailed = try Self.flag("detailed", of: value)
    if let member = value["labels"] {
      guard let wanted = member.members else { throw BadContent("labels", "must be an object") }
      for label in wanted {
        guard let text = label.value.text else {
          throw BadContent("labels", "values must be strings")
        }
        labels.append((name: Array(label.name.utf8), value: Array(text.utf8)))
      }
    }
  }

  private static func flag(_ name: String, of value: JSON) throws(BadContent) -> Bool {
    guard let member = value[name] else { return false }
    guard let truth = member.truth else { throw BadContent(name, "must be true or false") }
    return truth
  }

  /// Whether the flags, labels aside, cover an agent of this name.
  func covers(_ name: UnsafeRawBufferPointer) -> Bool {
    var rest = 0
    if !namespace.isEmpty {
      guard name.starts(with: namespace) else { return false }
      if name.count == namespace.count { return inclusive }
      guard name[namespace.count] == UInt8(ascii: ".") else { return false }
      rest = namespace.count + 1
    }
    return recursive || !name[rest...].contains(UInt8(ascii: "."))
  }
}
