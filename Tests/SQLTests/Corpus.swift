import Foundation

/// Statements with what Apache Flink 2.3 says to them: Golden/queries.jsonl and Golden/sql_expressions.jsonl, recorded from it.
struct Corpus {
    struct Statement {
        let id: String
        let text: String
        /// Where Flink refuses it: `parse`, `validate`, `plan`, `execute`, `runtime`; nil where it does not.
        let refusedAt: String?
    }

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")

    static func lines(_ name: String) throws -> [[String: Any]] {
        let text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        return try text.split(separator: "\n").map { line in
            guard let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else { throw CocoaError(.fileReadCorruptFile) }
            return object
        }
    }

    private static func stage(_ result: Any?) -> String? {
        guard let error = (result as? [String: Any])?["error"] as? [String: Any] else { return nil }
        return error["stage"] as? String ?? error["phase"] as? String
    }

    static func statements() throws -> [Statement] {
        var all: [Statement] = []
        for record in try lines("queries.jsonl") {
            guard let id = record["id"] as? String, let text = record["sql"] as? String else { continue }
            for setup in record["setup"] as? [String] ?? [] { all.append(Statement(id: id, text: setup, refusedAt: nil)) }
            let mode = record["streaming"] as? [String: Any] ?? record["batch"] as? [String: Any]
            if let parts = record["statements"] as? [String] {
                let results = mode?["results"] as? [Any] ?? []
                for (part, result) in zip(parts, results) { all.append(Statement(id: id, text: part, refusedAt: stage(result))) }
            } else {
                all.append(Statement(id: id, text: text, refusedAt: stage(mode)))
            }
        }
        for record in try lines("sql_expressions.jsonl") {
            guard let expression = record["expr"] as? String else { continue }
            let from = (record["from"] as? String).map { " FROM \($0)" } ?? ""
            all.append(Statement(id: "\(record["id"] ?? "")", text: "SELECT \(expression)\(from)", refusedAt: stage(record)))
        }
        let schema = try String(contentsOf: folder.appendingPathComponent("schema.sql"), encoding: .utf8)
        for part in schema.components(separatedBy: ";\n") { all.append(Statement(id: "schema", text: part, refusedAt: nil)) }
        return all
    }
}
