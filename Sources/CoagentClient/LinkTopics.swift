internal import Connections
internal import EventLoop
internal import Hosting
internal import Wire

/// Topics, as the loop writes and hears of them.
extension Link {
  func publish(_ publication: OutgoingPublication, _ answer: Answer?) {
    do {
      let id = try machine.publish(publication, acknowledged: answer != nil)
      if let id { answers[id] = answer }
    } catch {
      answer?.give(AgentError(error))
    }
  }

  func subscribe(_ reader: TopicReader, _ lane: Lane, _ answer: Answer) {
    do {
      let id = try machine.subscribe(topic: reader.topic, windowBytes: reader.windowBytes)
      lane.id = id
      readers[id] = reader
      answers[id] = answer
    } catch {
      answer.give(AgentError(error))
    }
  }

  /// Subscribes the agent to its topics; it is registered when all of them feed it.
  func feed(_ agent: RegisteredAgent, registration: UInt64) {
    unfed[registration] = agent.topics.count + 1
    for topic in agent.topics {
      do {
        let id = try machine.subscribe(topic: topic, agent: agent.name, windowBytes: nil)
        feeds[id] = registration
      } catch {
        feedEnded(registration, AgentError(error))
        return
      }
    }
  }

  /// The sidecar took a registration, or a subscription of either kind.
  func registered(_ id: UInt64) {
    let registration = feeds[id] ?? id
    if let left = unfed[registration] {
      unfed[registration] = left - 1
      if left > 1 { return }
    }
    answers.removeValue(forKey: registration)?.give(nil)
  }

  /// A topic does not feed its agent: that is withdrawn, for it would wait in vain. That the
  /// subscription ends with the registration is no news.
  func feedEnded(_ registration: UInt64, _ error: AgentError) {
    guard unfed.removeValue(forKey: registration) != nil, registrations[registration] != nil,
      error.code != .cancelled
    else { return }
    machine.cancel(registration)
    answers.removeValue(forKey: registration)?.give(error)
  }
}
