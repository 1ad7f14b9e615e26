internal import CLibuv

/// What the operating system says of this process's memory.
public enum ProcessMemory {
  /// The resident size, in bytes; 0 when the system does not tell.
  public static func residentBytes() -> UInt64 {
    var bytes = 0
    return uv_resident_set_memory(&bytes) == 0 ? UInt64(bytes) : 0
  }
}
