import Columnar
import Plan

/// What a built-in aggregate function takes and gives.
struct AggregateDefinition: Sendable {
    let names: [String]
    /// Whether it stands with OVER alone.
    var isOverOnly = false
    let signatures: [FunctionSignature]
    /// Made of a call whose arguments are cast to a signature. `mayBeEmpty`: the group may have no rows.
    let make: @Sendable (FunctionCall, _ mayBeEmpty: Bool) throws(MillstreamError) -> BoundAggregate

    init(
        _ names: [String], isOverOnly: Bool = false, _ signatures: [FunctionSignature],
        make: @escaping @Sendable (FunctionCall, _ mayBeEmpty: Bool) throws(MillstreamError) -> BoundAggregate
    ) {
        self.names = names
        self.isOverOnly = isOverOnly
        self.signatures = signatures
        self.make = make
    }
}

/// The built-in aggregate functions by name.
enum AggregateDefinitions {
    static let all: [String: AggregateDefinition] = {
        var table: [String: AggregateDefinition] = [:]
        for definition in definitions { for name in definition.names { table[name] = definition } }
        return table
    }()

    static let names: [String] = all.keys.sorted()

    private static let definitions: [AggregateDefinition] = numbers + choices + gathered + bitmaps + ranks

    private static func counted(_ call: FunctionCall) -> BoundAggregate { BoundAggregate(.builtIn(.count), call.arguments, DataType.bigInt.notNull) }

    // MARK: Counts, sums and the like

    private static let numbers: [AggregateDefinition] = [
        // COUNT(*) has no argument and is made where the star is seen.
        AggregateDefinition(["COUNT"], [FunctionSignature(.any, isVariadic: true)]) { (call, _) throws(MillstreamError) in counted(call) },
        AggregateDefinition(["APPROX_COUNT_DISTINCT"], [FunctionSignature(.any)]) { (call, _) throws(MillstreamError) in
            // Exact: an estimate would have to be explained.
            var count = counted(call)
            count.isDistinct = true
            return count
        },
        AggregateDefinition(["SUM"], [FunctionSignature(.number)]) { (call, mayBeEmpty) throws(MillstreamError) in
            var type = call.arguments[0].type
            if case .decimal(_, let scale) = type.kind { type.kind = .decimal(precision: 38, scale: scale) }
            return BoundAggregate(.builtIn(.sum), call.arguments, type.nullable(type.isNullable || mayBeEmpty))
        },
        average(["AVG"], .average, ofOne: true), average(["STDDEV_POP"], .stddevPop, ofOne: true),
        average(["STDDEV_SAMP", "STDDEV"], .stddevSamp, ofOne: false),
        average(["VAR_POP"], .varPop, ofOne: true), average(["VAR_SAMP", "VARIANCE"], .varSamp, ofOne: false),
        AggregateDefinition(["PERCENTILE"], [FunctionSignature(.double, .any, .int, optional: 1)]) { (call, _) throws(MillstreamError) in
            let (percentages, isArray) = try constantPercentages(call)
            let arguments = [call.arguments[0]] + call.arguments.dropFirst(2)
            return BoundAggregate(.builtIn(.percentile), arguments, isArray ? DataType(.array(.double)) : .double, constants: [percentages])
        },
    ]

    /// `ofOne`: whether one row has a result.
    private static func average(_ names: [String], _ function: AggregateFunction.BuiltIn, ofOne: Bool) -> AggregateDefinition {
        AggregateDefinition(names, [FunctionSignature(.number)]) { (call, mayBeEmpty) throws(MillstreamError) in
            var type = call.arguments[0].type
            if case .decimal(_, let scale) = type.kind { type.kind = .decimal(precision: 38, scale: max(6, scale)) }
            return BoundAggregate(.builtIn(function), call.arguments, type.nullable(type.isNullable || mayBeEmpty || !ofOne))
        }
    }

