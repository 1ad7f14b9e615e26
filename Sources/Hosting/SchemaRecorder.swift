internal import Wire

/// A decoder without values: it writes down what a type asks for, and gives zeros and empty texts.
final class SchemaRecorder: Decoder {
  /// What the type has asked for.
  private enum Form {
    case nothing
    case object([(name: String, part: Part, isRequired: Bool)])
    case array([Part])
    case single(Part)
  }

  private enum Part {
    case schema(JSON)
    case recorder(SchemaRecorder)

    var schema: JSON {
      switch self {
      case .schema(let schema): schema
      case .recorder(let recorder): recorder.schema
      }
    }
  }

  /// The type wants a value that cannot be made up; what it asked for before stands.
  private struct NoValue: Error {}

  private(set) var description: SchemaDescription
  private var form = Form.nothing
  private var optionalKeys: Set<String> = []

  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  private init(_ description: SchemaDescription) { self.description = description }

  /// What a type shows of itself when it is decoded, and the value that came of it.
  static func record(
    _ type: any Decodable.Type, _ description: SchemaDescription
  ) -> (schema: JSON, value: Any?, isObject: Bool, description: SchemaDescription) {
    let recorder = SchemaRecorder(description)
    let value: Any? = try? type.init(from: recorder)
    return (recorder.schema, value, recorder.isObject, recorder.description)
  }

  private var isObject: Bool { if case .object = form { true } else { false } }

  private var schema: JSON {
    switch form {
    case .nothing: return [:]
    case .single(let part): return part.schema
    case .array(let items):
      if items.count == 1 { return ["type": "array", "items": items[0].schema] }
      return ["type": "array", "prefixItems": .array(items.map(\.schema))]
    case .object(let properties):
      var members: [JSON.Member] = [
        .init("type", "object"),
        .init("properties", .object(properties.map { .init($0.name, $0.part.schema) })),
      ]
      let required = properties.filter(\.isRequired).map { JSON.string($0.name) }
      if !required.isEmpty { members.append(.init("required", .array(required))) }
      return .object(members)
    }
  }

  // MARK: - What containers report

  fileprivate func beginObject() { if !isObject { form = .object([]) } }

  fileprivate func mayMiss(_ key: String) { optionalKeys.insert(key) }

  fileprivate func property<Value: Decodable>(
    _ type: Value.Type, _ key: String, isRequired: Bool = true
  ) -> Value? {
    let (schema, value) = description.describe(type)
    add(.schema(schema), key, isRequired: isRequired)
    return value as? Value
  }

  fileprivate func nested(_ key: String) -> SchemaRecorder {
    let recorder = SchemaRecorder(description)
    add(.recorder(recorder), key, isRequired: true)
    return recorder
  }

  private func add(_ part: Part, _ key: String, isRequired: Bool) {
    guard case .object(var properties) = form else { return }
    if properties.contains(where: { $0.name == key }) { return }
    properties.append((key, part, isRequired && !optionalKeys.contains(key)))
    form = .object(properties)
  }

  fileprivate func beginArray() { form = .array([]) }

  fileprivate func item<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let (schema, value) = description.describe(type)
    append(.schema(schema))
    return try Self.made(value)
  }

  fileprivate func nestedItem() -> SchemaRecorder {
    let recorder = SchemaRecorder(description)
    append(.recorder(recorder))
    return recorder
  }

  private func append(_ part: Part) {
    if case .array(let items) = form { form = .array(items + [part]) }
  }

  fileprivate func single<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let (schema, value) = description.describe(type)
    form = .single(.schema(schema))
    return try Self.made(value)
  }

  fileprivate static func made<Value>(_ value: Any?) throws -> Value {
    guard let value = value as? Value else { throw NoValue() }
    return value
  }

  // MARK: - Decoder

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
    beginObject()
    return KeyedDecodingContainer(RecordedObject<Key>(recorder: self))
  }

  func unkeyedContainer() -> any UnkeyedDecodingContainer {
    beginArray()
    return RecordedArray(recorder: self)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer {
    RecordedValue(recorder: self)
  }
}

private struct RecordedObject<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let recorder: SchemaRecorder
  var codingPath: [any CodingKey] { [] }
  var allKeys: [Key] { [] }

  /// Whoever asks can do without.
  func contains(_ key: Key) -> Bool {
    recorder.mayMiss(key.stringValue)
    return true
  }

  func decodeNil(forKey key: Key) -> Bool {
    recorder.mayMiss(key.stringValue)
    return false
  }

  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try SchemaRecorder.made(recorder.property(type, key.stringValue))
  }

  // A type that may hold itself is asked no further than this.
  func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) -> Value? {
    _ = recorder.property(type, key.stringValue, isRequired: false)
    return nil
  }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedDecodingContainer<Nested> {
    recorder.nested(key.stringValue).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedDecodingContainer {
    recorder.nested(key.stringValue).unkeyedContainer()
  }

  func superDecoder() -> any Decoder { recorder.nested("super") }
  func superDecoder(forKey key: Key) -> any Decoder { recorder.nested(key.stringValue) }
}

private struct RecordedArray: UnkeyedDecodingContainer {
  let recorder: SchemaRecorder
  var codingPath: [any CodingKey] { [] }
  var count: Int? { nil }
  /// One item is enough to see the form.
  var isAtEnd: Bool { currentIndex > 0 }
  private(set) var currentIndex = 0

  init(recorder: SchemaRecorder) { self.recorder = recorder }

  func decodeNil() -> Bool { false }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    currentIndex += 1
    return try recorder.item(type)
  }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) -> KeyedDecodingContainer<Nested> {
    currentIndex += 1
    return recorder.nestedItem().container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() -> any UnkeyedDecodingContainer {
    currentIndex += 1
    return recorder.nestedItem().unkeyedContainer()
  }

  mutating func superDecoder() -> any Decoder {
    currentIndex += 1
    return recorder.nestedItem()
  }
}

private struct RecordedValue: SingleValueDecodingContainer {
  let recorder: SchemaRecorder
  var codingPath: [any CodingKey] { [] }

  func decodeNil() -> Bool { false }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try recorder.single(type)
  }
}
