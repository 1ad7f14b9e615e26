internal import Glibc

/// Writes one frame into an `OutBuffer`: the two lengths, the header field by field, the content.
///
/// Fields stand in the order of the calls, without white space, `op` first and `id` second. Strings
/// are escaped here and nowhere else.
public struct HeaderWriter {
  private let out: OutBuffer
  private var cursor: UnsafeMutableRawPointer
  private var start: UnsafeMutableRawPointer
  private var end: UnsafeMutableRawPointer

  /// Begins a frame of operation `op`; `id` is written when given.
  public init(_ out: OutBuffer, _ op: StaticString, id: UInt64? = nil) {
    self.out = out
    start = out.reserve(Self.firstRoom)
    end = start + Self.firstRoom
    cursor = start + 8
    put("{\"op\":\"")
    put(op)
    put("\"")
    if let id { integer("id", id) }
  }

  /// Begins the fields of a frame that is written later: no lengths, no `op`, no `id`.
  public init(tailInto out: OutBuffer) {
    self.out = out
    start = out.reserve(Self.firstRoom)
    end = start + Self.firstRoom
    cursor = start
  }

  public mutating func string(_ key: StaticString, _ value: UnsafeRawBufferPointer) {
    require(key.utf8CodeUnitCount + 8 + value.count * 6)
    self.key(key)
    put("\"")
    cursor = JSONText.escape(value, to: cursor)
    put("\"")
  }

  public mutating func string(_ key: StaticString, _ value: String) {
    var value = value
    value.withUTF8 { string(key, UnsafeRawBufferPointer($0)) }
  }

  public mutating func word(_ key: StaticString, _ value: StaticString) {
    require(key.utf8CodeUnitCount + 8 + value.utf8CodeUnitCount)
    self.key(key)
    put("\"")
    put(value)
    put("\"")
  }

  public mutating func integer(_ key: StaticString, _ value: UInt64) {
    require(key.utf8CodeUnitCount + 28)
    self.key(key)
    cursor = JSONText.decimal(value, to: cursor)
  }

  /// Writes `"key":true`; what is false is left out.
  public mutating func truth(_ key: StaticString) {
    require(key.utf8CodeUnitCount + 12)
    self.key(key)
    put("true")
  }

  /// Copies an object's JSON text that the header parser has checked.
  public mutating func object(_ key: StaticString, _ text: UnsafeRawBufferPointer) {
    require(key.utf8CodeUnitCount + 8 + text.count)
    self.key(key)
    cursor = JSONText.compact(text, to: cursor)
  }

  /// Writes `"details":{"key":"value"}`.
  public mutating func details(_ key: StaticString, _ value: String) {
    var value = value
    value.withUTF8 { bytes in
      require(key.utf8CodeUnitCount + 32 + bytes.count * 6)
      put(",\"details\":{\"")
      put(key)
      put("\":\"")
      cursor = JSONText.escape(UnsafeRawBufferPointer(bytes), to: cursor)
      put("\"}")
    }
  }

  /// Writes `"details":{"key":value}`.
  public mutating func details(_ key: StaticString, _ value: UInt64) {
    require(key.utf8CodeUnitCount + 48)
    put(",\"details\":{\"")
    put(key)
    put("\":")
    cursor = JSONText.decimal(value, to: cursor)
    put("}")
  }

  /// Copies fields that were written by `init(tailInto:)` before.
  public mutating func fields(_ tail: UnsafeRawBufferPointer) {
    require(tail.count + 1)
    copy(tail)
  }

  /// Ends the frame and appends its content.
  public mutating func finish(_ content: Content = .none) {
    require(1)
    put("}")
    let header = cursor - start - 8
    start.storeBytes(of: UInt32(truncatingIfNeeded: header).bigEndian, as: UInt32.self)
    start.storeBytes(
      of: UInt32(truncatingIfNeeded: content.count).bigEndian, toByteOffset: 4, as: UInt32.self)
    out.commit(header + 8)
    out.frames &+= 1
    out.append(content)
  }

  /// Ends fields begun with `init(tailInto:)`.
  public mutating func finishTail() {
    out.commit(cursor - start)
  }

  private mutating func key(_ key: StaticString) {
    put(",\"")
    put(key)
    put("\":")
  }

  @inline(__always)
  private mutating func put(_ text: StaticString) {
    memcpy(cursor, text.utf8Start, text.utf8CodeUnitCount)
    cursor += text.utf8CodeUnitCount
  }

  private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0 else { return }
    memcpy(cursor, bytes.baseAddress!, bytes.count)
    cursor += bytes.count
  }

  @inline(__always)
  private mutating func require(_ size: Int) {
    if cursor + size > end { grow(size) }
  }

  // What is written so far is not committed, so it has to be carried over when the buffer moves.
  private mutating func grow(_ size: Int) {
    let written = cursor - start
    let kept = UnsafeMutableRawBufferPointer.allocate(byteCount: written, alignment: 1)
    kept.copyMemory(from: UnsafeRawBufferPointer(start: start, count: written))
    let room = written + size + Self.firstRoom
    start = out.reserve(room)
    memcpy(start, kept.baseAddress!, written)
    kept.deallocate()
    end = start + room
    cursor = start + written
  }

  // Enough for the lengths, `op`, `id` and a few short fields of most frames.
  private static let firstRoom = 512
}
