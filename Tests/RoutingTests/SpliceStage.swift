import Testing
import Wire

@testable import Routing

/// A reader, an agent `outer` that it has called, and agents `a`, `b` and `c` on a connection each,
/// which the outer calls for its reply. All of the router's records are read after each step.
struct SpliceStage {
  let network: Network
  let reader: Peer
  let outer: Peer
  let a: Peer
  let b: Peer
  let c: Peer

  /// - Parameter fields: of the reader's call, which is 1 for it and 2 for the outer.
  init(_ fields: String = "", limits: Limits = Limits(), agents: String = "") {
    network = Network(limits: limits)
    network.isAudited = true
    outer = network.host("outer")
    a = network.host("a", with: agents)
    b = network.host("b", with: agents)
    c = network.host("c", with: agents)
    reader = network.peer()
    reader.call("outer", with: fields)
    _ = outer.hear()
  }

  /// The outer's call of an agent for its reply. Returns its id; for the agent the first is 2.
  @discardableResult
  func open(_ agent: String, with fields: String = "", from opener: Peer? = nil) -> UInt64 {
    let more = fields.isEmpty ? "" : "," + fields
    return (opener ?? outer).call(agent, with: #""parent":2,"window":0"# + more)
  }

  /// Nothing is left of any call.
  func isAtRest() -> Bool {
    network.router.calls.count == 0 && network.router.lanes.count == 0
      && network.router.connections.indices().allSatisfy {
        network.router.connections.at($0).pointee.heldBytes == 0
      }
  }
}

extension Peer {
  /// One frame of a reply; `fields` such as `"end":true`.
  func reply(_ id: UInt64, _ text: String, _ fields: String = "") {
    say(#"{"op":"data","id":\#(id)\#(fields.isEmpty ? "" : "," + fields)}"#, text: text)
  }

  func splice(_ id: UInt64, _ call: UInt64, _ fields: String = "") {
    say(
      #"{"op":"splice","id":\#(id),"call":\#(call)\#(fields.isEmpty ? "" : "," + fields)}"#)
  }

  func fail(_ id: UInt64, _ reason: String, _ fields: String = "") {
    say(
      #"{"op":"error","id":\#(id),"code":"aborted","reason":"\#(reason)""#
        + (fields.isEmpty ? "}" : ",\(fields)}"))
  }
}

/// The word that ends a reply.
let atEnd = #""end":true"#
/// The word of a frame that is not the last of its message.
let asPart = #""part":true"#
let outOfOrder = #""unordered":true"#
