import CoagentClient
import Glibc

/// The stories of these folders as Swift tells them; Python, Node and Go tell the same ones.
///
///     swift run example-stories echo
@main
struct Stories {
  static func main() async throws {
    let stories: [(name: String, tell: () async throws -> Void)] = [
      ("echo", tellEcho), ("streaming", tellStreaming), ("sessions", tellSessions),
      ("discovery", tellDiscovery), ("agents-calling-agents", tellAgentsCallingAgents),
      ("tools", tellTools), ("side-by-side", tellSideBySide),
    ]
    guard let story = stories.first(where: { [$0.name] == CommandLine.arguments.dropFirst() })
    else {
      print("usage: example-stories \(stories.map(\.name).joined(separator: " | "))")
      exit(2)
    }
    try await story.tell()
  }
}

/// What agents note, for a story to wait for and print.
actor Notes {
  private var lines: [String] = []
  private var readers: [CheckedContinuation<String, Never>] = []

  func add(_ line: String) {
    if readers.isEmpty { lines.append(line) } else { readers.removeFirst().resume(returning: line) }
  }

  /// The next note, once there is one.
  func next() async -> String {
    if !lines.isEmpty { return lines.removeFirst() }
    return await withCheckedContinuation { readers.append($0) }
  }

  /// So many notes, in the order of the alphabet.
  func sorted(_ count: Int) async -> [String] {
    var found: [String] = []
    for _ in 0..<count { found.append(await next()) }
    return found.sorted()
  }
}
