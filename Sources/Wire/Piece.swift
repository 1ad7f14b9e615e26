/// One frame of one direction of a call: a message, or a part of one.
public struct Piece: Sendable, Equatable {
  public var content: [UInt8]
  /// The kind of message; empty when it has none, and in all but a message's first frame.
  public var type: String
  /// Empty: `application/json`.
  public var contentType: String
  /// The JSON text of a flat object, empty for none.
  public var ext: [UInt8]
  /// The message goes on in the next frame.
  public var isPart: Bool
  /// The host asks for no order between this and its neighbours.
  public var isUnordered: Bool

  public init(
    _ content: [UInt8], type: String = "", contentType: String = "", ext: [UInt8] = [],
    isPart: Bool = false, isUnordered: Bool = false
  ) {
    self.content = content
    self.type = type
    self.contentType = contentType
    self.ext = ext
    self.isPart = isPart
    self.isUnordered = isUnordered
  }

  /// Copies what a frame holds, whose slices do not last.
  public init(_ header: Header, _ content: Content) {
    self.init(
      Array(content.bytes), type: header[.type].text, contentType: header[.contentType].text,
      ext: Array(header[.ext]), isPart: header[.part] && !header[.end],
      isUnordered: header[.unordered])
  }

  /// What it takes of a window, in bytes.
  public var cost: Int { content.count + Limits.frameCostBytes }

  /// What its fields take of a header, in bytes.
  public var headerBytes: Int { type.escapedBytes + contentType.escapedBytes + ext.count }
}

extension String {
  /// The length as JSON text, without quotes.
  public var escapedBytes: Int {
    utf8.reduce(0) { $0 + ($1 < 0x20 ? 6 : $1 == 0x22 || $1 == 0x5C ? 2 : 1) }
  }
}
