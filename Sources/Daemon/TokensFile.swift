internal import Glibc

/// Who may connect over TCP: tokens, and the name of the principal that each stands for.
///
///     # one a line; what is before the colon names the principal
///     ci:3f0c6f3f5a8e4b0f
///     laptop:9b1e77c2d1a94c55
///
/// A file of one token without a name is allowed, its principal is `default`.
enum TokensFile {
  static let bytesMax = 1 << 20
  static let nameBytesMax = 64
  static let tokenBytesMax = 1_024
  static let soleName = "default"

  struct Entry: Equatable {
    var name: String
    var token: String
  }

  /// Throws what is wrong, with the line where it is.
  static func load(_ path: String) throws(ConfigurationError) -> [Entry] {
    let file: SmallFile
    do throws(BadValue) {
      file = try SmallFile.read(path, bytesMax: self.bytesMax)
    } catch {
      throw ConfigurationError(origin: .builtIn, message: "tokens_file: \(error.message)")
    }
    if file.mode & 0o077 != 0 {
      throw ConfigurationError(
        origin: .builtIn,
        message: "tokens_file: others may use \(path) (mode 0\(String(file.mode, radix: 8))); "
          + "chmod 600 it")
    }
    if file.owner != geteuid() && file.owner != 0 {
      throw ConfigurationError(
        origin: .builtIn,
        message: "tokens_file: \(path) belongs to user \(file.owner), not to this one")
    }
    return try self.parse(String(decoding: file.bytes, as: UTF8.self), path: path)
  }

  static func parse(_ text: String, path: String) throws(ConfigurationError) -> [Entry] {
    var entries: [Entry] = []
    var number = 0
    for raw in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      func refuse(_ message: String) -> ConfigurationError {
        ConfigurationError(origin: .file(path: path, line: number), message: message)
      }
      var line = Substring(raw)
      if line.utf8.last == UInt8(ascii: "\r") { line = Substring(line.utf8.dropLast()) }
      line = line.trimmingSpaces()
      if line.isEmpty || line.hasPrefix("#") { continue }
      let entry: Entry
      do throws(BadValue) {
        entry = try self.entry(line)
      } catch {
        throw refuse(error.message)
      }
      if entries.contains(where: { $0.name == entry.name }) {
        throw refuse("the name \"\(entry.name)\" is there twice; each token wants its own")
      }
      if entries.contains(where: { $0.token == entry.token }) {
        throw refuse("this token is there twice")
      }
      entries.append(entry)
    }
    if entries.isEmpty {
      throw ConfigurationError(origin: .builtIn, message: "tokens_file: no token is in \(path)")
    }
    return entries
  }

  /// Never puts the token itself into an error, which ends in a log.
  private static func entry(_ line: Substring) throws(BadValue) -> Entry {
    var name = Self.soleName
    var token = line
    if let colon = line.firstIndex(of: ":") {
      name = String(line[..<colon].trimmingSpaces())
      token = line[line.index(after: colon)...].trimmingSpaces()
    }
    guard (1...self.nameBytesMax).contains(name.utf8.count), name.utf8.allSatisfy(self.isNameByte)
    else {
      throw BadValue("a token's name is 1 to 64 letters, digits, dots, dashes and underscores")
    }
    guard (1...self.tokenBytesMax).contains(token.utf8.count),
      token.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
    else {
      throw BadValue("a token is 1 to 1024 visible ASCII characters")
    }
    return Entry(name: name, token: String(token))
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
      UInt8(ascii: "."):
      true
    default: false
    }
  }
}
