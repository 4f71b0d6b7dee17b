import Columnar
import Plan

/// Signs and words between values.
extension ScalarBinder {
    // MARK: One operand

    func unary(_ sign: UnarySyntax, _ inner: ExpressionSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        if sign == .minus, let literal = try negated(inner) { return literal }
        let value = try bind(inner)
        switch sign {
        case .not:
            return BoundScalar(.call(.not, [try boolean(value, "NOT", inner.range).expression], value.type))
        case .plus, .minus:
            guard value.type.isNumber || value.type.isInterval else {
                throw source.error("\(sign == .plus ? "+" : "-") takes a number or an interval, this is \(value.type.kind)", at: inner.range)
            }
            return sign == .plus ? value : BoundScalar(.call(.negate, [value.expression], value.type))
        }
    }

    func boolean(_ value: BoundScalar, _ word: String, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        if value.isNullLiteral { throw nullError(range) }
        guard value.type.kind == .boolean else {
            throw source.error(
                "\(word) takes BOOLEAN, this is \(value.type.kind)", at: range, hint: value.type.isNumber ? "Compare it: value <> 0." : nil)
        }
        return value
    }

    func negate(_ value: BoundScalar, _ isNegated: Bool) -> BoundScalar {
        isNegated ? BoundScalar(.call(.not, [value.expression], value.type)) : value
    }

    // MARK: Two operands

    func binary(_ sign: BinarySyntax, _ left: ExpressionSyntax, _ right: ExpressionSyntax, _ range: SourceRange) throws(MillstreamError)
        -> BoundScalar
    {
        switch sign {
        case .and, .or:
            let one = try boolean(try bind(left), sign.rawValue, left.range)
            let other = try boolean(try bind(right), sign.rawValue, right.range)
            return logic(sign == .and ? .and : .or, [one, other])
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .isDistinctFrom, .isNotDistinctFrom:
            return try compare(sign, try operand(left), try operand(right), range)
        case .add, .subtract, .multiply, .divide, .remainder:
            return try arithmetic(sign, try bind(left), try bind(right), range)
        case .concatenate: return try concatenate(try bind(left), try bind(right), range)
        case .overlaps: return try overlaps(left, right, range)
        case .contains, .precedes, .succeeds, .equalsPeriod, .memberOf, .submultisetOf:
            throw source.error(
                "the operator \(sign.rawValue) does not exist", at: range,
                hint: sign == .memberOf ? "ARRAY_CONTAINS(array, value) is one of arrays." : nil)
        }
    }

    func logic(_ function: ScalarFunction, _ operands: [BoundScalar]) -> BoundScalar {
        // What is chained is one call: its depth does not grow with its length.
        let parts = operands.flatMap { (operand) -> [ScalarExpression] in
            if case .call(function, let inner) = operand.expression.kind { return inner }
            return [operand.expression]
        }
        return BoundScalar(.call(function, parts, DataType(.boolean, isNullable: parts.contains { $0.type.isNullable })))
    }

    private func doesNotTake(_ sign: String, _ left: BoundScalar, _ right: BoundScalar, _ range: SourceRange, hint: String? = nil) -> MillstreamError
    {
        source.error("there is no \(left.type.kind) \(sign) \(right.type.kind)", at: range, hint: hint)
    }

    // MARK: Arithmetic

