private import Glibc

/// The folder proto/ of this repository: tests load it, they do not copy it.
public enum Proto {
  /// What a test wanted from proto/ is not there, or not in its form.
  public struct Missing: Error, CustomStringConvertible {
    public let description: String

    public init(description: String) {
      self.description = description
    }
  }

  /// The bytes of a file under proto/.
  public static func bytes(_ path: String) throws -> [UInt8] {
    try Files.bytes(try root() + "/" + path)
  }

  public static func json(_ path: String) throws -> SpelledJSON {
    try SpelledJSON(parsing: try bytes(path))
  }

  /// Names of the files directly in a folder under proto/ that end in `suffix`, sorted.
  public static func files(in folder: String, ending suffix: String) throws -> [String] {
    let path = try root() + "/" + folder
    guard let directory = opendir(path) else { throw Missing(description: "no folder \(path)") }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasSuffix(suffix) { names.append(name) }
    }
    return names.sorted().map { "\(folder)/\($0)" }
  }

  /// The repository's own folder: the nearest above this file that has a Package.swift.
  public static func repository() throws -> String {
    var folder = #filePath
    while let slash = folder.lastIndex(of: "/") {
      folder = String(folder[..<slash])
      if access(folder + "/Package.swift", R_OK) == 0 { return folder }
    }
    throw Missing(description: "no Package.swift above \(#filePath)")
  }

  private static func root() throws -> String { try repository() + "/proto" }
}

/// Whole files.
public enum Files {
  public static func bytes(_ path: String) throws -> [UInt8] {
    guard let file = fopen(path, "rb") else { throw Proto.Missing(description: "no file \(path)") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 {
      bytes.append(contentsOf: buffer[..<count])
    }
    return bytes
  }
}
