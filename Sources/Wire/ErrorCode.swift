/// The canonical codes: what kind of failure it is. The finer word is a `Reason`.
///
/// Both are defined in proto/errors.json; a test holds these against it.
public enum ErrorCode: String, Sendable, CaseIterable {
  case invalidArgument = "invalid_argument"
  case notFound = "not_found"
  case alreadyExists = "already_exists"
  case permissionDenied = "permission_denied"
  case unauthenticated = "unauthenticated"
  case resourceExhausted = "resource_exhausted"
  case failedPrecondition = "failed_precondition"
  case aborted = "aborted"
  case unimplemented = "unimplemented"
  case `internal` = "internal"
  case unavailable = "unavailable"
  case deadlineExceeded = "deadline_exceeded"
  case cancelled = "cancelled"

  /// The code's place among all of them, for tables of counts.
  public var ordinal: Int { Self.allCases.firstIndex(of: self)! }
}

/// Why, in one word. Every reason belongs to one code.
public enum Reason: String, Sendable, CaseIterable {
  // The connection's faults.
  case headerLength = "header_length"
  case contentLength = "content_length"
  case badHeader = "bad_header"
  case badID = "bad_id"
  case helloExpected = "hello_expected"
  case versionUnsupported = "version_unsupported"
  case badToken = "bad_token"
  case peerRefused = "peer_refused"
  case helloTimeout = "hello_timeout"
  case heartbeatTimeout = "heartbeat_timeout"
  case slowReader = "slow_reader"
  case tooManyConnections = "too_many_connections"
  // What a frame says.
  case badField = "bad_field"
  case missingField = "missing_field"
  case badAddress = "bad_address"
  case badTopic = "bad_topic"
  case badSignal = "bad_signal"
  case sessionNeeded = "session_needed"
  case badContent = "bad_content"
  case tooLarge = "too_large"
  case noInput = "no_input"
  case badSplice = "bad_splice"
  case unknownOp = "unknown_op"
  case unhandledType = "unhandled_type"
  // Who is there.
  case unknownAgent = "unknown_agent"
  case unknownSession = "unknown_session"
  case unknownRun = "unknown_run"
  case unknownConnection = "unknown_connection"
  case noReplica = "no_replica"
  case hostLost = "host_lost"
  case connectionLost = "connection_lost"
  case shutdown = "shutdown"
  case draining = "draining"
  case nameRegistered = "name_registered"
  case nameOwned = "name_owned"
  case reservedName = "reserved_name"
  case fromNotRegistered = "from_not_registered"
  case agentNotRegistered = "agent_not_registered"
  case notPermitted = "not_permitted"
  // What a call may use.
  case mailboxFull = "mailbox_full"
  case tooManyIDs = "too_many_ids"
  case tooManyNames = "too_many_names"
  case tooManySessions = "too_many_sessions"
  case tooManySubscriptions = "too_many_subscriptions"
  case tooManyRuns = "too_many_runs"
  case windowExceeded = "window_exceeded"
  case readerOverrun = "reader_overrun"
  case callCycle = "call_cycle"
  case callDepth = "call_depth"
  // What a signal may meet.
  case notRunning = "not_running"
  case noSignals = "no_signals"
  case unhandledSignal = "unhandled_signal"
  case tooManySignals = "too_many_signals"
  case interrupted = "interrupted"
  // What is kept of a run.
  case runDiffers = "run_differs"
  case truncated = "truncated"
  // How a call ends early.
  case deadline = "deadline"
  case cancelled = "cancelled"
  case callerLost = "caller_lost"
  case parentEnded = "parent_ended"
  case agentError = "agent_error"
  case activationFailed = "activation_failed"
  case unfinishedMessage = "unfinished_message"
  case `internal` = "internal"

  public var code: ErrorCode {
    switch self {
    case .headerLength, .contentLength, .badHeader, .badID, .badField, .missingField, .badAddress,
      .badTopic, .badContent, .badSignal, .sessionNeeded, .tooLarge, .noInput, .badSplice:
      .invalidArgument
    case .helloExpected, .versionUnsupported, .callCycle, .callDepth, .notRunning, .truncated:
      .failedPrecondition
    case .badToken: .unauthenticated
    case .helloTimeout, .deadline: .deadlineExceeded
    case .heartbeatTimeout, .noReplica, .hostLost, .connectionLost, .shutdown, .draining:
      .unavailable
    case .slowReader, .tooManyConnections, .mailboxFull, .tooManyIDs, .tooManyNames,
      .tooManySessions, .tooManySubscriptions, .tooManySignals, .tooManyRuns, .windowExceeded,
      .readerOverrun:
      .resourceExhausted
    case .unknownOp, .unhandledType, .unhandledSignal, .noSignals:
      .unimplemented
    case .unknownAgent, .unknownSession, .unknownRun, .unknownConnection: .notFound
    case .nameRegistered, .runDiffers: .alreadyExists
    case .peerRefused, .nameOwned, .reservedName, .fromNotRegistered, .agentNotRegistered,
      .notPermitted:
      .permissionDenied
    case .interrupted: .aborted
    case .cancelled, .callerLost, .parentEnded: .cancelled
    case .agentError, .activationFailed, .unfinishedMessage, .internal: .internal
    }
  }
}
