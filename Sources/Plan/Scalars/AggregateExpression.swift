import Columnar

/// An aggregate function of SQL over columns of its input row.
public struct AggregateExpression: Hashable, Sendable {
    public var function: AggregateFunction
    /// The argument columns by position, of the types that the function takes; empty for COUNT(*).
    public var arguments: [Int]
    /// Arguments that are constants: the separator of LISTAGG, the percentages of PERCENTILE, how JSON aggregates treat nulls.
    public var constants: [Scalar]
    public var isDistinct: Bool
    /// FILTER (WHERE ...): a BOOLEAN column by position; rows where it is not true do not count.
    public var filter: Int?
    /// ORDER BY within the call: in what order LISTAGG and ARRAY_AGG take their values.
    public var order: [SortKey]
    /// IGNORE NULLS of FIRST_VALUE, LAST_VALUE, LAG and LEAD.
    public var ignoresNulls: Bool
    /// The type of the result.
    public var type: DataType

    public init(
        _ function: AggregateFunction, _ arguments: [Int], _ type: DataType, constants: [Scalar] = [], isDistinct: Bool = false, filter: Int? = nil, order: [SortKey] = [],
        ignoresNulls: Bool = false
    ) {
        self.function = function
        self.arguments = arguments
        self.type = type
        self.constants = constants
        self.isDistinct = isDistinct
        self.filter = filter
        self.order = order
        self.ignoresNulls = ignoresNulls
    }
}

/// The built-in aggregate functions of SQL; the raw value is what messages and EXPLAIN call them.
public enum AggregateFunction: Hashable, Sendable {
    case builtIn(BuiltIn)
    /// A function of the host or of the program.
    case user(BindingID)

    public enum BuiltIn: String, Hashable, Sendable, CaseIterable {
        /// COUNT(*): no argument.
        case countAll = "COUNT(*)"
        /// Rows in which no argument is null.
        case count = "COUNT"
        case sum = "SUM", sum0 = "$SUM0", average = "AVG", min = "MIN", max = "MAX"
        case stddevPop = "STDDEV_POP", stddevSamp = "STDDEV_SAMP", varPop = "VAR_POP", varSamp = "VAR_SAMP"
        case firstValue = "FIRST_VALUE", lastValue = "LAST_VALUE", singleValue = "SINGLE_VALUE"
        case listAgg = "LISTAGG", arrayAgg = "ARRAY_AGG", collect = "COLLECT"
        /// The percentages are a constant or an array of them.
        case percentile = "PERCENTILE"
        case jsonObjectAgg = "JSON_OBJECTAGG", jsonArrayAgg = "JSON_ARRAYAGG"
        case bitmapBuildAgg = "BITMAP_BUILD_AGG", bitmapAndAgg = "BITMAP_AND_AGG", bitmapOrAgg = "BITMAP_OR_AGG", bitmapXorAgg = "BITMAP_XOR_AGG"
        case bitmapBuildCardinalityAgg = "BITMAP_BUILD_CARDINALITY_AGG", bitmapAndCardinalityAgg = "BITMAP_AND_CARDINALITY_AGG"
        case bitmapOrCardinalityAgg = "BITMAP_OR_CARDINALITY_AGG", bitmapXorCardinalityAgg = "BITMAP_XOR_CARDINALITY_AGG"
        /// Of OVER alone.
        case rowNumber = "ROW_NUMBER", rank = "RANK", denseRank = "DENSE_RANK", percentRank = "PERCENT_RANK", cumeDist = "CUME_DIST", ntile = "NTILE"
        /// Arguments: the value, then the default if there is one; the offset is the first constant.
        case lag = "LAG", lead = "LEAD"
    }
}

/// One key of an order.
public struct SortKey: Hashable, Sendable {
    /// By position.
    public var column: Int
    public var isDescending: Bool
    /// As Flink has it unless a query says otherwise: nulls come first ascending, last descending.
    public var nullsFirst: Bool

    public init(_ column: Int, isDescending: Bool = false, nullsFirst: Bool? = nil) {
        self.column = column
        self.isDescending = isDescending
        self.nullsFirst = nullsFirst ?? !isDescending
    }
}
