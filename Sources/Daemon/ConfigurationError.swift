/// Why a configuration is refused: what was wrong, and the place that says it.
struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  var origin: Origin
  var message: String

  var description: String {
    self.origin == .builtIn ? self.message : "\(self.origin): \(self.message)"
  }
}

/// Where a setting comes from, strongest last.
enum Origin: Hashable, Sendable, CustomStringConvertible {
  case builtIn
  case file(path: String, line: Int)
  case variable(String)
  case flag(String)

  var description: String {
    switch self {
    case .builtIn: "default"
    case .file(let path, let line): "\(path):\(line)"
    case .variable(let name): name
    case .flag(let name): name
    }
  }
}

/// The candidate most like a mistyped word, or `nil` when none is near.
func nearest(to word: String, of candidates: [String]) -> String? {
  let near = candidates.map { (distance: editDistance(word, $0), candidate: $0) }
    .min { $0.distance < $1.distance }
  guard let near, near.distance <= max(1, word.utf8.count / 4) else { return nil }
  return near.candidate
}

/// Bytes to insert, remove or replace to make one word of the other.
private func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b.utf8)
  var row = Array(0...b.count)
  for (i, byte) in a.utf8.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for j in b.indices {
      let replaced = diagonal + (byte == b[j] ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
