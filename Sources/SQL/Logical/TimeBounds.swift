import Columnar
import Plan

/// Bounds on the difference of two time attributes in a join's condition: what makes it an interval join.
struct TimeBounds {
    /// The time column of each side.
    var left: Int
    var right: Int
    /// Milliseconds: left - right lies in `lower ... upper`.
    var lower: Int64
    var upper: Int64
    var isProcessingTime: Bool
    /// The conditions that are no bounds.
    var rest: ScalarExpression?

    /// Nil where the condition does not bound the difference from both sides.
    init?(_ condition: ScalarExpression?, _ left: Relation, _ right: Relation) {
        guard let condition else { return nil }
        let count = left.columns.count
        func time(_ position: Int) -> TimeAttribute? { position < count ? left.columns[position].time : right.columns[position - count].time }
        var found: (left: Int, right: Int)?
        var (lower, upper): (Int64?, Int64?) = (nil, nil)
        var rest: [ScalarExpression] = []
        for conjunct in condition.conjuncts {
            guard case .call(let function, let sides) = conjunct.kind, sides.count == 2, let one = Self.shifted(sides[0]), let other = Self.shifted(sides[1]),
                let oneTime = time(one.column), oneTime == time(other.column), (one.column < count) != (other.column < count),
                var range = Self.range(function, other.shift.subtractingSaturating(one.shift))
            else {
                rest.append(conjunct)
                continue
            }
            var pair = (left: one.column, right: other.column - count)
            if one.column >= count {
                // right - left lies in the range: left - right in its mirror.
                pair = (left: other.column, right: one.column - count)
                range = (range.upper.map { 0 &- $0 }, range.lower.map { 0 &- $0 })
            }
            if let found, found != pair {
                rest.append(conjunct)
                continue
            }
            found = pair
            if let bound = range.lower { lower = max(lower ?? bound, bound) }
            if let bound = range.upper { upper = min(upper ?? bound, bound) }
        }
        guard let found, let lower, let upper else { return nil }
        self.left = found.left
        self.right = found.right
        self.lower = lower
        self.upper = upper
        isProcessingTime = left.columns[found.left].time == .proctime
        self.rest = ScalarExpression.all(rest)
    }

    /// A column and the milliseconds that are added to it.
    private static func shifted(_ expression: ScalarExpression) -> (column: Int, shift: Int64)? {
        switch expression.kind {
        case .column(let position): return (position, 0)
        case .cast(let inner, false):
            // Of another precision: the same time.
            switch (inner.type.kind, expression.type.kind) {
            case (.timestamp, .timestamp), (.timestampLTZ, .timestampLTZ): return shifted(inner)
            default: return nil
            }
        case .call(let function, let sides):
            guard function == .plus || function == .minus, sides.count == 2, let inner = shifted(sides[0]), case .constant(.int64(let units)) = sides[1].kind,
                case .intervalDayTime(let precision) = sides[1].type.kind
            else { return nil }
            let shift = IntervalUnits.milliseconds(units, precision)
            return (inner.column, function == .plus ? inner.shift.addingSaturating(shift) : inner.shift.subtractingSaturating(shift))
        default: return nil
        }
    }

    /// Where one - other lies if `one function other + difference` holds.
    private static func range(_ function: ScalarFunction, _ difference: Int64) -> (lower: Int64?, upper: Int64?)? {
        switch function {
        case .equal: (difference, difference)
        case .less: (nil, difference.subtractingSaturating(1))
        case .lessOrEqual: (nil, difference)
        case .greater: (difference.addingSaturating(1), nil)
        case .greaterOrEqual: (difference, nil)
        default: nil
        }
    }
}

/// Milliseconds of intervals.
enum IntervalUnits {
    /// `units` in the unit of INTERVAL DAY TO SECOND(`precision`).
    static func milliseconds(_ units: Int64, _ precision: Int) -> Int64 {
        let perSecond = TimeUnit(precision: precision).perSecond
        if perSecond >= 1_000 { return units / (perSecond / 1_000) }
        let (product, overflow) = units.multipliedReportingOverflow(by: 1_000 / perSecond)
        return overflow ? (units < 0 ? .min : .max) : product
    }
}

extension RelationalJoin {
    /// All its conditions in one, over the columns of both inputs.
    func condition(_ left: Relation, _ right: Relation) -> ScalarExpression {
        var conditions: [ScalarExpression] = []
        for (index, key) in leftKeys.enumerated() {
            let other = right.columns[rightKeys[index]].type
            let isNullable = !matchesNulls[index] && (left.columns[key].type.isNullable || other.isNullable)
            conditions.append(
                .call(
                    matchesNulls[index] ? .isNotDistinctFrom : .equal, [left.column(key), .column(left.columns.count + rightKeys[index], other)],
                    DataType(.boolean, isNullable: isNullable)))
        }
        return ScalarExpression.all(conditions + (residual.map { [$0] } ?? [])) ?? .constant(.boolean(true), DataType.boolean.notNull)
    }
}
