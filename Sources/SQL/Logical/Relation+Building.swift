import Columnar
import Plan

extension Relation {
    /// This relation's rows for which the condition is true.
    func filtered(_ condition: ScalarExpression?) -> Relation {
        guard let condition else { return self }
        if case .constant(.boolean(true)) = condition.kind { return self }
        if let below = pushed(condition) { return below }
        if case .calc(let former, let expressions) = operation, expressions.allSatisfy(\.isDeterministic) {
            let below = condition.replacingColumns { position, _ in expressions[position] }
            if former == nil, case .join = input.operation { return Relation(operation, [input.filtered(below)], columns) }
            return Relation(.calc(condition: ScalarExpression.all((former.map { [$0] } ?? []) + below.conjuncts), expressions), inputs, columns)
        }
        return Relation(.calc(condition: condition, columns.indices.map(column)), [self], columns)
    }

    /// The condition below a join: what reads one side alone there, the rest among the join's own conditions. Nil where it cannot go below.
    private func pushed(_ condition: ScalarExpression) -> Relation? {
        guard case .join(let join) = operation, case .regular = join.time, condition.isDeterministic else { return nil }
        let count = inputs[0].columns.count
        let (below, above) = condition.conjuncts.reduce(into: ([ScalarExpression](), [ScalarExpression]())) { parts, conjunct in
            let columns = conjunct.columns
            let isLeft = columns.allSatisfy { $0 < count }
            switch join.kind {
            case .inner: parts.0.append(conjunct)
            case .left, .semi, .anti: if isLeft { parts.0.append(conjunct) } else { parts.1.append(conjunct) }
            case .right: if !columns.isEmpty, columns.allSatisfy({ $0 >= count }) { parts.0.append(conjunct) } else { parts.1.append(conjunct) }
            case .full: parts.1.append(conjunct)
            }
        }
        guard !below.isEmpty else { return nil }
        var (left, right) = (inputs[0], inputs[1])
        var both: [ScalarExpression] = []
        for conjunct in below {
            let columns = conjunct.columns
            if columns.allSatisfy({ $0 < count }) {
                left = left.filtered(conjunct.movingColumns { $0 })
            } else if columns.allSatisfy({ $0 >= count }) {
                right = right.filtered(conjunct.movingColumns { $0 - count })
            } else {
                both.append(conjunct)
            }
        }
        // The types of the sides do not change, so that the columns of the condition mean what they meant.
        let joined = left.joined(right, join.kind, on: ScalarExpression.all(join.condition(left, right).conjuncts + both))
        let named = joined.projected(joined.columns.indices.map(joined.column), zip(joined.columns, columns).map { RelationColumn($1.name, $0.type, time: $0.time) })
        return above.isEmpty ? named : Relation(.calc(condition: ScalarExpression.all(above), named.columns.indices.map(named.column)), [named], named.columns)
    }

    /// Columns computed from this relation's.
    func projected(_ expressions: [ScalarExpression], _ columns: [RelationColumn]) -> Relation {
        if expressions.count == self.columns.count, expressions.enumerated().allSatisfy({ $0.element.kind == .column($0.offset) }) {
            // The same rows: only their names are others.
            return columns == self.columns ? self : Relation(operation, inputs, columns)
        }
        if case .calc(let condition, let former) = operation, mergesInto(former, expressions) {
            let merged = expressions.map { $0.replacingColumns { position, type in former[position].typed(type) } }
            return Relation(.calc(condition: condition, merged), inputs, columns)
        }
        return Relation(.calc(condition: nil, expressions), [self], columns)
    }

    /// Whether what `former` computes may stand in `expressions` itself: nothing costly twice, nothing that differs each time.
    private func mergesInto(_ former: [ScalarExpression], _ expressions: [ScalarExpression]) -> Bool {
        var uses = [Int](repeating: 0, count: former.count)
        for expression in expressions { expression.forEachColumn { if $0 < uses.count { uses[$0] += 1 } } }
        for (index, expression) in former.enumerated() {
            if case .column = expression.kind { continue }
            if case .constant = expression.kind { continue }
            if !expression.isDeterministic || uses[index] > 1 { return false }
        }
        return true
    }

    /// Some of this relation's columns, in that order.
    func selecting(_ positions: [Int]) -> Relation { projected(positions.map(column), positions.map { columns[$0] }) }

    /// This relation's columns, and more behind them.
    func extended(_ more: [(ScalarExpression, RelationColumn)]) -> Relation {
        if more.isEmpty { return self }
        return projected(columns.indices.map(column) + more.map(\.0), columns + more.map(\.1))
    }

    /// This relation with a column for each expression, and where those are: a column that is there already is not computed anew.
    func holding(_ expressions: [ScalarExpression]) -> (Relation, [Int]) {
        var more: [(ScalarExpression, RelationColumn)] = []
        var positions: [Int] = []
        for expression in expressions {
            if case .column(let position) = expression.kind, position < columns.count {
                positions.append(position)
            } else if let index = more.firstIndex(where: { $0.0 == expression }) {
                positions.append(columns.count + index)
            } else {
                positions.append(columns.count + more.count)
                more.append((expression, RelationColumn("$f\(columns.count + more.count)", expression.type)))
            }
        }
        return (extended(more), positions)
    }

