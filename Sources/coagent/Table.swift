/// Columns for people: as wide as they must be, the last one cut to the terminal.
struct Table {
  private let headings: [String]
  private var rows: [[String]] = []
  /// Columns of numbers, which stand to the right.
  private let numeric: Set<Int>

  init(_ headings: [String], numeric: Set<Int> = []) {
    self.headings = headings
    self.numeric = numeric
  }

  mutating func add(_ row: [String]) { rows.append(row) }

  func print() {
    var widths = headings.map(\.columns)
    for row in rows {
      for (column, cell) in row.enumerated() where cell.utf8.count > widths[column] {
        widths[column] = max(widths[column], cell.columns)
      }
    }
    Output.line(Output.styled(String(decoding: line(headings, widths), as: UTF8.self), .bold))
    for row in rows { Output.write(line(row, widths) + [UInt8(ascii: "\n")]) }
  }

  private func line(_ row: [String], _ widths: [Int]) -> [UInt8] {
    var text: [UInt8] = []
    var used = 0
    for (column, cell) in row.enumerated() {
      let isLast = column == row.count - 1
      let cell = isLast ? cut(cell, used) : cell
      let space = repeatElement(UInt8(ascii: " "), count: max(0, widths[column] - cell.columns))
      if numeric.contains(column) {
        text += space
        text += cell.utf8
      } else {
        text += cell.utf8
        if !isLast { text += space }
      }
      if !isLast { text += [0x20, 0x20] }
      used += widths[column] + 2
    }
    return text
  }

  private func cut(_ cell: String, _ used: Int) -> String {
    guard let columns = Output.columns, columns - used >= 8, cell.columns > columns - used else {
      return cell
    }
    return String(cell.prefix(columns - used - 1)) + "…"
  }
}

extension String {
  /// How many columns it takes, roughly: one for each character.
  var columns: Int { utf8.allSatisfy { $0 < 0x80 } ? utf8.count : count }
}

/// Figures for people.
enum Figure {
  /// `850 ms`, `12 s`, `5 min`, `3 h`, `2 d`.
  static func time(ms: Int64) -> String {
    switch ms {
    case ..<1_000: "\(ms) ms"
    case ..<120_000: "\(ms / 1_000) s"
    case ..<7_200_000: "\(ms / 60_000) min"
    case ..<172_800_000: "\(ms / 3_600_000) h"
    default: "\(ms / 86_400_000) d"
    }
  }

  /// `95 µs`, `1.2 ms`, `3.4 s`.
  static func time(us: Double) -> String {
    switch us {
    case ..<1_000: "\(Int(us.rounded())) µs"
    case ..<1_000_000: "\(decimal(us / 1_000)) ms"
    default: "\(decimal(us / 1_000_000)) s"
    }
  }

  /// `512 B`, `1.5 KiB`, `3.0 MiB`.
  static func bytes(_ count: Double) -> String {
    var value = count
    for unit in ["B", "KiB", "MiB", "GiB"] {
      if value < 1_024 { return unit == "B" ? "\(Int(value)) B" : "\(decimal(value)) \(unit)" }
      value /= 1_024
    }
    return "\(decimal(value)) TiB"
  }

  /// `1,234,567`.
  static func count(_ value: Int64) -> String {
    var text = ""
    for (index, digit) in "\(abs(value))".reversed().enumerated() {
      if index > 0, index % 3 == 0 { text.append(",") }
      text.append(digit)
    }
    return (value < 0 ? "-" : "") + String(text.reversed())
  }

  private static func decimal(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
