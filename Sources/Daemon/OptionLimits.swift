internal import Wire

extension Option {
  private static let day = 86_400_000
  private static let gibibyte = 1 << 30

  /// The limits that may be set. Names, defaults and meanings are those of proto/limits.json, with
  /// which a test compares them.
  static let limits: [Option] = [
    .integer(
      "limits.content_bytes_max", 1_024...gibibyte, \.limits.contentBytesMax,
      "The largest content of one frame, both ways; told as max_content in welcome."),
    .integer(
      "limits.hello_timeout_ms", 1...day, \.limits.helloTimeoutMs,
      "How long a connection may take to complete its hello."),
    .integer(
      "limits.heartbeat_ms_tcp", 0...day, \.limits.heartbeatMsTCP,
      "heartbeat_ms in welcome on TCP: silence after which a side sends ping. 0 = no heartbeat."),
    .integer(
      "limits.heartbeat_ms_unix", 0...day, \.limits.heartbeatMsUnix,
      "heartbeat_ms in welcome on Unix sockets."),
    .integer(
      "limits.mailbox_messages_max", 1...1_000_000, \.limits.mailboxMessagesMax,
      "Messages waiting in one session's mailbox, or in one name's line."),
    .integer(
      "limits.mailbox_bytes_max", 1...gibibyte, \.limits.mailboxBytesMax,
      "Content waiting in one mailbox or line; one message always fits."),
    .integer(
      "limits.mailbox_bytes_per_connection_max", 1...(64 * gibibyte),
      \.limits.mailboxBytesPerConnectionMax,
      "Content from one connection waiting in all mailboxes and lines."),
    .integer(
      "limits.connection_high_mark_bytes", 65_536...gibibyte, \.limits.connectionHighMarkBytes,
      "Waiting for one connection: from here it gets no new calls and its senders no credit."),
    .integer(
      "limits.connection_hard_mark_bytes", 65_536...(4 * gibibyte),
      \.limits.connectionHardMarkBytes,
      "Waiting for one connection: a call that would add to it ends with reader_overrun."),
    .integer(
      "limits.undrained_ms", 1...day, \.limits.undrainedMs,
      "How long a connection may take nothing of what waits for it."),
    .integer(
      "limits.open_ids_max", 1...1_000_000, \.limits.openIDsMax,
      "Ids that a connection may have open at a time, of its own."),
    .integer(
      "limits.names_max", 1...1_000_000, \.limits.namesMax,
      "Names that a connection may register."),
    .integer(
      "limits.registration_bytes_max", 256...(16 << 20), \.limits.registrationBytesMax,
      "Header and content of one register."),
    .integer(
      "limits.subscriptions_max", 1...1_000_000, \.limits.subscriptionsMax,
      "Subscriptions of one connection."),
    .integer(
      "limits.sessions_max", 1...100_000_000, \.limits.sessionsMax, "Sessions in the sidecar."),
    .integer(
      "limits.runs_max", 1...10_000_000, \.limits.runsMax,
      "Runs kept at a time, open ones and ended ones."),
    .integer(
      "limits.run_frames_max", 1...10_000_000, \.limits.runFramesMax,
      "Reply frames kept of one run."),
    .integer(
      "limits.run_bytes_max", 1...(64 * gibibyte), \.limits.runBytesMax,
      "What is kept of one run: content, and 256 for each frame."),
    .integer(
      "limits.runs_bytes_max", 1...(64 * gibibyte), \.limits.runsBytesMax,
      "What is kept of all runs."),
    .integer(
      "limits.run_kept_ms", 0...day, \.limits.runKeptMs,
      "How long a run is kept after its end, or after its last reader went."),
    .integer(
      "limits.run_grace_ms", 0...day, \.limits.runGraceMs,
      "How long a run without detach goes on when its last reader went."),
    .integer(
      "limits.connections_max", 1...1_000_000, \.limits.connectionsMax,
      "Connections at a time, all listeners together."),
    .integer(
      "limits.call_depth_max", 1...1_000, \.limits.callDepthMax, "Ancestors that a call may have."),
    .integer(
      "limits.cancel_grace_ms", 0...day, \.limits.cancelGraceMs,
      "How long a cancelled call of a stateless agent keeps its place when its host does not end "
        + "it."),
    .integer(
      "limits.close_grace_ms", 0...day, \.limits.closeGraceMs,
      "How long new messages of a session wait for the host's answer to close."),
    .integer(
      "limits.no_replica_ms", 0...day, \.limits.noReplicaMs,
      "How long a name without hosts is unavailable before it is not found."),
    .integer(
      "limits.drain_ms", 0...day, \.limits.drainMs,
      "How long the sidecar's shutdown lets calls in flight finish; timeout_ms of its goodbye."),
  ]
}
