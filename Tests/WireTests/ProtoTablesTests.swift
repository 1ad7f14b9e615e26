import TestSupport
import Testing
import Wire

/// The tables in Swift against those of proto/, which every language checks against.
@Suite struct ProtoTablesTests {
  @Test func codesAreThoseOfTheTableInItsOrder() throws {
    let table = try #require(try Proto.json("errors.json")["codes"]?.elements)
    #expect(table.map { $0["code"]?.string } == ErrorCode.allCases.map(\.rawValue))
  }

  @Test func reasonsAndTheirCodesAreThoseOfTheTable() throws {
    let table = try #require(try Proto.json("errors.json")["reasons"]?.elements)
    let listed = Dictionary(
      uniqueKeysWithValues: table.map { ($0["reason"]?.string, $0["code"]?.string) })
    for reason in Reason.allCases {
      #expect(listed[reason.rawValue] == reason.code.rawValue, "\(reason.rawValue)")
    }
    // Some reasons only clients or later operations use; the sidecar's own list has no others.
    let later = table.filter { $0["later"]?.bool == true || $0["scope"]?.string == "client" }
    let known = Set(Reason.allCases.map(\.rawValue) + later.compactMap { $0["reason"]?.string })
    #expect(Set(listed.keys.compactMap { $0 }).subtracting(known) == [])
  }

  @Test func limitsAreThoseOfTheTable() throws {
    let table = try Proto.json("limits.json")
    let limits = Limits()
    let ours: [String: Int] = [
      "header_bytes_max_client": Limits.headerBytesMaxClient,
      "header_bytes_max_sidecar": Limits.headerBytesMaxSidecar,
      "hello_header_bytes_max": Limits.helloHeaderBytesMax,
      "name_bytes_max": Limits.nameBytesMax,
      "session_bytes_max": Limits.sessionBytesMax,
      "ext_bytes_max": Limits.extBytesMax,
      "error_message_bytes_max": Limits.errorMessageBytesMax,
      "error_details_bytes_max": Limits.detailsBytesMax,
      "frame_cost_bytes": Limits.frameCostBytes,
      "window_bytes_default": Limits.windowBytesDefault,
      "message_bytes_advised": Limits.messageBytesAdvised,
      "window_bytes_max": Limits.windowBytesMax,
      "held_window_bytes": Limits.heldWindowBytes,
      "call_depth_max": Limits.callDepthMax,
      "concurrency_default": Limits.concurrencyDefault,
      "session_concurrency_default": Limits.sessionConcurrencyDefault,
      "idle_ms_default": Limits.idleMsDefault,
      "content_bytes_max": limits.contentBytesMax,
      "hello_timeout_ms": limits.helloTimeoutMs,
      "heartbeat_ms_tcp": limits.heartbeatMsTCP,
      "heartbeat_ms_unix": limits.heartbeatMsUnix,
      "heartbeat_misses": limits.heartbeatMisses,
      "goodbye_timeout_ms": limits.goodbyeTimeoutMs,
      "drain_ms": limits.drainMs,
      "cancel_grace_ms": limits.cancelGraceMs,
      "close_grace_ms": limits.closeGraceMs,
      "no_replica_ms": limits.noReplicaMs,
      "undrained_ms": limits.undrainedMs,
      "runs_max": limits.runsMax,
      "run_frames_max": limits.runFramesMax,
      "run_bytes_max": limits.runBytesMax,
      "runs_bytes_max": limits.runsBytesMax,
      "run_kept_ms": limits.runKeptMs,
      "run_grace_ms": limits.runGraceMs,
      "mailbox_messages_max": limits.mailboxMessagesMax,
      "mailbox_bytes_max": limits.mailboxBytesMax,
      "mailbox_bytes_per_connection_max": limits.mailboxBytesPerConnectionMax,
      "connection_high_mark_bytes": limits.connectionHighMarkBytes,
      "connection_hard_mark_bytes": limits.connectionHardMarkBytes,
      "open_ids_max": limits.openIDsMax,
      "names_max": limits.namesMax,
      "registration_bytes_max": limits.registrationBytesMax,
      "sessions_max": limits.sessionsMax,
      "subscriptions_max": limits.subscriptionsMax,
      "rejoin_ms": Limits.rejoinMs,
      "farewell_ms": Limits.farewellMs,
      "signal_bytes_max": Limits.signalBytesMax,
      "signals_unanswered_max": Limits.signalsUnansweredMax,
      "topic_bytes_max": Limits.topicBytesMax,
      "topic_segments_max": Limits.topicSegmentsMax,
      "connections_max": limits.connectionsMax,
    ]
    for (name, value) in ours {
      #expect(table[name]?["value"]?.integer == value, "\(name)")
    }
  }

  @Test func everyConfigurableLimitOfTheSidecarIsAStoredProperty() throws {
    let table = try Proto.json("limits.json").members ?? []
    let configurable = table.filter {
      $0.value["configurable"]?.bool == true && $0.value["later"]?.bool != true
    }
    let stored = Mirror(reflecting: Limits()).children.compactMap(\.label).map { $0.lowercased() }
    // Three defaults of registrations are the daemon's to configure, not a limit of the core.
    let defaults = ["concurrency_default", "session_concurrency_default", "idle_ms_default"]
    for limit in configurable where !defaults.contains(limit.name) {
      let property = limit.name.filter { $0 != "_" }
      #expect(stored.contains(property), "\(limit.name)")
    }
  }

  @Test func operationsAreTheWordsOfTheHeader() throws {
    for operation in Operation.allCases where operation != .missing && operation != .unknown {
      #expect(try scan(#"{"op":"\#(operation.word)"}"#).operation == operation)
    }
    #expect(try scan("{}").operation == .missing)
    let others = [
      "", "Call", "calls", "cal", "splices", "publisher", "subscript", "signals", "null",
    ]
    for word in others {
      #expect(try scan(#"{"op":"\#(word)"}"#).operation == .unknown, "\(word)")
    }
  }
}
