// swift-tools-version: 6.2
import PackageDescription

// One list of settings for every target: what the compiler can check, nobody has to review.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")

/// A module and what it may import: the table in docs/architecture.md, checked by the build.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(
    name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: settings)
}

/// Each story stands in a folder, told in every language.
let stories = [
  (folder: "agents-calling-agents", file: "AgentsCallingAgents.swift"),
  (folder: "discovery", file: "Discovery.swift"),
  (folder: "echo", file: "Echo.swift"),
  (folder: "sessions", file: "Sessions.swift"),
  (folder: "side-by-side", file: "SideBySide.swift"),
  (folder: "streaming", file: "Streaming.swift"),
  (folder: "tools", file: "Tools.swift"),
]
let otherTellers = stories.flatMap { story in
  ["\(story.folder).py", "\(story.folder).mjs", "\(story.folder).go", "expected.txt"]
    .map { "\(story.folder)/\($0)" }
}

let package = Package(
  name: "coagent",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "coagentd", targets: ["coagentd"]),
    .executable(name: "coagent", targets: ["coagent"]),
    .library(name: "CoagentClient", targets: ["CoagentClient"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
  ],
  targets: [
    .systemLibrary(name: "CLibuv", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
    .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .target(name: "CHeaderParser"),
    module("Locking"),
    module("EventLoop", ["CLibuv", "Locking"]),
    module("Wire", ["CHeaderParser"]),
    module("Discovery", ["Wire"]),
    module("Routing", ["Wire", "Discovery"]),
    module("Connections", ["Wire"]),
    module("Hosting", ["Wire", "Locking"]),
    module("Transports", ["Wire", "EventLoop"]),
    module(
      "Sidecar",
      [
        "Wire", "Discovery", "Routing", "Connections", "EventLoop", "Transports",
      ]),
    module(
      "CoagentClient", ["Wire", "Connections", "Hosting", "Transports", "EventLoop", "Locking"]),
    module(
      "Daemon", ["Wire", "Connections", "Sidecar", "Transports", "EventLoop", "CYaml", logging]),
    .executableTarget(name: "coagentd", dependencies: ["Daemon"], swiftSettings: settings),
    .executableTarget(
      name: "coagent", dependencies: ["CoagentClient", "Wire", argumentParser],
      swiftSettings: settings),
    .executableTarget(
      name: "example-agents", dependencies: ["CoagentClient"], path: "examples/agents/swift",
      swiftSettings: settings),
    .executableTarget(
      name: "example-stories", dependencies: ["CoagentClient"], path: "examples",
      exclude: ["README.md", "agents", "go.mod", "tests"] + otherTellers,
      sources: ["Stories.swift"] + stories.map { "\($0.folder)/\($0.file)" },
      swiftSettings: settings),
    .executableTarget(
      name: "conformance-driver", dependencies: ["CoagentClient"],
      path: "proto/conformance/drivers/swift",
      // It digests what it is sent: without the optimiser 8 MiB would take it more than a second.
      swiftSettings: settings + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
    .executableTarget(
      name: "bench-swift", dependencies: ["CoagentClient"], path: "bench/swift",
      swiftSettings: settings),

    // These look into the router's records, as tests do: `make simulate` builds them for testing,
    // and with the optimiser.
    .target(
      name: "Auditing", dependencies: ["Routing", "Discovery", "Wire"], path: "Tests/Auditing",
      swiftSettings: settings),
    .executableTarget(
      name: "simulate",
      dependencies: [
        "Sidecar", "Routing", "Discovery", "Connections", "Wire", "Auditing", "TestSupport",
      ],
      path: "Tests/Simulation", exclude: ["README.md"], swiftSettings: settings),
    .target(
      name: "TestSupport", dependencies: ["Wire", "EventLoop"], path: "Tests/TestSupport",
      swiftSettings: settings),
    tests("WireTests", ["Wire"]),
    tests("EventLoopTests", ["EventLoop"]),
    tests("DiscoveryTests", ["Discovery", "Wire"]),
    tests("RoutingTests", ["Routing", "Discovery", "Wire", "Auditing"]),
    tests("ConnectionsTests", ["Connections", "Wire"]),
    tests("TransportsTests", ["Transports", "EventLoop", "Wire"]),
    tests("SidecarTests", ["Sidecar", "Routing", "Connections", "Wire"]),
    tests("DaemonTests", ["Daemon", "EventLoop", "Transports", "Wire", "coagentd", logging]),
    tests(
      "CoagentClientTests",
      ["CoagentClient", "Hosting", "Transports", "EventLoop", "Wire", "Locking", "coagentd"]),
    tests("CLITests", ["coagent", "CoagentClient", "Wire", argumentParser]),
    tests("TidyTests", []),
  ]
)
