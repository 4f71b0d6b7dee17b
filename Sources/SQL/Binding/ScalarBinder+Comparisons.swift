import Columnar
import Plan

/// =, <, BETWEEN, IN and what they take.
extension ScalarBinder {
    func compare(_ sign: BinarySyntax, _ left: BoundScalar, _ right: BoundScalar, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let function = Self.function(sign)
        let isNullSafe = function == .isDistinctFrom || function == .isNotDistinctFrom
        if left.isNullLiteral, right.isNullLiteral {
            return isNullSafe ? constant(.boolean(function == .isNotDistinctFrom), .boolean) : BoundScalar(.null(.boolean))
        }
        let (one, other) = try comparable(left, right, sign, range)
        if case .call(.row, let first) = one.expression.kind, case .call(.row, let second) = other.expression.kind,
            function == .equal || function == .notEqual,
            first.count == second.count
        {
            // Rows that are written out are compared field by field, so that a NULL makes the answer unknown only where it decides.
            var parts: [BoundScalar] = []
            for (a, b) in zip(first, second) { parts.append(try compare(sign, BoundScalar(a), BoundScalar(b), range)) }
            return parts.count == 1 ? parts[0] : logic(function == .equal ? .and : .or, parts)
        }
        let isNullable = !isNullSafe && (one.type.containsNullable || other.type.containsNullable)
        return BoundScalar(.call(function, [one.expression, other.expression], DataType(.boolean, isNullable: isNullable)))
    }

    private static func function(_ sign: BinarySyntax) -> ScalarFunction {
        switch sign {
        case .notEqual: .notEqual
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .greater: .greater
        case .greaterOrEqual: .greaterOrEqual
        case .isDistinctFrom: .isDistinctFrom
        case .isNotDistinctFrom: .isNotDistinctFrom
        default: .equal
        }
    }

    /// Both as values that can be compared: of one kind, up to lengths and precisions.
    func comparable(_ left: BoundScalar, _ right: BoundScalar, _ sign: BinarySyntax, _ range: SourceRange) throws(MillstreamError) -> (
        BoundScalar, BoundScalar
    ) {
        if left.isNullLiteral { return (Self.cast(left, to: right.type), right) }
        if right.isNullLiteral { return (left, Self.cast(right, to: left.type)) }
        func refused(_ hint: String? = nil) -> MillstreamError {
            source.error("\(left.type.kind) and \(right.type.kind) cannot be compared by \(sign.rawValue)", at: range, hint: hint)
        }
        let isOrder = ![BinarySyntax.equal, .notEqual, .isDistinctFrom, .isNotDistinctFrom].contains(sign)
        if isOrder, !left.type.isOrdered || !right.type.isOrdered { throw refused("Values of this type have no order.") }
        let (one, other) = (left.type, right.type)
        if one.isText && other.isText || one.isBytes && other.isBytes || one.kind == other.kind { return (left, right) }
        // A text beside another value is read as one of its type; beside BOOLEAN the other becomes text, as in Flink.
        switch (one.isText, other.isText) {
        case (true, false) where other.kind == .boolean: return (left, Self.cast(right, to: .string))
        case (false, true) where one.kind == .boolean: return (Self.cast(left, to: .string), right)
        case (true, false) where other.isPointInTime || other.isNumber && isOrder: return (Self.cast(left, to: other), right)
        case (false, true) where one.isPointInTime || one.isNumber && isOrder: return (left, Self.cast(right, to: one))
        case (true, false), (false, true):
            throw refused(one.isNumber || other.isNumber ? "CAST one of them: a text as a number, or a number AS STRING." : nil)
        default: break
        }
        if one.isPointInTime, other.isPointInTime {
            if let precision = one.timePrecision, other.isInstant, one.isTimestamp {
                return (Self.cast(left, to: DataType(.timestampLTZ(precision))), right)
            }
            if let precision = other.timePrecision, one.isInstant, other.isTimestamp {
                return (left, Self.cast(right, to: DataType(.timestampLTZ(precision))))
            }
            guard one.kind != .date, other.kind != .date, one.isTimeOfDay == other.isTimeOfDay else {
                throw refused("CAST(... AS \(one.kind == .date ? one.kind : other.kind)) makes them equal kinds.")
            }
        }
        // Decimals are compared with all their digits, which a common type might not have room for.
        if one.isExact, other.isExact, one.isDecimal || other.isDecimal, let one = one.asDecimal, let other = other.asDecimal {
            return (
                Self.cast(left, to: DataType(.decimal(precision: one.precision, scale: one.scale))),
                Self.cast(right, to: DataType(.decimal(precision: other.precision, scale: other.scale)))
            )
        }
        guard let type = CommonTypes.leastRestrictive([one, other]) else { throw refused() }
        return (Self.cast(left, to: type), Self.cast(right, to: type))
    }

