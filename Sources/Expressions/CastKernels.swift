import Columnar

/// Casts of whole columns, as SEMANTICS 5.11 has them: integers wrap, floating-point numbers truncate and saturate, decimals that do not fit are NULL.
enum CastKernels {
    /// `column` (dense, `count` values) as `target`. A text that does not parse throws `decode` with its row.
    static func cast(_ column: Column, _ count: Int, to target: DataType) throws(MillstreamError) -> Column {
        switch (CastRules.group(column.type), CastRules.group(target)) {
        case (.number, .number): return numbers(column, count, to: target)
        case (.boolean, .number): return booleanToNumber(column, count, to: target)
        case (.number, .boolean): return numberToBoolean(column, count, to: target)
        case (.timestamp, .timestamp), (.interval, .interval), (.date, .timestamp), (.timestamp, .date), (.time, .time):
            return times(column, count, to: target)
        case (.bytes, .bytes): return try TextCasts.resized(column, count, to: target)
        case (.text, .text): return try TextCasts.resized(column, count, to: target)
        case (.text, .bytes), (.bytes, .text): return try TextCasts.resized(column, count, to: target)
        case (.text, _): return try TextCasts.parse(column, count, to: target)
        case (_, .text): return try TextCasts.format(column, count, to: target)
        default:
            if column.type.layout == target.layout { return column.retyped(target) }
            throw MillstreamError(.unsupported, "a cast from \(column.type) to \(target) is not built")
        }
    }

    // MARK: Numbers

    private static func numbers(_ column: Column, _ count: Int, to target: DataType) -> Column {
        if case .decimal(let precision, let scale) = target.kind { return toDecimal(column, count, precision, scale, target) }
        switch target.kind {
        case .tinyInt: return toInteger(column, count, target, as: Int8.self)
        case .smallInt: return toInteger(column, count, target, as: Int16.self)
        case .int: return toInteger(column, count, target, as: Int32.self)
        case .bigInt: return toInteger(column, count, target, as: Int64.self)
        case .float: return toFloating(column, count, target, as: Float.self)
        default: return toFloating(column, count, target, as: Double.self)
        }
    }

