import Columnar
import Foundation
import Plan
@testable import SQL

/// Columns of simple queries, for statements that hold one: SELECT with expressions over tables in FROM, joined or not, and VALUES.
final class SimplePlanner: QueryPlanner {
    func describe(_ query: QuerySyntax, in source: SourceText, session: SQLSession) throws(MillstreamError) -> QueryDescription {
        QueryDescription(columns: try columns(query.body, source, session))
    }

    private func columns(_ body: QueryBody, _ source: SourceText, _ session: SQLSession) throws(MillstreamError) -> [ResultColumn] {
        switch body {
        case .query(let query): return try columns(query.body, source, session)
        case .setOperation(_, _, let left, _, _): return try columns(left, source, session)
        case .values(let rows):
            guard case .row(let items)? = rows.first?.kind else { return [] }
            var result: [ResultColumn] = []
            for (index, item) in items.enumerated() {
                result.append(ResultColumn("EXPR$\(index)", try ScalarBinder(source, scope: TableScope()).bind(item).type))
            }
            return result
        case .table(let name): return try session.catalogs.resolve(name, in: source).object.resultColumns
        case .select(let select):
            var tables: [TableScope.Table] = []
            if let from = select.from { try add(from, &tables, source, session) }
            let binder = ScalarBinder(source, scope: TableScope(tables))
            var result: [ResultColumn] = []
            for (index, item) in select.items.enumerated() {
                if case .star = item.expression.kind {
                    for column in tables.flatMap(\.columns) {
                        result.append(ResultColumn(column.name, column.type, timeAttribute: column.timeAttribute))
                    }
                    continue
                }
                let bound = try binder.bind(item.expression)
                var name = item.alias?.text ?? "EXPR$\(index)"
                if item.alias == nil, case .name(let own) = item.expression.kind { name = own.parts[own.parts.count - 1].text }
                result.append(ResultColumn(name, bound.type, timeAttribute: bound.timeAttribute))
            }
            return result
        }
    }

    private func add(_ from: TableSyntax, _ tables: inout [TableScope.Table], _ source: SourceText, _ session: SQLSession) throws(MillstreamError) {
        switch from.kind {
        case .named(let name, _, _):
            let resolved = try session.catalogs.resolve(name, in: source)
            let start = tables.reduce(0) { $0 + $1.columns.count }
            let columns = resolved.object.resultColumns.enumerated().map {
                ScopeColumn($0.element.name, start + $0.offset, $0.element.type, timeAttribute: $0.element.timeAttribute)
            }
            tables.append(TableScope.Table([from.alias?.text ?? resolved.path.name], columns))
        case .join(let left, let right, _, _, _):
            try add(left, &tables, source, session)
            try add(right, &tables, source, session)
        case .query(let query, _):
            let columns = try columns(query.body, source, session)
            tables.append(
                TableScope.Table(
                    [from.alias?.text ?? ""],
                    columns.enumerated().map {
                        ScopeColumn(from.columns.isEmpty ? $0.element.name : from.columns[$0.offset].text, $0.offset, $0.element.type)
                    }))
        default: throw MillstreamError(.unsupported, "the tests' planner reads tables and joins alone")
        }
    }
}

/// A session with the connectors that the recorded statements name, and a planner of simple queries.
struct TestSession {
    let session: SQLSession
    private let planner = SimplePlanner()

    init(batch: Bool = false) throws(MillstreamError) {
        session = SQLSession()
        session.planner = planner
        session.factories.register(ConnectorDescription("golden-lookup", [.lookup], required: [ConfigOption("path", .text, "The file.")]))
        session.factories.register(
            ConnectorDescription(
                "golden-sink", [.sink], required: [ConfigOption("changelog-mode", .choice(["append", "upsert", "retract"]), "What it takes.")],
                sinkModeOption: "changelog-mode"))
        if batch { try session.options.setInitial("execution.runtime-mode", "BATCH") }
    }

    /// The tables of schema.sql that a record names.
    func createRecorded(_ names: Set<String>) throws {
        let text = try String(contentsOf: Corpus.folder.appendingPathComponent("schema.sql"), encoding: .utf8)
        let source = SourceText(text)
        for statement in try Parser.statements(text) {
            guard case .createTable(let table) = statement.kind, names.contains(table.name.text) else { continue }
            _ = try session.execute(statement, source)
        }
    }

    /// The result of a statement that gives one.
    func rows(_ text: String) throws(MillstreamError) -> [[String?]] {
        guard case .result(let table) = try session.execute(text) else { throw MillstreamError(.internal, "no result of its own: \(text)") }
        return table.rows.map { $0.map(Self.text) }
    }

    @discardableResult
    func run(_ texts: String...) throws(MillstreamError) -> [[String?]] {
        var last: [[String?]] = []
        for text in texts { last = try rows(text) }
        return last
    }

    /// The message of a statement that is refused, with its hint behind a bar.
    func refusal(_ text: String) -> String {
        do throws(MillstreamError) {
            _ = try session.execute(text)
            return "accepted"
        } catch { return error.message + (error.hint.map { " | " + $0 } ?? "") }
    }

    static func text(_ value: Scalar) -> String? {
        switch value {
        case .null: nil
        case .boolean(let value): value ? "true" : "false"
        case .int64(let value): String(value)
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        default: "\(value)"
        }
    }
}
