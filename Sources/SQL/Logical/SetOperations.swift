import Columnar
import Plan

/// UNION, INTERSECT and EXCEPT as other operators do them; in all of them NULL equals NULL.
enum SetOperations {
    static func relation(_ operation: SetOperation, isAll: Bool, _ left: Relation, _ right: Relation, _ columns: [RelationColumn]) -> Relation {
        switch (operation, isAll) {
        case (.union, true): return Relation(.union, [left, right], columns)
        case (.union, false): return Relation(.union, [left, right], columns).distinct()
        case (.intersect, false): return matched(left, right, .semi).distinct()
        case (.except, false): return matched(left, right, .anti).distinct()
        case (.intersect, true): return counted(left, right, columns, isExcept: false)
        case (.except, true): return counted(left, right, columns, isExcept: true)
        }
    }

    private static func matched(_ left: Relation, _ right: Relation, _ kind: RelationalJoin.Kind) -> Relation {
        let keys = Array(left.columns.indices)
        let join = RelationalJoin(kind: kind, leftKeys: keys, rightKeys: keys, matchesNulls: keys.map { _ in true }, residual: nil, time: .regular)
        return Relation(.join(join), [left, right], left.columns)
    }

    /// How often a row is on each side decides how often it comes out: the smaller number of both, or what the left has more.
    private static func counted(_ left: Relation, _ right: Relation, _ columns: [RelationColumn], isExcept: Bool) -> Relation {
        let number = DataType.bigInt.notNull
        func marked(_ side: Relation, _ isLeft: Bool) -> Relation {
            side.extended([
                (.constant(.int64(isLeft ? 1 : 0), number), RelationColumn("$left", number)), (.constant(.int64(isLeft ? 0 : 1), number), RelationColumn("$right", number)),
            ])
        }
        let keys = Array(columns.indices)
        let both = Relation(.union, [marked(left, true), marked(right, false)], columns + [RelationColumn("$left", number), RelationColumn("$right", number)])
        let sums = [AggregateExpression(.builtIn(.sum), [keys.count], number), AggregateExpression(.builtIn(.sum), [keys.count + 1], number)]
        let counts = Relation(.aggregate(keys: keys, sums), [both], both.columns)
        let (l, r) = (counts.column(keys.count), counts.column(keys.count + 1))
        let times: ScalarExpression = isExcept
            ? .call(.minus, [l, r], number)
            : ScalarExpression(.conditional([.init(condition: .call(.greater, [l, r], DataType.boolean.notNull), result: r)], otherwise: l), number)
        let kept = counts.projected(keys.map(counts.column) + [times], columns + [RelationColumn("$times", number)])
            .filtered(.call(.greater, [.column(keys.count, number), .constant(.int64(0), number)], DataType.boolean.notNull))
        return Relation(.replicate(count: keys.count), [kept], columns)
    }
}

extension Relation {
    /// Each row once.
    func distinct() -> Relation { Relation(.aggregate(keys: Array(columns.indices), []), [self], columns) }
}
