internal import CHeaderParser
internal import Glibc

/// JSON at the level of bytes: the one place that escapes strings and spells integers.
public enum JSONText {
  /// Writes `text` escaped, without quotes, at most six bytes for each of its own; returns the end.
  public static func escape(
    _ text: UnsafeRawBufferPointer, to: UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer {
    var cursor = to
    for byte in text {
      if byte >= 0x20 && byte != 0x22 && byte != 0x5C {
        cursor.storeBytes(of: byte, as: UInt8.self)
        cursor += 1
      } else {
        cursor = escape(byte, to: cursor)
      }
    }
    return cursor
  }

  private static func escape(
    _ byte: UInt8, to: UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer {
    func pair(_ second: UInt8) -> UnsafeMutableRawPointer {
      to.storeBytes(of: 0x5C, as: UInt8.self)
      to.storeBytes(of: second, toByteOffset: 1, as: UInt8.self)
      return to + 2
    }
    switch byte {
    case 0x22, 0x5C: return pair(byte)
    case 0x0A: return pair(UInt8(ascii: "n"))
    case 0x0D: return pair(UInt8(ascii: "r"))
    case 0x09: return pair(UInt8(ascii: "t"))
    default:
      let prefix: StaticString = "\\u00"
      memcpy(to, prefix.utf8Start, 4)
      let digits: StaticString = "0123456789abcdef"
      to.storeBytes(of: digits.utf8Start[Int(byte >> 4)], toByteOffset: 4, as: UInt8.self)
      to.storeBytes(of: digits.utf8Start[Int(byte & 15)], toByteOffset: 5, as: UInt8.self)
      return to + 6
    }
  }

  /// Writes `value` in decimal, at most 20 bytes; returns the end.
  public static func decimal(
    _ value: UInt64, to: UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(
      coagent_put_decimal(value, to.assumingMemoryBound(to: UInt8.self)))
  }

  /// Copies valid JSON without the white space between its tokens; returns the end.
  public static func compact(
    _ text: UnsafeRawBufferPointer, to: UnsafeMutableRawPointer
  ) -> UnsafeMutableRawPointer {
    var cursor = to
    var inString = false
    var escaped = false
    for byte in text {
      if inString {
        if escaped {
          escaped = false
        } else if byte == 0x5C {
          escaped = true
        } else if byte == 0x22 {
          inString = false
        }
      } else if byte == 0x22 {
        inString = true
      } else if byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
        continue
      }
      cursor.storeBytes(of: byte, as: UInt8.self)
      cursor += 1
    }
    return cursor
  }
}
