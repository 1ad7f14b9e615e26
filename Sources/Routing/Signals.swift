internal import Wire

typealias SignalIndex = Int32

/// A signal that a client has sent, until everyone whom it concerns has answered.
struct Signal {
  /// Who waits for the answer; -1: nobody does, or does any more.
  var sender: ConnectionIndex
  var senderID: UInt64
  /// How many have still to answer: hosts, and the router while it gives the signal to them.
  var unanswered: Int32 = 1
  var hasFailed = false
}

/// A signal as one host was given it, until that host has answered.
struct GivenSignal {
  /// What it is part of; -1: nothing any more, for its call has ended.
  var signal: SignalIndex
  var host: ConnectionIndex
  var id: UInt64
  /// The call that it is about; -1: it is about a session or an agent, or the call has ended.
  var call: CallIndex
}

/// What a signal's name asks for [SIG-2].
enum SignalKind {
  case cancel, interrupt, pause, resume
  /// An agent's own.
  case own

  init?(_ name: UnsafeRawBufferPointer) {
    let known: [(StaticString, SignalKind)] = [
      ("cancel", .cancel), ("interrupt", .interrupt), ("pause", .pause), ("resume", .resume),
    ]
    for (word, kind) in known where word.withUTF8Buffer({ name.elementsEqual($0) }) {
      self = kind
      return
    }
    guard Address.isName(name), name.contains(UInt8(ascii: ".")) else { return nil }
    self = .own
  }
}

/// What is counted of signals.
public struct SignalMetrics: Sendable {
  public internal(set) var total: UInt64 = 0
  /// Refused, or not taken by somebody whom they concerned.
  public internal(set) var lost: UInt64 = 0

  public init() {}
}
