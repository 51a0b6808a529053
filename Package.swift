// swift-tools-version: 6.2
import PackageDescription

// The rooms and who may import whom. scripts/graph asserts the decision (docs/decisions/0001) from
// `swift package dump-package` and from the import lines.

// In CI a warning is an error.
let warnings: [SwiftSetting] = Context.environment["CI"] == "true" ? [.treatAllWarnings(as: .error)] : []
let strict: [SwiftSetting] =
  [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
  ] + warnings

// Outside parts, by the name the rooms call them.
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioFoundationCompat = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")

func room(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let package = Package(
  name: "paas",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "paas", targets: ["paas"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
    .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
    .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
    .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
  ],
  targets: [
    // Vocabulary and wire
    room("Platform", []),
    room("Wire", ["Platform"]),

    // The four rooms the project exists for; they never import one another
    room(
      "GitReceiver",
      [
        "Platform", "Wire", "Client", "Archive", "CGit2", "CSSH", "CDeflate", "CZlib", "Linux", "CLinux", crypto,
        logging,
      ]),
    room("Buildpacks", ["Platform", "Archive", "Sandbox", "Linux", "CLinux", crypto]),
    room("SlugRunner", ["Platform", "Sandbox", "Linux", "CLinux", crypto, logging]),
    room("Router", ["Platform", "Wire", "Client", "Linux", "CLinux", logging, nioCore, nioPosix, crypto]),

    // What the server is made of
    room("Store", ["Platform", "Linux", grdb, crypto]),
    room(
      "ControlPlane",
      ["Platform", "Wire", "Store", "Buildpacks", "SlugRunner", "Linux", "CLinux", crypto, cryptoExtras, logging]),
    room(
      "API",
      [
        "Platform", "Wire", "ControlPlane", "Linux", "CLinux", hummingbird, httpTypes, logging, nioCore, nioPosix,
        serviceLifecycle,
      ]),

    // What the user holds
    room("Client", ["Platform", "Wire", "Linux", asyncHTTPClient, nioCore, nioHTTP1, nioFoundationCompat]),
    room("Commands", ["Platform", "Wire", "Client", "Linux", "CLinux", argumentParser]),

    // Shared ground
    room("Sandbox", ["Platform", "Linux", "CLinux"]),
    room("Archive", ["Platform", "CArchive", "Linux"]),
    room("Linux", ["Platform", "CLinux"]),

    .executableTarget(
      name: "paas",
      dependencies: [
        "Platform", "Wire", "GitReceiver", "Buildpacks", "SlugRunner", "Router", "ControlPlane", "Store", "API",
        "Client",
        "Commands", "Sandbox", "Archive", "Linux", "CLinux", argumentParser, logging, unixSignals,
      ], swiftSettings: strict),

    // C: module maps and shims, nothing that Swift can do itself
    .systemLibrary(name: "CGit2", path: "Sources/C/CGit2", pkgConfig: "libgit2", providers: [.apt(["libgit2-dev"])]),
    .systemLibrary(name: "CSSH", path: "Sources/C/CSSH", pkgConfig: "libssh", providers: [.apt(["libssh-dev"])]),
    .systemLibrary(
      name: "CArchive", path: "Sources/C/CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(
      name: "CDeflate", path: "Sources/C/CDeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
    .systemLibrary(name: "CZlib", path: "Sources/C/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CLinux", path: "Sources/C/CLinux"),

    tests("PlatformTests", ["Platform"]),
    tests("WireTests", ["Wire", "Platform"]),
    tests(
      "GitReceiverTests",
      ["GitReceiver", "Platform", "Wire", "Archive", "CGit2", "CDeflate", "Linux", "CLinux", crypto, logging]),
    tests("BuildpacksTests", ["Buildpacks", "Platform", "Archive", "Sandbox", "paas", "Linux", crypto]),
    tests("SlugRunnerTests", ["SlugRunner", "Platform", "Sandbox", "Linux", crypto, logging]),
    tests("RouterTests", ["Router", "Platform", "Wire", "Linux", "CLinux", logging, nioCore, nioPosix, crypto]),
    tests("StoreTests", ["Store", "Platform", crypto, grdb]),
    tests("ControlPlaneTests", ["ControlPlane", "Buildpacks", "Platform", "Wire", "Store", "Linux", logging]),
    tests(
      "APITests",
      [
        "API", "Buildpacks", "Platform", "Wire", "ControlPlane", "Store", "Client", "Linux", "CLinux", httpTypes,
        hummingbird, logging, nioCore,
      ]),
    tests("ClientTests", ["Client", "Platform", "Wire", "Linux", nioCore, nioHTTP1, nioPosix]),
    tests("CommandsTests", ["Commands", "Platform", "Wire", "Client", "Linux", argumentParser]),
    tests("SandboxTests", ["Sandbox", "Platform", "Linux"]),
    tests("ArchiveTests", ["Archive", "Platform", "CArchive", "Linux"]),
    tests("LinuxTests", ["Linux", "Platform"]),
    tests(
      "EndToEnd", ["paas", "Commands", "GitReceiver", "Platform", "Wire", "Linux", "Sandbox", argumentParser]),
  ]
)

// `make fuzz` only: libFuzzer's driver, and the rooms that it feeds made to tell what they reach.
if Context.environment["PAAS_FUZZ"] == "1" {
  let fuzzer: [SwiftSetting] = [.unsafeFlags(["-sanitize=fuzzer", "-parse-as-library", "-O"])]
  for target in package.targets where target.name == "GitReceiver" || target.name == "Router" {
    target.swiftSettings = (target.swiftSettings ?? []) + fuzzer
  }
  package.targets.append(
    .executableTarget(
      name: "fuzz", dependencies: ["GitReceiver", "Router", "Platform", "Linux", crypto], path: "Fuzz/Sources",
      swiftSettings: strict + fuzzer, linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
}
