import Columnar

/// A value computed from a row, column at a time, without the host language.
///
/// Expressions are data: the front ends build them, `Operators` evaluates them over batches. A bound expression refers to columns by position.
public indirect enum Expression: Hashable, Sendable {
    /// A column by name, before binding.
    case name(String)
    /// A column by position in the input schema.
    case column(Int)
    case literal(Literal)
    case unary(UnaryOperation, Expression)
    case binary(BinaryOperation, Expression, Expression)
    case cast(Expression, DataType)
    /// The name that the result's column gets.
    case alias(Expression, String)
    /// The row's event timestamp, as TIMESTAMP_LTZ(3).
    case rowTime
}

public enum UnaryOperation: Int32, Hashable, Sendable {
    case negate = 0
    case not = 1
    case isNull = 2
    case isNotNull = 3
    case absolute = 4
}

public enum BinaryOperation: Int32, Hashable, Sendable {
    case add = 0
    case subtract = 1
    case multiply = 2
    case divide = 3
    /// The sign is the dividend's, as in Flink's MOD.
    case remainder = 4
    case equal = 5
    case notEqual = 6
    case less = 7
    case lessOrEqual = 8
    case greater = 9
    case greaterOrEqual = 10
    case and = 11
    case or = 12
}

/// A constant of a type.
public enum Literal: Hashable, Sendable {
    case null(DataType)
    case boolean(Bool)
    /// Any integer type, and DATE, TIME, TIMESTAMP in their own unit.
    case integer(Int64, DataType)
    case double(Double)
    case decimal(Int128, precision: Int, scale: Int)
    case string(String)
    case bytes([UInt8])
}

/// A native aggregate function over a column.
public struct AggregateCall: Hashable, Sendable {
    public enum Function: Int32, Hashable, Sendable {
        /// COUNT(*): `column` is nil.
        case countAll = 0
        /// COUNT(x): the values that are not null.
        case count = 1
        case sum = 2
        case min = 3
        case max = 4
        case average = 5
    }

    public var function: Function
    /// The input column by position; nil for COUNT(*).
    public var column: Int?
    /// The name of the result's column.
    public var name: String

    public init(_ function: Function, column: Int?, name: String) {
        self.function = function
        self.column = column
        self.name = name
    }
}
