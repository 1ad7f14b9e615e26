internal import Discovery
internal import Wire

/// Why an agent of the sidecar's does not answer a call.
struct SystemFailure: Error {
  let reason: Reason
  let message: String
  /// Of the error's `details`: a word such as `field` or `address`, and what it is about.
  let detail: Detail?

  struct Detail {
    let key: StaticString
    let value: Value

    enum Value {
      case text(String)
      case count(Int)
    }

    init(key: StaticString, value: String) {
      self.key = key
      self.value = .text(value)
    }

    init(key: StaticString, count: Int) {
      self.key = key
      value = .count(count)
    }
  }

  static func unhandled(_ agent: String, _ type: String) -> SystemFailure {
    SystemFailure(
      reason: .unhandledType, message: "\(agent) handles no \"\(type)\"",
      detail: Detail(key: "type", value: type))
  }

  static func badContent(_ field: String, _ message: String) -> SystemFailure {
    SystemFailure(
      reason: .badContent, message: field.isEmpty ? message : "\(field) \(message)",
      detail: Detail(key: "field", value: field))
  }

  /// What `field` names belongs to another principal.
  static func notPermitted(_ field: StaticString, _ name: String) -> SystemFailure {
    SystemFailure(
      reason: .notPermitted, message: "\"\(name)\" belongs to another principal",
      detail: Detail(key: field, value: name))
  }

  static func unknownRun(_ run: String) -> SystemFailure {
    SystemFailure(
      reason: .unknownRun, message: "no run \"\(run)\"",
      detail: Detail(key: "run", value: run))
  }

  static func truncated(_ run: String, first: Int) -> SystemFailure {
    SystemFailure(
      reason: .truncated, message: "run \"\(run)\" is kept from frame \(first) on",
      detail: Detail(key: "first", count: first))
  }

  static func unknownSession(_ address: String) -> SystemFailure {
    SystemFailure(
      reason: .unknownSession, message: "no session \"\(address)\"",
      detail: Detail(key: "address", value: address))
  }
}

/// What an agent of the sidecar's answers to a call.
struct SystemReply {
  let type: String
  let content: ContentBlock

  init(_ type: String, _ body: (inout JSONWriter) -> Void) {
    self.type = type
    var writer = JSONWriter()
    body(&writer)
    content = writer.block
  }
}

extension SystemHost {
  /// Answers a call with what `body` returns or throws.
  func answer(_ call: SystemCall, _ body: () throws(SystemFailure) -> SystemReply) {
    do {
      let reply = try body()
      self.reply(call, type: reply.type, reply.content)
    } catch {
      fail(call, error)
    }
  }

  func fail(_ call: SystemCall, _ failure: SystemFailure) {
    fail(call, failure.reason, failure.message, detail: failure.detail)
  }
}

/// A call's content, read: an object, whose members are asked for by name.
struct SystemRequest {
  let value: JSON

  /// Empty content stands for an object without members.
  init(_ content: [UInt8]) throws(SystemFailure) {
    guard !content.isEmpty else {
      value = .object([])
      return
    }
    do {
      value = try JSONReader.read(content)
    } catch {
      throw .badContent("", "content is no JSON: \(error.description)")
    }
  }

  /// Content that has to be an object.
  static func object(_ content: [UInt8]) throws(SystemFailure) -> SystemRequest {
    let request = try SystemRequest(content)
    guard request.value.members != nil else { throw .badContent("", "content must be an object") }
    return request
  }

  func text(_ name: String) throws(SystemFailure) -> String? {
    guard let member = value[name] else { return nil }
    guard let text = member.text else { throw .badContent(name, "must be a string") }
    return text
  }

  /// A whole number from 0 on.
  func count(_ name: String) throws(SystemFailure) -> UInt64? {
    guard let member = value[name] else { return nil }
    guard let number = member.integer, number >= 0 else {
      throw .badContent(name, "must be a whole number, 0 or more")
    }
    return UInt64(number)
  }

  /// True or false; absent means false.
  func truth(_ name: String) throws(SystemFailure) -> Bool {
    guard let member = value[name] else { return false }
    guard let truth = member.truth else { throw .badContent(name, "must be true or false") }
    return truth
  }

  /// How much of a list is wanted: `limit`, at most and by default `list_limit_default`.
  func limit() throws(SystemFailure) -> Int {
    guard let limit = try count("limit") else { return Self.limitDefault }
    guard limit > 0 else { throw .badContent("limit", "must be 1 or more") }
    return Int(min(limit, UInt64(Self.limitDefault)))
  }

  static let limitDefault = 1000
}

extension String {
  /// Lends the string's bytes.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    var text = self
    return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
  }
}
