import Wire

/// A signal of a simulation, until everyone whom it concerns has answered.
final class SimulatedSignal {
  /// Whom it concerns.
  enum Target {
    case call(SimulatedCall)
    case session(String)
    case agent(String)

    /// The order of signals to the same is kept.
    var word: String {
      switch self {
      case .call(let call): "call \(call.number)"
      case .session(let session): session
      case .agent(let agent): agent
      }
    }
  }

  /// Someone who is to get it, or has it and has not answered.
  struct Recipient {
    let peer: SimulatedPeer
    var call: SimulatedCall?
    var id: UInt64?
  }

  let number: Int
  let name: String
  let target: Target
  let sender: SimulatedPeer
  let id: UInt64?
  var from = ""
  var length = 0
  var hasParent = false
  /// The event in which it arrived: in that it is given, done or refused.
  var event = -1
  var recipients: [Recipient] = []
  /// What is to be said of it in this event: "" for `ok`, or a reason; nil: nothing.
  var due: String?
  var hasEnded = false
  /// Its sender has said that it does not want to know.
  var isCancelled = false
  /// It was the resume of a session that was paused.
  var hasResumed = false

  init(_ number: Int, _ name: String, _ target: Target, sender: SimulatedPeer, id: UInt64?) {
    self.number = number
    self.name = name
    self.target = target
    self.sender = sender
    self.id = id
  }
}
