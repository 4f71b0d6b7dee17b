import Columnar

/// Casts from and to text. Numbers print as Java prints them; texts are trimmed before they are parsed.
enum TextCasts {
    /// How many bytes of a bad text an error shows.
    private static let shownByteCountMax = 100

    static func format(_ column: Column, _ count: Int, to target: DataType) throws(MillstreamError) -> Column {
        var builder = ViewBuilder()
        try builder.reserve(count)
        for row in 0..<count {
            if column.isNull(row) { try builder.appendNull() } else { try builder.append(text(column, row)) }
        }
        let column = builder.finish(type: .string)
        return try resized(column, count, to: target)
    }

    private static func text(_ column: Column, _ row: Int) -> String {
        switch column.type.kind {
        case .boolean: column.bit(row) ? "TRUE" : "FALSE"
        case .tinyInt: String(column.pointer(as: Int8.self)[row])
        case .smallInt: String(column.pointer(as: Int16.self)[row])
        case .int: String(column.pointer(as: Int32.self)[row])
        case .bigInt: String(column.pointer(as: Int64.self)[row])
        case .float: FloatingText.java(column.pointer(as: Float.self)[row])
        case .double: FloatingText.java(column.pointer(as: Double.self)[row])
        case .decimal(_, let scale): decimalText(column.pointer(as: Int128.self)[row], scale)
        case .date: TimestampText.date(days: Int64(column.pointer(as: Int32.self)[row]))
        case .timestamp(let precision), .timestampLTZ(let precision):
            TimestampText.timestamp(column.pointer(as: Int64.self)[row], precision: precision)
        default: ""
        }
    }

    private static func decimalText(_ value: Int128, _ scale: Int) -> String {
        let digits = String(value.magnitude)
        let sign = value < 0 ? "-" : ""
        guard scale > 0 else { return sign + digits }
        let padded = String(repeating: "0", count: max(0, scale + 1 - digits.utf8.count)) + digits
        let split = padded.utf8.index(padded.utf8.startIndex, offsetBy: padded.utf8.count - scale)
        return sign + padded[..<split] + "." + padded[split...]
    }

    static func parse(_ column: Column, _ count: Int, to target: DataType) throws(MillstreamError) -> Column {
        let builder = try ColumnBuilder.make(for: target)
        for row in 0..<count {
            if column.isNull(row) {
                try builder.appendNull()
                continue
            }
            let bytes = trimmed(column.bytes(row))
            guard let value = scalar(bytes, target) else {
                let shown = String(decoding: column.bytes(row).prefix(shownByteCountMax), as: UTF8.self)
                throw MillstreamError(
                    .decode, "cannot cast '\(shown)' to \(target.nullable)", hint: "Filter such records out before the cast.", recordIndex: Int64(row))
            }
            try builder.append(value)
        }
        return builder.finish()
    }

    private static func scalar(_ bytes: UnsafeRawBufferPointer, _ target: DataType) -> Scalar? {
        switch target.kind {
        case .boolean: return boolean(bytes).map { .boolean($0) }
        case .tinyInt: return integer(bytes, Int64(Int8.min)...Int64(Int8.max)).map { .int64($0) }
        case .smallInt: return integer(bytes, Int64(Int16.min)...Int64(Int16.max)).map { .int64($0) }
        case .int: return integer(bytes, Int64(Int32.min)...Int64(Int32.max)).map { .int64($0) }
        case .bigInt: return integer(bytes, Int64.min...Int64.max).map { .int64($0) }
        case .float, .double: return Double(String(decoding: bytes, as: UTF8.self)).map { .double($0) }
        case .decimal(let precision, let scale):
            guard let parsed = decimal(bytes) else { return nil }
            guard let value = DecimalKernels.rescaled(parsed.unscaled, from: parsed.scale, to: scale),
                value.magnitude < DecimalRules.power(precision).magnitude
            else { return .null }
            return .decimal(value)
        case .date: return TimestampText.parseDate(bytes).map { .int64($0) }
        case .timestamp(let precision), .timestampLTZ(let precision):
            return TimestampText.parseTimestamp(bytes, precision: precision).map { .int64($0) }
        default: return nil
        }
    }

