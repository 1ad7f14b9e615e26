import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Random conversations of several connections, each reproducible from its seed.
///
/// `COAGENT_SIMULATION_STEPS` runs more of them; `COAGENT_SEED` runs one again.
@Suite struct SimulationTests {
  private static let stepsPerSeed = 600

  private static func number(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }

  @Test func whateverPeersDoTheRulesHold() throws {
    if let seed = Self.number("COAGENT_SEED") {
      return try Simulation(seed: seed).run(Self.stepsPerSeed)
    }
    var seeds = SeededGenerator(for: "whateverPeersDoTheRulesHold")
    var left = Int(Self.number("COAGENT_SIMULATION_STEPS") ?? 12_000)
    while left > 0 {
      try Simulation(seed: seeds.next()).run(Self.stepsPerSeed)
      left -= Self.stepsPerSeed
    }
  }
}
