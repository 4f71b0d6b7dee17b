// swift-tools-version: 6.2
import PackageDescription

// Exclusivity is checked while debugging and in the tests; hot loops over class storage do not pay for it in a release.
let engine: [SwiftSetting] = [
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

// The front end's tests look at what it keeps to itself: `make test` asks for that; the library is built without.
let testable: [SwiftSetting] = Context.environment["MILLSTREAM_TESTS"] == nil ? [] : [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]

// The rooms of docs/architecture.md, lowest first. A target may depend on lower levels only; Tests/ArchitectureTests says so.
let package = Package(
    name: "millstream",
    products: [
        .library(name: "millstream", type: .dynamic, targets: ["CABI"]),
        // Loaded when a job first keeps state in RocksDB. `make build` compiles it with the system's compiler.
        .library(name: "millstream_rocksdb", type: .dynamic, targets: ["RocksDBLibrary"]),
    ],
    targets: [
        // The C header, compiled alone, so that an edit is tracked and a mistake is found.
        .target(name: "CMillstream", path: "include", sources: ["millstream.c"], publicHeadersPath: "."),
        // C and C++ libraries of the formats, for Connectors and Checkpoint.
        .target(name: "CDecoding", linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLz4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .systemLibrary(name: "CRocksDB"),
        .target(name: "RocksDBLibrary", linkerSettings: [.linkedLibrary("rocksdb")]),
        // Level 0
        .target(name: "Columnar", dependencies: ["CMillstream"], swiftSettings: engine),
        // Level 1
        .target(name: "Dataflow", dependencies: ["Columnar"], swiftSettings: engine),
        .target(name: "Plan", dependencies: ["Columnar"], swiftSettings: engine),
        // Level 2
        .target(name: "State", dependencies: ["Columnar", "Dataflow", "CRocksDB"], swiftSettings: engine),
        .target(name: "Expressions", dependencies: ["Columnar", "Plan", "CPCRE2"], swiftSettings: engine),
        // Level 3
        .target(name: "Exchange", dependencies: ["Columnar", "Dataflow"], swiftSettings: engine),
        .target(name: "Operators", dependencies: ["Columnar", "Dataflow", "Expressions", "Plan", "State"], swiftSettings: engine),
        .target(
            name: "Connectors", dependencies: ["Columnar", "Dataflow", "Plan", "CDecoding", "CZlib", "CZstd"], swiftSettings: engine),
        .target(name: "Checkpoint", dependencies: ["Columnar", "Dataflow", "CLz4", "CZstd"], swiftSettings: engine),
        // Level 4
        .target(name: "SQL", dependencies: ["Columnar", "Expressions", "Plan"], swiftSettings: engine + testable),
        .target(
            name: "Runtime",
            dependencies: ["Columnar", "Dataflow", "Expressions", "Plan", "State", "Exchange", "Operators", "Connectors", "Checkpoint"],
            swiftSettings: engine),
        // Level 5
        .target(
            name: "CABI", dependencies: ["CMillstream", "Columnar", "Dataflow", "Expressions", "Plan", "Operators", "Connectors", "Checkpoint", "Runtime", "SQL"],
            swiftSettings: engine),
        // Columns of every type from a seed, checkpoints of one operator, batches from Swift values, for several rooms' tests.
        .target(name: "TestColumns", dependencies: ["Checkpoint", "Columnar", "Dataflow", "State"], path: "Tests/Support"),
        .target(name: "TestRows", dependencies: ["Columnar"], path: "Tests/Rows"),
        .testTarget(name: "ColumnarTests", dependencies: ["CMillstream", "Columnar", "TestColumns"], exclude: ["Golden"]),
        .testTarget(name: "CheckpointTests", dependencies: ["Checkpoint", "Columnar", "Dataflow", "State", "TestColumns"]),
        .testTarget(name: "StateTests", dependencies: ["Columnar", "Dataflow", "Plan", "State", "TestColumns"], swiftSettings: engine),
        .testTarget(name: "ArchitectureTests"),
        .testTarget(name: "ExchangeTests", dependencies: ["Columnar", "Dataflow", "Exchange"]),
        .testTarget(name: "RuntimeTests", dependencies: ["Checkpoint", "Columnar", "Connectors", "Dataflow", "Plan", "Exchange", "Operators", "Runtime"]),
        .testTarget(name: "OperatorsTests", dependencies: ["Columnar", "Dataflow", "Plan", "State", "Operators", "TestColumns", "TestRows"]),
        .testTarget(name: "DataflowTests", dependencies: ["Columnar", "Dataflow"]),
        .testTarget(name: "CABITests", dependencies: ["CABI", "CMillstream", "Columnar", "Dataflow", "Plan"]),
        .testTarget(name: "ExpressionsTests", dependencies: ["Columnar", "Expressions", "Plan", "TestRows"], exclude: ["Golden"]),
        .testTarget(name: "SQLTests", dependencies: ["Columnar", "Expressions", "Plan", "SQL"], exclude: ["Golden"]),
        .testTarget(name: "ConnectorsTests", dependencies: ["Connectors"], exclude: ["Golden"], swiftSettings: engine),
    ],
    cxxLanguageStandard: .cxx17
)
