import ArgumentParser
import CoagentClient

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct Doctor: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check that everything is well, and say what to do if not.")

  @OptionGroup var reach: Reach

  func run() async throws {
    var report = Report()
    checkClock(&report)
    checkDescriptors(&report)
    let isThere = try checkPlace(&report)
    if isThere { await checkSidecar(&report) }
    Output.flush()
    if report.hasFailed { throw ExitCode(Complaint.failed) }
  }

  private struct Report {
    var hasFailed = false

    func ok(_ what: String, _ found: String) { line("ok  ", .green, what, found) }
    func warn(_ what: String, _ found: String, _ advice: String) {
      line("warn", .yellow, what, found)
      Output.line("        \(advice)")
    }
    mutating func fail(_ what: String, _ found: String, _ advice: String) {
      hasFailed = true
      line("FAIL", .red, what, found)
      Output.line("        \(advice)")
    }

    private func line(_ word: String, _ style: Output.Style, _ what: String, _ found: String) {
      let space = String(repeating: " ", count: max(1, 12 - what.count))
      Output.line("\(Output.styled(word, style))  \(what)\(space)\(found)")
    }
  }

  private func checkClock(_ report: inout Report) {
    let now = time(nil)
    var text = [CChar](repeating: 0, count: 32)
    var parts = tm()
    var when = now
    gmtime_r(&when, &parts)
    strftime(&text, text.count, "%Y-%m-%d %H:%M:%S UTC", &parts)
    let shown = String(
      decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // 2025-01-01: earlier than this program.
    if now < 1_735_689_600 {
      report.warn("clock", shown, "The clock is wrong; logs and certificates will be too.")
    } else {
      report.ok("clock", shown)
    }
  }

  private func checkDescriptors(_ report: inout Report) {
    var limit = rlimit()
    getrlimit(RLIMIT_NOFILE_CODE, &limit)
    let found = "\(limit.rlim_cur) open files (at most \(limit.rlim_max))"
    if limit.rlim_cur < 1_024 {
      report.warn("limits", found, "A daemon under this limit serves few clients: ulimit -n 65536")
    } else {
      report.ok("limits", found)
    }
  }

  /// Where the sidecar should be, and whether the socket is there and safe.
  private func checkPlace(_ report: inout Report) throws -> Bool {
    let url: String
    do {
      url = try reach.url ?? Client.standardURL()
    } catch {
      report.fail("url", "\(error)", "Set COAGENT_URL to unix:/path or tcp://host:port.")
      return false
    }
    let source =
      reach.url != nil ? "--url" : getenv("COAGENT_URL") != nil ? "COAGENT_URL" : "default"
    report.ok("url", "\(url) (\(source))")
    guard url.hasPrefix("unix:") else { return true }
    let path = String(url.dropFirst("unix:".count))
    var found = stat()
    if lstat(path, &found) != 0 {
      let why = String(cString: strerror(errno))
      report.fail("socket", "\(path): \(why)", "Start the daemon: coagentd")
      return false
    }
    if found.st_mode & S_IFMT != S_IFSOCK {
      report.fail("socket", "\(path) is no socket", "Remove it, or choose another --url.")
      return false
    }
    let mode = String(found.st_mode & 0o777, radix: 8)
    if found.st_uid != geteuid() {
      report.warn(
        "socket", "belongs to user \(found.st_uid), mode \(mode)",
        "It is another user's daemon; it must allow yours.")
    } else if found.st_mode & 0o007 != 0 {
      report.warn(
        "socket", "mode \(mode)", "Others may connect to it; the daemon makes it with mode 600.")
    } else {
      report.ok("socket", "mode \(mode), yours")
    }
    return true
  }

  private func checkSidecar(_ report: inout Report) async {
    do {
      let client = try await reach.connect()
      let server = await client.server
      report.ok("connection", "\(server?.server ?? "?"), connection \(server?.connection ?? "?")")
      checkVersion(server?.server ?? "", &report)
      let time = try await client.ping().microseconds
      if time > 100_000 {
        report.warn("ping", Figure.time(us: time), "That is slow: is the machine very busy?")
      } else {
        report.ok("ping", Figure.time(us: time))
      }
      let start = ContinuousClock.now
      let agents = try await client.discover(recursive: true)
      let spent = (ContinuousClock.now - start).microseconds
      report.ok("discovery", "\(agents.count) agents in \(Figure.time(us: spent))")
      await checkLoad(client, &report)
      await client.close()
    } catch let error as AgentError {
      let advice: String =
        switch error.code {
        case .unauthenticated: "Give the daemon's token with --token-file or COAGENT_TOKEN_FILE."
        case .permissionDenied: "The daemon does not allow your user; see its allowed uids."
        case .unavailable: "The socket is there but nobody answers: start coagentd again."
        default: "See the daemon's log."
        }
      report.fail("connection", "\(error)", advice)
    } catch {
      report.fail("connection", "\(error)", "See the daemon's log.")
    }
  }

  private func checkVersion(_ server: String, _ report: inout Report) {
    let version = server.split(separator: "/").last.map { String($0) } ?? server
    if version == ClientOptions.version {
      report.ok("version", "\(version), the same as this program's")
    } else {
      report.warn(
        "version", "daemon \(version), this program \(ClientOptions.version)",
        "They understand each other, but install the same version of both.")
    }
  }

  private func checkLoad(_ client: Client, _ report: inout Report) async {
    let message = Message(Array("{}".utf8), type: "StatsQuery")
    guard let stats = try? await client.call("stats", message).json() else { return }
    let waiting = stats["calls"]?["waiting"]?.integer ?? 0
    let found =
      "up \(stats.time("uptime_ms")), \(stats.number("connections")) connections, "
      + "\(stats["calls"]?.number("open") ?? "0") calls open, \(waiting) waiting"
    if waiting > 1_000 {
      report.warn("load", found, "Agents do not keep up; see which: coagent stats")
    } else {
      report.ok("load", found)
    }
  }
}

#if canImport(Glibc)
  private let RLIMIT_NOFILE_CODE = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
#else
  private let RLIMIT_NOFILE_CODE = RLIMIT_NOFILE
#endif