    /// The same with another name for each column whose name was there before: `a`, `a0`, `a1`, as in Flink's results.
    func withUniqueNames() -> Relation {
        var used: Set<String> = []
        var named = columns
        for index in named.indices {
            var name = named[index].name
            var number = 0
            while !used.insert(name).inserted {
                name = "\(named[index].name)\(number)"
                number += 1
            }
            named[index].name = name
        }
        return named == columns ? self : projected(columns.indices.map(column), named)
    }

    /// The rows of both, matched; equalities of the condition become keys.
    func joined(_ right: Relation, _ kind: RelationalJoin.Kind, on condition: ScalarExpression?, time: RelationalJoin.Time = .regular) -> Relation {
        var parts = JoinParts(condition, leftCount: columns.count)
        let count = columns.count
        let (left, leftKeys) = holding(parts.keys.map(\.left))
        let (other, rightKeys) = right.holding(parts.keys.map { $0.right.movingColumns { $0 - count } })
        // Keys that are computed stand in columns of their own, which are taken away behind the join.
        let moved = left.columns.count - count
        if moved > 0 { parts.residual = parts.residual?.movingColumns { $0 < count ? $0 : $0 + moved } }
        var time = time
        if case .regular = time, let bounds = TimeBounds(parts.residual, left, other) {
            time = .interval(leftTime: bounds.left, rightTime: bounds.right, lower: bounds.lower, upper: bounds.upper, isProcessingTime: bounds.isProcessingTime)
            parts.residual = bounds.rest
        }
        let join = RelationalJoin(
            kind: kind, leftKeys: leftKeys, rightKeys: rightKeys, matchesNulls: parts.keys.map(\.matchesNulls), residual: parts.residual, time: time)
        var outputs = Relation.joinColumns(left, other, kind)
        // A regular join remembers rows for ever: what comes out of it does not follow the time.
        if case .regular = time { outputs = outputs.map { RelationColumn($0.name, $0.type) } }
        let result = Relation(.join(join), [left, other], outputs)
        if moved == 0, other.columns.count == right.columns.count { return result }
        let isLeftOnly = kind == .semi || kind == .anti
        return result.selecting(Array(0..<count) + (isLeftOnly ? [] : right.columns.indices.map { left.columns.count + $0 }))
    }

    static func joinColumns(_ left: Relation, _ right: Relation, _ kind: RelationalJoin.Kind) -> [RelationColumn] {
        func nullable(_ columns: [RelationColumn], _ isNullable: Bool) -> [RelationColumn] {
            isNullable ? columns.map { RelationColumn($0.name, $0.type.nullable, time: $0.time) } : columns
        }
        switch kind {
        case .semi, .anti: return left.columns
        default: return nullable(left.columns, kind == .right || kind == .full) + nullable(right.columns, kind == .left || kind == .full)
        }
    }
}

/// A condition of a join in parts: equalities of a value of each side, and the rest.
struct JoinParts {
    struct Key {
        /// Over the left columns.
        var left: ScalarExpression
        /// Over the columns of both.
        var right: ScalarExpression
        /// IS NOT DISTINCT FROM.
        var matchesNulls: Bool
    }
    var keys: [Key] = []
    var residual: ScalarExpression?

    init(_ condition: ScalarExpression?, leftCount: Int) {
        var rest: [ScalarExpression] = []
        for conjunct in condition?.conjuncts ?? [] {
            guard case .call(let function, let sides) = conjunct.kind, function == .equal || function == .isNotDistinctFrom, sides.count == 2 else {
                rest.append(conjunct)
                continue
            }
            let columns = sides.map(\.columns)
            let isLeft = columns.map { !$0.isEmpty && $0.allSatisfy { $0 < leftCount } }
            let isRight = columns.map { !$0.isEmpty && $0.allSatisfy { $0 >= leftCount } }
            let types = sides.map(\.type.kind)
            guard sides.allSatisfy(\.isDeterministic), isLeft[0] && isRight[1] || isRight[0] && isLeft[1], Self.hashAlike(types[0], types[1]) else {
                rest.append(conjunct)
                continue
            }
            keys.append(Key(left: sides[isLeft[0] ? 0 : 1], right: sides[isLeft[0] ? 1 : 0], matchesNulls: function == .isNotDistinctFrom))
        }
        residual = ScalarExpression.all(rest)
    }

    /// Whether equal values of both types have equal hashes, so that rows meet: text of any length does, numbers of different types do not.
    private static func hashAlike(_ left: DataType.Kind, _ right: DataType.Kind) -> Bool {
        if left == right { return true }
        switch (left, right) {
        case (.char, .varChar), (.varChar, .char), (.varChar, .varChar), (.char, .char): return true
        case (.binary, .varBinary), (.varBinary, .binary), (.varBinary, .varBinary), (.binary, .binary): return true
        default: return false
        }
    }
}

extension ScalarExpression {
    /// The same value under a type that differs in nullability alone.
    func typed(_ type: DataType) -> ScalarExpression {
        var copy = self
        if copy.type.kind == type.kind, type.isNullable { copy.type = type }
        return copy
    }
}
