import Columnar
import Plan

/// CASE, CAST, and what builds or takes apart arrays, maps and rows.
extension ScalarBinder {
    // MARK: CASE

    func conditional(_ operand: ExpressionSyntax?, _ branches: [CaseBranch], _ otherwise: ExpressionSyntax?, _ range: SourceRange)
        throws(MillstreamError) -> BoundScalar
    {
        var conditions: [BoundScalar] = []
        var results: [BoundScalar] = []
        let value = try operand.map { (operand) throws(MillstreamError) in try self.operand(operand) }
        for branch in branches {
            var tests: [BoundScalar] = []
            for condition in branch.conditions {
                if let value {
                    tests.append(try compare(.equal, value, try self.operand(condition), condition.range))
                } else {
                    tests.append(try bindCondition(condition, "WHEN"))
                }
            }
            conditions.append(tests.count == 1 ? tests[0] : logic(.or, tests))
            results.append(try self.operand(branch.result))
        }
        results.append(try otherwise.map { (otherwise) throws(MillstreamError) in try self.operand(otherwise) } ?? BoundScalar(.null(.null)))
        return try choice(conditions, results, "CASE", range)
    }

    /// The first result whose condition is true, else the last.
    func choice(_ conditions: [BoundScalar], _ results: [BoundScalar], _ name: String, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        guard let type = CommonTypes.leastRestrictive(results.map(\.type)) else {
            let types = results.filter { !$0.isNullLiteral }.map(\.type.kind.description)
            throw source.error(
                "the results of \(name) have no type in common: \(types.joined(separator: ", "))", at: range, hint: "CAST them to one type.")
        }
        guard type.kind != .null else {
            throw source.error("all results of \(name) are NULL: it has no type", at: range, hint: "CAST(NULL AS INT) is one of INT.")
        }
        let casts = results.map { Self.cast($0, to: type).expression }
        let branches = zip(conditions, casts).map { ScalarExpression.Branch(condition: $0.expression, result: $1) }
        let expression = ScalarExpression(.conditional(branches, otherwise: casts[casts.count - 1]), type)
        // All of one time attribute: Flink goes on calling it one.
        let attributes = Set(results.map(\.timeAttribute))
        return BoundScalar(expression, timeAttribute: attributes.count == 1 ? results[0].timeAttribute : nil)
    }

    // MARK: CAST

    func cast(_ inner: ExpressionSyntax, _ target: TypeSyntax, _ isTry: Bool, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let value = try operand(inner)
        let type = try self.type(target)
        if value.isNullLiteral { return BoundScalar(.null(type)) }
        // A number of units: INTERVAL DAY alone, not DAY TO SECOND.
        if case .interval(let unit, nil, _, _) = target.kind, value.type.isInteger { return try units(value, unit, inner.range) }
        guard Conversions.isExplicit(from: value.type, to: type) else {
            throw source.error("\(value.type.kind) cannot be cast to \(type.kind)", at: range, hint: Conversions.hint(from: value.type, to: type))
        }
        return Self.cast(value, to: type, isTry: isTry)
    }

    /// So many units of time.
    func units(_ count: BoundScalar, _ unit: TimeUnitName, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let months: [TimeUnitName: Int64] = [.year: 12, .quarter: 3, .month: 1]
        let milliseconds: [TimeUnitName: Int64] = [.week: 604_800_000, .day: 86_400_000, .hour: 3_600_000, .minute: 60_000, .second: 1_000]
        let type = DataType(months[unit] != nil ? .intervalYearMonth : .intervalDayTime(3))
        guard let size = months[unit] ?? milliseconds[unit], count.type.isInteger else {
            throw source.error("an interval is a whole number of YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE or SECOND", at: range)
        }
        let number = Self.cast(count, to: .bigInt)
        if case .int64(let value)? = count.constant, case (let product, false) = value.multipliedReportingOverflow(by: size) {
            return constant(.int64(product), type)
        }
        let one = constant(.int64(size), type)
        return BoundScalar(.call(.times, [one.expression, number.expression], type.nullable(number.type.isNullable)))
    }

    // MARK: Rows, arrays, maps

    func row(_ items: [ExpressionSyntax], _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        var values: [BoundScalar] = []
        for item in items { values.append(try bind(item)) }
        let fields = values.enumerated().map { Field("EXPR$\($0.offset)", $0.element.type) }
        return BoundScalar(.call(.row, values.map(\.expression), DataType(.row(fields), isNullable: false)))
    }

    private func elements(_ items: [ExpressionSyntax], _ name: String, _ range: SourceRange) throws(MillstreamError) -> ([ScalarExpression], DataType)
    {
        var values: [BoundScalar] = []
        for item in items { values.append(try operand(item)) }
        guard !values.isEmpty else {
            throw source.error(
                "\(name) has no elements: it has no type", at: range, hint: "CAST(... AS ARRAY<INT>) of something else, or one element.")
        }
        guard let type = CommonTypes.leastRestrictive(values.map(\.type)), type.kind != .null else {
            let types = values.map { $0.isNullLiteral ? "NULL" : $0.type.kind.description }
            throw source.error(
                "the values of \(name) have no type in common: \(types.prefix(8).joined(separator: ", "))", at: range, hint: "CAST them to one type.")
        }
        return (values.map { Self.cast($0, to: type).expression }, type)
    }