    /// A constant between 0 and 1, or an array of them.
    private static func constantPercentages(_ call: FunctionCall) throws(MillstreamError) -> (Scalar, isArray: Bool) {
        func number(_ expression: ScalarExpression) throws(MillstreamError) -> Scalar {
            var inner = expression
            while case .cast(let operand, false) = inner.kind { inner = operand }
            let value: Double? =
                switch (inner.kind, inner.type.kind) {
                case (.constant(.double(let value)), _): value
                case (.constant(.int64(let value)), _) where inner.type.isInteger: Double(value)
                // The digits as text, so that the number is the nearest one.
                case (.constant(.decimal(let value)), .decimal(_, let scale)): Double("\(value)e-\(scale)")
                default: nil
                }
            guard let value, value >= 0, value <= 1 else {
                throw call.error("PERCENTILE takes a constant between 0 and 1, or ARRAY[...] of such", argument: 1)
            }
            return .double(value)
        }
        let expression = call.arguments[1].expression
        guard case .call(.array, let elements) = expression.kind else { return (try number(expression), false) }
        var values: [Scalar] = []
        for element in elements { values.append(try number(element)) }
        return (.list(values), true)
    }

    // MARK: One of the values

    private static let choices: [AggregateDefinition] = [
        extreme("MIN", .min), extreme("MAX", .max), one("FIRST_VALUE", .firstValue), one("LAST_VALUE", .lastValue), one("SINGLE_VALUE", .singleValue),
        beside("LAG", .lag), beside("LEAD", .lead),
    ]

    private static func extreme(_ name: String, _ function: AggregateFunction.BuiltIn) -> AggregateDefinition {
        AggregateDefinition([name], [FunctionSignature(.any)]) { (call, mayBeEmpty) throws(MillstreamError) in
            let value = call.arguments[0]
            guard value.type.isOrdered else { throw call.mismatch("\(name) takes values that have an order; \(value.type.kind) has none") }
            var result = BoundAggregate(.builtIn(function), call.arguments, value.type.nullable(value.type.isNullable || mayBeEmpty))
            result.timeAttribute = value.timeAttribute
            return result
        }
    }

    private static func one(_ name: String, _ function: AggregateFunction.BuiltIn) -> AggregateDefinition {
        AggregateDefinition([name], [FunctionSignature(.any)]) { (call, mayBeEmpty) throws(MillstreamError) in
            let type = call.arguments[0].type
            if call.syntax.nullTreatment != nil, function != .singleValue {
                throw call.error("\(name) takes no IGNORE NULLS or RESPECT NULLS: it never takes a NULL")
            }
            return BoundAggregate(.builtIn(function), call.arguments, type.nullable(type.isNullable || mayBeEmpty))
        }
    }

    /// LAG and LEAD: the value of a row before or behind, by a constant distance; there is none at the ends, or the default.
    private static func beside(_ name: String, _ function: AggregateFunction.BuiltIn) -> AggregateDefinition {
        AggregateDefinition([name], isOverOnly: true, [FunctionSignature(.any, .int, .any, optional: 2)]) { (call, _) throws(MillstreamError) in
            let value = call.arguments[0]
            var offset: Int64 = 1
            if call.arguments.count > 1 {
                guard case .int64(let given)? = call.arguments[1].constant else {
                    throw call.error("the distance of \(name) is a constant integer", argument: 1)
                }
                offset = given
            }
            var arguments = [value]
            var isNullable = true
            if call.arguments.count > 2 {
                let standard = call.arguments[2]
                guard Conversions.isImplicit(from: standard.type, to: value.type) || standard.type.isExact && value.type.isExact else {
                    throw call.error("the default of \(name) is \(standard.type.kind), which does not fit \(value.type.kind)", argument: 2)
                }
                arguments.append(ScalarBinder.cast(standard, to: value.type))
                isNullable = value.type.isNullable || standard.type.isNullable
            }
            var result = BoundAggregate(.builtIn(function), arguments, value.type.nullable(isNullable), constants: [.int64(offset)])
            result.ignoresNulls = call.syntax.nullTreatment == .ignore
            return result
        }
    }

