import Glibc
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Daemon

/// Keeps the lines that were logged.
final class LogRecorder: LogWriter {
  private let lines = Mutex<[String]>([])

  func write(_ line: [UInt8]) {
    self.lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
  }

  var text: [String] { self.lines.withLock { $0 } }
}

@Suite struct LogTests {
  private func logger(
    _ format: Configuration.LogFormat, _ recorder: LogRecorder, level: Logger.Level = .info
  ) -> Logger {
    Logger(label: "test") { _ in
      LineLogHandler(logLevel: level, format: format, writer: recorder)
    }
  }

  /// Everything after the time, which is checked for its form.
  private func body(_ line: String) throws -> String {
    let time = line.prefix(24)
    #expect(time.last == "Z" && time.count == 24)
    return String(line.dropFirst(25))
  }

  @Test func textLinesQuoteWhatWouldNotBeOneWord() throws {
    let recorder = LogRecorder()
    self.logger(.text, recorder).info(
      "ready\nor not",
      metadata: [
        "listen": ["unix:/a", "tcp://[::1]:1"], "empty": "", "plain": "x", "spaced": "a \"b\"",
        "count": .stringConvertible(5), "nested": ["k": "v"],
      ])
    let line = try #require(recorder.text.first)
    #expect(
      try self.body(line)
        == "info     ready\\nor not count=5 empty=\"\" listen=unix:/a,tcp://[::1]:1 nested=k:v "
        + "plain=x spaced=\"a \\\"b\\\"\"\n")
  }

  @Test func jsonLinesAreJSON() throws {
    let recorder = LogRecorder()
    var logger = self.logger(.json, recorder)
    logger[metadataKey: "pid"] = .stringConvertible(7)
    logger.error(
      "it \"broke\"\u{1}",
      metadata: [
        "listen": ["unix:/a"], "nested": ["k": "é\n"], "fine": .stringConvertible(true),
        "ratio": .stringConvertible(1.5),
      ])
    let line = try #require(recorder.text.first)
    #expect(line.hasSuffix("}\n") && line.filter { $0 == "\n" }.count == 1)
    let value = try SpelledJSON(parsing: line)
    #expect(value["level"] == .text("error"))
    #expect(value["message"] == .text("it \"broke\"\u{1}"))
    #expect(value["listen"] == .array([.text("unix:/a")]))
    #expect(value["nested"]?["k"] == .text("é\n"))
    #expect(value["pid"] == .integer(7))
    #expect(value["fine"] == .bool(true))
    #expect(value["ratio"] == .text("1.5"))
  }

  @Test(arguments: ["x", "é", "\"", "\u{1}", "\\", "🚲"])
  func jsonLinesThatAreTooLongAreStillJSON(_ character: String) throws {
    let recorder = LogRecorder()
    let long = String(repeating: character, count: 5_000)
    let logger = self.logger(.json, recorder)
    logger.info("\(long)", metadata: ["stream": "output"])
    logger.info("short", metadata: ["peer": "\(long)"])
    let lines = recorder.text
    #expect(lines.allSatisfy { $0.utf8.count <= DescriptorLogWriter.lineBytesMax })
    #expect(lines[0].utf8.count > DescriptorLogWriter.lineBytesMax - 12)
    #expect(lines[0].hasSuffix("…\",\"stream\":\"output\"}\n"))
    #expect(lines[1].hasSuffix("\"message\":\"short\",\"cut\":true}\n"))
    let message = try #require(SpelledJSON(parsing: lines[0])["message"]?.string)
    #expect(message.dropLast().allSatisfy { String($0) == character })
    #expect(try SpelledJSON(parsing: lines[1])["message"] == .text("short"))
  }

  @Test func levelsBelowTheOneInForceAreNotWritten() {
    let recorder = LogRecorder()
    let logger = self.logger(.text, recorder, level: .warning)
    logger.info("quiet")
    logger.warning("loud")
    #expect(recorder.text.count == 1)
    let handler = LineLogHandler(logLevel: .critical, format: .text, writer: recorder)
    handler.write(.notice, "ready", [:])
    #expect(recorder.text.count == 2)
  }

  @Test func timesAreUTCWithMilliseconds() {
    #expect(Timestamp.text(seconds: 0, milliseconds: 7) == "1970-01-01T00:00:00.007Z")
    #expect(Timestamp.text(seconds: 951_782_400, milliseconds: 0) == "2000-02-29T00:00:00.000Z")
    #expect(Timestamp.text(seconds: 4_102_444_799, milliseconds: 999) == "2099-12-31T23:59:59.999Z")
  }

  @Test func aReaderThatStopsReadingDropsLinesAndHearsHowMany() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { ends.forEach { close($0) } }
    let writer = DescriptorLogWriter(descriptor: ends[1])
    let line = [UInt8](repeating: UInt8(ascii: "x"), count: 1_023) + [0x0A]
    // A pipe holds 64 KiB; without the check the sixty-fifth line would wait for ever.
    for _ in 0..<100 { writer.write(line) }
    var room = [UInt8](repeating: 0, count: 1 << 20)
    let first = read(ends[0], &room, room.count)
    #expect(first > 0 && first < 100 * 1_024)
    writer.write(Array("after\n".utf8))
    let second = read(ends[0], &room, room.count)
    let text = String(decoding: room[..<second], as: UTF8.self)
    #expect(
      text == "coagentd: \(100 - first / 1_024) log lines were dropped, nobody read them\nafter\n")
  }

  @Test func aLineTooLongForOnePieceIsCut() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { ends.forEach { close($0) } }
    DescriptorLogWriter(descriptor: ends[1]).write([UInt8](repeating: 65, count: 10_000))
    var room = [UInt8](repeating: 0, count: 1 << 16)
    #expect(read(ends[0], &room, room.count) == DescriptorLogWriter.lineBytesMax)
    #expect(room[4_092..<4_096].elementsEqual("...\n".utf8))
  }

  @Test func aClosedReaderIsNoFailure() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    close(ends[0])
    defer { close(ends[1]) }
    signal(SIGPIPE, SIG_IGN)
    DescriptorLogWriter(descriptor: ends[1]).write(Array("nobody\n".utf8))
    #expect(fcntl(ends[1], F_GETFD) >= 0)
  }
}
