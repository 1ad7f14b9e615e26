import Glibc
import Synchronization

/// The arguments that every bench program takes, whatever its language.
struct Arguments {
  var role = ""
  var url = ""
  var depth = 1
  var size = 16
  var parts = 0
  var seconds = 1.0
  var warmup = 0.2

  struct Usage: Error, CustomStringConvertible {
    var description: String
  }

  static func read(_ words: [String]) throws -> Arguments {
    var arguments = Arguments()
    var rest = words[...]
    guard let role = rest.popFirst(), role == "host" || role == "caller" else {
      throw Usage(description: "usage: host|caller --url unix:/path [--depth 64] …")
    }
    arguments.role = role
    while let flag = rest.popFirst() {
      guard let value = rest.popFirst() else { throw Usage(description: "\(flag) wants a value") }
      switch flag {
      case "--url": arguments.url = value
      case "--depth": arguments.depth = try Self.number(value)
      case "--size": arguments.size = try Self.number(value)
      case "--parts": arguments.parts = try Self.number(value)
      case "--seconds": arguments.seconds = try Self.number(value)
      case "--warmup": arguments.warmup = try Self.number(value)
      default: throw Usage(description: "no such option: \(flag)")
      }
    }
    return arguments
  }

  private static func number<Number: LosslessStringConvertible>(_ text: String) throws -> Number {
    guard let number = Number(text) else { throw Usage(description: "no number: \(text)") }
    return number
  }
}

/// Counts what ends between the end of the warm-up and the end of the time.
final class Measurement: Sendable {
  typealias Instant = ContinuousClock.Instant

  private struct Counts {
    var latencies: [Duration] = []
    var parts = 0
    var last: Instant
  }

  private let start: Instant
  private let stop: Instant
  private let counts: Mutex<Counts>

  init(_ arguments: Arguments) {
    start = .now + .seconds(arguments.warmup)
    stop = start + .seconds(arguments.seconds)
    counts = Mutex(Counts(last: start))
  }

  func part() {
    let now = Instant.now
    guard now >= start && now <= stop else { return }
    counts.withLock {
      $0.parts += 1
      $0.last = now
    }
  }

  private func ended(_ began: Instant) {
    let now = Instant.now
    guard now >= start && now <= stop else { return }
    counts.withLock {
      $0.latencies.append(now - began)
      $0.last = now
    }
  }

  /// Keeps `depth` calls in flight until the time is over, or until one fails.
  func work(_ depth: Int, _ call: @escaping @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup { group in
      for _ in 0..<depth {
        group.addTask { @concurrent in
          while true {
            let began = Instant.now
            if began >= self.stop { return }
            try await call()
            self.ended(began)
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// The line that the runner reads.
  var report: String {
    counts.withLock { counts in
      let ordered = counts.latencies.sorted()
      let seconds = max((counts.last - start) / .seconds(1), 1e-9)
      func percentileUs(_ percent: Int) -> Double {
        ordered.isEmpty ? 0 : ordered[percent * (ordered.count - 1) / 100] / .microseconds(1)
      }
      return """
        {"calls":\(ordered.count),"seconds":\(seconds),\
        "calls_per_s":\(Double(ordered.count) / seconds),"p50_us":\(percentileUs(50)),\
        "p90_us":\(percentileUs(90)),"p99_us":\(percentileUs(99)),"parts":\(counts.parts),\
        "parts_per_s":\(Double(counts.parts) / seconds),"errors":0}
        """
    }
  }
}

/// Prints a line at once, whoever reads the output.
func say(_ text: String) {
  var line = text + "\n"
  line.withUTF8 { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}