    /// Digits with an optional fraction, which is cut off ('1.9' is 1, as in Flink); no exponent.
    private static func integer(_ bytes: UnsafeRawBufferPointer, _ range: ClosedRange<Int64>) -> Int64? {
        guard let parsed = decimal(bytes) else { return nil }
        let whole = parsed.unscaled / DecimalRules.power(parsed.scale)
        guard let value = Int64(exactly: whole), range.contains(value) else { return nil }
        return value
    }

    /// An unscaled value and its scale; nil for anything but sign, digits and one point, or for more than 38 digits.
    private static func decimal(_ bytes: UnsafeRawBufferPointer) -> (unscaled: Int128, scale: Int)? {
        var value: Int128 = 0
        var scale = 0
        var digits = 0
        var hasPoint = false
        var index = 0
        let isNegative = bytes.first == 0x2D
        if isNegative || bytes.first == 0x2B { index = 1 }
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == 0x2E {
                if hasPoint { return nil }
                hasPoint = true
                continue
            }
            guard byte >= 0x30, byte <= 0x39 else { return nil }
            digits += 1
            // Digits of the fraction beyond what Int128 holds do not change a rounded result that fits.
            if value.magnitude >= DecimalRules.power(DecimalRules.precisionMax - 1).magnitude {
                if hasPoint { continue }
                return nil
            }
            value = value &* 10 &+ Int128(byte &- 0x30)
            if hasPoint { scale += 1 }
        }
        return digits == 0 ? nil : (isNegative ? -value : value, scale)
    }

    private static func boolean(_ bytes: UnsafeRawBufferPointer) -> Bool? {
        switch String(decoding: bytes.prefix(6), as: UTF8.self).lowercased() {
        case "t", "true", "y", "yes", "1": true
        case "f", "false", "n", "no", "0": false
        default: nil
        }
    }

    static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var start = 0
        var end = bytes.count
        while start < end, bytes[start] <= 0x20 { start += 1 }
        while end > start, bytes[end - 1] <= 0x20 { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    }

    // MARK: Lengths

    /// Text or bytes cut to the target's length; CHAR(n) pads with spaces, BINARY(n) with zeros. Bytes become text with U+FFFD for what is no UTF-8.
    static func resized(_ column: Column, _ count: Int, to target: DataType) throws(MillstreamError) -> Column {
        let (length, isPadded): (Int, Bool)
        switch target.kind {
        case .char(let limit), .binary(let limit): (length, isPadded) = (limit, true)
        case .varChar(let limit), .varBinary(let limit): (length, isPadded) = (limit, false)
        default: return column
        }
        let decodes = target.isText && !column.type.isText
        if length == DataType.unboundedLength && !isPadded && !decodes { return column.retyped(target) }
        var builder = ViewBuilder()
        for row in 0..<count {
            if column.isNull(row) {
                try builder.appendNull()
            } else if decodes {
                try builder.append(String(decoding: column.bytes(row), as: UTF8.self))
            } else {
                try appendResized(column.bytes(row), length, isPadded, target.isText, &builder)
            }
        }
        let result = builder.finish(type: target)
        return decodes && length != DataType.unboundedLength ? try resized(result.retyped(.string), count, to: target) : result
    }

    private static func appendResized(
        _ bytes: UnsafeRawBufferPointer, _ length: Int, _ isPadded: Bool, _ isText: Bool, _ builder: inout ViewBuilder
    ) throws(MillstreamError) {
        var used = 0
        var end = 0
        while end < bytes.count, used < length {
            end += 1
            // A code point ends before the next byte that does not continue one.
            while isText, end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
            used += 1
        }
        let kept = UnsafeRawBufferPointer(rebasing: bytes[0..<end])
        guard isPadded, used < length else { return try builder.append(kept) }
        var padded = Array(kept)
        padded.append(contentsOf: repeatElement(isText ? 0x20 : 0, count: length - used))
        var failure: MillstreamError?
        padded.withUnsafeBytes { bytes in
            do throws(MillstreamError) { try builder.append(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
