import CoagentClient
import Glibc

/// The driver of the Swift client, as proto/conformance/DRIVER.md wants it: a JSON command a line
/// on standard input, what happens a line each on standard output.
@main
struct ConformanceDriver {
  static func main() async {
    let driver = Driver()
    Output.write(object(("event", .string("ready")), ("language", .string("swift"))))
    var input = LineReader()
    while let line = input.next() { driver.take(line) }
    await driver.close()
  }
}

/// Lines of standard input, read by the one thread that does nothing else.
struct LineReader {
  private var bytes: [UInt8] = []
  private var start = 0
  private var scanned = 0
  private var room = [UInt8](repeating: 0, count: 64 << 10)

  init() {}

  /// The next line that is not empty, without its end; nil when there is none any more.
  mutating func next() -> [UInt8]? {
    while true {
      if let end = bytes[scanned...].firstIndex(of: 0x0A) {
        let line = Array(bytes[start..<end])
        start = end + 1
        scanned = start
        if !line.isEmpty { return line }
        continue
      }
      bytes.removeFirst(start)
      start = 0
      scanned = bytes.count
      let count = read(STDIN_FILENO, &room, room.count)
      guard count > 0 else { return nil }
      bytes += room[..<count]
    }
  }
}

/// Who has been made by commands, by the names that the runner gave.
final class Driver: Sendable {
  let names = Names()
  private let running = Table<Int64, RunningCommand>()

  init() {}

  /// Begins a command; its answer is written when it is done.
  ///
  /// It runs here up to where it first waits, so that commands begin in the order of their lines.
  func take(_ line: [UInt8]) {
    guard let command = Command(line) else { return }
    if command.verb == "cancel", let number = command.integer("command") {
      running[number]?.cancel()
      Output.answer(command.number, ("ok", .object([])))
      return
    }
    let handle = RunningCommand()
    running[command.number] = handle
    let task = Task.immediateDetached { [self] in
      do {
        let result = try await result(of: command)
        Output.answer(command.number, ("ok", result))
      } catch let refusal as Unsupported {
        Output.answer(command.number, ("unsupported", .string(refusal.why)))
      } catch {
        Output.answer(command.number, ("error", Report.error(error)))
      }
      running[command.number] = nil
    }
    handle.begin(task)
  }

  private func result(of command: Command) async throws -> JSON {
    switch command.verb {
    case "connect": try await connect(command)
    case "close": try await close(command)
    case "drain": try await drain(command)
    case "call": try await call(command)
    case "stream": try await open(command, hasInput: false)
    case "open": try await open(command, hasInput: true)
    case "next": try await next(command)
    case "next_part": try await nextPart(command)
    case "rest": try await rest(command)
    case "leave": try await leave(command)
    case "put": try await put(command)
    case "finish": try await finish(command)
    case "send": try await send(command)
    case "publish": try await publish(command)
    case "subscribe": try await subscribe(command)
    case "discover": try await discover(command)
    case "watch": try await watch(command)
    case "register": try await register(command)
    case "unregister": try await unregister(command)
    case "reply", "fail_at", "input", "answer", "fail", "forward": try await script(command)
    case "delegate": try await delegate(command)
    case "splice": try await splice(command)
    case "hand_off": try await handOff(command)
    case "signal", "interrupt", "cancel", "pause", "resume": try await signal(command)
    case "attach": try await attach(command)
    case "runs": try await runs(command)
    case "decode": try Decoding.result(of: command)
    default: throw Unsupported(why: "no command '\(command.verb)'")
    }
  }

  func close() async {
    for client in names.clients.all { await client.close() }
  }
}

/// A command under way, to be cancelled as Swift cancels: with its task.
private final class RunningCommand: Sendable {
  private let task = Guarded<Task<Void, Never>?>(nil)

  func begin(_ task: Task<Void, Never>) { self.task.set(task) }
  func cancel() { task.value?.cancel() }
}

/// What the runner calls things.
final class Names: Sendable {
  let clients = Table<String, Client>()
  let streams = Table<String, OpenStream>()
  let watches = Table<String, OpenWatch>()
  let topics = Table<String, OpenTopic>()
  let registrations = Table<String, AgentRegistration>()
  let scripts = Table<String, Script>()
  let delegated = Table<String, Delegated>()
  private let counter = Guarded(0)

  init() {}

  /// A name of the driver's own, such as `h7`.
  func fresh(_ letter: String) -> String {
    "\(letter)\(counter.change { count in count += 1; return count })"
  }
}
