internal import CYaml

/// What a configuration file can hold: scalars, lists and mappings, each with its line.
///
/// Anchors, aliases, tags and several documents are refused rather than half supported. A scalar
/// keeps its text as written; the option that takes it knows what it has to be.
indirect enum YAMLNode: Equatable {
  struct Entry: Equatable {
    var key: String
    var line: Int
    var value: YAMLNode
  }

  /// `isPlain` tells `key:` (nothing there) from `key: ""`.
  case scalar(String, isPlain: Bool, line: Int)
  case list([YAMLNode], line: Int)
  case mapping([Entry], line: Int)

  var line: Int {
    switch self {
    case .scalar(_, _, let line), .list(_, let line), .mapping(_, let line): line
    }
  }
}

/// Reads one YAML document with libyaml's events, which carry the lines that errors name.
struct YAMLReader {
  static let depthMax = 16

  private let path: String
  private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)

  /// The document's mapping; an empty file is an empty mapping. `path` is for errors.
  static func read(
    _ text: [UInt8], path: String
  ) throws(ConfigurationError) -> [YAMLNode.Entry] {
    let reader = YAMLReader(path: path)
    defer { reader.parser.deallocate() }
    guard yaml_parser_initialize(reader.parser) == 1 else {
      throw reader.error("out of memory", line: 1)
    }
    defer { yaml_parser_delete(reader.parser) }
    // libyaml keeps the pointer while it parses.
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(text.count, 1))
    defer { copy.deallocate() }
    copy.update(from: text, count: text.count)
    yaml_parser_set_input_string(reader.parser, copy, text.count)
    return try reader.document()
  }

  private init(path: String) {
    self.path = path
  }

  private func document() throws(ConfigurationError) -> [YAMLNode.Entry] {
    var entries: [YAMLNode.Entry] = []
    var documents = 0
    while true {
      let event = try self.next()
      switch event.kind {
      case .streamStart, .documentEnd: continue
      case .streamEnd: return entries
      case .documentStart:
        documents += 1
        if documents > 1 { throw self.error("more than one document", line: event.line) }
      case .scalar(let text, let isPlain) where isPlain && text.isEmpty: continue
      case .mappingStart: entries = try self.mapping(depth: 1)
      case .scalar, .listStart, .listEnd, .mappingEnd:
        throw self.error("the file is not a mapping of keys to values", line: event.line)
      }
    }
  }

  private func mapping(depth: Int) throws(ConfigurationError) -> [YAMLNode.Entry] {
    var entries: [YAMLNode.Entry] = []
    while true {
      let event = try self.next()
      if event.kind == .mappingEnd { return entries }
      guard case .scalar(let key, _) = event.kind else {
        throw self.error("a key is a plain word", line: event.line)
      }
      if let first = entries.first(where: { $0.key == key }) {
        throw self.error("\"\(key)\" is there twice, first in line \(first.line)", line: event.line)
      }
      let value = try self.node(try self.next(), depth: depth)
      entries.append(YAMLNode.Entry(key: key, line: event.line, value: value))
    }
  }

  private func list(depth: Int) throws(ConfigurationError) -> [YAMLNode] {
    var nodes: [YAMLNode] = []
    while true {
      let event = try self.next()
      if event.kind == .listEnd { return nodes }
      nodes.append(try self.node(event, depth: depth))
    }
  }

  private func node(_ event: Event, depth: Int) throws(ConfigurationError) -> YAMLNode {
    if depth >= Self.depthMax { throw self.error("nested too deep", line: event.line) }
    switch event.kind {
    case .scalar(let text, let isPlain): return .scalar(text, isPlain: isPlain, line: event.line)
    case .mappingStart: return .mapping(try self.mapping(depth: depth + 1), line: event.line)
    case .listStart: return .list(try self.list(depth: depth + 1), line: event.line)
    case .streamStart, .streamEnd, .documentStart, .documentEnd, .mappingEnd, .listEnd:
      throw self.error("a value is missing", line: event.line)
    }
  }

  // MARK: - Events

  private struct Event {
    enum Kind: Equatable {
      case streamStart, streamEnd, documentStart, documentEnd
      case mappingStart, mappingEnd, listStart, listEnd
      case scalar(String, isPlain: Bool)
    }
    var kind: Kind
    var line: Int
  }

  private func next() throws(ConfigurationError) -> Event {
    var event = yaml_event_t()
    guard yaml_parser_parse(self.parser, &event) == 1 else { throw self.syntaxError() }
    defer { yaml_event_delete(&event) }
    let line = Int(event.start_mark.line) + 1
    switch event.type {
    case YAML_STREAM_START_EVENT: return Event(kind: .streamStart, line: line)
    case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return Event(kind: .streamEnd, line: line)
    case YAML_DOCUMENT_START_EVENT: return Event(kind: .documentStart, line: line)
    case YAML_DOCUMENT_END_EVENT: return Event(kind: .documentEnd, line: line)
    case YAML_MAPPING_START_EVENT:
      try self.refuse(event.data.mapping_start.anchor, event.data.mapping_start.tag, line)
      return Event(kind: .mappingStart, line: line)
    case YAML_SEQUENCE_START_EVENT:
      try self.refuse(event.data.sequence_start.anchor, event.data.sequence_start.tag, line)
      return Event(kind: .listStart, line: line)
    case YAML_MAPPING_END_EVENT: return Event(kind: .mappingEnd, line: line)
    case YAML_SEQUENCE_END_EVENT: return Event(kind: .listEnd, line: line)
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      try self.refuse(scalar.anchor, scalar.tag, line)
      let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
      return Event(
        kind: .scalar(String(decoding: bytes, as: UTF8.self), isPlain: isPlain), line: line)
    default: throw self.error("aliases are not supported", line: line)
    }
  }

  private func refuse(
    _ anchor: UnsafeMutablePointer<UInt8>?, _ tag: UnsafeMutablePointer<UInt8>?, _ line: Int
  ) throws(ConfigurationError) {
    if anchor != nil { throw self.error("anchors are not supported", line: line) }
    if tag != nil { throw self.error("tags are not supported", line: line) }
  }

  private func syntaxError() -> ConfigurationError {
    let parser = self.parser.pointee
    let problem = parser.problem.map { String(cString: $0) } ?? "this is not YAML"
    return self.error(problem, line: Int(parser.problem_mark.line) + 1)
  }

  private func error(_ message: String, line: Int) -> ConfigurationError {
    ConfigurationError(origin: .file(path: self.path, line: line), message: message)
  }
}
