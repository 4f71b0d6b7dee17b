import Columnar
import Plan

/// A scalar expression after binding: resolved, typed, with all implicit casts written out.
public struct BoundScalar: Hashable, Sendable {
    public var expression: ScalarExpression
    /// Whether the value is still a time attribute of its stream. Only columns are to an operator; what a function made of one merely prints so (`typeDescription`).
    public var timeAttribute: TimeAttribute?

    public init(_ expression: ScalarExpression, timeAttribute: TimeAttribute? = nil) {
        self.expression = expression
        self.timeAttribute = timeAttribute
    }

    public var type: DataType { expression.type }

    /// The type as Flink prints it in a schema: `TIMESTAMP(3) *ROWTIME*`.
    public var typeDescription: String { type.plannerDescription() + (timeAttribute.map { " *\($0.rawValue)*" } ?? "") }

    /// Whether it is the word NULL, which has no type of its own.
    public var isNullLiteral: Bool { type.kind == .null }

    /// The value, if it is a constant.
    public var constant: Scalar? {
        if case .constant(let value) = expression.kind { return value }
        return nil
    }

    /// The text, if it is a constant one.
    var constantText: String? {
        if type.isText, case .bytes(let bytes)? = constant { return String(decoding: bytes, as: UTF8.self) }
        return nil
    }
}

/// An aggregate call after binding. The planner gives the arguments, the filter and the order columns of their own, below the aggregation.
public struct BoundAggregate: Hashable, Sendable {
    public struct Order: Hashable, Sendable {
        public var value: BoundScalar
        public var isDescending: Bool
        /// Flink's rule where the query does not say: first ascending, last descending.
        public var nullsFirst: Bool
    }

    public var function: AggregateFunction
    /// Cast to what the function takes; empty for COUNT(*).
    public var arguments: [BoundScalar]
    /// What `AggregateExpression.constants` wants: the separator of LISTAGG, the percentages of PERCENTILE, the offset of LAG, how JSON treats nulls.
    public var constants: [Scalar]
    /// Within a GROUP BY. Without one there is always a group, maybe of no rows: `type(isGlobal:)`.
    public var type: DataType
    /// What MIN and MAX of a time attribute print.
    public var timeAttribute: TimeAttribute?
    public var isDistinct = false
    /// A BOOLEAN.
    public var filter: BoundScalar?
    public var order: [Order] = []
    public var ignoresNulls = false

    public init(_ function: AggregateFunction, _ arguments: [BoundScalar], _ type: DataType, constants: [Scalar] = []) {
        self.function = function
        self.arguments = arguments
        self.type = type
        self.constants = constants
    }
}