    // MARK: All of the values

    private static let gathered: [AggregateDefinition] = [
        AggregateDefinition(["LISTAGG"], [FunctionSignature(.text, .text, optional: 1)]) { (call, _) throws(MillstreamError) in
            var separator = ","
            if call.arguments.count > 1 {
                guard let text = call.arguments[1].constantText else { throw call.error("the separator of LISTAGG is a constant text", argument: 1) }
                separator = text
            }
            return BoundAggregate(.builtIn(.listAgg), [call.arguments[0]], call.arguments[0].type, constants: [.string(separator)])
        },
        AggregateDefinition(["ARRAY_AGG"], [FunctionSignature(.any)]) { (call, _) throws(MillstreamError) in
            let type = call.arguments[0].type
            var result = BoundAggregate(.builtIn(.arrayAgg), call.arguments, DataType(.array(type), isNullable: type.isNullable))
            result.ignoresNulls = call.syntax.nullTreatment == .ignore
            return result
        },
        AggregateDefinition(["COLLECT"], [FunctionSignature(.any)]) { (call, _) throws(MillstreamError) in
            BoundAggregate(.builtIn(.collect), call.arguments, DataType(.multiset(call.arguments[0].type), isNullable: false))
        },
    ]

    // MARK: Bitmaps

    private static let bitmaps: [AggregateDefinition] = [
        bitmap("BITMAP_BUILD_AGG", .bitmapBuildAgg, .upToInt, .bitmap), bitmap("BITMAP_AND_AGG", .bitmapAndAgg, .bitmap, .bitmap),
        bitmap("BITMAP_OR_AGG", .bitmapOrAgg, .bitmap, .bitmap), bitmap("BITMAP_XOR_AGG", .bitmapXorAgg, .bitmap, .bitmap),
        bitmap("BITMAP_BUILD_CARDINALITY_AGG", .bitmapBuildCardinalityAgg, .upToInt, .bigInt),
        bitmap("BITMAP_AND_CARDINALITY_AGG", .bitmapAndCardinalityAgg, .bitmap, .bigInt),
        bitmap("BITMAP_OR_CARDINALITY_AGG", .bitmapOrCardinalityAgg, .bitmap, .bigInt),
        bitmap("BITMAP_XOR_CARDINALITY_AGG", .bitmapXorCardinalityAgg, .bitmap, .bigInt),
    ]

    private static func bitmap(_ name: String, _ function: AggregateFunction.BuiltIn, _ parameter: FunctionParameter, _ result: DataType.Kind)
        -> AggregateDefinition
    {
        AggregateDefinition([name], [FunctionSignature(parameter)]) { (call, _) throws(MillstreamError) in
            BoundAggregate(.builtIn(function), call.arguments, DataType(result))
        }
    }

    // MARK: Places in an order

    private static let ranks: [AggregateDefinition] = [
        rank("ROW_NUMBER", .rowNumber, .bigInt), rank("RANK", .rank, .bigInt), rank("DENSE_RANK", .denseRank, .bigInt),
        rank("PERCENT_RANK", .percentRank, .double),
        rank("CUME_DIST", .cumeDist, .double),
        AggregateDefinition(["NTILE"], isOverOnly: true, [FunctionSignature(.bigInt)]) { (call, _) throws(MillstreamError) in
            BoundAggregate(.builtIn(.ntile), call.arguments, DataType.bigInt.notNull)
        },
    ]

    private static func rank(_ name: String, _ function: AggregateFunction.BuiltIn, _ type: DataType) -> AggregateDefinition {
        AggregateDefinition([name], isOverOnly: true, [FunctionSignature()]) { (_, _) throws(MillstreamError) in
            BoundAggregate(.builtIn(function), [], type.notNull)
        }
    }
}
