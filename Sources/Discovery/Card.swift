internal import Wire

/// What a registration says of its agent, kept in the spelling that discovery sends.
///
/// A class, so that a card is passed around as one reference; it never changes.
public final class Card: Sendable {
  /// `"description":"…"`
  let brief: [UInt8]
  /// `"version":"…","labels":{…},"operations":[…]`
  let details: [UInt8]
  let labels: Labels
  /// Agents of the sidecar itself are not listed.
  public let isSystem: Bool
  /// Equal for cards that say the same; differs with near certainty for others.
  let fingerprint: Int

  /// - Parameters:
  ///   - labels: JSON text of a flat object of strings, which the header parser has checked; or
  ///     empty.
  ///   - operations: what `Operations.check` returned.
  public init(
    description: UnsafeRawBufferPointer, version: UnsafeRawBufferPointer,
    labels: UnsafeRawBufferPointer, operations: [UInt8], isSystem: Bool = false
  ) {
    self.labels = Labels(labels)
    self.isSystem = isSystem
    var brief = JSONWriter(reserving: description.count + 16)
    brief.member("description", description)
    self.brief = brief.bytes

    var details = JSONWriter(reserving: version.count + labels.count + operations.count + 64)
    details.member("version", version)
    details.key("labels")
    self.labels.write(into: &details)
    details.key("operations")
    details.raw(operations.isEmpty ? Operations.none : operations)
    self.details = details.bytes

    var hasher = Hasher()
    self.brief.withUnsafeBytes { hasher.combine(bytes: $0) }
    self.details.withUnsafeBytes { hasher.combine(bytes: $0) }
    fingerprint = hasher.finalize()
  }
}

/// An agent's labels: names and values, compared as bytes.
final class Labels: Sendable {
  let pairs: [(name: [UInt8], value: [UInt8])]

  init(_ text: UnsafeRawBufferPointer) {
    guard text.count > 0 else {
      pairs = []
      return
    }
    // The header parser took this text for a flat object of strings; so nothing is lost here.
    let members = (try? JSONReader.read(text))?.members ?? []
    pairs = members.compactMap { member in
      member.value.text.map { (name: Array(member.name.utf8), value: Array($0.utf8)) }
    }
  }

  /// Whether each wanted label is here with the value wanted.
  func include(_ wanted: [(name: [UInt8], value: [UInt8])]) -> Bool {
    wanted.allSatisfy { wanted in
      pairs.contains { $0.name == wanted.name && $0.value == wanted.value }
    }
  }

  func write(into writer: inout JSONWriter) {
    writer.beginObject()
    for pair in pairs {
      writer.key(pair.name)
      writer.string(pair.value)
    }
    writer.endObject()
  }

  /// Memory, roughly.
  var cost: Int { pairs.reduce(0) { $0 + $1.name.count + $1.value.count + 64 } }
}
