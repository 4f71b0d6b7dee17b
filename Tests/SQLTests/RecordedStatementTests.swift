import Columnar
import Foundation
import Testing
@testable import SQL

/// The recorded scripts' statements that need no rows of a table: CREATE, ALTER, DROP, USE, SHOW, DESCRIBE, SET, and where INSERT is refused before it is planned.
struct RecordedStatementTests {
    /// Where Millstream does otherwise, and why.
    private static let differences: [String: String] = [:]
    /// Refused by the planner, which the session hands them to.
    private static let plannersRefusals: Set = ["dml_019", "dml_020", "dml_026"]

    private struct Count {
        var agreed = 0
        var all = 0
    }

    @Test("Statements that need no rows give Flink's results, or are refused where it refuses them", arguments: ["streaming", "batch"])
    func recorded(mode: String) throws {
        var counts: [String: Count] = [:]
        var failures: [String] = []
        for record in try Corpus.lines("queries.jsonl") where record["kind"] as? String == "script" {
            guard let id = record["id"] as? String, let results = (record[mode] as? [String: Any])?["results"] as? [[String: Any]] else { continue }
            let test = try TestSession(batch: mode == "batch")
            try test.createRecorded(Set(record["tables"] as? [String] ?? []))
            for setup in record["setup"] as? [String] ?? [] { _ = try test.session.execute(setup) }
            for (index, result) in results.enumerated() {
                guard let text = result["sql"] as? String else { continue }
                let label = "\(id)[\(index)] \(text)"
                guard let verdict = Self.compare(test, text, result, id) else { continue }
                counts[record["category"] as? String ?? "", default: Count()].all += 1
                if verdict.isEmpty {
                    counts[record["category"] as? String ?? "", default: Count()].agreed += 1
                } else {
                    failures.append("\(label): \(verdict)")
                }
            }
        }
        for failure in failures { Issue.record("\(failure)") }
        for (category, count) in counts.sorted(by: { $0.key < $1.key }) { print("\(mode) \(category): \(count.agreed) of \(count.all)") }
        #expect(counts["ddl"]?.all ?? 0 > 90 && counts["dml"]?.all ?? 0 > 20)
    }

    /// Nil: the statement is a query, which has no result here. Empty: as recorded.
    private static func compare(_ test: TestSession, _ text: String, _ result: [String: Any], _ id: String) -> String? {
        let refused = (result["error"] as? [String: Any])?["stage"] as? String
        let outcome: StatementOutcome
        do throws(MillstreamError) { outcome = try test.session.execute(text) } catch {
            if refused == "parse" || refused == "validate" || refused == "plan" { return "" }
            return "refused: \(error)"
        }
        switch outcome {
        case .query, .explain, .showJobs, .describeJob, .delete, .update, .truncate:
            // Rows are another's matter.
            return refused == nil || refused == "runtime" ? nil : plannersRefusals.contains(id) ? nil : "accepted, refused in Flink"
        case .insert(let requests):
            if let refused, refused != "runtime" { return plannersRefusals.contains(id) ? nil : "accepted, refused in Flink" }
            let names = (result["schema"] as? [[String]] ?? []).map { $0[0] }
            return refused == nil && names != requests.map(\.target.path.description) ? "targets \(requests.map(\.target.path.description))" : ""
        case .createTableAs(let request):
            let names = (result["schema"] as? [[String]] ?? []).map { $0[0] }
            return names == [request.target.path.description] ? "" : "target \(request.target.path)"
        case .result(let table):
            if refused != nil { return "accepted, refused in Flink" }
            if table.kind.rawValue != result["kind"] as? String { return "kind \(table.kind.rawValue)" }
            guard let schema = result["schema"] as? [[String]] else { return "" }
            let ours = table.columns.map { [$0.name, $0.type.description] }
            if ours != schema { return "columns \(ours)" }
            let rows = (result["rows"] as? [[Any]] ?? []).map { $0.map(recordedText) }
            let own = table.rows.map { $0.map(TestSession.text) }
            return own == rows ? "" : "rows\n\(own)\ninstead of\n\(rows)"
        }
    }

    private static func recordedText(_ value: Any) -> String? {
        if value is NSNull { return nil }
        if let number = value as? NSNumber, CFGetTypeIDIsBoolean(number) { return number.boolValue ? "true" : "false" }
        return "\(value)"
    }

    /// JSON's true and false come as numbers.
    private static func CFGetTypeIDIsBoolean(_ number: NSNumber) -> Bool {
        String(cString: number.objCType) == "c" || String(cString: number.objCType) == "B"
    }
}
