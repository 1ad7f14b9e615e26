internal import Connections
internal import EventLoop
internal import Glibc
internal import Logging

/// The whole program, from its arguments to its exit code.
public enum DaemonProgram {
  /// Does what the command line asks for and ends the process.
  ///
  /// To be called from the main thread, which becomes the loop's, before anything uses the loop.
  public static nonisolated func run() -> Never {
    WorkerLauncher.becomeWorker(CommandLine.arguments.dropFirst())
    ProcessSetup.settleSignals()
    let environment = ProcessSetup.environment()
    do throws(ConfigurationError) {
      let arguments = try Arguments(CommandLine.arguments.dropFirst())
      switch arguments.mode {
      case .help: self.end(.done, Usage.help)
      case .version: self.end(.done, "coagentd \(Usage.version)\n")
      case .printConfiguration:
        self.end(.done, Usage.yaml(try ConfigurationReader.read(arguments, environment)))
      case .checkConfiguration:
        let reader = try ConfigurationReader.read(arguments, environment)
        _ = try self.tokens(reader.configuration)
        self.end(.done, "the configuration is right\n")
      case .run:
        let configuration = try ConfigurationReader.read(arguments, environment).configuration
        let tokens = try self.tokens(configuration)
        LoopActor.runOnThisThread {
          DaemonProcess(configuration, environment, tokens: tokens).start()
        }
      }
    } catch {
      FileText.write("coagentd: \(error)\n", to: 2)
      exit(ExitCode.badConfiguration.rawValue)
    }
  }

  static func tokens(_ configuration: Configuration) throws(ConfigurationError) -> TokenList {
    guard let path = configuration.tokensFile else { return TokenList() }
    return TokenList(try TokensFile.load(path).map { (name: $0.name, token: $0.token) })
  }

  private static func end(_ code: ExitCode, _ text: String) -> Never {
    FileText.write(text, to: 1)
    exit(code.rawValue)
  }
}

/// Text to a descriptor, whole and waiting if need be: for programs that end after it.
enum FileText {
  static func write(_ text: String, to descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno != EINTR { return }
      rest = rest.dropFirst(max(0, count))
    }
  }
}
