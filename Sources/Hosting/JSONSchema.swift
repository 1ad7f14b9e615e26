internal import FoundationEssentials
public import Wire

/// A type that says itself how its values look in JSON.
///
/// For types whose `init(from:)` refuses the values that `JSONSchema` tries it with, and for those
/// that have more to say than their form.
public protocol SchemaDescribed {
  static var jsonSchema: JSON { get }
}

/// JSON Schemas of Swift types.
///
/// A `Decodable` type shows its form when it is decoded: a decoder that has no values, only zeros
/// and empty texts, writes down what is asked for. `title` is the type's name; types within types
/// stand under `$defs`. Enumerations that are `CaseIterable` list their values. A type that shows
/// nothing is `{}`, which permits everything.
public enum JSONSchema {
  public static func of(_ type: any Any.Type) -> JSON {
    var description = SchemaDescription()
    let schema = description.schema(of: type)
    guard case .object(let members) = schema, !description.definitions.isEmpty else {
      return schema
    }
    return .object(members + [.init("$defs", .object(description.definitions))])
  }

  /// The name under which values of a type travel: that of a struct, a class or an enumeration of
  /// the program's own; empty for plain values and collections.
  static func name(of type: any Any.Type) -> String {
    if SchemaDescription.plain(type) != nil || type is any CollectionDescribed.Type { return "" }
    let name = "\(type)"
    return name.utf8.contains(UInt8(ascii: "<")) ? "" : name
  }
}

/// A schema in the making, and a value of each type that was met.
struct SchemaDescription {
  /// The schemas of types within others, by name. A type that is being described is there already.
  private(set) var definitions: [JSON.Member] = []
  private var isTop = true

  mutating func schema(of type: any Any.Type) -> JSON { describe(type).schema }

  /// How values of the type look, and one of them where one can be made.
  mutating func describe(_ type: any Any.Type) -> (schema: JSON, value: Any?) {
    let isOutermost = isTop
    isTop = false
    // Bytes alone travel as they are; within JSON they are numbers.
    if isOutermost, type == [UInt8].self {
      return (["type": "string", "contentMediaType": "application/octet-stream"], nil)
    }
    if let described = type as? any SchemaDescribed.Type {
      let record = (type as? any Decodable.Type).map { SchemaRecorder.record($0, self) }
      return (described.jsonSchema, record?.value)
    }
    if let plain = Self.plain(type) { return plain }
    if let collection = type as? any CollectionDescribed.Type {
      return (collection.schema(&self), collection.empty)
    }
    if let listed = type as? any (CaseIterable & RawRepresentable).Type {
      let (values, first) = Self.cases(listed)
      return (["enum": .array(values)], first)
    }
    guard let record = type as? any Decodable.Type else { return ([:], nil) }
    return describe(record: record, isOutermost)
  }

  private mutating func describe(
    record type: any Decodable.Type, _ isOutermost: Bool
  ) -> (schema: JSON, value: Any?) {
    let name = "\(type)"
    let reference: JSON = ["$ref": .string("#/$defs/\(name)")]
    if definitions.contains(where: { $0.isNamed(name) }) { return (reference, nil) }
    // Taken, so that a type may hold itself.
    if !isOutermost { definitions.append(.init(name, [:])) }
    let recorded = SchemaRecorder.record(type, self)
    definitions = recorded.description.definitions
    guard case .object(let members) = recorded.schema, recorded.isObject else {
      definitions.removeAll { $0.isNamed(name) }
      return (recorded.schema, recorded.value)
    }
    let schema = JSON.object([.init("title", .string(name))] + members)
    guard !isOutermost else { return (schema, recorded.value) }
    definitions = definitions.map { $0.isNamed(name) ? .init(name, schema) : $0 }
    return (reference, recorded.value)
  }

  /// The types that JSON has a word for.
  static func plain(_ type: any Any.Type) -> (schema: JSON, value: Any?)? {
    switch type {
    case is String.Type: (["type": "string"], "")
    case is Bool.Type: (["type": "boolean"], false)
    case is Double.Type: (["type": "number"], 0.0)
    case is Float.Type: (["type": "number"], Float(0))
    case let type as any FixedWidthInteger.Type: (["type": "integer"], Self.zero(type))
    case is Date.Type: (["type": "number"], Date(timeIntervalSinceReferenceDate: 0))
    case is Decimal.Type: (["type": "number"], Decimal(0))
    case is Data.Type: (["type": "string", "contentEncoding": "base64"], Data())
    case is UUID.Type: (["type": "string", "format": "uuid"], UUID())
    case is URL.Type: (["type": "string", "format": "uri"], URL(string: "unix:/"))
    default: nil
    }
  }

  private static func zero<Number: FixedWidthInteger>(_ type: Number.Type) -> Any {
    Number.zero
  }

  private static func cases<Listed: CaseIterable & RawRepresentable>(
    _ type: Listed.Type
  ) -> (values: [JSON], first: Any?) {
    let values = Listed.allCases.map { value -> JSON in
      switch value.rawValue {
      case let text as String: .string(text)
      case let number as any BinaryInteger: .integer(Int64(clamping: number))
      case let number as Double: .number(number)
      default: .null
      }
    }
    return (values, Listed.allCases.first)
  }
}

/// What holds values of another type.
protocol CollectionDescribed {
  static func schema(_ description: inout SchemaDescription) -> JSON
  static var empty: Any { get }
}

extension Optional: CollectionDescribed {
  static func schema(_ description: inout SchemaDescription) -> JSON {
    ["anyOf": [description.schema(of: Wrapped.self), ["type": "null"]]]
  }
  static var empty: Any { Self.none as Any }
}

extension Array: CollectionDescribed {
  static func schema(_ description: inout SchemaDescription) -> JSON {
    ["type": "array", "items": description.schema(of: Element.self)]
  }
  static var empty: Any { [] as Self }
}

extension Set: CollectionDescribed {
  static func schema(_ description: inout SchemaDescription) -> JSON {
    ["type": "array", "items": description.schema(of: Element.self), "uniqueItems": true]
  }
  static var empty: Any { [] as Self }
}

extension Dictionary: CollectionDescribed {
  static func schema(_ description: inout SchemaDescription) -> JSON {
    ["type": "object", "additionalProperties": description.schema(of: Value.self)]
  }
  static var empty: Any { [:] as Self }
}
