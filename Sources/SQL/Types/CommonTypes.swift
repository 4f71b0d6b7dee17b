import Columnar

/// The type in which several values meet. Flink has two sets of rules, and which one counts depends on the construct.
enum CommonTypes {
    /// Of the SQL standard's own constructs: CASE, IN, array constructors, VALUES, set operations. nil: they do not meet.
    static func leastRestrictive(_ types: [DataType]) -> DataType? { meet(types, leastRestrictive) }

    /// Of the functions that are Flink's own: COALESCE, IFNULL, ARRAY_CONCAT, MAP_UNION. In Flink DATE and TIMESTAMP meet there as DATE, which drops the
    /// time of day in silence; here they do not meet.
    static func common(_ types: [DataType]) -> DataType? { meet(types, common) }

    /// Of two points in time whose distance is measured: DATE is the TIMESTAMP of its beginning beside one.
    static func pointsInTime(_ left: DataType, _ right: DataType) -> DataType? {
        switch (left.kind, right.kind) {
        case (.date, .timestamp): right
        case (.timestamp, .date): left
        default: left.isInstant == right.isInstant ? leastRestrictive([left, right]) : nil
        }
    }

    private static func meet(_ types: [DataType], _ pair: (DataType, DataType) -> DataType.Kind?) -> DataType? {
        let known = types.filter { $0.kind != .null }
        guard var result = known.first else { return types.isEmpty ? nil : .null }
        for type in known.dropFirst() {
            guard let kind = pair(result, type) else { return nil }
            result = DataType(kind)
        }
        return result.nullable(types.contains { $0.isNullable })
    }

    private static func leastRestrictive(_ left: DataType, _ right: DataType) -> DataType.Kind? {
        if left.kind == right.kind { return left.kind }
        if let number = number(left, right, approximate: { $0 == .float || $0 == .double ? $0 : $1 }) { return number }
        if let time = time(left, right) { return time }
        switch (left.kind, right.kind) {
        // The later one's kind, as in Flink.
        case (.timestamp(let one), .timestampLTZ(let other)): return .timestampLTZ(max(one, other))
        case (.timestampLTZ(let one), .timestamp(let other)): return .timestamp(max(one, other))
        default: return nested(left, right, leastRestrictive)
        }
    }

    private static func common(_ left: DataType, _ right: DataType) -> DataType.Kind? {
        if left.kind == right.kind { return left.kind }
        if let number = number(left, right, approximate: { $0 == .double || $1 == .double ? .double : .float }) { return number }
        if let time = time(left, right) { return time }
        switch (left.kind, right.kind) {
        case (.timestamp(let one), .timestampLTZ(let other)), (.timestampLTZ(let one), .timestamp(let other)): return .timestampLTZ(max(one, other))
        default: return nested(left, right, common)
        }
    }

    /// `approximate`: what FLOAT and DOUBLE become together.
    private static func number(_ left: DataType, _ right: DataType, approximate: (DataType.Kind, DataType.Kind) -> DataType.Kind) -> DataType.Kind? {
        guard left.isNumber, right.isNumber else { return nil }
        switch (left.isApproximate, right.isApproximate) {
        case (true, true): return approximate(left.kind, right.kind)
        case (true, false): return right.isDecimal ? .double : left.kind
        case (false, true): return left.isDecimal ? .double : right.kind
        case (false, false): break
        }
        if let one = left.integerRank, let other = right.integerRank { return one >= other ? left.kind : right.kind }
        guard let one = left.asDecimal, let other = right.asDecimal else { return nil }
        let scale = max(one.scale, other.scale)
        let whole = max(one.precision - one.scale, other.precision - other.scale)
        return .decimal(precision: min(38, whole + scale), scale: min(scale, max(0, 38 - whole)))
    }

    /// Text, bytes, and times of one kind with different lengths and precisions.
    private static func time(_ left: DataType, _ right: DataType) -> DataType.Kind? {
        if left.isText, right.isText { return .varChar(max(left.length ?? 0, right.length ?? 0)) }
        if left.isBytes, right.isBytes { return .varBinary(max(left.length ?? 0, right.length ?? 0)) }
        switch (left.kind, right.kind) {
        case (.timestamp(let one), .timestamp(let other)): return .timestamp(max(one, other))
        case (.timestampLTZ(let one), .timestampLTZ(let other)): return .timestampLTZ(max(one, other))
        case (.time(let one), .time(let other)): return .time(max(one, other))
        case (.intervalDayTime(let one), .intervalDayTime(let other)): return .intervalDayTime(max(one, other))
        default: return nil
        }
    }

    private static func nested(_ left: DataType, _ right: DataType, _ pair: (DataType, DataType) -> DataType.Kind?) -> DataType.Kind? {
        func part(_ one: DataType, _ other: DataType) -> DataType? {
            if one.kind == .null { return other.nullable }
            if other.kind == .null { return one.nullable }
            return pair(one, other).map { DataType($0, isNullable: one.isNullable || other.isNullable) }
        }
        switch (left.kind, right.kind) {
        case (.array(let one), .array(let other)): return part(one, other).map { .array($0) }
        case (.multiset(let one), .multiset(let other)): return part(one, other).map { .multiset($0) }
        case (.map(let oneKey, let oneValue), .map(let otherKey, let otherValue)):
            guard let key = part(oneKey, otherKey), let value = part(oneValue, otherValue) else { return nil }
            return .map(key: key, value: value)
        case (.row(let one), .row(let other)):
            guard one.count == other.count else { return nil }
            var fields: [Field] = []
            for (first, second) in zip(one, other) {
                guard let type = part(first.type, second.type) else { return nil }
                fields.append(Field(first.name, type))
            }
            return .row(fields)
        default: return nil
        }
    }
}