    func array(_ items: [ExpressionSyntax], _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let (values, type) = try elements(items, "ARRAY[...]", range)
        return BoundScalar(.call(.array, values, DataType(.array(type), isNullable: false)))
    }

    func multiset(_ items: [ExpressionSyntax], _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let (values, type) = try elements(items, "MULTISET[...]", range)
        return BoundScalar(.call(.multiset, values, DataType(.multiset(type), isNullable: false)))
    }

    func map(_ items: [ExpressionSyntax], _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        guard items.count % 2 == 0 else { throw source.error("MAP[...] takes keys and values in turn: one is missing", at: range) }
        let (keys, keyType) = try elements(stride(from: 0, to: items.count, by: 2).map { items[$0] }, "MAP[...]'s keys", range)
        let (values, valueType) = try elements(stride(from: 1, to: items.count, by: 2).map { items[$0] }, "MAP[...]'s values", range)
        let type = DataType(.map(key: keyType, value: valueType), isNullable: false)
        return BoundScalar(.call(.map, zip(keys, values).flatMap { [$0, $1] }, type))
    }

    /// `array[1]`, `map['key']`, `variant['key']`.
    func element(_ collection: ExpressionSyntax, _ key: ExpressionSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let value = try bind(collection)
        let index = try operand(key)
        func made(_ function: ScalarFunction, _ index: BoundScalar, _ type: DataType) -> BoundScalar {
            BoundScalar(.call(function, [value.expression, index.expression], type.nullable))
        }
        switch value.type.kind {
        case .array(let element):
            guard index.type.isInteger || index.isNullLiteral else {
                throw source.error("the index of an array is an integer, this is \(index.type.kind)", at: key.range)
            }
            if case .int64(let number)? = index.constant, number < 1 {
                throw source.error("the elements of an array are counted from 1, not from \(number)", at: key.range)
            }
            return try narrowed(index, to: .int, range) { made(.arrayElement, $0, element) }
        case .map(let keyType, let element):
            if keyType.isText && index.type.isText || keyType.isBytes && index.type.isBytes { return made(.mapElement, index, element) }
            if keyType.isInteger, index.type.isInteger { return try narrowed(index, to: keyType, range) { made(.mapElement, $0, element) } }
            guard Conversions.isImplicit(from: index.type, to: keyType) else {
                throw source.error("the keys of this map are \(keyType.kind), this is \(index.type.kind)", at: key.range)
            }
            return made(.mapElement, Self.cast(index, to: keyType), element)
        case .variant:
            guard index.type.isInteger || index.type.isText else {
                throw source.error("a part of a variant is found by text or by number, this is \(index.type.kind)", at: key.range)
            }
            if index.type.isText { return made(.variantElement, index, DataType(.variant)) }
            return try narrowed(index, to: .int, range) { made(.variantElement, $0, DataType(.variant)) }
        default:
            throw source.error("[...] takes an array, a map or a variant, this is \(value.type.kind)", at: collection.range)
        }
    }

    /// What `body` finds for an integer, or NULL where the integer is beyond the type: nothing has such a number.
    private func narrowed(_ index: BoundScalar, to type: DataType, _ range: SourceRange, _ body: (BoundScalar) -> BoundScalar) throws(MillstreamError)
        -> BoundScalar
    {
        let inner = Self.cast(index, to: type)
        guard let given = index.type.integerRank, let taken = type.integerRank, given > taken, inner.constant == nil else { return body(inner) }
        let found = body(inner)
        let test = try compare(.equal, Self.cast(inner, to: index.type), index, range)
        return BoundScalar(
            ScalarExpression(.conditional([.init(condition: test.expression, result: found.expression)], otherwise: .null(found.type)), found.type))
    }

    // MARK: OVERLAPS

    /// `(start, end) OVERLAPS (start, end)`; in place of an end may stand an interval.
    func overlaps(_ left: ExpressionSyntax, _ right: ExpressionSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        var points: [BoundScalar] = []
        for period in [left, right] {
            guard case .row(let parts) = period.kind, parts.count == 2 else {
                throw source.error("OVERLAPS takes two periods of time: (start, end) OVERLAPS (start, end)", at: period.range)
            }
            let (start, end) = (try bind(parts[0]), try bind(parts[1]))
            guard start.type.isPointInTime, end.type.isPointInTime || end.type.isInterval else {
                throw source.error(
                    "a period is a point in time and another, or an interval; this is (\(start.type.kind), \(end.type.kind))", at: period.range)
            }
            points.append(start)
            points.append(end.type.isInterval ? try arithmetic(.add, start, end, parts[1].range) : end)
        }
        guard let type = CommonTypes.leastRestrictive(points.map(\.type)) else {
            throw source.error("the periods are of different kinds: \(points.map(\.type.kind.description).joined(separator: ", "))", at: range)
        }
        return BoundScalar(.call(.overlaps, points.map { Self.cast($0, to: type).expression }, DataType(.boolean, isNullable: type.isNullable)))
    }
}
