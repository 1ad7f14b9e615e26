internal import Hosting
public import Wire

/// Runs: calls whose replies the sidecar keeps, to be read by many, early and late.
extension Client {
  /// Reads the replies of a run of this principal's: those kept from number `frame` on, and what
  /// comes. With `tail` only what comes. Goes on over lost connections. Leaving ends the reading
  /// only, not the run.
  ///
  /// Throws `not_found`/`unknown_run`, and `failed_precondition`/`truncated` where what is wanted
  /// is not kept any more (`details` say the `first` that is).
  public func attach(
    _ run: String, from frame: Int = 0, tail: Bool = false, timeout: Duration? = nil,
    windowBytes: Int? = nil
  ) -> Replies {
    Replies {
      try await self.openRun(
        run, from: frame, tail: tail, timeout: timeout, windowBytes: windowBytes)
    }
  }

  /// The same, attached when it returns and not when the reading begins.
  public func openRun(
    _ run: String, from frame: Int = 0, tail: Bool = false, timeout: Duration? = nil,
    windowBytes: Int? = nil
  ) async throws -> Call {
    var options = CallOptions()
    options.timeout = timeout
    options.windowBytes = windowBytes
    options.isIndependent = true
    let start: RunReading.Start =
      tail ? .tail(hasBegun: false) : .frame(max(0, frame), isOpener: false)
    let reading = RunReading(
      run: run, start: start, windowBytes: windowBytes ?? Limits.windowBytesDefault,
      deadline: options.limit.map { .now + $0 })
    return try await open("runs", reading.request, options: options, reading: reading)
  }

  /// The runs that the sidecar keeps of this principal's, sorted by name; with `state`
  /// (`waiting`, `running`, `ended`) those in it.
  public func runs(state: String = "") async throws -> [RunCard] {
    var cards: [RunCard] = []
    while true {
      let query = ListQuery(state: state.isEmpty ? nil : state, after: cards.last?.name)
      let json = try await call("runs", query, type: "RunList").json()
      cards += (json["runs"]?.elements ?? []).map { RunCard($0) }
      if json["more"]?.truth != true { return cards }
    }
  }

  /// One run; `not_found`/`unknown_run` where it is not kept.
  public func describeRun(_ name: String) async throws -> RunCard {
    RunCard(try await call("runs", ["run": name], type: "RunDescribe").json())
  }

  private struct ListQuery: Encodable {
    let state: String?
    let after: String?
  }

  /// How a call made with these goes on: as a run, unless it ends with its parent.
  func reading(_ options: CallOptions) -> RunReading? {
    guard !options.run.isEmpty, options.isDetached || parent(options) == nil else { return nil }
    return RunReading(
      run: options.run, start: .frame(0, isOpener: true),
      windowBytes: options.windowBytes ?? Limits.windowBytesDefault,
      deadline: options.limit.map { .now + $0 })
  }
}

/// A run as the agent `runs` shows it.
public struct RunCard: Sendable, Equatable {
  public var name: String
  public var to: String
  public var type: String
  /// `waiting`, `running` or `ended`.
  public var state: String
  /// How many frames there were so far, and the oldest that can still be read.
  public var frames: Int
  public var first: Int
  /// What is kept of them.
  public var bytes: Int
  public var readers: Int
  /// It goes on without readers.
  public var isDetached: Bool
  public var age: Duration
  /// How long ago it ended; nil while it has not.
  public var ended: Duration?
  /// The code it ended with; empty when it ended well, or has not.
  public var code: String

  public init(_ json: JSON) {
    func number(_ name: String) -> Int { json[name]?.integer.map { Int($0) } ?? 0 }
    name = json["run"]?.text ?? ""
    to = json["to"]?.text ?? ""
    type = json["type"]?.text ?? ""
    state = json["state"]?.text ?? ""
    frames = number("frames")
    first = number("first")
    bytes = number("bytes")
    readers = number("readers")
    isDetached = json["detached"]?.truth ?? false
    age = .milliseconds(number("age_ms"))
    ended = state == "ended" ? .milliseconds(number("ended_ms")) : nil
    code = json["code"]?.text ?? ""
  }
}