    func arithmetic(_ sign: BinarySyntax, _ left: BoundScalar, _ right: BoundScalar, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let isNullable = left.type.isNullable || right.type.isNullable
        if left.type.isNumber, right.type.isNumber {
            if sign == .remainder { return try remainder(left, right, range) }
            return numbers(sign, left, right, isNullable)
        }
        func made(_ function: ScalarFunction, _ one: BoundScalar, _ other: BoundScalar, keepsTime: Bool = false) -> BoundScalar {
            BoundScalar(
                .call(function, [one.expression, other.expression], one.type.nullable(isNullable)), timeAttribute: keepsTime ? one.timeAttribute : nil
            )
        }
        switch sign {
        case .add where left.type.isPointInTime && right.type.isInterval: return made(.plus, left, right, keepsTime: true)
        case .add where left.type.isInterval && right.type.isPointInTime: return made(.plus, right, left, keepsTime: true)
        case .subtract where left.type.isPointInTime && right.type.isInterval: return made(.minus, left, right, keepsTime: true)
        case .add where left.type.isInterval && left.type.kind == right.type.kind: return made(.plus, left, right)
        case .subtract where left.type.isInterval && left.type.kind == right.type.kind: return made(.minus, left, right)
        case .multiply where left.type.isInterval && right.type.isInteger: return made(.times, left, Self.cast(right, to: .bigInt))
        case .multiply where left.type.isInteger && right.type.isInterval: return made(.times, right, Self.cast(left, to: .bigInt))
        case .subtract where left.type.isPointInTime && right.type.isPointInTime:
            throw doesNotTake("-", left, right, range, hint: "TIMESTAMPDIFF(DAY, b, a) counts units of time between two points.")
        case .add where left.type.isPointInTime && right.type.isNumber, .subtract where left.type.isPointInTime && right.type.isNumber:
            throw doesNotTake(sign.rawValue, left, right, range, hint: "What unit of time? INTERVAL '1' DAY is one day.")
        default:
            let text = left.type.isText || right.type.isText
            throw doesNotTake(
                sign.rawValue, left, right, range,
                hint: !text ? nil : sign == .add ? "|| joins texts, CAST makes numbers of them." : "CAST makes a number of a text.")
        }
    }

    private func numbers(_ sign: BinarySyntax, _ left: BoundScalar, _ right: BoundScalar, _ isNullable: Bool) -> BoundScalar {
        let function: ScalarFunction = sign == .add ? .plus : sign == .subtract ? .minus : sign == .multiply ? .times : .divide
        if left.type.isExact, right.type.isExact, left.type.isDecimal || right.type.isDecimal, let one = left.type.asDecimal,
            let other = right.type.asDecimal
        {
            let kind =
                sign == .multiply ? DecimalTypes.times(one, other) : sign == .divide ? DecimalTypes.divide(one, other) : DecimalTypes.plus(one, other)
            return BoundScalar(.call(function, [decimal(left), decimal(right)], DataType(kind, isNullable: isNullable)))
        }
        // FLOAT and DOUBLE: the left one's type, as in Flink.
        let type = CommonTypes.leastRestrictive([left.type, right.type]) ?? left.type
        return BoundScalar(.call(function, [Self.cast(left, to: type).expression, Self.cast(right, to: type).expression], type.nullable(isNullable)))
    }

    /// An exact number as DECIMAL of its own digits.
    private func decimal(_ value: BoundScalar) -> ScalarExpression {
        guard !value.type.isDecimal, let (precision, scale) = value.type.asDecimal else { return value.expression }
        return Self.cast(value, to: DataType(.decimal(precision: precision, scale: scale))).expression
    }

    /// Of integers the type is the divisor's.
    func remainder(_ left: BoundScalar, _ right: BoundScalar, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        guard left.type.isExact, right.type.isExact else {
            throw doesNotTake("%", left, right, range, hint: "The remainder is one of integers and DECIMALs: CAST(... AS DECIMAL(38, 10)).")
        }
        let isNullable = left.type.isNullable || right.type.isNullable
        if left.type.isDecimal || right.type.isDecimal, let one = left.type.asDecimal, let other = right.type.asDecimal {
            return BoundScalar(
                .call(.remainder, [decimal(left), decimal(right)], DataType(DecimalTypes.remainder(one, other), isNullable: isNullable)))
        }
        // The wider type computes, so that no bit is lost; the result always fits the divisor's.
        let wide = CommonTypes.leastRestrictive([left.type, right.type]) ?? left.type
        let result = BoundScalar(
            .call(.remainder, [Self.cast(left, to: wide).expression, Self.cast(right, to: wide).expression], wide.nullable(isNullable)))
        return Self.cast(result, to: right.type)
    }

