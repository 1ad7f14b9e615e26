public import Wire

/// Content that is not what its type asks for, and where.
public struct BadContent: Error, Equatable, Sendable {
  /// The path of the member, such as `operations[2].name`; empty for the content as a whole.
  public let field: String
  public let message: String

  public init(_ field: String, _ message: String) {
    self.field = field
    self.message = message
  }
}

/// The content of `register`: a list of `{name, description?, input?, output?, streaming?}`, where
/// `input` and `output` are JSON Schemas.
public enum Operations {
  /// A registration that names no operations.
  public static let none: [UInt8] = Array("[]".utf8)

  /// The content without its insignificant white space, once known to be a list of operations.
  public static func check(
    _ content: UnsafeRawBufferPointer, bytesMax: Int = Limits().registrationBytesMax
  ) throws(BadContent) -> [UInt8] {
    guard content.count > 0 else { return none }
    guard content.count <= bytesMax else {
      throw BadContent("operations", "\(content.count) bytes exceed \(bytesMax)")
    }
    let value: JSON
    do {
      value = try JSONReader.read(content)
    } catch {
      throw BadContent("operations", error.description)
    }
    guard let operations = value.elements else {
      throw BadContent("operations", "must be a list")
    }
    for (index, operation) in operations.enumerated() {
      try check(operation, "operations[\(index)]")
    }
    return [UInt8](unsafeUninitializedCapacity: content.count) { room, count in
      let start = UnsafeMutableRawPointer(room.baseAddress!)
      count = JSONText.compact(content, to: start) - start
    }
  }

  private static func check(_ operation: JSON, _ path: String) throws(BadContent) {
    guard operation.members != nil else { throw BadContent(path, "must be an object") }
    guard let name = operation["name"]?.text else {
      throw BadContent("\(path).name", "must be a string")
    }
    guard (1...Limits.nameBytesMax).contains(name.utf8.count) else {
      throw BadContent("\(path).name", "must have 1 to \(Limits.nameBytesMax) bytes")
    }
    if let description = operation["description"], description.text == nil {
      throw BadContent("\(path).description", "must be a string")
    }
    for key in ["input", "output"] {
      // A schema is an object, or true or false.
      guard let schema = operation[key] else { continue }
      guard schema.members != nil || schema.truth != nil else {
        throw BadContent("\(path).\(key)", "must be a JSON Schema")
      }
    }
    if let streaming = operation["streaming"], streaming.truth == nil {
      throw BadContent("\(path).streaming", "must be true or false")
    }
  }
}
