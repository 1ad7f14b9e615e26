/// How often things happened: what shows that a simulation exercises what it is for.
struct Tally {
  private var counts: [String: Int] = [:]

  mutating func count(_ what: String, _ times: Int = 1) {
    counts[what, default: 0] += times
  }

  /// The largest that was seen of something.
  mutating func reach(_ what: String, _ size: Int) {
    counts[what] = max(counts[what] ?? 0, size)
  }

  subscript(_ what: String) -> Int { counts[what] ?? 0 }

  /// Adds another's counts; what begins with "most " is not added up.
  mutating func add(_ other: Tally) {
    for (what, count) in other.counts {
      if what.hasPrefix("most ") { reach(what, count) } else { self.count(what, count) }
    }
  }

  /// Lines of counts, in groups by the first word.
  var report: String {
    var groups: [String: [String]] = [:]
    for (what, count) in counts.sorted(by: { $0.key < $1.key }) {
      let words = what.split(separator: " ", maxSplits: 1)
      let rest = words.count > 1 ? String(words[1]) : ""
      groups[String(words[0]), default: []].append("\(rest) \(count)")
    }
    return groups.sorted { $0.key < $1.key }.map { group, counts in
      "  \(group): " + counts.joined(separator: ", ")
    }.joined(separator: "\n")
  }
}
