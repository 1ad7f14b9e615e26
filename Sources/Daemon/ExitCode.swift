/// How the daemon ends. The numbers are part of its interface: units and scripts test them.
enum ExitCode: Int32, CaseIterable, Sendable {
  case done = 0
  case failed = 1
  case badConfiguration = 2
  case alreadyRunning = 3
  case cannotListen = 4

  var meaning: String {
    switch self {
    case .done: "ended by a signal after draining, or printed what was asked for"
    case .failed: "something unexpected; also a second signal while draining"
    case .badConfiguration: "a wrong option, configuration file or tokens file"
    case .alreadyRunning: "another daemon listens on the same Unix socket"
    case .cannotListen: "an address could not be listened on"
    }
  }
}
