import Testing

@testable import Daemon

@Suite struct WorkerSettingsTests {
  @Test func aWorkerHasItsSettings() throws {
    let file = """
      workers:
        words:
          command: [python3, -u, agents.py, ""]
          count: 3
          directory: /srv/agents
          environment:
            LANG: C
            EMPTY: ""
          restart: on_failure
        other-one:
          command: run-it
      """
    var words = WorkerSettings(name: "words", command: ["python3", "-u", "agents.py", ""])
    words.count = 3
    words.directory = "/srv/agents"
    words.environment = ["LANG": "C", "EMPTY": ""]
    words.restart = .onFailure
    let other = WorkerSettings(name: "other-one", command: ["run-it"])
    let reader = try configured(file: file)
    #expect(reader.configuration.workers == [words, other])
    #expect(other.count == 1 && other.restart == .always)
    let again = try configured(file: Usage.yaml(reader))
    #expect(again.configuration == reader.configuration)
  }

  @Test(arguments: [
    ("workers: 7", "desk.yaml:1: workers is a mapping of names to settings"),
    ("workers:\n  a b: {command: x}", "desk.yaml:2: workers: \"a b\" is no name"),
    ("workers:\n  a:\n    count: 2", "desk.yaml:2: workers.a: command is missing"),
    ("workers:\n  a: {command: []}", "desk.yaml:2: workers.a: command is missing"),
    ("workers:\n  a: {command: {}}", "desk.yaml:2: workers.a.command: a single value is expected"),
    ("workers:\n  a:\n    command: x\n    count: -1", "desk.yaml:4: workers.a.count: \"-1\" is no"),
    ("workers:\n  a:\n    command: x\n    count: 1001", "from 0 to 1000"),
    ("workers:\n  a: {command: x, restart: maybe}", "none of always, on_failure, never"),
    ("workers:\n  a: {command: x, comand: y}", "\"workers.a.comand\"; did you mean \"command\"?"),
    ("workers:\n  a: {command: x, environment: {A=B: c}}", "\"A=B\" cannot name a variable"),
    ("worker:\n  a: {command: x}", "unknown key \"worker\"; did you mean \"workers\"?"),
  ])
  func whatIsWrongIsNamedWithItsLine(_ file: String, _ expected: String) {
    #expect(refusal(file: file).contains(expected), "\(refusal(file: file))")
  }
}
