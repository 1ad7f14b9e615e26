public import EventLoop
public import Wire

#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Takes the frames of connections. All calls come on the loop, synchronously, one frame at a time.
public protocol FrameConnectionDelegate: AnyObject {
  /// One whole frame: `connection.header` and `connection.content`. Both are valid only during the
  /// call, but for a content that is a block, which is counted.
  @LoopActor func didReceiveFrame(_ connection: FrameConnection)

  /// Many frames have come at once, and more may be there: what they led to is sent now, if the
  /// delegate calls `setNeedsFlush`, and not only at the end of the turn.
  @LoopActor func didReceiveMany(_ connection: FrameConnection)

  /// The peer's bytes cannot be trusted any more. No frame follows; the delegate says so to the
  /// peer and closes.
  @LoopActor func didFail(_ connection: FrameConnection, with fault: FrameFault)

  /// The socket is full: the rest of `connection.out` waits for the peer to read.
  @LoopActor func didStall(_ connection: FrameConnection)

  /// The peer has taken some of what had to wait for it, or much has gone out at once;
  /// `connection.out.pending` is left.
  @LoopActor func didDrain(_ connection: FrameConnection)

  /// The connection is over: `nil` after an orderly end or a close on this side. Called exactly
  /// once, never from within a call of the delegate's; nothing is called after it.
  @LoopActor func didClose(_ connection: FrameConnection, because error: StreamError?)
}

extension FrameConnectionDelegate {
  @LoopActor public func didReceiveMany(_ connection: FrameConnection) {}
  @LoopActor public func didStall(_ connection: FrameConnection) {}
}

/// Frames over one socket.
///
/// Reading: what arrives goes into one buffer that all connections share, frames are found in it in
/// place, and only an unfinished frame is kept by its connection; the rest of a large content is
/// read straight into its block. Writing: whoever has appended to `out` calls `setNeedsFlush`, and
/// at the end of the turn all of it goes out in one system call. No connection takes more than its
/// share of a turn.
@LoopActor
public final class FrameConnection: ByteReader, ByteWriter {
  public static let readBytesPerTurnMax = 256 << 10
  public static let readFramesPerTurnMax = 512
  /// With so many frames of a turn the first of them go on to their receivers, who work on them
  /// while this turn looks at the rest. Once a turn: each further write would only wake who is
  /// awake by then.
  static let framesUntilFlush = 32
  public static let deliveriesPerTurnMax = 16_384
  public static let writtenBytesPerTurnMax = 1 << 20

  enum State {
    case open
    /// What is in `out` still goes out; what arrives is thrown away.
    case flushing
    /// Everything went out and the peer was told; waiting for it to close.
    case lingering
    case closed
  }

  public let stream: ByteStream
  /// What is on its way to the peer.
  public let out = OutBuffer()
  /// For the owner, who finds its own state with it.
  public var tag = 0

  public private(set) var bytesIn: UInt64 = 0
  public private(set) var bytesOut: UInt64 = 0
  public private(set) var framesIn: UInt64 = 0
  /// When bytes last arrived, and when the peer last took some or had nothing to take
  /// (`LoopClock.turnMs`).
  public private(set) var receivedMs = LoopClock.turnMs
  public private(set) var drainedMs = LoopClock.turnMs

  var state = State.open
  var closeError: StreamError?
  var delegate: (any FrameConnectionDelegate)?
  private var bound: LoopTimer?

  private let turns = TurnQueue.shared
  private let decoder: FrameDecoder
  private var turn: UInt64 = 0
  private var turnBytes = 0
  private var turnFrames = 0
  private var turnDeliveries = 0
  private var readsContent = false
  /// The decoder still has whole frames, perhaps, which this turn had no time for.
  private var isBehind = false
  /// The stream has ended while the connection was behind.
  private var endWhileBehind: StreamError??
  /// The peer's bytes are not to be trusted any more.
  private var hasFault = false
  private var peerHasFinished = false

  private var writtenTurn: UInt64 = 0
  private var turnWritten = 0
  var needsFlush = false
  var isWarm = false
  private var waitsForPeer = false

