import CoagentClient
import Testing

/// What Swift types show of themselves.
@Suite struct Schemas {
  private func text(_ type: any Any.Type) -> String {
    var writer = JSONWriter()
    writer.value(JSONSchema.of(type))
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test func plainTypesHaveTheWordsOfJSON() {
    #expect(text(String.self) == #"{"type":"string"}"#)
    #expect(text(Bool.self) == #"{"type":"boolean"}"#)
    #expect(text(UInt16.self) == #"{"type":"integer"}"#)
    #expect(text(Float.self) == #"{"type":"number"}"#)
    #expect(text([Int].self) == #"{"type":"array","items":{"type":"integer"}}"#)
    #expect(text([String: Bool].self).contains(#""additionalProperties":{"type":"boolean"}"#))
    #expect(text(Int?.self) == #"{"anyOf":[{"type":"integer"},{"type":"null"}]}"#)
    #expect(text([UInt8].self).contains("application/octet-stream"))
  }

  @Test func aStructShowsItsPropertiesAndWhichMayBeMissing() {
    struct Order: Decodable {
      enum Size: String, CaseIterable, Decodable { case small, large }
      var fruit: String
      var count: Int?
      var size: Size
      var notes: [String]
    }
    let properties =
      #"{"fruit":{"type":"string"},"count":{"type":"integer"},"#
      + #""size":{"enum":["small","large"]},"notes":{"type":"array","items":{"type":"string"}}}"#
    #expect(
      text(Order.self)
        == #"{"title":"Order","type":"object","properties":\#(properties),"#
        + #""required":["fruit","size","notes"]}"#)
  }

  @Test func typesWithinTypesStandOnceAndMayHoldThemselves() {
    final class Tree: Decodable {
      var name: String
      var children: [Tree]
      var parent: Tree?
    }
    struct Wood: Decodable {
      var first: Tree
      var second: Tree
    }
    let schema = JSONSchema.of(Wood.self)
    #expect(schema["properties"]?["first"] == ["$ref": "#/$defs/Tree"])
    #expect(schema["properties"]?["second"] == ["$ref": "#/$defs/Tree"])
    #expect(schema["required"] == ["first", "second"])
    let tree = schema["$defs"]?["Tree"]
    #expect(tree?["properties"]?["children"]?["items"] == ["$ref": "#/$defs/Tree"])
    #expect(tree?["required"] == ["name", "children"])
    #expect(schema["$defs"]?.members?.count == 1)
  }

  @Test func aTypeMaySpeakForItself() {
    struct Even: Decodable, SchemaDescribed {
      let value: Int
      static let jsonSchema: JSON = ["type": "integer", "multipleOf": 2]

      init(from decoder: any Decoder) throws {
        value = try decoder.singleValueContainer().decode(Int.self)
      }
    }
    struct Pair: Decodable { let even: Even, name: String }
    #expect(JSONSchema.of(Even.self) == Even.jsonSchema)
    #expect(JSONSchema.of(Pair.self)["properties"]?["even"] == Even.jsonSchema)
    #expect(JSONSchema.of(Pair.self)["required"] == ["even", "name"])
  }

  @Test func handWrittenDecodersShowWhatTheyAskFor() {
    struct Point: Decodable {
      enum Key: CodingKey { case at, label }
      init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        var at = try container.nestedUnkeyedContainer(forKey: .at)
        while !at.isAtEnd { _ = try at.decode(Double.self) }
        if container.contains(.label) { _ = try container.decode(String.self, forKey: .label) }
      }
    }
    struct Celsius: Decodable {
      init(from decoder: any Decoder) throws {
        _ = try decoder.singleValueContainer().decode(Double.self)
      }
    }
    let schema = JSONSchema.of(Point.self)
    #expect(
      schema["properties"]?["at"] == ["type": "array", "items": ["type": "number"]])
    #expect(schema["required"] == ["at"])
    #expect(JSONSchema.of(Celsius.self) == ["type": "number"])
  }
}
