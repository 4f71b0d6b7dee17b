import Columnar

/// A scalar expression of SQL whose names are resolved, whose types are known and whose implicit casts are written out.
///
/// The SQL binder makes it, `Expressions` evaluates it over batches. It is pure data: constants are in it, functions of a host are named by number.
public struct ScalarExpression: Hashable, Sendable {
    public var kind: Kind
    /// The type of the result, with its nullability.
    public var type: DataType

    public init(_ kind: Kind, _ type: DataType) {
        self.kind = kind
        self.type = type
    }

    public indirect enum Kind: Hashable, Sendable {
        /// A column of the input row, by position.
        case column(Int)
        /// A value in the layout of the expression's type; `.null` for NULL.
        case constant(Scalar)
        /// A built-in function of arguments that have the types it takes (`ScalarFunction` says which).
        case call(ScalarFunction, [ScalarExpression])
        /// To the expression's type; TRY_CAST gives NULL where CAST fails.
        case cast(ScalarExpression, isTry: Bool)
        /// CASE: the first branch whose condition is true; only rows that come to a branch are evaluated for it. All results have the expression's type.
        case conditional([Branch], otherwise: ScalarExpression)
        /// A field of a ROW or a structured type, by position. NULL where the row is.
        case field(ScalarExpression, Int)
        /// A function of the host or of the program.
        case user(BindingID, [ScalarExpression])
    }

    public struct Branch: Hashable, Sendable {
        public var condition: ScalarExpression
        public var result: ScalarExpression

        public init(condition: ScalarExpression, result: ScalarExpression) {
            self.condition = condition
            self.result = result
        }
    }

    public static func column(_ position: Int, _ type: DataType) -> ScalarExpression { ScalarExpression(.column(position), type) }
    public static func constant(_ value: Scalar, _ type: DataType) -> ScalarExpression { ScalarExpression(.constant(value), type) }
    public static func null(_ type: DataType) -> ScalarExpression { ScalarExpression(.constant(.null), type.nullable) }
    public static func call(_ function: ScalarFunction, _ arguments: [ScalarExpression], _ type: DataType) -> ScalarExpression {
        ScalarExpression(.call(function, arguments), type)
    }

    /// The direct parts, in order.
    public var operands: [ScalarExpression] {
        switch kind {
        case .column, .constant: []
        case .call(_, let arguments), .user(_, let arguments): arguments
        case .cast(let inner, _), .field(let inner, _): [inner]
        case .conditional(let branches, let otherwise): branches.flatMap { [$0.condition, $0.result] } + [otherwise]
        }
    }
}
