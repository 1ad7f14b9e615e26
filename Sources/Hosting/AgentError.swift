public import Wire

/// What went wrong with a call, a registration or the connection, in every language the same.
///
/// `code` is one of a fixed set and what programs decide by; `reason` is the finer word; `message`
/// is for people. Thrown by an agent, it reaches the caller as it is; any other error reaches the
/// caller as `internal`/`agent_error` with its type in `details`.
public struct AgentError: Error, Sendable, Equatable, CustomStringConvertible {
  public var code: ErrorCode
  /// Empty when the agent gave none.
  public var reason: String
  public var message: String
  public var details: [String: FlatValue]
  /// Nobody's code saw the call: it may be made again.
  public var retry: Bool
  /// Nobody was there so shortly after the connection was made again that its host may be on its
  /// way back too: it may be made again while that lasts.
  public var awaitsHost = false
  /// The address that was called, where that is known.
  public var address: String

  public init(
    _ code: ErrorCode, reason: String = "", _ message: String = "",
    details: [String: FlatValue] = [:], retry: Bool = false, address: String = ""
  ) {
    self.code = code
    self.reason = reason
    self.message = message
    self.details = details
    self.retry = retry
    self.address = address
  }

  public init(_ reason: Reason, _ message: String, address: String = "") {
    self.init(reason.code, reason: reason.rawValue, message, address: address)
  }

  /// What was below the agent's error, nearest first: `ValueError: no such word`.
  public var causes: [String] {
    guard case .string(let causes) = details["causes"] else { return [] }
    return Self.split(causes)
  }

  /// The nearest cause.
  public var cause: String? { causes.first }

  public var description: String {
    var text = reason.isEmpty ? code.rawValue : "\(code.rawValue) (\(reason))"
    if !message.isEmpty { text += ": \(message)" }
    if !address.isEmpty { text += " (calling \(address))" }
    return text
  }

  private static func split(_ causes: String) -> [String] {
    let arrow = Array(" <- ".utf8)
    var found: [String] = []
    var rest = Array(causes.utf8)[...]
    while let at = rest.indices.first(where: { rest[$0...].starts(with: arrow) }) {
      found.append(String(decoding: rest[..<at], as: UTF8.self))
      rest = rest[(at + arrow.count)...]
    }
    if !rest.isEmpty { found.append(String(decoding: rest, as: UTF8.self)) }
    return found
  }

  /// Any error as it travels: an agent's own words stand, the rest is `internal`/`agent_error`.
  public init(reporting error: any Error) {
    switch error {
    case var error as AgentError:
      // Whoever reads it asked somebody else, and has been seen.
      if !error.address.isEmpty, error.details["agent"] == nil {
        error.details["agent"] = .string(error.address)
      }
      error.address = ""
      error.retry = false
      error.awaitsHost = false
      self = error
    case is CancellationError:
      self.init(.cancelled, "the agent was cancelled")
    default:
      let message = "\(error)"
      let type = "\(Swift.type(of: error))"
      self.init(.agentError, message.isEmpty ? type : message)
      details["type"] = .string(type)
      if let cause = (error as? any CausedError)?.cause { setCauses(from: cause) }
    }
  }

  /// Notes what was below, from here down: each as its type and message.
  mutating func setCauses(from cause: any Error) {
    var texts: [String] = []
    var next: (any Error)? = cause
    while let error = next, texts.count < Self.causesMax {
      if let error = error as? AgentError {
        texts.append("AgentError: \(error.message)")
        texts += error.causes
        next = nil
      } else {
        texts.append("\(Swift.type(of: error)): \(error)")
        next = (error as? any CausedError)?.cause
      }
    }
    details["causes"] = .string(texts.prefix(Self.causesMax).joined(separator: " <- "))
  }

  private static let causesMax = 8
}

/// An error that came of another one. Thrown by an agent, it travels with what was below it.
public protocol CausedError: Error {
  var cause: (any Error)? { get }
}
