import Columnar
import Foundation
import Plan

@testable import SQL

/// One record of Golden/sql_expressions.jsonl.
struct RecordedExpression {
    let id: Int
    let category: String
    let text: String
    let from: String?
    /// As Flink prints it; nil where it does not come so far.
    let type: String?
    /// `validate` or `runtime`; nil where Flink gives a value.
    let errorPhase: String?
    let errorMessage: String
    let timeZone: String
    /// As CAST(... AS STRING) gives it.
    let value: String?

    static func all() throws -> [RecordedExpression] {
        try Corpus.lines("sql_expressions.jsonl").map { record in
            let error = record["error"] as? [String: Any]
            return RecordedExpression(
                id: record["id"] as? Int ?? 0, category: record["category"] as? String ?? "", text: record["expr"] as? String ?? "",
                from: record["from"] as? String,
                type: record["type"] as? String, errorPhase: error?["phase"] as? String, errorMessage: error?["message"] as? String ?? "",
                timeZone: record["tz"] as? String ?? "UTC", value: record["value"] as? String)
        }
    }

    var statement: String { "SELECT \(text)" + (from.map { " FROM \($0)" } ?? "") }
}

/// Binds `SELECT expression FROM table` as far as the corpus needs it: tables of VALUES and of subqueries, aggregates without GROUP BY.
final class SmallPlanner: BindingHook {
    let source: SourceText
    private let allowsAggregates: Bool
    private let scope: TableScope
    /// What the hook took out.
    private(set) var aggregates: [BoundAggregate] = []

    private init(_ source: SourceText, _ scope: TableScope, allowsAggregates: Bool) {
        self.source = source
        self.scope = scope
        self.allowsAggregates = allowsAggregates
    }

    /// The first column of a query.
    static func bind(_ text: String) throws(MillstreamError) -> BoundScalar {
        guard case .query(let query) = try Parser.statement(text).kind else { throw MillstreamError(.plan, "no query") }
        return try columns(query, SourceText(text))[0].value
    }

    private static func columns(_ query: QuerySyntax, _ source: SourceText) throws(MillstreamError) -> [(name: String, value: BoundScalar)] {
        switch query.body {
        case .values(let rows):
            let binder = ScalarBinder(source, scope: TableScope())
            var columns: [[BoundScalar]] = []
            for row in rows {
                var values: [BoundScalar] = []
                if case .row(let items) = row.kind {
                    for item in items { values.append(try binder.bind(item)) }
                } else {
                    values = [try binder.bind(row)]
                }
                for (index, value) in values.enumerated() {
                    if index < columns.count { columns[index].append(value) } else { columns.append([value]) }
                }
            }
            var result: [(String, BoundScalar)] = []
            for (index, column) in columns.enumerated() {
                guard let type = ScalarBinder.commonType(column.map(\.type)) else { throw MillstreamError(.plan, "the rows of VALUES differ") }
                result.append(("EXPR$\(index)", BoundScalar(.column(index, type))))
            }
            return result
        case .select(let select):
            let tables = try select.from.map { (table) throws(MillstreamError) in try Self.table(table, source) } ?? TableScope()
            let planner = SmallPlanner(source, tables, allowsAggregates: true)
            let binder = ScalarBinder(source, scope: tables, hook: planner)
            if let condition = select.condition { _ = try binder.bindCondition(condition, "WHERE") }
            var result: [(String, BoundScalar)] = []
            for item in select.items {
                if case .star = item.expression.kind, select.from != nil {
                    for column in tables.tables.flatMap(\.columns) { result.append((column.name, column.value)) }
                    continue
                }
                result.append((item.alias?.text ?? "EXPR$\(result.count)", try binder.bind(item.expression)))
            }
            return result
        case .query(let inner): return try columns(inner, source)
        default: throw MillstreamError(.plan, "the small planner does not know this query")
        }
    }

    private static func table(_ table: TableSyntax, _ source: SourceText) throws(MillstreamError) -> TableScope {
        guard case .query(let query, _) = table.kind else { throw MillstreamError(.plan, "the small planner does not know this table") }
        let columns = try columns(query, source)
        let named = columns.enumerated().map { (index, column) in
            ScopeColumn(index < table.columns.count ? table.columns[index].text : column.name, index, column.value.type)
        }
        return TableScope([TableScope.Table(table.alias.map { [$0.text] } ?? [], named)])
    }

    func replace(_ expression: ExpressionSyntax, in binder: ScalarBinder) throws(MillstreamError) -> BoundScalar? {
        var plain = binder
        plain.hook = nil
        switch expression.kind {
        case .call(let call):
            guard call.over == nil, try binder.kind(of: call) == .aggregate else { return nil }
        case .json(let call) where call.function == .objectAggregate || call.function == .arrayAggregate: break
        case .query(let query):
            return BoundScalar(.column(0, try Self.columns(query, source)[0].value.type.nullable))
        case .exists: return BoundScalar(.column(0, DataType.boolean.notNull))
        case .inQuery(let value, let query, _), .quantified(_, let value, _, let query):
            let types = [try plain.bind(value).type, try Self.columns(query, source)[0].value.type]
            return BoundScalar(.column(0, DataType(.boolean, isNullable: types.contains { $0.isNullable })))
        default: return nil
        }
        let aggregate = try plain.bindAggregate(expression, .global)
        aggregates.append(aggregate)
        return BoundScalar(.column(aggregates.count - 1, aggregate.type), timeAttribute: aggregate.timeAttribute)
    }
}
