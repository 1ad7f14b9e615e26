import TestSupport
import Testing
import Wire

@testable import Routing

/// Finding who subscribes to a topic, held against comparing it with every pattern.
@Suite struct TopicTableTests {
  private struct Known {
    let subscription: SubscriptionIndex
    let text: String
    let topic: TopicIndex
    var place: Int32
  }

  /// A table, and what is in it.
  private final class Model {
    var table = TopicTable()
    var known: [Known] = []
    private var last: SubscriptionIndex = 0

    func add(_ text: String) {
      last += 1
      let (topic, place) = Array(text.utf8).withUnsafeBytes { raw in
        table.add(last, to: Topic(raw)!)
      }
      known.append(Known(subscription: last, text: text, topic: topic, place: place))
    }

    func remove(at index: Int) {
      let gone = known.remove(at: index)
      guard let moved = table.remove(from: gone.topic, at: gone.place) else { return }
      known[known.firstIndex { $0.subscription == moved }!].place = gone.place
    }

    /// The subscriptions that the table finds for a topic.
    func find(_ topic: String) -> [SubscriptionIndex] {
      var found: [TopicIndex] = []
      Array(topic.utf8).withUnsafeBytes { table.match($0, into: &found) }
      return found.flatMap { table.entries.at($0).pointee.subscriptions }.sorted()
    }

    /// Those whose pattern it matches, compared one by one.
    func expect(_ topic: String) -> [SubscriptionIndex] {
      known.filter { PlainPattern($0.text).matches(topic) }.map(\.subscription).sorted()
    }
  }

  @Test func whoIsFoundIsWhoMatches() {
    let model = Model()
    for text in ["a", "a.b", "a.*", "a.>", ">", "*", "*.b", "a.*.c", "a.b.>", "a.b"] {
      model.add(text)
    }
    for topic in ["a", "b", "a.b", "a.c", "a.b.c", "a.x.c", "a.b.c.d", "x.b", "x.y.z"] {
      #expect(model.find(topic) == model.expect(topic), "\(topic)")
    }
  }

  @Test func whatNobodyWantsIsForgotten() {
    let model = Model()
    for text in ["a.*.b.c", "a.*.b", "a.*.b.>", "x", "*", ">"] { model.add(text) }
    #expect(model.table.nodeCount == 5)
    while !model.known.isEmpty { model.remove(at: model.known.count / 2) }
    #expect(model.table.nodeCount == 0)
    #expect(model.table.entries.count == 0)
    #expect(model.find("a.x.b") == [])
  }

  @Test func randomSubscriptionsAreFoundAsComparedOneByOne() {
    var random = SeededGenerator(for: "randomSubscriptionsAreFoundAsComparedOneByOne")
    let model = Model()
    func topic(_ segments: [String], last: [String]) -> String {
      let count = Int.random(in: 1...4, using: &random)
      let first = (1..<count).map { _ in segments.randomElement(using: &random)! }
      return (first + [last.randomElement(using: &random)!]).joined(separator: ".")
    }
    for _ in 0..<800 {
      if Int.random(in: 0..<5, using: &random) < 3 || model.known.isEmpty {
        model.add(topic(["a", "b", "*"], last: ["a", "b", "c", "*", ">"]))
      } else {
        model.remove(at: Int.random(in: 0..<model.known.count, using: &random))
      }
      let published = topic(["a", "b", "c"], last: ["a", "b", "c"])
      #expect(model.find(published) == model.expect(published))
      for known in model.known {
        let entry = model.table.entries.at(known.topic).pointee
        #expect(entry.subscriptions[Int(known.place)] == known.subscription)
      }
    }
  }

  /// A topic is found among ten thousand by looking at few of them.
  @Test func othersAreNotLookedAt() {
    let model = Model()
    for number in 0..<10_000 { model.add(number % 2 == 0 ? "t.\(number)" : "t.\(number).*") }
    #expect(model.find("t.4242").count == 1)
    #expect(model.find("t.4243.x").count == 1)
    #expect(model.find("t.4243") == [])
    #expect(model.table.nodeCount == 1 + 2 * 5_000)
  }
}
