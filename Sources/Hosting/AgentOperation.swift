public import Wire

/// One kind of message that an agent handles.
public struct AgentOperation: Sendable, Equatable {
  /// The message's type.
  public var name: String
  public var description: String
  /// JSON Schemas, if the agent gave them.
  public var input: JSON?
  public var output: JSON?
  /// It answers with several messages as they are made.
  public var streaming: Bool

  public init(
    _ name: String, _ description: String = "", input: JSON? = nil, output: JSON? = nil,
    streaming: Bool = false
  ) {
    self.name = name
    self.description = description
    self.input = input
    self.output = output
    self.streaming = streaming
  }

  public init(_ json: JSON) {
    self.init(
      json["name"]?.text ?? "", json["description"]?.text ?? "", input: json["input"],
      output: json["output"], streaming: json["streaming"]?.truth ?? false)
  }

  public var json: JSON {
    var members: [JSON.Member] = [.init("name", .string(name))]
    if !description.isEmpty { members.append(.init("description", .string(description))) }
    if let input { members.append(.init("input", input)) }
    if let output { members.append(.init("output", output)) }
    if streaming { members.append(.init("streaming", .truth(true))) }
    return .object(members)
  }
}
