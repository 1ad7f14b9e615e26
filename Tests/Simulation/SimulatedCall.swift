import Wire

/// A call or send of a simulation, as the frames that went past show it.
final class SimulatedCall {
  let number: Int
  let to: String
  let isSend: Bool
  let caller: SimulatedPeer
  /// Nil for a send without an answer.
  let callerID: UInt64?
  var session: String? { to.contains(":") ? to : nil }
  var agent: Substring { to.prefix { $0 != ":" } }

  /// One of the sidecar's own agents handles it: what it says is not foretold.
  var isSystem = false
  /// Whose word it is: its caller's, or that of who published what a topic made it of.
  var origin: SimulatedPeer

  // As the caller opened it.
  var from = ""
  var acceptsInput = false
  var inputEnded = true
  var isLazy = false
  var timeoutMs: UInt64 = 0
  var deadline: UInt64 = 0
  /// The id of the call it is said to serve.
  var parentID: UInt64?
  /// The call it serves, while that runs.
  var parent: SimulatedCall?
  var hasParent = false
  var isDetached = false
  /// It serves a call of the same agent, and needs no place.
  var isExempt = false
  var opening = Expected()
  /// Its place in the order of all that came into a mailbox or line; nil before that.
  var arrival: Int?

  // Towards the caller.
  var window = 0
  /// The `window` of its call was 0 and no credit has come.
  var isHeldBack = false
  var wasHeldBack = false
  /// What its host may send whatever the window [CRD-8].
  var floor = Int.min
  /// What the caller may still send, by the credit the router has written, and by what it has read.
  var inputAllowance = 0
  var inputAllowanceRead = 0
  /// What the caller's application has read and not granted again.
  var unread = 0
  var hasEnded = false
  var endIsRead = false
  /// What may have brought about its end, beside its host's word.
  var causes: Set<Cause> = []
  var inputEndIsSent = false

  // Towards the host.
  var host: SimulatedPeer?
  var hostID: UInt64 = 0
  var hostHasEnded = false
  var endIsSent = false
  var isCancelled = false
  var cancelled: UInt64 = 0
  var isRead = false
  var replyAllowance = 0
  var replyAllowanceRead = 0
  var inputWindow = 0
  var inputUnread = 0
  var replies: [Expected] = []
  var inputs: [Expected] = []
  var nextReply = 0

  // Runs: the call of one, or one that reads one, from a number on if that is known.
  var run: SimulatedRun?
  var isReading = false
  var isKnown = false
  var readsFrom: Int?
  var framesRead = 0
  /// Its time may be that of a run, of which nobody knows which repeat has opened it.
  var isTimedByRun: Bool { run != nil || servesRun }
  var servesRun = false

  // Splices: what it is spliced into, and what was spliced into it.
  weak var outer: SimulatedCall?
  var isHandedOver = false
  var isUnordered = false
  var isUnread = false
  var isWoven = false
  var wasSpliced = false
  var isCutOff = false
  var woven: [SimulatedCall] = []
  var unorderedInners: [SimulatedCall] = []
  /// Messages that are bound to no place.
  var lane: [Expected] = []
  /// Of a reader's call: whose message the reader has begun.
  var openSource: SimulatedCall?
  /// What its host has done for splices, and not all of which has arrived.
  var delegated: [SimulatedCall] = []
  var spliceIsSent = false
  var creditIsSent = false
  var partIsOpen = false

  var nextInput = 0
  init(_ number: Int, to: String, isSend: Bool, caller: SimulatedPeer, callerID: UInt64?) {
    self.number = number
    self.to = to
    self.isSend = isSend
    self.caller = caller
    origin = caller
    self.callerID = callerID
  }

  /// Why the sidecar may end a call of itself.
  enum Cause {
    case cancelled, overdrawn, unwantedInput, unreadable, spoiltByHost
  }

  /// What the sidecar says of it of itself may have been held, until it is spliced or asked for
  /// and there is room for it.
  var mayHoldWords: Bool {
    outer != nil || (wasHeldBack && parentID != nil && !isDetached)
  }

  var isAtHost: Bool { host != nil && !hostHasEnded }
  /// Whether somebody still waits for its end.
  var isOpen: Bool { !isSend && !hasEnded }
  /// It has neither ended nor gone to a host.
  var isWaiting: Bool { host == nil && !hasEnded && arrival != nil && !isSystem }

  /// What its opening frame takes from the input's window.
  var openingCost: Int {
    acceptsInput && opening.length == 0 ? 0 : opening.length + Limits.frameCostBytes
  }

  /// Whether it serves, over however many calls, one of an agent.
  func serves(_ agent: Substring) -> Bool {
    if self.agent == agent { return true }
    return isDetached || isSend ? false : parent?.serves(agent) ?? false
  }
}
