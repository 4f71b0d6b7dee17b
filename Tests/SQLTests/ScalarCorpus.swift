import Columnar
import Expressions
import Foundation
import Plan
import SQL

/// The recorded scalar expressions, evaluated: text -> syntax -> bound expression -> program -> text of the value.
struct ScalarCorpus {
    struct Record {
        let id: Int
        let category: String
        let text: String
        let timeZone: String
        /// What the expression gives when its constants are constants, and when they are columns. nil: it is refused before it runs.
        let literals: Expected?
        let columns: Expected?
        let isUnordered: Bool
        let isVariant: Bool
    }

    enum Expected: Equatable {
        case null
        case text(String)
        case bytes([UInt8])
        case error
    }

    enum Outcome: Equatable {
        case passed
        /// Refused by the binder although Flink takes it, or part of a query, or a function that is not there: what, and why.
        case notBuilt(String)
        case failed(String)
    }

    static func records() throws -> [Record] {
        try Corpus.lines("sql_expressions.jsonl").compactMap { line in
            guard line["from"] == nil, let id = line["id"] as? Int, let category = line["category"] as? String, let text = line["expr"] as? String else { return nil }
            let own = expected(line)
            let other = (line["column_result"] as? [String: Any]).map { expected($0) }
            return Record(
                id: id, category: category, text: text, timeZone: line["tz"] as? String ?? "UTC", literals: own ?? nil, columns: (other ?? own) ?? nil,
                isUnordered: line["unordered"] as? Bool ?? false, isVariant: line["rendering"] != nil)
        }
    }

    /// nil where the statement is refused before it runs.
    private static func expected(_ result: [String: Any]) -> Expected? {
        if let error = result["error"] as? [String: Any] {
            let phase = error["phase"] as? String ?? (error["stage"] as? String == "execute" ? "runtime" : "validate")
            return phase == "runtime" ? .error : nil
        }
        if let hex = result["hex"] as? String { return .bytes(stride(from: 0, to: hex.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }) }
        return (result["value"] as? String).map { .text($0) } ?? .null
    }

    // MARK: Evaluating

    /// What became of an expression in each way of running it that Flink has an answer for: with its constants (`literals`), with columns in their place (`columns`), and
    /// with nulls between their rows (`nulls`).
    static func run(_ record: Record) -> [(mode: String, outcome: Outcome)] {
        guard record.literals != nil || record.columns != nil else { return [] }
        let bound: ScalarExpression
        do {
            bound = try bind(record.text)
        } catch {
            let reason = (error as? MillstreamError)?.message ?? "\(error)"
            return ["literals", "columns", "nulls"].map { ($0, .notBuilt("binding: \(reason)")) }
        }
        let outcomes: [(String, Outcome?)] = [
            ("literals", runLiterals(record, bound)), ("columns", runColumns(record, bound, withNulls: false)), ("nulls", runColumns(record, bound, withNulls: true)),
        ]
        return outcomes.compactMap { mode, outcome in outcome.map { (mode, $0) } }
    }

    private static func runLiterals(_ record: Record, _ bound: ScalarExpression) -> Outcome? {
        guard let expected = record.literals else { return nil }
        return run(record, bound, expected) { expression, context in
            [try ScalarProgram([expression]).columns(of: Batch(schema: Schema([]), columns: [], count: 1), context)[0].scalar(at: 0)]
        }
    }

    /// The expression with each constant as a column of three rows, of which the middle one is null where `withNulls`: nothing is checked of that row.
    private static func runColumns(_ record: Record, _ bound: ScalarExpression, withNulls: Bool) -> Outcome? {
        guard let expected = record.columns else { return nil }
        return run(record, bound, expected) { expression, context in
            var columns: [Column] = []
            let open = try hidden(expression, &columns, withNulls: withNulls)
            let fields = columns.enumerated().map { Field("c\($0.offset)", $0.element.type) }
            let batch = Batch(schema: Schema(fields), columns: columns, count: 3)
            let column = try ScalarProgram([open]).columns(of: batch, context)[0]
            return [column.scalar(at: 0), column.scalar(at: 2)]
        }
    }

