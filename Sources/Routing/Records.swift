internal import Discovery
internal import Wire

/// The number of a connection, of the sidecar's own hosts too.
public typealias ConnectionIndex = Int32
typealias CallIndex = Int32
typealias SessionIndex = Int32
typealias LaneIndex = Int32

/// Where a call stands.
enum CallState: UInt8 {
  /// Not started: `lazy`, and no credit yet.
  case lazy
  /// In its session's mailbox or its agent's line.
  case waiting
  /// With its host.
  case running
  /// Ended for its caller; its host has still to end it.
  case abandoned
  /// Ended by its host, or handed over to another; replies are held for its caller.
  case delivering
  /// No call of its own: it reads what a run replies.
  case reading
}

/// A request and its replies. Links are numbers of other records, -1 for none.
struct Call {
  var state: CallState
  var isOneway = false
  var isObserve = false
  var acceptsInput = false
  /// The caller's input has ended (or there is none).
  var inputEnded = true
  /// Whether its `window` was 0 and no credit has come: all replies are held, the last too.
  var isHeldBack = false
  /// Its host has begun a message and not finished it.
  var isInMessage = false
  /// Its replies are put into those of its parent: it has no caller then, and the parent's reader
  /// is its own.
  var isSpliced = false
  /// Its end is that of its parent.
  var isHandedOver = false
  /// What it replies does not keep its place in the parent's replies.
  var isUnordered = false
  /// It is among those of the parent's lane that may have something to deliver.
  var isReady = false
  /// Others are, or were, spliced into its replies, or there was a lane.
  var isWoven = false
  /// It was spliced into the replies to a send: nobody reads it.
  var isUnread = false
  /// The last frame held for it is an error of the sidecar's own.
  var hasOwnError = false
  /// Words of the router's `words`, for listings.
  var type: Int32 = -1
  var from: Int32 = -1
  /// The code its host has ended it with.
  var failure: ErrorCode?
  var isCounted = false
  /// It watches a drain, which does not wait for it.
  var isAside = false
  /// The run whose replies it makes, while it does; it has no caller then.
  var run: RunIndex = -1
  /// The reader of a run that it is.
  var reading: ReadingIndex = -1

  var caller: ConnectionIndex
  var callerID: UInt64
  var host: ConnectionIndex = -1
  var hostID: UInt64 = 0

  var agent: AgentIndex
  var session: SessionIndex = -1
  var replica: ReplicaIndex = -1

  /// Neighbours in the mailbox or line it waits in.
  var previousWaiting: CallIndex = -1
  var nextWaiting: CallIndex = -1
  /// It needs no place at its host: it would wait for its own ancestor.
  var isUrgent = false
  /// What it brings to a mailbox, in bytes, and whose it is.
  var waitingBytes = 0
  var origin: ConnectionIndex
  var originSerial: UInt64

  var parent: CallIndex = -1
  var firstChild: CallIndex = -1
  var previousSibling: CallIndex = -1
  var nextSibling: CallIndex = -1
  var depth: Int32 = 0
  /// It was opened for a call in flight, be that over by now: a host that leaves takes it still.
  var hasParent = false

  /// Milliseconds on the router's clock; 0: none.
  var deadline: UInt64 = 0
  var timer: TimerIndex = -1
  /// Microseconds on the router's clock.
  var opened: UInt64

  /// The opening frame, while it waits.
  var opening: UnsafeMutablePointer<HeldFrame>?
  var replies: Direction
  var input: Direction
  /// The call, this one or one spliced into it, of which the reader has a message begun and not
  /// finished.
  var openSource: CallIndex = -1
  /// What goes before its turn among the replies.
  var lane: LaneIndex = -1

  /// Whether somebody waits for its replies. Nobody does of a send, nor of what was cancelled.
  var isAwaited: Bool { caller >= 0 || run >= 0 || isSpliced }
}

/// A queue of waiting calls, linked through them.
struct WaitingLine {
  var first: CallIndex = -1
  var last: CallIndex = -1
  var count = 0
  var bytes = 0
  /// How many of them are urgent.
  var urgent = 0
}

