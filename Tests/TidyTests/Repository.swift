import Glibc
import TestSupport

/// The files of this repository, as git lists them: tracked, and new ones that are not ignored.
struct Repository {
  struct File {
    /// From the repository's own folder.
    var path: String
    var bytes: [UInt8]
    var isTracked: Bool

    var lines: [String] {
      self.bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        .map { String(decoding: $0, as: UTF8.self) }
    }

    func ends(with suffixes: String...) -> Bool { suffixes.contains { self.path.hasSuffix($0) } }
    func isUnder(_ folders: String...) -> Bool {
      folders.contains { self.path.hasPrefix($0 + "/") }
    }
  }

  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Read once: every rule looks at all of it.
  static let files: Result<[File], any Error> = Result {
    let root = try Proto.repository()
    let tracked = try Self.list(root, "--cached")
    let new = try Self.list(root, "--others --exclude-standard")
    if tracked.isEmpty { throw Failure(description: "git lists no files in \(root)") }
    var files: [File] = []
    for (path, isTracked) in tracked.map({ ($0, true) }) + new.map({ ($0, false) }) {
      // One that is removed and not yet committed is still listed.
      guard access("\(root)/\(path)", R_OK) == 0 else { continue }
      files.append(
        File(path: path, bytes: try Files.bytes("\(root)/\(path)"), isTracked: isTracked))
    }
    return files
  }

  static func all() throws -> [File] { try self.files.get() }

  static func swift() throws -> [SwiftFile] { try self.swiftFiles.get() }

  private static let swiftFiles: Result<[SwiftFile], any Error> = Result {
    try Self.all().filter { $0.ends(with: ".swift") }.map(SwiftFile.init)
  }

  private static func list(_ root: String, _ what: String) throws -> [String] {
    // The folder may belong to somebody else, as in a container: git wants to hear that it is fine.
    let command = "git -c safe.directory='*' -C '\(root)' ls-files -z \(what)"
    guard let pipe = popen(command, "r") else { throw Failure(description: "cannot run git") }
    var bytes: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 64 << 10)
    while case let count = fread(&room, 1, room.count, pipe), count > 0 { bytes += room[..<count] }
    guard pclose(pipe) == 0 else { throw Failure(description: "failed: \(command)") }
    return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  }
}

/// A place that breaks a rule, as compilers write it.
struct Finding: CustomStringConvertible {
  var path: String
  var line: Int?
  var what: String

  var description: String {
    self.line.map { "\(self.path):\($0): \(self.what)" } ?? "\(self.path): \(self.what)"
  }
}

extension [Finding] {
  var report: String { "\n" + self.map(\.description).joined(separator: "\n") }
}
