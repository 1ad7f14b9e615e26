import Wire

@testable import Routing

/// What must hold of calls that are spliced into others.
extension RouterAudit {
  func laneBytes(of index: Int32) -> Int {
    let lane = call(index).pointee.lane
    return lane < 0 ? 0 : router.lanes.at(lane).pointee.messages.heldBytes
  }

  func checkSplices() throws(Violation) {
    var lanes = 0
    for index in calls {
      let call = call(index).pointee
      if call.isSpliced {
        try require(call.caller < 0 && call.parent >= 0, "spliced call \(index) has a caller")
        try require(self.call(call.parent).pointee.isWoven, "call \(index) is spliced into nothing")
        try require(!call.isHeldBack, "spliced call \(index) waits for credit of its own")
        try require(router.account(of: index) != -1, "spliced call \(index) has no reader")
      } else {
        try require(
          !call.isHandedOver && !call.isUnordered && !call.isReady, "call \(index) is not spliced")
      }
      if call.lane >= 0 { lanes += 1 }
      try checkPlaces(index)
      try checkOpenSource(index)
      if call.isWoven, call.caller >= 0 || call.run >= 0 { try checkDelivered(index) }
    }
    for run in router.runs.records.indices() where router.runs.at(run).pointee.isOpen {
      let held = calls.filter { router.account(of: $0) == -2 - run }.reduce(0) {
        $0 + call($1).pointee.replies.heldBytes + laneBytes(of: $1)
      }
      try require(
        held == router.runs.at(run).pointee.heldBytes,
        "run \(run): \(router.runs.at(run).pointee.heldBytes) held, really \(held)")
    }
    try require(lanes == router.lanes.count, "\(router.lanes.count) lanes, of which \(lanes) known")
    try require(router.hastened.isEmpty, "calls at the front are still to be started")
  }

  /// Each inner call has one place in its outer's queue, or is counted in its lane.
  private func checkPlaces(_ index: Int32) throws(Violation) {
    var inners: [Int32] = []
    var unordered: [Int32] = []
    var child = call(index).pointee.firstChild
    while child >= 0 {
      let record = call(child).pointee
      if record.isSpliced {
        if record.isUnordered { unordered.append(child) } else { inners.append(child) }
      }
      child = record.nextSibling
    }
    var places: [Int32] = []
    var frame = call(index).pointee.replies.first
    while let held = frame {
      if held.pointee.inner >= 0 { places.append(held.pointee.inner) }
      frame = held.pointee.next
    }
    try require(
      places.sorted() == inners.sorted(), "call \(index): places of \(places), inners \(inners)")
    let handedOver = inners.filter { call($0).pointee.isHandedOver }
    try require(
      handedOver.isEmpty || (handedOver == [places.last!] && call(index).pointee.host < 0),
      "call \(index) is handed over to \(handedOver)")
    guard call(index).pointee.lane >= 0 else {
      return try require(unordered.isEmpty, "call \(index) has unordered inners and no lane")
    }
    let lane = router.lanes.at(call(index).pointee.lane)
    try checkDirection(lane.pointee.messages, "lane of \(index)")
    try require(
      lane.pointee.inners == unordered.count,
      "lane of \(index): \(lane.pointee.inners) inners, really \(unordered.count)")
    let ready = unordered.filter { call($0).pointee.isReady }
    try require(
      lane.pointee.allReady.sorted() == ready.sorted(), "lane of \(index): who is ready")
  }

  /// The message that a reader has begun comes from a call below.
  private func checkOpenSource(_ index: Int32) throws(Violation) {
    let source = call(index).pointee.openSource
    guard source >= 0, !call(index).pointee.isSpliced, router.account(of: index) != -1 else {
      return
    }
    try require(
      router.calls.isUsed(source) && router.root(of: source) == index,
      "call \(index): its reader has begun a message of \(source)")
  }

  /// Nothing waits that could go, and the call that the reader has come to is not kept waiting.
  private func checkDelivered(_ index: Int32) throws(Violation) {
    let root = call(index).pointee
    let isOpen =
      root.run >= 0
      || (!root.isHeldBack && root.replies.window > 0
        && router.connections.at(root.caller).pointee.out.pending < Router.bufferedMax)
    if isOpen {
      try require(!router.hasTurn(index), "what is spliced into \(index) stands still")
    }
    var front = index
    while let frame = call(front).pointee.replies.first, frame.pointee.inner >= 0 {
      front = frame.pointee.inner
    }
    try require(
      call(front).pointee.state != .waiting || call(front).pointee.isUrgent,
      "call \(front) is at the front and waits like any other")
  }

  func checkGrantedWoven(_ index: Int32) throws(Violation) {
    let call = call(index).pointee
    let window = call.isSpliced ? router.readerWindow(index) : call.replies.window
    let reach = max(min(window, Limits.windowBytesDefault), call.replies.floor)
    let lane = call.lane < 0 ? 0 : router.lanes.at(call.lane).pointee.messages.heldCost
    let run = self.call(router.root(of: index)).pointee.run
    let behind = run >= 0 && router.isAtFront(index) ? router.behind(run) : 0
    let room = reach - call.replies.heldCost - lane - behind - call.replies.allowance
    // The reader's window is for several; only what is due can be told from one.
    let isDue = room >= call.replies.step || (call.replies.allowance <= 0 && room > 0)
    let isAtFront = call.isSpliced && router.isAtFront(index)
    let isFree = reader(of: index) < 0 || isAtFront || !router.isCongested(reader(of: index))
    try require(!isDue || !isFree, "replies of spliced call \(index): \(room) are not granted")
  }
}
