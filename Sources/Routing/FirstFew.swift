/// The first few of many records in an order in which they are not kept.
///
/// Each is offered once; a heap with the last of the first few on top holds them. It costs the
/// logarithm of how many are wanted for each that there is.
struct FirstFew {
  private let limit: Int
  private let precedes: (Int32, Int32) -> Bool
  private var heap: [Int32] = []
  /// Whether there were others behind them.
  private(set) var hasMore = false

  init(_ limit: Int, inOrder precedes: @escaping (Int32, Int32) -> Bool) {
    self.limit = limit
    self.precedes = precedes
  }

  /// The last of the first few so far.
  var last: Int32? { heap.first }

  var sorted: [Int32] { heap.sorted(by: precedes) }

  mutating func offer(_ index: Int32) {
    if heap.count < limit {
      heap.append(index)
      siftUp()
      return
    }
    hasMore = true
    guard let last = heap.first, precedes(index, last) else { return }
    heap[0] = index
    siftDown()
  }

  private mutating func siftUp() {
    var child = heap.count - 1
    while child > 0, precedes(heap[(child - 1) / 2], heap[child]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func siftDown() {
    var parent = 0
    while true {
      var last = parent
      for child in [parent * 2 + 1, parent * 2 + 2]
      where child < heap.count && precedes(heap[last], heap[child]) {
        last = child
      }
      guard last != parent else { return }
      heap.swapAt(parent, last)
      parent = last
    }
  }
}
