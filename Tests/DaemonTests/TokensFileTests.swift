import Glibc
import TestSupport
import Testing

@testable import Daemon

/// A folder of its own for one test, removed with what is in it.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/coagent-test-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    self.path = String(cString: made)
  }

  func write(_ name: String, _ text: String, mode: mode_t) throws -> String {
    let path = "\(self.path)/\(name)"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try #require(Glibc.write(descriptor, text, text.utf8.count) == text.utf8.count)
    try #require(fchmod(descriptor, mode) == 0)
    return path
  }

  deinit {
    if let directory = opendir(self.path) {
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        unlink("\(self.path)/\(name)")
      }
      closedir(directory)
    }
    rmdir(self.path)
  }
}

@Suite struct TokensFileTests {
  private func parse(_ text: String) throws -> [String: String] {
    let entries = try TokensFile.parse(text, path: "tokens")
    return Dictionary(entries.map { ($0.name, $0.token) }) { first, _ in first }
  }

  private func refusal(_ text: String) -> String {
    do {
      return "taken: \(try self.parse(text))"
    } catch {
      return "\(error)"
    }
  }

  @Test func linesAreNamesAndTokens() throws {
    let text = "# who\n\nci:abc:def=\n \tlaptop : s3cret \r\n"
    #expect(try self.parse(text) == ["ci": "abc:def=", "laptop": "s3cret"])
    #expect(try self.parse("  only-one\n") == ["default": "only-one"])
  }

  @Test func mistakesNameTheLineAndNeverTheToken() {
    #expect(self.refusal("a:hidden1\na:hidden2\n").hasPrefix("tokens:2: the name \"a\""))
    #expect(self.refusal("one-token\nanother\n").hasPrefix("tokens:2: the name \"default\""))
    #expect(self.refusal("a:same\n\nb:same\n") == "tokens:3: this token is there twice")
    #expect(self.refusal("a b:hidden\n").hasPrefix("tokens:1: a token's name is"))
    #expect(self.refusal(":hidden\n").hasPrefix("tokens:1: a token's name is"))
    #expect(self.refusal("a:\n").hasPrefix("tokens:1: a token is 1 to 1024"))
    #expect(self.refusal("a:hid den\n").hasPrefix("tokens:1: a token is 1 to 1024"))
    #expect(
      self.refusal("a:" + String(repeating: "h", count: 1025)).hasPrefix("tokens:1: a token is"))
    #expect(self.refusal("# nobody\n") == "tokens_file: no token is in tokens")
    #expect(!self.refusal("a:hid den\n").contains("hid den"))
  }

  @Test func aFileThatOthersMayReadIsRefused() throws {
    let folder = try TemporaryFolder()
    #expect(
      try TokensFile.load(folder.write("own", "a:b\n", mode: 0o600)) == [
        .init(name: "a", token: "b")
      ])
    #expect(
      try TokensFile.load(folder.write("read-only", "a:b\n", mode: 0o400)) == [
        .init(name: "a", token: "b")
      ])
    for mode: mode_t in [0o644, 0o640, 0o620, 0o602] {
      let path = try folder.write("shared", "a:b\n", mode: mode)
      #expect(throws: ConfigurationError.self, "mode \(mode)") { try TokensFile.load(path) }
    }
  }

  @Test func whatIsNoOrdinaryFileIsRefusedWithoutWaitingForIt() throws {
    let folder = try TemporaryFolder()
    let pipe = "\(folder.path)/pipe"
    try #require(mkfifo(pipe, 0o600) == 0)
    #expect(throws: ConfigurationError.self) { try TokensFile.load(pipe) }
    #expect(throws: ConfigurationError.self) { try TokensFile.load(folder.path) }
    #expect(throws: ConfigurationError.self) { try TokensFile.load("\(folder.path)/none") }
    let large = try folder.write("large", String(repeating: "#\n", count: 1 << 20), mode: 0o600)
    #expect(throws: ConfigurationError.self) { try TokensFile.load(large) }
  }
}