    private static func toInteger<Integer: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
        _ column: Column, _ count: Int, _ target: DataType, as type: Integer.Type
    ) -> Column {
        switch column.type.kind {
        case .tinyInt: return map(column, count, target) { (value: Int8) in Integer(truncatingIfNeeded: value) }
        case .smallInt: return map(column, count, target) { (value: Int16) in Integer(truncatingIfNeeded: value) }
        case .int: return map(column, count, target) { (value: Int32) in Integer(truncatingIfNeeded: value) }
        case .bigInt: return map(column, count, target) { (value: Int64) in Integer(truncatingIfNeeded: value) }
        case .float: return map(column, count, target) { (value: Float) in saturated(Double(value)) as Integer }
        case .double: return map(column, count, target) { (value: Double) in saturated(value) as Integer }
        default:
            guard case .decimal(_, let scale) = column.type.kind else { return column }
            let divisor = DecimalRules.power(scale)
            return map(column, count, target) { (value: Int128) in Integer(truncatingIfNeeded: value / divisor) }
        }
    }

    /// Java's narrowing: NaN is 0, too large is the largest. To TINYINT and SMALLINT Java goes over INT, whose bits then wrap.
    @inline(__always)
    static func saturated<Integer: FixedWidthInteger & SignedInteger>(_ value: Double) -> Integer {
        if value != value { return 0 }
        if Integer.bitWidth < 32 { return Integer(truncatingIfNeeded: saturated(value) as Int32) }
        let truncated = value.rounded(.towardZero)
        if let exact = Integer(exactly: truncated) { return exact }
        return value < 0 ? Integer.min : Integer.max
    }

    private static func toFloating<Number: BinaryFloatingPoint & BitwiseCopyable>(
        _ column: Column, _ count: Int, _ target: DataType, as type: Number.Type
    ) -> Column {
        switch column.type.kind {
        case .tinyInt: return map(column, count, target) { (value: Int8) in Number(value) }
        case .smallInt: return map(column, count, target) { (value: Int16) in Number(value) }
        case .int: return map(column, count, target) { (value: Int32) in Number(value) }
        case .bigInt: return map(column, count, target) { (value: Int64) in Number(value) }
        case .float: return map(column, count, target) { (value: Float) in Number(value) }
        case .double: return map(column, count, target) { (value: Double) in Number(value) }
        default:
            guard case .decimal(_, let scale) = column.type.kind else { return column }
            let divisor = Double(DecimalRules.power(scale))
            return map(column, count, target) { (value: Int128) in Number(Double(value) / divisor) }
        }
    }

    private static func toDecimal(_ column: Column, _ count: Int, _ precision: Int, _ scale: Int, _ target: DataType) -> Column {
        let limit = DecimalRules.power(precision)
        func fitting(_ value: Int128?) -> Int128? { value.flatMap { $0 > -limit && $0 < limit ? $0 : nil } }
        switch column.type.kind {
        case .tinyInt: return mapOptional(column, count, target) { (value: Int8) in fitting(DecimalKernels.rescaled(Int128(value), from: 0, to: scale)) }
        case .smallInt: return mapOptional(column, count, target) { (value: Int16) in fitting(DecimalKernels.rescaled(Int128(value), from: 0, to: scale)) }
        case .int: return mapOptional(column, count, target) { (value: Int32) in fitting(DecimalKernels.rescaled(Int128(value), from: 0, to: scale)) }
        case .bigInt: return mapOptional(column, count, target) { (value: Int64) in fitting(DecimalKernels.rescaled(Int128(value), from: 0, to: scale)) }
        case .float: return mapOptional(column, count, target) { (value: Float) in fitting(decimal(Double(value), scale)) }
        case .double: return mapOptional(column, count, target) { (value: Double) in fitting(decimal(value, scale)) }
        default:
            guard case .decimal(_, let sourceScale) = column.type.kind else { return column }
            return mapOptional(column, count, target) { (value: Int128) in
                fitting(DecimalKernels.rescaled(value, from: sourceScale, to: scale))
            }
        }
    }

    private static func decimal(_ value: Double, _ scale: Int) -> Int128? {
        Int128(exactly: (value * Double(DecimalRules.power(scale))).rounded(.toNearestOrAwayFromZero))
    }

    private static func booleanToNumber(_ column: Column, _ count: Int, to target: DataType) -> Column {
        let values = Buffer(byteCount: count)
        let bytes = values.pointer(as: Int8.self)
        for row in 0..<count { bytes[row] = column.bit(row) ? 1 : 0 }
        let numbers = Column(type: .tinyInt, count: count, validity: Validity.ofAll([Operand(column)], count: count), values: values)
        return self.numbers(numbers, count, to: target)
    }

    private static func numberToBoolean(_ column: Column, _ count: Int, to target: DataType) -> Column {
        let doubles = toFloating(column, count, .double, as: Double.self)
        let values = UnsafePointer(doubles.pointer(as: Double.self))
        let bits = fillBits(count) { values[$0] != 0 }
        return Column(type: target, count: count, validity: doubles.validity, values: bits)
    }

    // MARK: Times

    /// Changes of unit. A coarser unit truncates towards the past, a finer one saturates.
    private static func times(_ column: Column, _ count: Int, to target: DataType) -> Column {
        let (sourceFactor, targetFactor) = (unitsPerDay(column.type), unitsPerDay(target))
        let wide: Column
        if case .fixed(byteWidth: 4) = column.type.layout {
            wide = map(column, count, .bigInt) { (value: Int32) in Int64(value) }
        } else {
            wide = column
        }
        let converted: Column
        if targetFactor == sourceFactor {
            converted = wide
        } else if targetFactor > sourceFactor {
            let factor = targetFactor / sourceFactor
            converted = map(wide, count, .bigInt) { (value: Int64) in
                let (product, overflow) = value.multipliedReportingOverflow(by: factor)
                return overflow ? (value < 0 ? Int64.min : Int64.max) : product
            }
        } else {
            let divisor = sourceFactor / targetFactor
            converted = map(wide, count, .bigInt) { (value: Int64) in value.dividedFlooring(by: divisor) }
        }
        if case .fixed(byteWidth: 4) = target.layout {
            return map(converted, count, target) { (value: Int64) in Int32(clamping: value) }
        }
        return converted.retyped(target)
    }

    private static func unitsPerDay(_ type: DataType) -> Int64 {
        switch type.kind {
        case .date: 1
        case .time(let precision), .timestamp(let precision), .timestampLTZ(let precision), .intervalDayTime(let precision):
            86_400 * TimeUnit(precision: precision).perSecond
        default: 1
        }
    }

    // MARK: Loops

    @inline(__always)
    private static func map<Source: BitwiseCopyable, Result: BitwiseCopyable>(
        _ column: Column, _ count: Int, _ type: DataType, _ body: (Source) -> Result
    ) -> Column {
        let values = Buffer(byteCount: count * MemoryLayout<Result>.stride)
        let result = values.pointer(as: Result.self)
        let source = UnsafePointer(column.pointer(as: Source.self))
        for row in 0..<count { result[row] = body(source[row]) }
        withExtendedLifetime(column) {}
        return Column(type: type, count: count, validity: Validity.ofAll([Operand(column)], count: count), values: values)
    }

    @inline(__always)
    private static func mapOptional<Source: BitwiseCopyable>(
        _ column: Column, _ count: Int, _ type: DataType, _ body: (Source) -> Int128?
    ) -> Column {
        let values = Buffer(byteCount: 16 * count)
        let result = values.pointer(as: Int128.self)
        let source = UnsafePointer(column.pointer(as: Source.self))
        var validity = Validity.ofAll([Operand(column)], count: count)
        for row in 0..<count {
            result[row] = 0
            if column.isNull(row) { continue }
            if let value = body(source[row]) {
                result[row] = value
            } else {
                let bits = validity ?? DecimalKernels.allSet(count)
                Bits.clear(bits.base, row)
                validity = bits
            }
        }
        withExtendedLifetime(column) {}
        return Column(type: type.nullable, count: count, validity: validity, values: values)
    }
}

extension Int64 {
    /// The quotient rounded towards negative infinity, for a positive divisor: where a negative timestamp's window begins.
    @inline(__always)
    func dividedFlooring(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient &- 1 : quotient
    }
}
