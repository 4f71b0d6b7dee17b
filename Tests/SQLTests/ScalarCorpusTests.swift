import Foundation
import Testing

/// Flink's answers to its scalar expressions. `MILLSTREAM_CORPUS_REPORT=file` writes what failed, and what is not built, with reasons.
struct ScalarCorpusTests {
    @Test("Recorded scalar expressions have Flink's values, with constants and with columns in their place")
    func values() throws {
        var tables: [String: [String: [String: Int]]] = [:]
        var report: [String] = []
        for record in try ScalarCorpus.records() {
            for (mode, outcome) in ScalarCorpus.run(record) {
                let difference = KnownDifferences.reasons[record.id]
                switch outcome {
                case .passed: tables[record.category, default: [:]][mode, default: [:]]["passed", default: 0] += 1
                case .notBuilt(let reason):
                    tables[record.category, default: [:]][mode, default: [:]]["not built", default: 0] += 1
                    report.append("\(record.category) \(record.id) \(mode) NOT BUILT \(record.text) :: \(reason)")
                case .failed(let reason):
                    tables[record.category, default: [:]][mode, default: [:]][difference == nil ? "failed" : "known", default: 0] += 1
                    report.append("\(record.category) \(record.id) \(mode) \(difference == nil ? "FAILED" : "KNOWN") \(record.text) :: \(reason)")
                    if difference == nil, Self.finished.contains(record.category) { Issue.record("\(record.id) \(mode): \(record.text)\n\(reason)") }
                }
            }
        }
        var total: [String: Int] = [:]
        for (category, modes) in tables.sorted(by: { $0.key < $1.key }) {
            let parts = ["literals", "columns", "nulls"].map { mode -> String in
                let counts = modes[mode] ?? [:]
                for (what, count) in counts { total["\(mode) \(what)", default: 0] += count }
                return "\(mode) " + counts.sorted { $0.key > $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
            }
            report.append("\(category): " + parts.joined(separator: "; "))
        }
        report.append("all: " + total.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
        if let path = ProcessInfo.processInfo.environment["MILLSTREAM_CORPUS_REPORT"] { try report.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8) }
        #expect(total["literals passed", default: 0] >= Self.passedAtLeast, "\(report.suffix(30).joined(separator: "\n"))")
    }

    /// Categories in which what fails is a mistake.
    static let finished: Set = [
        "arithmetic", "array", "bitmap", "cast_matrix", "cast_more", "cast_string", "comparison", "conditional", "decimal_types", "hash_encode", "json", "literal", "logical",
        "map_row_multiset", "math", "regex", "string", "structured", "system", "temporal_arith", "temporal_extract", "temporal_floor_ceil", "temporal_format", "temporal_ltz",
        "temporal_ltz_dst", "variant",
    ]
    /// How many expressions have Flink's value; only ever more.
    static let passedAtLeast = 2_411
}

/// Records whose value here is another than the recorded one, and why.
enum KnownDifferences {
    static let reasons: [Int: String] = [
        165: "text compares by UTF-8 bytes everywhere; Flink compares by UTF-16 where it holds a Java string",
        1878: "a TIMESTAMP(9) is 64 bits of nanoseconds, which end in 2262: what lies beyond is the last of them",
        1920: "a year of five digits keeps them all as text",
        2185: "a year of seven digits keeps them all as text",
        3594: "Flink fails on an element of MAP_FROM_ARRAYS",
        4514: "Flink fails on an element of MAP_UNION",
        2052: "a number cast to INTERVAL SECOND counts seconds, as it does in Flink where it is a constant; a column counts milliseconds there",
        1308: "LPAD counts code points; Flink counts UTF-16 units",
        1400: "SPLIT by nothing gives characters; Flink cuts those of two UTF-16 units",
        4278: "half a surrogate pair is no character",
        4298: "OVERLAY counts code points; Flink counts UTF-16 units, and cuts a character",
        3764: "a whole number of JSON is a DOUBLE; Flink fails with a class that does not fit",
        3767: "a value of another type is an error that ON ERROR speaks of; Flink fails with a class that does not fit",
        3768: "as 3767",
        3770: "as 3767",
        3775: "as 3767",
    ]
}
