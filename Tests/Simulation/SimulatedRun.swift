/// A run of a simulation: what its readers have seen of it, by number.
final class SimulatedRun {
  let name: String
  /// Its call, which is nobody's own.
  let call: SimulatedCall
  let principal: String
  let fields: String
  let content: [UInt8]
  /// Frames as the first reader of each got them.
  var seen: [Int: Expected] = [:]
  /// What its host has said, as long as nothing else is woven in.
  var said: [Expected] = []
  /// When it was last known to be there.
  var lastKnown: UInt64 = 0

  init(
    _ name: String, _ call: SimulatedCall, principal: String, fields: String, content: [UInt8]
  ) {
    self.name = name
    self.call = call
    self.principal = principal
    self.fields = fields
    self.content = content
  }
}