    // MARK: BETWEEN

    func between(
        _ value: ExpressionSyntax, _ low: ExpressionSyntax, _ high: ExpressionSyntax, isSymmetric: Bool, isNegated: Bool, _ range: SourceRange
    )
        throws(MillstreamError) -> BoundScalar
    {
        let (middle, first, second) = (try operand(value), try operand(low), try operand(high))
        func within(_ first: BoundScalar, _ second: BoundScalar) throws(MillstreamError) -> BoundScalar {
            logic(.and, [try compare(.greaterOrEqual, middle, first, range), try compare(.lessOrEqual, middle, second, range)])
        }
        let result = isSymmetric ? logic(.or, [try within(first, second), try within(second, first)]) : try within(first, second)
        return negate(result, isNegated)
    }

    // MARK: IN

    func inList(_ value: ExpressionSyntax, _ list: [ExpressionSyntax], _ isNegated: Bool, _ range: SourceRange) throws(MillstreamError) -> BoundScalar
    {
        var operands = [try operand(value)]
        for item in list { operands.append(try operand(item)) }
        return negate(try membership(operands, range), isNegated)
    }

    private func membership(_ operands: [BoundScalar], _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let types = operands.map(\.type)
        guard let type = CommonTypes.leastRestrictive(types) ?? Self.textBesideOthers(types) else {
            let names = types.map(\.kind.description)
            throw source.error(
                "\(names[0]) cannot be among (\(names.dropFirst().prefix(8).joined(separator: ", ")))", at: range, hint: "CAST them to one type.")
        }
        if type.kind == .null { return BoundScalar(.null(.boolean)) }
        let arguments = operands.map { type.isText && $0.type.isText || type.isBytes && $0.type.isBytes ? $0 : Self.cast($0, to: type) }
        let isNullable = arguments.contains { $0.type.containsNullable }
        return BoundScalar(.call(.in, arguments.map(\.expression), DataType(.boolean, isNullable: isNullable)))
    }

    /// A text is looked for among texts, and anything else among values of its own kind: what is of the other kind is cast, as in Flink.
    private static func textBesideOthers(_ types: [DataType]) -> DataType? {
        guard types.contains(where: \.isText), let others = CommonTypes.leastRestrictive(types.filter { !$0.isText }),
            others.isNumber || others.kind == .boolean || others.isPointInTime
        else { return nil }
        return (types[0].isText ? DataType.string : others).nullable(types.contains(where: \.isNullable))
    }

    /// `x = ANY (1, 2)`: OR of the comparisons; ALL: AND of them.
    func quantified(_ sign: BinarySyntax, _ value: ExpressionSyntax, _ quantifier: Quantifier, _ list: [ExpressionSyntax], _ range: SourceRange)
        throws(MillstreamError) -> BoundScalar
    {
        let left = try operand(value)
        var parts: [BoundScalar] = []
        for item in list { parts.append(try compare(sign, left, try operand(item), range)) }
        return parts.count == 1 ? parts[0] : logic(quantifier == .any ? .or : .and, parts)
    }
}

extension DataType {
    /// Whether it or a field of it may be NULL: then a comparison may have no answer.
    var containsNullable: Bool { isNullable || (fields?.contains { $0.type.containsNullable } ?? false) }

    /// Whether `<` has a meaning.
    var isOrdered: Bool {
        switch kind {
        case .array, .map, .multiset, .row, .structured, .variant, .bitmap, .raw, .object: false
        default: true
        }
    }
}