/// One conversation with an agent: an actor with a mailbox, on one host while it lives.
struct Session {
  enum State: UInt8 {
    /// It has no instance; its next message makes one.
    case unplaced
    case live
    /// Its host was told to close it and has not answered.
    case closing
  }

  var state = State.unplaced
  var agent: AgentIndex
  var replica: ReplicaIndex = -1
  /// `name:session`, as long as the session is in the table.
  var address: UnsafeRawBufferPointer
  var mailbox = WaitingLine()
  var running: Int32 = 0
  /// Calls that name it and have not been started: its address stays theirs.
  var lazyCalls: Int32 = 0
  var lastUsed: UInt64
  var created: UInt64
  /// What waits in its mailbox stays there.
  var isPaused = false
  /// Its next call makes the instance: no host has heard of it yet.
  var isNew = true
  var timer: TimerIndex = -1
  var closeID: UInt64 = 0
  /// Links among the sessions of its replica.
  var previousOnReplica: SessionIndex = -1
  var nextOnReplica: SessionIndex = -1
  /// Links among those of its replica whose next call waits for a place.
  var isQueued = false
  var previousQueued: SessionIndex = -1
  var nextQueued: SessionIndex = -1
}

/// One host of a name.
struct Replica {
  var agent: AgentIndex
  var connection: ConnectionIndex
  var registrationID: UInt64
  var concurrency: Int32
  var sessionConcurrency: Int32
  var idleMs: UInt64
  var running: Int32 = 0
  var waiting: Int32 = 0
  var sessions: Int32 = 0
  var firstSession: SessionIndex = -1
  var firstQueued: SessionIndex = -1
  var lastQueued: SessionIndex = -1
  /// The next place is the line's; the last was a session's.
  var isLineNext = false
  /// Calls failed in a row; one that fails fast must not look idle.
  var failures: Int32 = 0
  var firstSubscription: SubscriptionIndex = -1
  /// No new work; gone when what runs has ended and its sessions are closed.
  var isLeaving = false
}

/// What the router knows of an agent beside the registry.
struct AgentState {
  var line = WaitingLine()
  var goneTimer: TimerIndex = -1
  var isExclusive = false
  var isSystem = false
  /// Replicas that take nothing new but what belongs to calls in flight.
  var leaving: [ReplicaIndex] = []
  /// The published message that it was given last, by the router's count.
  var lastPublication: UInt64 = 0
  var metrics = AgentMetrics()
}

/// The router's view of a connection.
struct ConnectionState: ~Copyable {
  let out: OutBuffer
  var principal: Principal
  /// Tells this connection from others that had its number.
  let serial: UInt64
  var name: String
  var ids = IDTable()
  var lastOpened: UInt64 = 0
  var lastGiven: UInt64 = 0
  var replicas: [ReplicaIndex] = []
  /// Replicas withdrawn, which still run what they were given.
  var leavingReplicas: [ReplicaIndex] = []
  var heldBytes = 0
  var mailboxBytes = 0
  /// Ids that the sidecar has opened and that have not ended; they are not the client's.
  var givenIDs: Int32 = 0
  /// The optional parts of the protocol that it and the sidecar know.
  var features: Features = []
  /// Signals that it was given and has not answered.
  var givenSignals: [Int32] = []
  /// How many of its own ids are subscriptions.
  var subscriptions = 0
  var isDirty = false
  var isLeaving = false
  /// The operator has said so.
  var isDrained = false
  var goodbyeTimer: TimerIndex = -1
  /// Directions and subscriptions with frames for this connection that wait for room in its buffer.
  var firstInLine: Int32 = -1
  var lastInLine: Int32 = -1
  /// Directions towards this connection that got no credit because of what waits for it.
  var starved: [Int32] = []

  init(principal: Principal, name: String, serial: UInt64, out: OutBuffer) {
    self.out = out
    self.principal = principal
    self.name = name
    self.serial = serial
  }

  /// All data that waits for this connection, in bytes.
  var waitingBytes: Int { out.pending + heldBytes }
}
