import Foundation
import TestSupport
import Testing
import Transports

@Suite struct EndpointTests {
  @Test(arguments: [
    ("unix:/run/coagentd.sock", Endpoint.unix(path: "/run/coagentd.sock")),
    ("unix:///run/coagentd.sock", .unix(path: "/run/coagentd.sock")),
    ("unix:/with space/ä", .unix(path: "/with space/ä")),
    ("tcp://127.0.0.1:7000", .tcp(host: "127.0.0.1", port: 7000)),
    ("tcp://localhost:0", .tcp(host: "localhost", port: 0)),
    ("tcp://[::1]:65535", .tcp(host: "::1", port: 65535)),
  ])
  func whatIsWellFormedIsRead(text: String, endpoint: Endpoint) throws {
    #expect(try Endpoint(parsing: text) == endpoint)
    #expect(try Endpoint(parsing: endpoint.description) == endpoint)
  }

  @Test(arguments: [
    "", "/run/coagentd.sock", "unix:", "unix:relative", "unix:/", "unix://host/path", "unix:/a\0b",
    "tcp:127.0.0.1:7000", "tcp://127.0.0.1", "tcp://:7000", "tcp://host:", "tcp://host:65536",
    "tcp://host:-1", "tcp://host:+1", "tcp://host:7000/path", "tcp://user@host:7000",
    "tcp://::1:7000", "tcp://[]:7000", "tcp://ho st:7000", "http://host:7000",
  ])
  func whatIsNotIsRefusedWithItsText(text: String) throws {
    let error = try #require(throws: EndpointError.self) { try Endpoint(parsing: text) }
    #expect(error.text == text)
    #expect(!error.problem.isEmpty)
  }

  @Test(arguments: [
    (["COAGENT_URL": "tcp://h:1", "XDG_RUNTIME_DIR": "/run/user/1"], "tcp://h:1"),
    (
      ["COAGENT_URL": "", "XDG_RUNTIME_DIR": "/run/user/1"],
      "unix:/run/user/1/coagent/coagentd.sock"
    ),
    (["XDG_RUNTIME_DIR": "/run/user/1/"], "unix:/run/user/1/coagent/coagentd.sock"),
    (["TMPDIR": "/var/tmp"], "unix:/var/tmp/coagent-\(geteuid())/coagentd.sock"),
    ([:], "unix:/tmp/coagent-\(geteuid())/coagentd.sock"),
  ])
  func theStandardEndpointFollowsTheEnvironment(
    variables: [String: String], expected: String
  ) throws {
    #expect(try Endpoint.standard { variables[$0] }.description == expected)
  }

  @Test func aBadURLInTheEnvironmentIsAnError() {
    #expect(throws: EndpointError.self) {
      try Endpoint.standard { $0 == "COAGENT_URL" ? "nonsense" : nil }
    }
  }

  @Test func theSocketDirectoryIsMadePrivate() throws {
    let parent = TemporaryDirectory()
    let path = parent.file("coagent")
    try SocketDirectory.prepare(path)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o700)
    try SocketDirectory.prepare(path)
  }

  @Test func aSocketDirectoryThatOthersMayEnterIsRefused() throws {
    let parent = TemporaryDirectory()
    let path = parent.file("open")
    #expect(mkdir(path, 0o700) == 0)
    #expect(chmod(path, 0o755) == 0)
    let error = try #require(throws: SocketDirectoryError.self) {
      try SocketDirectory.prepare(path)
    }
    #expect(error.problem.contains("755"))
    #expect(throws: SocketDirectoryError.self) {
      try SocketDirectory.prepare(parent.file("missing/child"))
    }
    try FileManager.default.createSymbolicLink(
      atPath: parent.file("link"), withDestinationPath: parent.path)
    #expect(throws: SocketDirectoryError.self) {
      try SocketDirectory.prepare(parent.file("link"))
    }
  }
}
