/// Which topics a pattern matches, as plainly as it can be said: what faster ways are held against.
public struct PlainPattern: Sendable {
  private let segments: [Substring]

  public init(_ pattern: String) {
    segments = pattern.split(separator: ".")
  }

  public func matches(_ topic: String) -> Bool {
    Self.matches(segments[...], topic.split(separator: ".")[...])
  }

  private static func matches(_ pattern: ArraySlice<Substring>, _ topic: ArraySlice<Substring>)
    -> Bool
  {
    guard let first = pattern.first else { return topic.isEmpty }
    guard let segment = topic.first else { return false }
    if first == ">" { return true }
    guard first == "*" || first == segment else { return false }
    return matches(pattern.dropFirst(), topic.dropFirst())
  }
}
