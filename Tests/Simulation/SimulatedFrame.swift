import Wire

/// A frame that the router has written, with the strings copied out.
struct SimulatedFrame {
  let op: Wire.Operation
  let id: UInt64?
  let to: String
  let name: String
  let call: UInt64?
  let from: String
  let type: String
  let trace: String
  let contentType: String
  let ext: String
  let reason: String
  let topic: String
  let source: String
  let dropped: Int
  let window: Int
  let bytes: Int
  let timeoutMs: UInt64?
  private let truths: UInt8
  let length: Int
  /// The content up to its first dot; what follows is padding.
  let text: String

  init(_ header: Header, _ content: Content) {
    op = header.operation
    id = header[.id]
    to = header[.to].text
    name = header[.name].text
    call = header[.call]
    from = header[.from].text
    type = header[.type].text
    trace = header[.trace].text
    contentType = header[.contentType].text
    ext = header[.ext].text
    reason = header[.reason].text
    topic = header[.topic].text
    source = header[.source].text
    dropped = Int(header[.dropped] ?? 0)
    window = Int(header[.window] ?? 0)
    bytes = Int(header[.bytes] ?? 0)
    timeoutMs = header[.timeoutMs]
    truths = Self.known.enumerated().reduce(0) { header[$1.element] ? $0 | 1 << $1.offset : $0 }
    length = content.count
    text = content.bytes.prefix { $0 != UInt8(ascii: ".") }.reduce(into: "") {
      $0.unicodeScalars.append(Unicode.Scalar($1))
    }
  }

  enum Truth: UInt8 {
    case new, oneway, observe, input, part, end, more, retry
  }

  private static let known: [BooleanField] = [
    .new, .oneway, .observe, .input, .part, .end, .more, .retry,
  ]

  func has(_ truth: Truth) -> Bool { truths >> truth.rawValue & 1 != 0 }

  /// Most of it as a number.
  var digest: UInt64 {
    var digest = (id ?? 0) &* 31 &+ UInt64(truths) &+ UInt64(length) &* 131
    for text in [to, type, reason, self.text] {
      for byte in text.utf8 { digest = digest &* 257 &+ UInt64(byte) }
    }
    return digest &+ UInt64(window + bytes) &* 7 &+ (timeoutMs ?? 0)
  }

  /// What it takes from a window [CRD-1].
  var cost: Int {
    switch op {
    case .data:
      if has(.end), length == 0, type.isEmpty, contentType.isEmpty { return 0 }
      return length + Limits.frameCostBytes
    case .error: return has(.more) ? Limits.frameCostBytes : 0
    default: return 0
    }
  }
}

extension SimulatedFrame: CustomStringConvertible {
  var description: String {
    var text = "\(op)"
    if let id { text += " \(id)" }
    let words = [to, name, from, topic, type, reason, self.text].filter { !$0.isEmpty }
    for word in words { text += " \(word)" }
    let truths: [(Truth, String)] = [
      (.new, "new"), (.oneway, "oneway"), (.input, "input"), (.part, "part"), (.end, "end"),
      (.more, "more"),
    ]
    for (truth, word) in truths where has(truth) { text += " \(word)" }
    if bytes > 0 { text += " \(bytes)" }
    if window > 0 { text += " window=\(window)" }
    return length > 0 ? text + " (\(length) bytes)" : text
  }
}

/// A message on its way through the router, as its sender wrote it.
struct Expected: Equatable {
  var isError = false
  var text = ""
  var length = 0
  var type = ""
  var contentType = ""
  var ext = ""
  var isPart = false
  var isEnd = false
  var isUnordered = false
  var reason = ""
  /// The place of a call that was spliced in here.
  var inner: Int?

  /// Nothing comes behind it, not even what is spliced.
  var isLast: Bool { isEnd }

  /// What a reply that ends inside a message shows.
  static var unfinished: Expected {
    var error = Expected()
    error.isError = true
    error.reason = "unfinished_message"
    return error
  }

  init(placeOf call: SimulatedCall) {
    inner = call.number
  }

  var cost: Int {
    if inner != nil { return 0 }
    if isError { return isEnd ? 0 : Limits.frameCostBytes }
    if isEnd, length == 0, type.isEmpty, contentType.isEmpty { return 0 }
    return length + Limits.frameCostBytes
  }

  init() {}

  /// What a frame that the router wrote says.
  init(_ frame: SimulatedFrame) {
    isError = frame.op == .error
    text = frame.text
    length = frame.length
    type = frame.type
    contentType = frame.contentType
    ext = frame.ext
    isPart = frame.has(.part)
    isEnd = isError ? !frame.has(.more) : frame.has(.end)
    reason = frame.reason
  }
}
