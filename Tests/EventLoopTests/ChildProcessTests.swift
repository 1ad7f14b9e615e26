import EventLoop
import Foundation
import TestSupport
import Testing

@Suite @LoopActor struct ChildProcessTests {
  @Test func aChildIsFedAndRead() async throws {
    var command = ChildProcess.Command("cat")
    command.input = .pipe
    command.output = .pipe
    var ending: ChildProcess.Ending?
    let child = try ChildProcess(command) { ending = $0 }
    #expect(child.pid > 0)
    let collector = Collector()
    try #require(child.output).startReading(collector)
    try #require(child.input).write(Array("through the cat".utf8))
    child.input?.finishWriting()
    try await wait(for: "the end of its output") { collector.hasEnded }
    try await wait(for: "its end") { ending != nil }
    #expect(collector.text == "through the cat")
    #expect(ending == .exited(code: 0))
    child.input?.close()
    child.output?.close()
  }

  @Test func exitCodeEnvironmentAndDirectoryArePassed() async throws {
    var command = ChildProcess.Command("/bin/sh", arguments: ["-c", "echo $WORD; pwd; exit 3"])
    command.output = .pipe
    command.environment = ["WORD": "hello"]
    command.directory = "/"
    var ending: ChildProcess.Ending?
    let child = try ChildProcess(command) { ending = $0 }
    let collector = Collector()
    try #require(child.output).startReading(collector)
    try await wait(for: "its end") { ending != nil && collector.hasEnded }
    #expect(ending == .exited(code: 3))
    #expect(collector.text == "hello\n/\n")
    #expect(child.hasExited)
    #expect(throws: StreamError.self) { try child.kill(SIGTERM) }
    child.output?.close()
  }

  @Test func aChildCanBeKilled() async throws {
    var command = ChildProcess.Command("cat")
    command.input = .pipe
    var ending: ChildProcess.Ending?
    let child = try ChildProcess(command) { ending = $0 }
    try child.kill(SIGTERM)
    try await wait(for: "its end") { ending != nil }
    #expect(ending == .killed(signal: SIGTERM))
    child.input?.close()
  }

  @Test func aProgramThatIsNotThereIsAnError() {
    #expect(throws: StreamError.noSuchFile) {
      try ChildProcess(.init("/nonexistent/program")) { _ in }
    }
  }
}
