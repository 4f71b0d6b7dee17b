import Columnar
import Plan
import SQL
import Testing

struct BinderFuzzTests {
    @Test(
        "Whatever is put together of recorded expressions is refused with a place, or bound so that each function gets what it takes",
        arguments: 0..<40 as Range<UInt64>)
    func combinations(seed: UInt64) throws {
        let pieces = try Self.pieces.get()
        var random = Lottery(seed)
        var boundCount = 0
        for _ in 0..<150 {
            var text = pieces[random.below(pieces.count)].text
            for _ in 0..<(1 + random.below(2)) {
                // A part of one expression becomes another.
                guard let expression = try? Parser.expression(text) else { break }
                var ranges: [SourceRange] = []
                Self.collect(expression, &ranges)
                let range = ranges[random.below(ranges.count)]
                var bytes = Array(text.utf8)
                let other = pieces[random.below(pieces.count)].text
                bytes.replaceSubrange(range.start..<range.end, with: Array("(\(random.below(6) == 0 ? "NULL" : other))".utf8))
                text = String(decoding: bytes, as: UTF8.self)
            }
            guard let expression = try? Parser.expression(text) else { continue }
            do {
                let bound = try ScalarBinder(SourceText(text), scope: TableScope()).bind(expression)
                boundCount += 1
                if let fault = WellTyped.fault(bound.expression) { Issue.record("\(text)\n\(fault)") }
            } catch {
                #expect((error.code == .plan || error.code == .unsupported) && error.message.hasPrefix("SQL: line "), "\(text)\n\(error)")
            }
        }
        #expect(boundCount > 5)
    }

    @Test("What is bound of the recorded expressions gives each function what it takes")
    func recorded() throws {
        for record in try RecordedExpression.all() {
            guard let bound = try? SmallPlanner.bind(record.statement), let fault = WellTyped.fault(bound.expression) else { continue }
            Issue.record("\(record.id): \(record.statement)\n\(fault)")
        }
    }

    private static let pieces = Result {
        try RecordedExpression.all().filter { $0.from == nil && $0.errorPhase != "validate" && (try? Parser.expression($0.text)) != nil }
    }

    /// Where parts of an expression stand.
    private static func collect(_ value: Any, _ ranges: inout [SourceRange]) {
        if let expression = value as? ExpressionSyntax {
            if case .unit = expression.kind { return }
            ranges.append(expression.range)
        }
        for child in Mirror(reflecting: value).children { collect(child.value, &ranges) }
    }
}

/// The rules of ScalarFunction's arguments, as far as they are the same for all kernels.
enum WellTyped {
    static func fault(_ expression: ScalarExpression) -> String? {
        for operand in expression.operands { if let fault = fault(operand) { return fault } }
        let type = expression.type
        if type.kind == .null { return "NULL without a type" }
        switch expression.kind {
        case .column, .user: return nil
        case .constant(let value): return value == .null && !type.isNullable ? "NULL of \(type)" : nil
        case .cast(let inner, let isTry): return type.isNullable == (inner.type.isNullable || isTry) ? nil : "a cast from \(inner.type) to \(type)"
        case .field(let row, let index):
            guard case .row(let fields) = row.type.kind else {
                if case .structured = row.type.kind { return nil }
                return "a field of \(row.type)"
            }
            return fields[index].type.kind == type.kind ? nil : "field \(index) of \(row.type) as \(type)"
        case .conditional(let branches, let otherwise):
            if let branch = branches.first(where: { $0.condition.type.kind != .boolean }) { return "a condition of \(branch.condition.type)" }
            return same(branches.map(\.result) + [otherwise], type, "CASE")
        case .call(let function, let arguments): return call(function, arguments, type)
        }
    }

    private static func same(_ values: [ScalarExpression], _ type: DataType, _ name: String) -> String? {
        for value in values where value.type.kind != type.kind { return "\(name) of \(type) with \(value.type)" }
        return nil
    }

    private static func call(_ function: ScalarFunction, _ arguments: [ScalarExpression], _ type: DataType) -> String? {
        let types = arguments.map(\.type)
        let name = function.rawValue
        switch function {
        case .and, .or, .not, .isTrue, .isFalse, .isNotTrue, .isNotFalse: return same(arguments, .boolean, name)
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .isDistinctFrom, .isNotDistinctFrom, .in:
            for other in types.dropFirst() where family(other) != family(types[0]) { return "\(name) of \(types.map(\.description))" }
            return nil
        case .coalesce, .greatest, .least: return same(arguments, type, name)
        case .plus, .minus, .times, .divide, .remainder:
            guard types.count == 2 else { return "\(name) of \(types.count)" }
            switch type.kind {
            case .decimal: return types.allSatisfy { family($0) == "decimal" } ? nil : "\(name) of \(types.map(\.description)) is \(type)"
            case .tinyInt, .smallInt, .int, .bigInt, .float, .double: return same(arguments, type, name)
            default: return nil
            }
        case .array:
            guard case .array(let element) = type.kind else { return "ARRAY of \(type)" }
            return same(arguments, element, name)
        case .extract, .floorTo, .ceilTo, .timestampAdd, .timestampDiff:
            if case .constant(.bytes) = arguments[0].kind { return nil }
            return "\(name) without a unit"
        case .substring, .left, .right, .repeat: return types[1].kind == .int ? nil : "\(name) with \(types[1])"
        case .power, .sqrt, .exp, .ln, .log10, .log2, .log, .sin, .cos, .tan, .cot, .asin, .acos, .atan, .atan2, .sinh, .cosh, .tanh, .degrees,
            .radians:
            return same(arguments, .double, name)
        default: return nil
        }
    }

    private static func family(_ type: DataType) -> String {
        switch type.kind {
        case .char, .varChar: "text"
        case .binary, .varBinary: "bytes"
        case .decimal: "decimal"
        case .time: "time"
        case .timestamp: "timestamp"
        case .timestampLTZ: "instant"
        case .intervalDayTime: "interval"
        case .array: "array"
        case .map: "map"
        case .row, .structured: "row"
        case .multiset: "multiset"
        default: type.kind.description
        }
    }
}
