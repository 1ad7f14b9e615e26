internal import Connections
internal import EventLoop
internal import Hosting
internal import Locking
internal import Wire

/// An agent registered with a client, over all the connections that come and go.
final class RegisteredAgent: Sendable {
  let registration: Registration
  /// What feeds it.
  let topics: [String]
  let host: AgentHost
  /// The registration's id on the present connection.
  private let lane = Locked<Lane?>(nil)
  private let ending = Locked<Ending>(.running([]))
  private let attempt = Locked<Attempt?>(nil)
  private let isTakenBack = Locked(false)

  /// The registration on one of the client's connections.
  private struct Attempt {
    let generation: UInt64
    let task: Task<Void, any Error>
  }

  private enum Ending {
    case running([CheckedContinuation<AgentError?, Never>])
    case ended(AgentError?)
  }

  init(_ registration: Registration, topics: [String], _ host: AgentHost) {
    self.registration = registration
    self.topics = topics
    self.host = host
  }

  var name: String { registration.name }
  var currentLane: Lane? { lane.withLock { $0 } }

  func begin(on lane: Lane) { self.lane.withLock { $0 = lane } }

  /// Registers on this connection, once, whoever asks first; the task ends with the answer.
  func register(on link: Link) -> Task<Void, any Error> {
    attempt.withLock { attempt in
      if let attempt, attempt.generation == link.generation { return attempt.task }
      let answer = Answer()
      let isOpen = link.mailbox.post(.register(self, answer))
      let task = Task {
        guard isOpen else { throw Client.lost }
        try await answer.value()
      }
      attempt = Attempt(generation: link.generation, task: task)
      return task
    }
  }

  /// Whether this connection is the one it was registered on last.
  func isRegistered(on link: Link) -> Bool {
    attempt.withLock { $0?.generation == link.generation }
  }

  /// It is not wanted any more: it ends at the latest with its connection.
  func takeBack() { isTakenBack.withLock { $0 = true } }

  /// Its connection is gone.
  func lost() {
    if isTakenBack.withLock({ $0 }) { end(nil) }
  }

  /// The registration is over for good, on this and any later connection.
  func end(_ error: AgentError?) {
    let waiters = ending.withLock { ending -> [CheckedContinuation<AgentError?, Never>] in
      guard case .running(let waiters) = ending else { return [] }
      ending = .ended(error)
      return waiters
    }
    for waiter in waiters { waiter.resume(returning: error) }
  }

  /// Waits until the registration is over, and tells why if it was not wanted.
  func ended() async -> AgentError? {
    await withCheckedContinuation { continuation in
      let error = ending.withLock { ending -> AgentError?? in
        switch ending {
        case .running(let waiters):
          ending = .running(waiters + [continuation])
          return nil
        case .ended(let error): return .some(error)
        }
      }
      if let error { continuation.resume(returning: error) }
    }
  }
}

/// The agents of a client, by name.
final class AgentTable: Sendable {
  private struct State {
    var agents: [String: RegisteredAgent] = [:]
    /// Taken back, and perhaps not free of calls and sessions yet.
    var retired: [String: [RegisteredAgent]] = [:]
    weak var client: Client?
  }

  private let state = Locked(State())

  init() {}

  func serve(_ client: Client) { state.withLock { $0.client = client } }

  /// Who makes the calls of the agents here; nil when the client is gone.
  var client: Client? { state.withLock { $0.client } }
  var caller: (any Caller)? { client }

  var all: [RegisteredAgent] { state.withLock { Array($0.agents.values) } }

  func host(named name: String) -> AgentHost? {
    state.withLock { $0.agents[name]?.host }
  }

  func add(_ agent: RegisteredAgent) throws(AgentError) {
    let isNew = state.withLock { state in
      if state.agents[agent.name] != nil { return false }
      state.agents[agent.name] = agent
      return true
    }
    if !isNew {
      throw AgentError(.nameRegistered, "'\(agent.name)' is registered by this client already")
    }
  }

  /// The name is free here; calls and sessions that are still open find their agent.
  func retire(_ agent: RegisteredAgent) {
    state.withLock { state in
      guard state.agents[agent.name] === agent else { return }
      state.agents[agent.name] = nil
      state.retired[agent.name, default: []].append(agent)
    }
  }

  /// Who may hold the instance of a session.
  func hosts(named name: String) -> [AgentHost] {
    state.withLock { state in
      let agents = (state.agents[name].map { [$0] } ?? []) + (state.retired[name] ?? [])
      return agents.map(\.host)
    }
  }

  /// All that may hold instances.
  var hosts: [AgentHost] {
    state.withLock { state in
      (Array(state.agents.values) + state.retired.values.joined()).map(\.host)
    }
  }

  /// Forgets those who are retired and hold no instance any more, of this name or of all.
  func forgetIdle(_ name: String? = nil) {
    state.withLock { state in
      if state.retired.isEmpty { return }
      for name in name.map({ [$0] }) ?? Array(state.retired.keys) {
        state.retired[name]?.removeAll { $0.host.sessionCount == 0 }
        if state.retired[name]?.isEmpty == true { state.retired[name] = nil }
      }
    }
  }

  func remove(_ agent: RegisteredAgent) {
    state.withLock { if $0.agents[agent.name] === agent { $0.agents[agent.name] = nil } }
  }
}
