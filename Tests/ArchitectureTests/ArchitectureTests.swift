import Foundation
import Testing

/// The arrows between the rooms point down, in Package.swift and in every import.
struct ArchitectureTests {
    /// docs/architecture.md's levels. C targets belong to the room that wraps them.
    static let levels: [String: Int] = [
        "CMillstream": -1, "CDecoding": -1, "CLz4": -1, "CZlib": -1, "CZstd": -1, "CRocksDB": -1, "CPCRE2": -1,
        "Columnar": 0, "Dataflow": 1, "Plan": 1, "State": 2, "Expressions": 2,
        "Connectors": 3, "Exchange": 3, "Operators": 3, "Checkpoint": 3,
        "SQL": 4, "Runtime": 4, "CABI": 5, "Service": 5, "millstream": 5,
    ]
    /// What comes with the toolchain.
    static let toolchain: Set<String> = ["Swift", "Synchronization", "Glibc", "Builtin", "_Builtin_float"]

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test("No source file imports a room beside or above its own, nor Foundation below level 5")
    func imports() throws {
        let sources = Self.root.appendingPathComponent("Sources")
        var checked = 0
        for room in try FileManager.default.contentsOfDirectory(atPath: sources.path).sorted() {
            guard let files = FileManager.default.enumerator(atPath: sources.appendingPathComponent(room).path) else { continue }
            for case let file as String in files where file.hasSuffix(".swift") {
                let level = try #require(Self.levels[room], "the room \(room) has no level")
                let text = try String(contentsOf: sources.appendingPathComponent(room).appendingPathComponent(file), encoding: .utf8)
                for module in Self.importedModules(text) {
                    checked += 1
                    let problem = Self.problem(module, in: room, level: level)
                    #expect(problem == nil, "\(room)/\(file): \(problem ?? "")")
                }
            }
        }
        #expect(checked > 100)
    }

    @Test("No target of Package.swift depends on a room beside or above its own")
    func manifest() throws {
        let text = try String(contentsOf: Self.root.appendingPathComponent("Package.swift"), encoding: .utf8)
        var checked = 0
        for chunk in text.components(separatedBy: ".target(").dropFirst() {
            let target = chunk.components(separatedBy: ".testTarget(")[0].components(separatedBy: ".systemLibrary(")[0]
            guard let name = Self.quoted(after: "name:", in: target).first, let level = Self.levels[name] else { continue }
            let list = target.components(separatedBy: "dependencies: [").dropFirst().first?.components(separatedBy: "]").first ?? ""
            for dependency in Self.quoted(after: "", in: list) {
                checked += 1
                let problem = Self.problem(dependency, in: name, level: level)
                #expect(problem == nil, "\(name): \(problem ?? "")")
            }
        }
        #expect(checked > 20)
    }

    @Test("The check itself refuses what it should")
    func canary() {
        #expect(Self.problem("Runtime", in: "Exchange", level: 3) != nil)
        #expect(Self.problem("Operators", in: "Exchange", level: 3) != nil)
        #expect(Self.problem("Foundation", in: "Runtime", level: 4) != nil)
        #expect(Self.problem("Dataflow", in: "Exchange", level: 3) == nil)
        #expect(Self.importedModules("import Columnar\n// import Runtime\n  @testable import struct Plan.Node\nlet important = 1") == ["Columnar", "Plan"])
    }

    static func problem(_ module: String, in room: String, level: Int) -> String? {
        if toolchain.contains(module) { return nil }
        guard let other = levels[module] else { return level >= 5 ? nil : "imports \(module), which is no room" }
        return other < level ? nil : "depends on \(module), which is not below it"
    }

    static func importedModules(_ text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            var words = line.split(separator: " ").map(String.init)
            while let first = words.first, first.hasPrefix("@") || first == "public" || first == "internal" { words.removeFirst() }
            guard words.first == "import", words.count > 1 else { return nil }
            let kinds: Set<String> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
            let name = kinds.contains(words[1]) && words.count > 2 ? words[2] : words[1]
            return name.split(separator: ".").first.map(String.init)
        }
    }

    /// The strings in double quotes behind a word.
    static func quoted(after word: String, in text: String) -> [String] {
        guard let start = word.isEmpty ? text.startIndex : text.range(of: word)?.upperBound else { return [] }
        return text[start...].split(separator: "\"", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
}