    private static func run(
        _ record: Record, _ bound: ScalarExpression, _ expected: Expected, _ evaluate: (ScalarExpression, EvaluationContext) throws -> [Scalar]
    ) -> Outcome {
        var context = EvaluationContext(timeZone: record.timeZone, now: 1_780_000_000_000)
        context.database = "default_database"
        do {
            for value in try evaluate(shown(bound, record), context) {
                if let difference = difference(value, expected, bound.type, record) { return .failed(difference) }
            }
            return .passed
        } catch let error as MillstreamError {
            if error.code == .unsupported || error.code == .internal { return error.code == .unsupported ? .notBuilt(error.message) : .failed(error.message) }
            return expected == .error ? .passed : .failed("error: \(error.message)")
        } catch {
            return .failed("\(error)")
        }
    }

    private static func difference(_ value: Scalar, _ expected: Expected, _ type: DataType, _ record: Record) -> String? {
        let got: Expected
        switch value {
        case .null: got = .null
        case .bytes(let bytes): if case .bytes = expected { got = .bytes(bytes) } else { got = .text(String(decoding: bytes, as: UTF8.self)) }
        default: return "a value of type \(type) did not become text"
        }
        if got == expected { return nil }
        if record.isUnordered, case .text(let one) = got, case .text(let other) = expected, entries(one) == entries(other) { return nil }
        return "\(got) instead of \(expected)"
    }

    /// The entries of a printed map, in one order.
    private static func entries(_ text: String) -> [String] { text.dropFirst().dropLast().components(separatedBy: ", ").sorted() }

    /// The expression as a SELECT's first item.
    private static func bind(_ text: String) throws -> ScalarExpression {
        let source = text.uppercased().hasPrefix("SELECT ") ? text : "SELECT \(text)"
        guard case .query(let query) = try Parser.statement(source).kind, case .select(let select) = query.body else { throw CocoaError(.featureUnsupported) }
        return try ScalarBinder(SourceText(source), scope: TableScope()).bind(select.items[0].expression).expression
    }

    /// The expression as the text that the corpus records; bytes and text themselves.
    private static func shown(_ expression: ScalarExpression, _ record: Record) -> ScalarExpression {
        switch expression.type.kind {
        case .char, .varChar, .binary, .varBinary: expression
        case .variant: .call(.jsonString, [expression], DataType.string)
        default: ScalarExpression(.cast(expression, isTry: false), DataType(.varChar(DataType.unboundedLength), isNullable: expression.type.isNullable))
        }
    }

    // MARK: Constants as columns

    /// Functions whose constant text arguments are words of the language, not values.
    private static let worded: Set<ScalarFunction> = [
        .extract, .floorTo, .ceilTo, .timestampAdd, .timestampDiff, .isJSON, .jsonExists, .jsonValue, .jsonQuery, .jsonObject, .jsonArray, .trim, .objectOf, .objectUpdate, .typeOf,
    ]

    private static func hidden(_ expression: ScalarExpression, _ columns: inout [Column], withNulls: Bool) throws -> ScalarExpression {
        switch expression.kind {
        case .column, .user: return expression
        case .constant(let value):
            if expression.type.kind == .null { return expression }
            let builder = try ColumnBuilder.make(for: expression.type.nullable)
            try builder.append(value)
            try builder.append(withNulls ? .null : value)
            try builder.append(value)
            columns.append(builder.finish())
            return .column(columns.count - 1, expression.type.nullable)
        case .call(let function, let arguments):
            let keepsText = worded.contains(function)
            let inner = try arguments.map { argument in
                if keepsText, case .constant = argument.kind, argument.type.isText { return argument }
                return try hidden(argument, &columns, withNulls: withNulls)
            }
            return .call(function, inner, expression.type)
        case .cast(let inner, let isTry): return ScalarExpression(.cast(try hidden(inner, &columns, withNulls: withNulls), isTry: isTry), expression.type)
        case .field(let inner, let position): return ScalarExpression(.field(try hidden(inner, &columns, withNulls: withNulls), position), expression.type)
        case .conditional(let branches, let otherwise):
            var open: [ScalarExpression.Branch] = []
            for branch in branches {
                open.append(
                    ScalarExpression.Branch(
                        condition: try hidden(branch.condition, &columns, withNulls: withNulls), result: try hidden(branch.result, &columns, withNulls: withNulls)))
            }
            return ScalarExpression(.conditional(open, otherwise: try hidden(otherwise, &columns, withNulls: withNulls)), expression.type)
        }
    }
}
