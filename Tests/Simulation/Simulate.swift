@testable import Auditing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `simulate [SEEDS [STEPS]]`: runs each seed of `7` or `1..20` for so many steps, says how far it
/// is, and what it has covered at the end. A seed that fails is run again with its last events
/// shown, and how to run it alone.
@main enum Simulate {
  static let stepsUsual = 5_000

  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    guard let seeds = range(arguments.first ?? "1..20"),
      let steps = Int(arguments.dropFirst().first ?? "\(stepsUsual)"), steps > 0
    else {
      say("usage: simulate [SEEDS [STEPS]], as in: simulate 1..20 5000")
      exit(2)
    }
    var tally = Tally()
    var digest: UInt64 = 0
    var shown = seconds()
    let begun = shown
    for seed in seeds {
      let simulation = Simulation(seed: seed)
      do { try simulation.run(steps) } catch {
        report(error, seed: seed, steps: steps)
        exit(1)
      }
      tally.add(simulation.tally)
      tally.count("seeds")
      digest = digest &* 31 &+ simulation.digest
      for (word, count) in simulation.ledger.words { tally.count("words \(word)", count) }
      if seconds() - shown > 2 || seed == seeds.upperBound {
        shown = seconds()
        let rate = Int(Double(tally["steps"]) / max(shown - begun, 0.001))
        say("seed \(seed): \(tally["steps"]) steps, \(tally["calls"]) calls, \(rate) steps/s")
      }
    }
    say("all rules held; in \(Int(seconds() - begun)) s this was covered:\n\(tally.report)")
    say("what was written to peers, as one number: \(String(digest, radix: 16))")
  }

  /// The same seed once more, with what happened before it failed.
  private static func report(_ violation: Violation, seed: UInt64, steps: Int) {
    let again = Simulation(seed: seed, isTraced: true)
    var second: Violation?
    do { try again.run(steps) } catch { second = error }
    say((again.trace ?? []).suffix(60).joined(separator: "\n"))
    say("seed \(seed) failed at \(violation)")
    if second?.description != violation.description {
      say("run again it does otherwise: \(second.map { "\($0)" } ?? "all rules held")")
    }
    say("to run it again: make simulate SEEDS=\(seed) STEPS=\(steps)")
  }

  private static func range(_ text: String) -> ClosedRange<UInt64>? {
    let ends = text.split(separator: "..", omittingEmptySubsequences: false).map { UInt64($0) }
    guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2,
      first <= last
    else { return nil }
    return first...last
  }

  private static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private static func say(_ text: String) {
    print(text)
    fflush(nil)
  }
}