  /// Starts reading; the first frame comes in a later turn. The delegate is kept until `didClose`.
  public init(
    _ stream: ByteStream, decoder: FrameDecoder, delegate: any FrameConnectionDelegate
  ) {
    self.stream = stream
    self.decoder = decoder
    self.delegate = delegate
    do throws(StreamError) {
      try stream.startReading(self)
    } catch {
      self.end(error)
    }
  }

  public var header: Header { self.decoder.header }
  public var content: Content { self.decoder.content }
  /// The whole size of the frame on the wire.
  public var frameBytes: Int { self.decoder.frameBytes }

  /// Whether frames may still be appended to `out`. Those appended later are thrown away.
  public var isOpen: Bool { self.state == .open }

  // MARK: - Reading

  public func lendBuffer() -> UnsafeMutableRawBufferPointer {
    if self.turn != self.turns.number {
      self.turn = self.turns.number
      self.turnBytes = 0
      self.turnFrames = 0
      self.turnDeliveries = 0
    }
    let left = Self.readBytesPerTurnMax - self.turnBytes
    if left <= 0 || self.isBehind {
      return UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }
    if self.state == .open, !self.hasFault, let room = self.decoder.contentRoom() {
      self.readsContent = true
      return UnsafeMutableRawBufferPointer(rebasing: room.prefix(left))
    }
    self.readsContent = false
    return TurnQueue.readBuffer
  }

  public func didRead(_ count: Int) {
    self.turnBytes += count
    self.bytesIn &+= UInt64(count)
    self.receivedMs = LoopClock.turnMs
    guard self.state == .open && !self.hasFault else { return }
    if self.readsContent {
      self.decoder.committedContent(count)
      self.decodeFrames()
    } else {
      self.decoder.begin(UnsafeMutableRawBufferPointer(rebasing: TurnQueue.readBuffer[..<count]))
      self.decodeFrames()
    }
  }

  /// Goes on with what the last turn had no time for.
  func resumeReading() {
    self.isBehind = false
    guard self.state == .open else { return }
    self.turn = self.turns.number
    self.turnBytes = 0
    self.turnFrames = 0
    self.turnDeliveries = 0
    self.decodeFrames()
    if !self.isBehind, let error = self.endWhileBehind { self.end(error) }
  }

  /// The frame at hand was written to `count` others. Whoever makes that much work in one turn goes
  /// on in the next.
  public func countDeliveries(_ count: Int) {
    self.turnDeliveries += count
    if self.turnDeliveries >= Self.deliveriesPerTurnMax {
      self.turnFrames = Self.readFramesPerTurnMax
    }
  }

  private func decodeFrames() {
    guard let delegate = self.delegate else { return }
    while true {
      switch self.decoder.next() {
      case .frame:
        self.framesIn &+= 1
        self.turnFrames += 1
        delegate.didReceiveFrame(self)
        if self.turnFrames == Self.framesUntilFlush && self.state == .open {
          delegate.didReceiveMany(self)
          self.turns.flush()
        }
        if self.state != .open { return self.decoder.finish() }
        if self.turnFrames >= Self.readFramesPerTurnMax { return self.postpone() }
      case .needsMore:
        return self.decoder.finish()
      case .fault(let fault):
        self.decoder.finish()
        self.hasFault = true
        return delegate.didFail(self, with: fault)
      }
    }
  }

  private func postpone() {
    self.decoder.finish()
    if !self.decoder.isInsideFrame { return }
    self.isBehind = true
    self.turns.resumeNextTurn(self)
  }

  public func didEnd(_ error: StreamError?) {
    // Frames that were read before the end come before it.
    if self.isBehind && self.state == .open {
      self.endWhileBehind = .some(error)
      return
    }
    // Who has finished writing may still read the last frames.
    if self.state == .flushing && error == nil {
      self.peerHasFinished = true
      return
    }
    self.end(error)
  }

  // MARK: - Writing

  /// Sends what has been appended to `out` at the end of this turn. Hooks that append belong to
  /// `.afterEvents`.
  public func setNeedsFlush() {
    if self.needsFlush || self.waitsForPeer { return }
    self.needsFlush = true
    self.turns.flushThisTurn(self)
  }

