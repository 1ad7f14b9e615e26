import ArgumentParser
import CoagentClient

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The command line of the sidecar: sees who is there, calls, and steers.
@main
struct Coagent: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coagent",
    abstract: "Find, call and steer agents, whatever language they are written in.",
    discussion: """
      A name that is no subcommand is called: `coagent translator --chat -d '…'`.
      The sidecar is at --url, else at COAGENT_URL, else at the default socket.

      Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 timeout, 5 unavailable.
      """,
    version: ClientOptions.version,
    subcommands: [
      List.self, Describe.self, Watch.self, CallAgent.self, StreamAgent.self, Chat.self,
      SendMessage.self, Publish.self, Subscribe.self, Processes.self, Attach.self, Tail.self,
      Remove.self, InterruptCalls.self, SendSignal.self, CancelSessions.self,
      PauseSessions.self, ResumeSessions.self, Connections.self, Drain.self, Stats.self,
      Ping.self, Bench.self, Doctor.self, Completion.self,
    ],
    defaultSubcommand: CallAgent.self)

  static func main() async {
    do {
      if CommandLine.arguments.count < 2 { throw CleanExit.helpRequest(self) }
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      Output.flush()
      let status = end(error)
      Output.flush()
      _exit(status)
    }
    Output.flush()
    _exit(0)
  }

  /// Says what is to be said about an error, and gives the exit code.
  private static func end(_ error: any Error) -> Int32 {
    if let status = error as? ExitCode { return status.rawValue }
    if let failure = error as? Complaint {
      Output.complain(failure.text)
      return failure.exitCode
    }
    if let error = error as? AgentError { return end(Complaint(error)) }
    if error is CancellationError { return Complaint.interrupted }
    // What is left comes from the parser: help, the version, or a usage error.
    let text = fullMessage(for: error)
    if exitCode(for: error) == .success {
      Output.line(text)
      Output.flush()
      return 0
    }
    Output.complain(text.hasPrefix("Error: ") ? "coagent: " + text.dropFirst(7) : text)
    return Complaint.usage
  }
}

/// A command that could not do what was asked.
struct Complaint: Error {
  static let failed: Int32 = 1
  static let usage: Int32 = 2
  static let interrupted: Int32 = 130

  let text: String
  let exitCode: Int32

  init(_ text: String, exitCode: Int32 = Complaint.failed) {
    self.text = "coagent: \(text)"
    self.exitCode = exitCode
  }

  /// One line, and a hint where there is one.
  init(_ error: AgentError) {
    var text = "\(error)".replacing("\n", with: " ")
    for cause in error.causes { text += " <- \(cause)" }
    if let hint = Self.hint(error) { text += "\n  \(hint)" }
    self.init(text, exitCode: Self.exitCode(error))
  }

  static func exitCode(_ error: AgentError) -> Int32 {
    switch error.code {
    case .notFound: 3
    case .deadlineExceeded: 4
    case .unavailable: 5
    case .invalidArgument, .alreadyExists, .permissionDenied, .unauthenticated, .resourceExhausted,
      .failedPrecondition, .aborted, .unimplemented, .internal, .cancelled:
      failed
    }
  }

  private static func hint(_ error: AgentError) -> String? {
    switch error.reason {
    case "connection_lost" where error.message.hasPrefix("cannot reach"):
      "Is the daemon running? Start it with: coagentd   (then: coagent doctor)"
    case "bad_token": "Give the token with --token-file, COAGENT_TOKEN or COAGENT_TOKEN_FILE."
    case "unknown_agent": "See who is there with: coagent ls -r"
    case "no_replica": "It was registered a moment ago, and may come back: try again."
    case "unknown_run": "See which are kept with: coagent ps --runs"
    case "truncated": "What is older is not kept any more: --from where it is, or tail."
    case "session_needed": "Name a session, name:session. See which there are with: coagent ps"
    case "unknown_session", "not_running": "See what runs with: coagent ps"
    case "deadline": "Give it more time with --timeout."
    default: nil
    }
  }
}
