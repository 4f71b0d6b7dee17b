import Columnar
import Plan

extension ScalarBinder {
    func literal(_ literal: LiteralSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        switch literal {
        case .null: return BoundScalar(.null(.null))
        case .true: return constant(.boolean(true), .boolean)
        case .false: return constant(.boolean(false), .boolean)
        case .unknown: return BoundScalar(.null(.boolean))
        case .number(let digits): return try number(digits, isNegative: false, range)
        case .approximate(let digits): return try approximate(digits, range)
        case .string(let text, _): return constant(.string(text), DataType(.char(text.utf16.count)))
        case .bytes(let bytes): return constant(.bytes(bytes), DataType(.binary(bytes.count)))
        case .date(let text):
            guard let days = TimeLiterals.date(text) else { throw badTime("DATE", text, "yyyy-MM-dd", range) }
            return constant(.int64(days), .date)
        case .time(let text):
            guard let time = TimeLiterals.time(text) else { throw badTime("TIME", text, "HH:mm:ss", range) }
            return constant(.int64(time.value), DataType(.time(time.precision)))
        case .timestamp(let text):
            guard let time = TimeLiterals.timestamp(text) else { throw badTime("TIMESTAMP", text, "yyyy-MM-dd HH:mm:ss", range) }
            return constant(.int64(time.value), DataType(.timestamp(time.precision)))
        case .instant(let text):
            guard let time = TimeLiterals.timestamp(text) else { throw badTime("TIMESTAMP WITH LOCAL TIME ZONE", text, "yyyy-MM-dd HH:mm:ss", range) }
            // Which instant it is, the session's time zone says: when it is computed.
            return Self.cast(constant(.int64(time.value), DataType(.timestamp(time.precision))), to: DataType(.timestampLTZ(time.precision)))
        case .interval(let interval): return try self.interval(interval, range)
        }
    }

    func constant(_ value: Scalar, _ type: DataType) -> BoundScalar { BoundScalar(.constant(value, type.notNull)) }

    private func badTime(_ kind: String, _ text: String, _ format: String, _ range: SourceRange) -> MillstreamError {
        source.error("'\(text)' is no \(kind)", at: range, hint: "Its form is \(kind) '\(format)'.")
    }

    // MARK: Numbers

    /// Digits, maybe with a point: INT or BIGINT, whichever is enough, or DECIMAL with as many digits as are written. More than 64 bits are refused, as in Flink.
    func number(_ digits: String, isNegative: Bool, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        var value: Int128 = 0
        var (count, scale, isBehindPoint) = (0, 0, false)
        for byte in digits.utf8 {
            if byte == 0x2E {
                isBehindPoint = true
                continue
            }
            count += 1
            if isBehindPoint { scale += 1 }
            let (product, overflows) = value.multipliedReportingOverflow(by: 10)
            guard !overflows, product <= Int128(Int64.max) * 1_000 else { throw tooLarge(digits, range) }
            value = product + Int128(byte &- 0x30)
        }
        if isNegative { value = -value }
        guard value >= Int128(Int64.min), value <= Int128(Int64.max) else { throw tooLarge(digits, range) }
        if scale > 0 {
            guard count <= TypeResolution.precisionMax else { throw tooLarge(digits, range) }
            return constant(.decimal(value), DataType(.decimal(precision: count, scale: scale)))
        }
        let isInt = value >= Int128(Int32.min) && value <= Int128(Int32.max)
        return constant(.int64(Int64(value)), isInt ? .int : .bigInt)
    }

    private func tooLarge(_ digits: String, _ range: SourceRange) -> MillstreamError {
        source.error("the number \(digits) has more than 64 bits", at: range, hint: "CAST('\(digits)' AS DECIMAL(38, 0)) takes more digits.")
    }

    func approximate(_ digits: String, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        guard let value = Double(digits.hasPrefix(".") ? "0" + digits : digits), value.isFinite else {
            throw source.error("the number \(digits) is too large for DOUBLE", at: range)
        }
        return constant(.double(value), .double)
    }

    /// A number with its sign taken off or put before it; nil if it is no literal number. `- 2147483648` is an INT because of that.
    func negated(_ expression: ExpressionSyntax) throws(MillstreamError) -> BoundScalar? {
        switch expression.kind {
        case .literal(.number(let digits)): return try number(digits, isNegative: true, expression.range)
        case .literal(.approximate(let digits)):
            guard case .double(let value)? = try approximate(digits, expression.range).constant else { return nil }
            // A literal is a decimal number first, which has no zero below zero.
            return constant(.double(value == 0 ? 0 : -value), .double)
        case .unary(.minus, let inner):
            // A sign before a signed number takes the other off.
            switch inner.kind {
            case .literal(.number(let digits)): return try number(digits, isNegative: false, inner.range)
            case .literal(.approximate(let digits)): return try approximate(digits, inner.range)
            default: return nil
            }
        default: return nil
        }
    }

    // MARK: Intervals

    private func interval(_ interval: IntervalSyntax, _ range: SourceRange) throws(MillstreamError) -> BoundScalar {
        switch TimeLiterals.interval(interval) {
        case .months(let months): return constant(.int64(months), DataType(.intervalYearMonth))
        case .milliseconds(let milliseconds): return constant(.int64(milliseconds), DataType(.intervalDayTime(3)))
        case .tooManyDigits(let digits, let precision):
            throw source.error(
                "\(digits) has more than the \(precision) digits of INTERVAL \(interval.from.rawValue)", at: range,
                hint: "INTERVAL '\(interval.text)' \(interval.from.rawValue)(\(digits.utf8.count)) takes so many.")
        case .wrong:
            let unit = interval.from.rawValue + (interval.to.map { " TO \($0.rawValue)" } ?? "")
            throw source.error(
                "'\(interval.text)' is no INTERVAL \(unit)", at: range,
                hint: TimeLiterals.example(interval).map { "Its form is INTERVAL '\($0)' \(unit)." })
        }
    }
}