  func flush() {
    if self.state == .closed { return self.out.consume(self.out.pending) }
    if self.waitsForPeer { return }
    if self.writtenTurn != self.turns.number {
      self.writtenTurn = self.turns.number
      self.turnWritten = 0
    }
    let wasMuch = self.out.pending >= Self.muchBytes
    do throws(StreamError) {
      while self.out.pending > 0 && self.turnWritten < Self.writtenBytesPerTurnMax {
        let left = Self.writtenBytesPerTurnMax - self.turnWritten
        let (offered, taken) = try self.turns.write(self.out, to: self.stream, bytesMax: left)
        self.didTake(taken)
        if taken < offered {
          try self.waitForPeer()
          if self.state == .open { self.delegate?.didStall(self) }
          return
        }
      }
    } catch {
      return self.failWriting(error)
    }
    if self.out.pending > 0 {
      self.setNeedsFlush()
      LoopActor.requestTurn()
    } else {
      self.drainedMs = LoopClock.turnMs
      if self.state == .flushing { self.startLingering() }
    }
    if wasMuch, self.state == .open {
      self.delegate?.didDrain(self)
      if self.needsFlush { LoopActor.requestTurn() }
    }
  }

  /// From here on, an owner that holds frames back for want of room is told of a flush.
  private static let muchBytes = 128 << 10

  private func didTake(_ count: Int) {
    self.out.consume(count)
    self.turnWritten += count
    self.bytesOut &+= UInt64(count)
  }

  /// The socket is full. The next few bytes are left with the loop, which writes them as soon as
  /// there is room: that is how it tells.
  private func waitForPeer() throws(StreamError) {
    let parcel = Parcel(takingFrom: self.out)
    self.bytesOut &+= UInt64(parcel.count)
    self.waitsForPeer = true
    try parcel.write(to: self.stream, writer: self)
  }

  public func didWrite(_ error: StreamError?) {
    self.waitsForPeer = false
    if self.state == .closed { return }
    if let error { return self.failWriting(error) }
    self.drainedMs = LoopClock.turnMs
    if self.out.pending > 0 || self.state == .flushing { self.setNeedsFlush() }
    if self.state == .open { self.delegate?.didDrain(self) }
  }

  /// The peer takes nothing more. What it has sent before is still read, but not for long.
  private func failWriting(_ error: StreamError) {
    self.out.consume(self.out.pending)
    self.closeError = error
    if self.state == .open {
      self.closeLater(withinMs: Self.lastReadMs)
    } else {
      self.end(error)
    }
  }

  // MARK: - Closing

  /// Closes at once; what is in `out` is lost. Closing twice is allowed.
  public func close() { self.end(nil) }

  /// Sends what is in `out`, tells the peer that nothing more will come, and closes when the peer
  /// does or after `withinMs` milliseconds. What arrives meanwhile is thrown away: closing a
  /// socket that holds unread bytes could take the last frames from the peer.
  public func closeAfterFlush(withinMs: UInt64 = 2_000) {
    guard self.state == .open else { return }
    self.state = .flushing
    self.closeLater(withinMs: withinMs)
    self.setNeedsFlush()
  }

  private func startLingering() {
    if self.peerHasFinished { return self.end(nil) }
    self.state = .lingering
    self.stream.finishWriting()
  }

  private func closeLater(withinMs: UInt64) {
    if self.bound != nil { return }
    let bound = LoopTimer { [weak self] in
      guard let self else { return }
      self.end(self.closeError)
    }
    bound.start(afterMs: withinMs)
    self.bound = bound
  }

  /// How long after a failed write the peer's last frames are waited for.
  private static let lastReadMs: UInt64 = 1_000

  private func end(_ error: StreamError?) {
    if self.state == .closed { return }
    self.state = .closed
    self.closeError = error ?? self.closeError
    self.bound?.close()
    self.bound = nil
    self.stream.close()
    self.turns.didEnd(self)
  }

  func reportEnd() {
    self.out.consume(self.out.pending)
    self.out.releaseMemory()
    let delegate = self.delegate
    self.delegate = nil
    delegate?.didClose(self, because: self.closeError)
  }
}
