import ArgumentParser
import CoagentClient

/// Which sidecar is meant.
struct Reach: ParsableArguments {
  @Option(help: "Where the sidecar is: unix:/path or tcp://host:port.")
  var url: String?

  @Option(help: "A file that holds the token, for TCP.")
  var tokenFile: String?

  func connect(reconnects: Bool = false) async throws -> Client {
    var options = ClientOptions()
    options.name = "coagent"
    options.client = "coagent-cli/\(ClientOptions.version)"
    options.tokenFile = tokenFile
    options.reconnects = reconnects
    do {
      return try await Client.connect(url, options: options)
    } catch let error as AgentError where error.reason == Reason.badAddress.rawValue {
      throw ValidationError(error.message)
    }
  }

  /// Runs `body` with a client, so that Ctrl-C cancels what it does, down to the agents.
  func run(
    reconnects: Bool = false, _ body: @escaping @Sendable (Client) async throws -> Void
  ) async throws {
    try await Interrupt.cancelling {
      let client = try await connect(reconnects: reconnects)
      let result: Result<Void, any Error>
      do {
        result = .success(try await body(client))
      } catch {
        result = .failure(error)
      }
      await client.close()
      try result.get()
    }
  }
}

/// A time such as `5`, `1.5` (seconds), `200ms`, `10s` or `2m`; 0 for none.
struct Time: ExpressibleByArgument {
  let duration: Duration

  init?(argument: String) {
    let units: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("", 1)]
    for (unit, seconds) in units where argument.hasSuffix(unit) {
      let digits = argument.dropLast(unit.count)
      guard let number = Double(digits), number >= 0, number * seconds < 1e9 else { continue }
      duration = .milliseconds(Int64((number * seconds * 1000).rounded(.up)))
      return
    }
    return nil
  }

  /// Nil for as long as it takes.
  var limit: Duration? { duration == .zero ? nil : duration }
}

/// What is sent: data and headers.
struct Sending: ParsableArguments {
  @Option(
    name: [.customShort("H"), .customLong("header")],
    help: ArgumentHelp(
      "A header: type:T names the kind of message, content_type:T its format, trace:T the trace; "
        + "others travel as ext.",
      valueName: "name:value"))
  var headers: [String] = []

  @Option(
    name: [.customShort("d"), .customLong("data")],
    help: ArgumentHelp("The message: JSON or plain text, @file, or - for standard input."))
  var data: String?

  @Flag(help: "Send the data as plain text, even if it reads as JSON.")
  var text = false

  /// The message, and what travels beside it.
  func message(defaultType: String = "") throws -> (message: Message, trace: String) {
    var message = try body()
    message.type = defaultType
    var ext: [String: FlatValue] = [:]
    var trace = ""
    for header in headers {
      guard let colon = header.firstIndex(of: ":"), colon > header.startIndex else {
        throw ValidationError("-H \(header): a header is name:value")
      }
      let name = String(header[..<colon])
      let value = String(header[header.index(after: colon)...].drop { $0 == " " })
      switch name.lowercased() {
      case "type": message.type = value
      case "content_type", "content-type": message.contentType = value
      case "trace": trace = value
      default: ext[name] = .string(value)
      }
    }
    message.ext = ext
    return (message, trace)
  }

  private func body() throws -> Message {
    try data.map { try Self.body($0, asText: text) } ?? Message([])
  }

  /// A word of the command line as a message: JSON or plain text, `@file`, or `-` for standard
  /// input.
  static func body(_ data: String, asText text: Bool) throws -> Message {
    let bytes: [UInt8]
    if data == "-" {
      bytes = try Files.standardInput()
    } else if data.hasPrefix("@") {
      bytes = try Files.read(String(data.dropFirst()))
    } else {
      bytes = Array(data.utf8)
    }
    if text { return Message(bytes, contentType: Message.textType) }
    do {
      _ = try JSONReader.read(bytes)
      return Message(bytes)
    } catch {
      // What begins like JSON was meant to be; anything else is a text.
      let first = bytes.first { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }
      if let first, "{[\"".utf8.contains(first) {
        throw ValidationError("-d is not JSON: \(error) (--text sends it as it is)")
      }
      let isText = String(validating: bytes, as: UTF8.self) != nil
      return Message(bytes, contentType: isText ? Message.textType : Message.bytesType)
    }
  }
}

/// How replies are shown.
struct Showing: ParsableArguments {
  @Flag(help: "One JSON value on a line, for programs.")
  var json = false

  @Flag(help: "Print replies one behind the other on one line.")
  var oneline = false

  @Option(
    name: [.customShort("F"), .customLong("filter")],
    help: ArgumentHelp(
      "Show only this part of each reply, as in .choices.0.text.", valueName: ".path"))
  var filter: String?

  @Flag(help: "The same as --stream -F .content --oneline.")
  var chat = false

  func printer() throws -> ReplyPrinter {
    var filters: [Filter] = []
    if let filter {
      filters = [try Filter(filter)]
    } else if chat {
      filters = [try Filter(".content.content"), try Filter(".content")]
    }
    return ReplyPrinter(asJSON: json, oneline: oneline || chat, filters: filters)
  }
}
