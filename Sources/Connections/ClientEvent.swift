public import Wire

/// What a client's connection tells its owner, in the order in which it happened.
public enum ClientEvent: Sendable {
  /// The sidecar said `welcome`: calls may be made now.
  case opened(Welcome)
  /// The peer answers a `ping`, of the owner's or of the heartbeat.
  case pong
  /// The registration or subscription took effect; calls or messages may come from now on.
  case registered(UInt64)
  /// The `send` is in its receiver's mailbox, the `publish` with its recipients. The id is over.
  case accepted(UInt64)
  /// A frame of the replies to an own call, or of the input of a hosted one.
  case piece(UInt64, Piece)
  /// A message of a topic, for a subscription.
  case published(UInt64, PublishedMessage)
  /// An error at a position of the replies, which go on behind it.
  case failedAt(UInt64, ClientFailure)
  /// What an own id asked for is over, well or not. Nothing more comes for it.
  case ended(UInt64, ClientFailure?)
  /// The peer permits this many more bytes in the direction that this side sends.
  case credit(UInt64, Int)
  case incoming(IncomingCall)
  /// The input of a hosted call is complete.
  case inputEnded(UInt64)
  /// A hosted call is not wanted any more; it still has to be ended.
  case cancelled(UInt64, reason: String)
  /// The session is gone: free its instance, then `closed(id)`.
  case close(UInt64, address: String, reason: String)
  /// A signal for an agent here; to be answered.
  case signalled(IncomingSignal)
  /// The sidecar takes nothing new from here on and will close within the time.
  case goodbye(reason: String, timeoutMs: UInt64)
  /// The connection is over, and with it all that was open. Comes last, once.
  case down(ClientFailure)
}

/// What the sidecar says of itself when a connection opens.
public struct Welcome: Sendable, Equatable {
  public var server: String
  /// This connection's name in the sidecar's listings.
  public var connection: String
  /// The longest content of a frame, in bytes.
  public var contentBytesMax: Int
  /// The silence after which a peer is asked for a sign of life; 0 for never.
  public var heartbeatMs: UInt64
}