    func difference(_ left: ExpressionSyntax, _ right: ExpressionSyntax, _ unit: TypeSyntax, _ range: SourceRange) throws(MillstreamError)
        -> BoundScalar
    {
        let (one, other) = (try bind(left), try bind(right))
        guard one.type.isPointInTime, other.type.isPointInTime, let type = CommonTypes.pointsInTime(one.type, other.type) else {
            throw doesNotTake("-", one, other, range, hint: "(a - b) DAY takes two points in time.")
        }
        let isNullable = one.type.isNullable || other.type.isNullable
        return BoundScalar(
            .call(.minus, [Self.cast(one, to: type).expression, Self.cast(other, to: type).expression], try self.type(unit).nullable(isNullable)))
    }

    // MARK: Text

    private func concatenate(_ left: BoundScalar, _ right: BoundScalar, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        guard left.type.isText, right.type.isText else {
            throw doesNotTake("||", left, right, range, hint: "CAST(... AS STRING) makes a text of a value.")
        }
        let length = min(DataType.unboundedLength, (left.type.length ?? 0) + (right.type.length ?? 0))
        let type: DataType.Kind
        if case .char = left.type.kind, case .char = right.type.kind { type = .char(length) } else { type = .varChar(length) }
        return BoundScalar(
            .call(.concatenate, [left.expression, right.expression], DataType(type, isNullable: left.type.isNullable || right.type.isNullable)))
    }

    func match(
        _ value: ExpressionSyntax, _ kind: MatchKind, _ pattern: ExpressionSyntax, _ escape: ExpressionSyntax?, _ isNegated: Bool,
        _ range: SourceRange
    )
        throws(MillstreamError) -> BoundScalar
    {
        if kind == .rlike { throw source.error("there is no RLIKE", at: range, hint: "REGEXP(text, pattern) is the function.") }
        var arguments: [BoundScalar] = []
        for part in [value, pattern] + [escape].compactMap({ $0 }) {
            let bound = try operand(part)
            guard bound.type.isText || bound.isNullLiteral else {
                throw source.error(
                    "\(kind.rawValue) takes text, this is \(bound.type.kind)", at: part.range, hint: "CAST(... AS STRING) makes a text of a value.")
            }
            arguments.append(Self.cast(bound, to: bound.isNullLiteral ? .string : bound.type))
        }
        if let escape, let text = arguments[2].constantText, text.unicodeScalars.count != 1 {
            throw source.error("ESCAPE takes one character, this is '\(text)'", at: escape.range)
        }
        let isNullable = arguments.contains { $0.type.isNullable }
        return negate(
            BoundScalar(.call(kind == .like ? .like : .similarTo, arguments.map(\.expression), DataType(.boolean, isNullable: isNullable))), isNegated
        )
    }

    // MARK: Tests

    func test(_ inner: ExpressionSyntax, _ test: TestSyntax, _ isNegated: Bool, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        let value = try operand(inner)
        switch test {
        case .null, .unknown:
            if test == .unknown { _ = try boolean(value, "IS UNKNOWN", inner.range) }
            if value.isNullLiteral { return constant(.boolean(!isNegated), .boolean) }
            return BoundScalar(.call(isNegated ? .isNotNull : .isNull, [value.expression], DataType.boolean.notNull))
        case .true, .false:
            let word = "IS \(isNegated ? "NOT " : "")\(test.rawValue)"
            let function: ScalarFunction = test == .true ? (isNegated ? .isNotTrue : .isTrue) : isNegated ? .isNotFalse : .isFalse
            return BoundScalar(.call(function, [try boolean(value, word, inner.range).expression], DataType.boolean.notNull))
        case .json, .jsonValue, .jsonObject, .jsonArray, .jsonScalar:
            guard value.type.isText else { throw source.error("IS JSON takes text, this is \(value.type.kind)", at: inner.range) }
            let what = test == .json ? "VALUE" : String(test.rawValue.dropFirst(5))
            let result = ScalarExpression.call(.isJSON, [value.expression, constant(.string(what), .string).expression], DataType.boolean.notNull)
            return negate(BoundScalar(result), isNegated)
        case .set, .empty:
            throw source.error(
                "the test IS \(test.rawValue) does not exist", at: range, hint: test == .empty ? "CARDINALITY(value) = 0 is one." : nil)
        }
    }
}
