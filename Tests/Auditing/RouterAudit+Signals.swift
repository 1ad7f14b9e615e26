@testable import Routing

/// What holds of signals between two events.
extension RouterAudit {
  func checkSignals() throws(Violation) {
    var unanswered: [Int32: Int32] = [:]
    for index in router.givenSignals.indices() {
      let given = router.givenSignals.at(index).pointee
      try require(
        router.connections.isUsed(given.host), "the signal \(given.id) is with one that has gone")
      let listed = router.connections.at(given.host).pointee.givenSignals
      try require(listed.count { $0 == index } == 1, "the signal \(given.id) is not its host's")
      if given.signal >= 0 { unanswered[given.signal, default: 0] += 1 }
      guard given.call >= 0 else { continue }
      try require(
        router.calls.isUsed(given.call) && router.calls.at(given.call).pointee.host == given.host,
        "the signal \(given.id) is about a call that its host has not")
    }
    for connection in router.connections.indices() {
      let state = router.connections.at(connection)
      for given in state.pointee.givenSignals {
        try require(
          router.givenSignals.isUsed(given)
            && router.givenSignals.at(given).pointee.host == connection,
          "connection \(connection) has to answer another's signal")
        let id = router.givenSignals.at(given).pointee.id
        try require(
          state.pointee.ids.find(id)?.kind == .givenSignal, "the signal \(id) has no id")
      }
    }
    for index in router.signals.indices() {
      let signal = router.signals.at(index).pointee
      try require(
        signal.unanswered > 0 && signal.unanswered == unanswered[index] ?? 0,
        "signal \(index): \(signal.unanswered) are to answer, really \(unanswered[index] ?? 0)")
      guard signal.sender >= 0 else { continue }
      try require(
        router.connections.isUsed(signal.sender)
          && router.connections.at(signal.sender).pointee.ids.find(signal.senderID)?.index == index,
        "signal \(index) has a sender without its id")
    }
  }

  /// An id of a connection's that stands for a signal.
  func checkSignal(_ entry: IDTable.Entry, of connection: Int32) throws(Violation) {
    let signal = router.signals.at(entry.index).pointee
    try require(
      signal.sender == connection && signal.senderID == entry.id,
      "id \(entry.id) is a signal of another")
  }

  func checkGivenSignal(_ entry: IDTable.Entry, of connection: Int32) throws(Violation) {
    let given = router.givenSignals.at(entry.index).pointee
    try require(
      given.host == connection && given.id == entry.id, "id \(entry.id) is a signal to another")
  }

  func checkNoSignals() throws(Violation) {
    try require(router.signals.count == 0, "\(router.signals.count) signals are left")
    try require(
      router.givenSignals.count == 0, "\(router.givenSignals.count) signals are unanswered")
  }
}
