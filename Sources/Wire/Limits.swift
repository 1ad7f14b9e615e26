/// Every bound of the protocol, with the values of proto/limits.json; a test holds them against it.
///
/// Sizes are bytes, times milliseconds. What is `var` can be configured.
public struct Limits: Sendable, Equatable {
  public static let headerBytesMaxClient = 32_768
  public static let headerBytesMaxSidecar = 65_536
  public static let helloHeaderBytesMax = 8_192
  public static let nameBytesMax = 128
  public static let sessionBytesMax = 128
  public static let topicBytesMax = 256
  public static let topicSegmentsMax = 16
  public static let extBytesMax = 8_192
  public static let errorMessageBytesMax = 4_096
  public static let detailsBytesMax = 8_192
  public static let frameCostBytes = 256
  public static let messageBytesAdvised = 256 << 10
  public static let windowBytesDefault = 1 << 20
  public static let heldWindowBytes = 64 << 10
  public static let callDepthMax = 64
  public static let signalBytesMax = 64 << 10
  public static let signalsUnansweredMax = 64
  public static let farewellMs = 1_000
  public static let rejoinMs = 5_000
  public static let concurrencyDefault = 1_000
  public static let sessionConcurrencyDefault = 1
  public static let idleMsDefault = 300_000
  public static let windowBytesMax = (1 << 31) - 1

  public var contentBytesMax = 16 << 20
  public var helloTimeoutMs = 5_000
  public var heartbeatMsTCP = 10_000
  public var heartbeatMsUnix = 0
  public var heartbeatMisses = 3
  public var goodbyeTimeoutMs = 10_000
  public var drainMs = 10_000
  public var cancelGraceMs = 5_000
  public var closeGraceMs = 5_000
  public var noReplicaMs = 60_000
  public var undrainedMs = 30_000
  public var mailboxMessagesMax = 1_024
  public var mailboxBytesMax = 16 << 20
  public var mailboxBytesPerConnectionMax = 64 << 20
  public var connectionHighMarkBytes = 8 << 20
  public var connectionHardMarkBytes = 32 << 20
  public var openIDsMax = 65_536
  public var namesMax = 1_000
  public var registrationBytesMax = 256 << 10
  public var subscriptionsMax = 1_000
  public var callDepthMax = Limits.callDepthMax
  public var sessionsMax = 1_000_000
  public var runsMax = 100_000
  public var runFramesMax = 10_000
  public var runBytesMax = 4 << 20
  public var runsBytesMax = 256 << 20
  public var runKeptMs = 60_000
  public var runGraceMs = 10_000
  public var connectionsMax = 20_000

  public init() {}
}
