import Testing
import Wire

@testable import Routing

/// Published messages where memory is short: slow readers, full buffers, large contents.
@Suite struct PublishingTests {
  private func subscribe(_ peer: Peer, _ topic: String, with fields: String = "") -> UInt64 {
    let id = peer.newID()
    let more = fields.isEmpty ? "" : ",\(fields)"
    peer.say(#"{"op":"subscribe","id":\#(id),"topic":"\#(topic)"\#(more)}"#)
    #expect(peer.hear() == ["ok \(id)"])
    return id
  }

  private func publish(_ peer: Peer, _ topic: String, bytes: Int, with fields: String = "") {
    let more = fields.isEmpty ? "" : ",\(fields)"
    peer.say(#"{"op":"publish","topic":"\#(topic)","source":"s"\#(more)}"#, bytes: bytes)
  }

  private func waiting(_ network: Network, _ peer: Peer) -> Int {
    network.router.connections.at(peer.index).pointee.waitingBytes
  }

  @Test func whoDoesNotReadHoldsOneWindowAtMost() {
    let network = Network()
    let reader = network.peer()
    let publisher = network.peer()
    let id = subscribe(reader, "t")
    for _ in 0..<100 { publish(publisher, "t", bytes: 100_000) }
    // What went before the buffer was full, and a window's worth of what came last.
    #expect(waiting(network, reader) < 2_500_000)
    let view = network.router.subscriptions(to: nil, limit: 1).views[0]
    #expect(view.delivered == 100)
    let heard = reader.hear()
    #expect(heard.allSatisfy { $0 == "data \(id) |100000 bytes" })
    reader.credit(id, 10_000_000)
    let all = heard.count + reader.hear().count
    #expect(all + Int(view.dropped) == 100)
    #expect(waiting(network, reader) == 0)
  }

  @Test func manyReadersOfOneContentShareIt() {
    let network = Network()
    let readers = (0..<50).map { _ in network.peer() }
    for reader in readers { _ = subscribe(reader, "t", with: #""window":1"#) }
    let publisher = network.peer()
    publish(publisher, "t", bytes: 1)
    publish(publisher, "t", bytes: 20_000)
    let blocks = readers.map { reader in
      let index = network.router.connections.at(reader.index).pointee.ids.find(1)!.index
      return network.router.subscriptions.at(index).pointee.messages.first!.pointee.block!
    }
    let first = blocks[0].takeUnretainedValue()
    #expect(blocks.allSatisfy { $0.takeUnretainedValue() === first })
  }

  @Test func beyondTheHardMarkMessagesGo() {
    var limits = Limits()
    limits.connectionHighMarkBytes = 200_000
    limits.connectionHardMarkBytes = 300_000
    let network = Network(limits: limits)
    let reader = network.peer()
    let publisher = network.peer()
    for topic in ["t", "u", "v"] { _ = subscribe(reader, topic, with: #""window":1"#) }
    for topic in ["t", "u", "v"] { publish(publisher, topic, bytes: 1) }
    #expect(reader.hear() == ["data 1 |.", "data 3 |.", "data 5 |."])
    // Each subscription may hold one; together they may not hold more than the connection may.
    for topic in ["t", "u", "v"] { publish(publisher, topic, bytes: 140_000) }
    #expect(waiting(network, reader) < 300_000)
    #expect(network.router.metrics.topics.dropped == 1)
    reader.credit(5, 1_000_000)
    #expect(reader.hear() == [])
    publish(publisher, "v", bytes: 10)
    #expect(reader.hear() == ["data 5 |.........."])
  }

  @Test func aCongestedReaderGetsCallsAgainOnceItsMessagesHaveGone() {
    var limits = Limits()
    limits.connectionHighMarkBytes = 100_000
    let network = Network(limits: limits)
    let host = network.host("a")
    let publisher = network.peer()
    let id = subscribe(host, "t", with: #""window":1"#)
    publish(publisher, "t", bytes: 1)
    #expect(host.hear() == ["data \(id) |."])
    publish(publisher, "t", bytes: 150_000)
    publisher.call("a")
    #expect(host.hear() == [])
    host.cancel(id)
    #expect(host.hear() == ["error \(id) cancelled", "call 2 a"])
  }

  @Test func messagesAndRepliesForOneConnectionTakeTurns() {
    let network = Network()
    let host = network.host("a")
    let reader = network.peer()
    let publisher = network.peer()
    let id = subscribe(reader, "t")
    // The buffer is full, and both wait for room.
    let call = reader.call("a", with: #""window":2000000"#)
    #expect(host.hear() == ["call 2 a"])
    for _ in 0..<3 { publish(publisher, "t", bytes: 100_000) }
    for _ in 0..<5 { host.data(2, bytes: 100_000) }
    for _ in 0..<3 { publish(publisher, "t", bytes: 100_000) }
    let heard = reader.hear()
    let reply = "data \(call) |100000 bytes"
    let message = "data \(id) |100000 bytes"
    #expect(heard.count { $0 == reply } == 5)
    #expect(heard.count { $0 == message } == 6)
    let behind = heard.dropFirst(3)
    #expect(behind.firstIndex(of: message)! < behind.lastIndex(of: reply)!)
  }

  @Test func whatAPublishCostsIsKnown() {
    let network = Network()
    let readers = (0..<3).map { _ in network.peer() }
    for reader in readers { _ = subscribe(reader, "t") }
    let host = network.host("a")
    _ = subscribe(host, "t", with: #""agent":"a""#)
    let publisher = network.peer()
    #expect(network.router.takeDeliveries() == 0)
    publish(publisher, "t", bytes: 1)
    publish(publisher, "t", bytes: 1)
    #expect(network.router.takeDeliveries() == 8)
    #expect(network.router.takeDeliveries() == 0)
  }

  @Test func aSessionOfALostHostGetsWhatComesLater() {
    let network = Network()
    let host = network.host("a")
    _ = subscribe(host, "t", with: #""agent":"a""#)
    let other = network.host("a")
    _ = subscribe(other, "t", with: #""agent":"a""#)
    let publisher = network.peer()
    publish(publisher, "t", bytes: 1)
    publish(publisher, "t", bytes: 2)
    let isFirst = !host.out.isEmpty
    let (holder, next) = isFirst ? (host, other) : (other, host)
    #expect(holder.hear() == ["call 2 a:s new oneway |."])
    holder.leave()
    #expect(next.hear() == ["call 2 a:s new oneway |.."])
    #expect(network.router.metrics.sendsLost == 1)
  }
}
