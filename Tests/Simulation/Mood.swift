import TestSupport
import Wire

/// What there is much of in a simulation: its seed decides.
struct Mood {
  /// Thousands of peers, which cannot be looked at all after each event.
  let isCrowd: Bool
  /// Large contents, and readers that are slow.
  let isHeavy: Bool
  /// Calls that serve calls.
  let isDeep: Bool
  /// Messages to sessions.
  let hasSessions: Bool
  /// Messages both ways, in few calls.
  let hasStreams: Bool
  /// Subscriptions and published messages.
  let hasTopics: Bool
  /// Replies of others in replies.
  let hasSplices: Bool
  /// Calls whose replies are kept, and those who read them.
  let hasRuns: Bool
  /// What is said arrives at once, and whole.
  let isImmediate: Bool

  let names: [String]
  let sessions: Int
  let peersMin: Int
  let peersMax: Int

  /// How many calls there are at least where there are streams.
  var streams: Int { isCrowd ? 3_000 : 5 }

  /// One of so many seeds makes a crowd.
  static let seedsPerCrowd: UInt64 = 20

  init(seed: UInt64, _ random: inout SeededGenerator) {
    func one(in count: Int) -> Bool { Int.random(in: 1...count, using: &random) == 1 }
    isCrowd = seed % Self.seedsPerCrowd == 0
    isHeavy = one(in: 2)
    isDeep = one(in: 3)
    hasSessions = one(in: 3)
    hasStreams = one(in: 2)
    hasTopics = one(in: 3)
    hasSplices = one(in: 3)
    hasRuns = one(in: 3)
    isImmediate = one(in: 3)
    names = isCrowd ? (1...40).map { "n\($0 % 4).a\($0)" } : ["a", "b", "c.d"]
    sessions = isCrowd ? 500 : 3
    peersMin = isCrowd ? 2_000 : 3
    peersMax = isCrowd ? 3_000 : 6
  }

  /// Every event is looked at closely, but in a crowd.
  var eventsPerCheck: Int { isCrowd ? 500 : 1 }
  var eventsPerAudit: Int { isCrowd ? 5_000 : 1 }

  /// Limits that are reached now and then.
  func limits(_ random: inout SeededGenerator) -> Limits {
    var limits = Limits()
    limits.mailboxMessagesMax = 6
    limits.mailboxBytesMax = 200_000
    limits.mailboxBytesPerConnectionMax = 300_000
    limits.openIDsMax = Int.random(in: 6...30, using: &random)
    limits.namesMax = 3
    limits.sessionsMax = isCrowd ? 5_000 : 7
    limits.subscriptionsMax = 4
    limits.connectionHighMarkBytes = Int.random(in: 100_000...800_000, using: &random)
    limits.connectionHardMarkBytes = limits.connectionHighMarkBytes * 3 / 2
    limits.callDepthMax = isDeep ? 10 : 3
    limits.noReplicaMs = 3_000
    limits.runKeptMs = 3_000
    limits.runGraceMs = 2_000
    limits.undrainedMs = 20_000
    // One more comes in the end, to resume what is paused.
    limits.connectionsMax = peersMax + 1
    return limits
  }
}
