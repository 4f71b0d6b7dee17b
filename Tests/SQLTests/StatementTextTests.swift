import Columnar
import Foundation
import Testing
@testable import SQL

/// Expressions and queries written back as text, against what Flink 2.3 showed: `DESCRIBE` of a computed column (Golden/expression_texts.jsonl), `SHOW CREATE VIEW`
/// (Golden/view_texts.jsonl).
struct StatementTextTests {
    private static let columns = """
        a INT, b BIGINT, s STRING, d DECIMAL(10,2), dt DATE, ts TIMESTAMP(3), lt TIMESTAMP_LTZ(3), bo BOOLEAN, arr ARRAY<INT>, m MAP<STRING,INT>, r ROW<x INT, y STRING>, bi BYTES,
        j STRING
        """

    /// Flink shows casts that nobody wrote, words that its parser does not take back, or NULL without a type.
    private static let otherExpressions: [String: String] = [
        "ARRAY[1, 2, a]": "ARRAY[1, 2, `a`]", "(ts, ts) OVERLAPS (ts, ts)": "ROW(`ts`, `ts`) OVERLAPS ROW(`ts`, `ts`)", "U&'\\0041'": "'A'",
        "NULL": "",
    ]

    @Test("Expressions of computed columns are written as Flink writes them, and mean the same when they are read again")
    func expressions() throws {
        var agreed = 0
        let records = try Corpus.lines("expression_texts.jsonl")
        #expect(records.count > 130)
        for record in records {
            guard let expression = record["expr"] as? String, let flinks = record["text"] as? String else { continue }
            let expected = Self.otherExpressions[expression] ?? flinks
            if expected.isEmpty { continue }
            let test = try TestSession()
            let refusal = test.refusal("CREATE TABLE t (\(Self.columns), x AS \(expression)) WITH ('connector' = 'datagen')")
            guard refusal == "accepted" else {
                Issue.record("\(expression): \(refusal)")
                continue
            }
            let row = try test.run("DESCRIBE t").last ?? []
            let type = (row[1] ?? "") + (row[2] == "true" ? "" : " NOT NULL")
            #expect(row[4] == "AS \(expected)", "\(expression)")
            if row[4] == "AS \(expected)" { agreed += 1 }
            // An interval's fields are not kept in its type.
            if !type.hasPrefix("INTERVAL") { #expect(type == record["type"] as? String, "\(expression)") }
            // Read again, it is the same column.
            let created = try test.run("SHOW CREATE TABLE t")[0][0] ?? ""
            let again = try test.run("DROP TABLE t", created, "SHOW CREATE TABLE t")[0][0] ?? ""
            #expect(again == created)
        }
        print("expressions as text: \(agreed) of \(records.count)")
    }

    private static let tables = [
        "CREATE TABLE ta (a INT, b INT, s STRING) WITH ('connector' = 'datagen')",
        "CREATE TABLE tb (a INT, c INT, s STRING, arr ARRAY<INT>, r ROW<x INT, y STRING>) WITH ('connector' = 'datagen')",
        "CREATE TABLE ev (id INT, ts TIMESTAMP(3), v DOUBLE, WATERMARK FOR ts AS ts, pt AS PROCTIME(), m MAP<STRING, INT>) WITH ('connector' = 'datagen')",
        "CREATE TABLE dim (id INT, n STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'datagen')",
    ]

    /// Where Flink's text is none that its own parser reads, or says no more than ours: the words of the query that has it.
    private static let otherQueries = [
        "USING (", "NATURAL ", "TABLE(TUMBLE", "TABLE(HOP", "GROUP BY TUMBLE", "MATCH_RECOGNIZE", "GROUPING SETS", "> (SELECT", "(SELECT COUNT",
        "OPTIONS", "tb.r.*", "CROSS JOIN UNNEST", "AS q FROM tb",
    ]

    @Test("Queries of views are written as Flink writes them; what is written expands to itself")
    func views() throws {
        var (agreed, all) = (0, 0)
        for record in try Corpus.lines("view_texts.jsonl") {
            guard let query = record["query"] as? String, let expected = record["text"] as? String else { continue }
            let test = try TestSession()
            for table in Self.tables { _ = try test.session.execute(table) }
            func expanded(_ text: String) throws -> String {
                guard case .query(let syntax) = try Parser.statement(text).kind else { return "no query" }
                return try ViewExpansion(test.session, SourceText(text)).text(syntax)
            }
            let text = try expanded(query)
            #expect(try expanded(text) == text, "\(query)")
            all += 1
            if text == expected {
                agreed += 1
            } else if !Self.otherQueries.contains(where: { query.contains($0) }) {
                Issue.record("\(query)\n\(text)\ninstead of\n\(expected)")
            }
        }
        print("views as text: \(agreed) of \(all)")
        #expect(all > 50 && agreed > 40)
    }

    @Test("Thousands of operators in a row need no deep stack")
    func longChains() throws {
        let text = "`a`" + String(repeating: " + 1 - 2", count: 900)
        #expect(SQLText.expression(try Parser.expression(text)) == text)
        let mixed = "(`a`" + String(repeating: " + 1", count: 900) + ") * 2"
        #expect(SQLText.expression(try Parser.expression(mixed)) == mixed)
    }
}
