import Columnar

/// The types that native aggregates give, by Flink's rules.
extension AggregateCall {
    /// The type of the result over a column of type `input` (nil for COUNT(*)). A window has at least one row, but a SUM of nulls is null. Throws
    /// `plan` where the function does not apply.
    public func resultType(over input: DataType?) throws(MillstreamError) -> DataType {
        switch function {
        case .countAll, .count: return DataType.bigInt.notNull
        case .sum, .average, .min, .max: break
        }
        guard let input else { throw MillstreamError(.plan, "\(function.symbol) needs a column") }
        let result: DataType.Kind?
        switch function {
        case .sum: result = sum(of: input.kind)
        case .average: result = average(of: input.kind)
        default: result = input.isOrderedForAggregates ? input.kind : nil
        }
        guard let result else { throw MillstreamError(.plan, "\(function.symbol) does not apply to a column of type \(input)") }
        return DataType(result, isNullable: input.isNullable)
    }

    /// Integers keep their type, and wrap.
    private func sum(of kind: DataType.Kind) -> DataType.Kind? {
        switch kind {
        case .tinyInt, .smallInt, .int, .bigInt, .float, .double: kind
        case .decimal(_, let scale): .decimal(precision: 38, scale: scale)
        default: nil
        }
    }

    /// Integers keep their type, and truncate.
    private func average(of kind: DataType.Kind) -> DataType.Kind? {
        switch kind {
        case .tinyInt, .smallInt, .int, .bigInt, .float, .double: kind
        case .decimal(_, let scale): .decimal(precision: 38, scale: max(6, scale))
        default: nil
        }
    }
}

extension AggregateCall.Function {
    /// The function's name in SQL.
    public var symbol: String {
        switch self {
        case .countAll, .count: "COUNT"
        case .sum: "SUM"
        case .min: "MIN"
        case .max: "MAX"
        case .average: "AVG"
        }
    }
}

extension DataType {
    fileprivate var isOrderedForAggregates: Bool {
        switch kind {
        case .null, .array, .map, .multiset, .row, .raw, .object: false
        default: true
        }
    }
}
