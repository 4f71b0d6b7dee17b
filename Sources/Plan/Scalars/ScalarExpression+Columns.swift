import Columnar

extension ScalarExpression {
    /// The same expression over other columns: `body` gives what stands for the column at a position.
    public func replacingColumns(_ body: (Int, DataType) -> ScalarExpression) -> ScalarExpression {
        switch kind {
        case .column(let position): body(position, type)
        case .constant: self
        case .call(let function, let arguments): ScalarExpression(.call(function, arguments.map { $0.replacingColumns(body) }), type)
        case .user(let binding, let arguments): ScalarExpression(.user(binding, arguments.map { $0.replacingColumns(body) }), type)
        case .cast(let inner, let isTry): ScalarExpression(.cast(inner.replacingColumns(body), isTry: isTry), type)
        case .field(let inner, let index): ScalarExpression(.field(inner.replacingColumns(body), index), type)
        case .conditional(let branches, let otherwise):
            ScalarExpression(
                .conditional(
                    branches.map { Branch(condition: $0.condition.replacingColumns(body), result: $0.result.replacingColumns(body)) },
                    otherwise: otherwise.replacingColumns(body)), type)
        }
    }

    /// The same expression over the same columns at other positions.
    public func movingColumns(_ position: (Int) -> Int) -> ScalarExpression { replacingColumns { .column(position($0), $1) } }

    /// Calls `body` with each column that the expression reads, maybe several times.
    public func forEachColumn(_ body: (Int) -> Void) {
        if case .column(let position) = kind { body(position) }
        for operand in operands { operand.forEachColumn(body) }
    }

    /// The columns that the expression reads, in ascending order.
    public var columns: [Int] {
        var found: Set<Int> = []
        forEachColumn { found.insert($0) }
        return found.sorted()
    }

    /// Whether the expression reads no column and always has the same value.
    public var isConstant: Bool { isDeterministic && columns.isEmpty }

    /// Whether it gives the same value for the same row each time it is computed.
    public var isDeterministic: Bool {
        if case .call(let function, _) = kind, !function.isDeterministic { return false }
        if case .user = kind { return false }
        return operands.allSatisfy(\.isDeterministic)
    }

    /// The conditions that must all hold for this one to hold: the parts of ANDs.
    public var conjuncts: [ScalarExpression] {
        if case .call(.and, let arguments) = kind { return arguments.flatMap(\.conjuncts) }
        if case .constant(.boolean(true)) = kind { return [] }
        return [self]
    }

    /// The condition that all of `conditions` hold; nil for none.
    public static func all(_ conditions: [ScalarExpression]) -> ScalarExpression? {
        guard let first = conditions.first else { return nil }
        if conditions.count == 1 { return first }
        return .call(.and, conditions, DataType(.boolean, isNullable: conditions.contains { $0.type.isNullable }))
    }
}
