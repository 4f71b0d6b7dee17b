import Columnar
import Plan

/// One way from a type to another, over `count` values of a column (dense, or a slice). A value that cannot be cast is noted and left undefined.
typealias CastStep = (_ column: Column, _ count: Int, _ failures: inout CastFailures, _ context: EvaluationContext) throws(MillstreamError) -> Column

/// CAST and TRY_CAST.
enum Casts {
    static func prepare(from source: DataType, to target: DataType, isTry: Bool) throws(MillstreamError) -> Kernel {
        if source.kind == .null { return { (_, _, _) in .null(target) } }
        let step = try step(from: source, to: target)
        return { (arguments, count, context) throws(MillstreamError) in
            let operand = arguments[0]
            if operand.isNullConstant { return .null(target) }
            let rows = operand.isConstant ? 1 : count
            let column = operand.isConstant ? operand.column.slice(0, 1) : operand.column
            var failures = CastFailures(isTry ? .trying : .throwing)
            let result = try step(column, rows, &failures, context)
            return Operand(failures.settled(result), isConstant: operand.isConstant)
        }
    }

    /// Whether some value could make the cast throw.
    static func canFail(from source: DataType, to target: DataType) -> Bool {
        if source.kind == target.kind { return false }
        switch (CastRules.group(source), CastRules.group(target)) {
        case (.text, .text), (.text, .bytes), (.bytes, .bytes), (.bytes, .text): return false
        // Variants and bitmaps, and what may hold them, have bytes that may be damaged.
        case (_, .text): return source.layout == .views || !source.childTypes.isEmpty
        case (.number, .number):
            if case .decimal = target.kind { return source.kind == .float || source.kind == .double }
            return false
        case (.number, .boolean), (.boolean, .number), (.timestamp, .timestamp), (.date, .timestamp), (.timestamp, .date), (.time, .time), (.time, .timestamp),
            (.timestamp, .time), (.interval, .interval):
            return false
        default: return true
        }
    }

    /// Throws `plan` where there is no way.
    static func step(from source: DataType, to target: DataType) throws(MillstreamError) -> CastStep {
        if source.kind == target.kind { return { (column, _, _, _) in column.retyped(target) } }
        if source.kind == .null { return { (_, count, _, _) throws(MillstreamError) in try Column.nulls(type: target, count: count) } }
        if let nested = try CastsNested.step(from: source, to: target) { return nested }
        switch (CastRules.group(source), CastRules.group(target)) {
        case (.text, .text): return { (column, count, _, _) throws(MillstreamError) in try CastsToText.resize(column, count, to: target) }
        case (.text, .bytes), (.bytes, .bytes): return { (column, count, _, _) throws(MillstreamError) in try CastsToText.resizeBytes(column, count, to: target) }
        case (_, .text) where source.kind != .variant && !isRaw(source):
            return { (column, count, _, context) throws(MillstreamError) in try CastsToText.format(column, count, to: target, context) }
        case (.text, .number), (.text, .boolean):
            if let step = CastsFromText.step(to: target) { return step }
        case (.number, .number), (.boolean, .number), (.number, .boolean): return CastsOfNumbers.step(from: source, to: target)
        default: if let step = CastsOfTimes.step(from: source, to: target) { return step }
        }
        throw MillstreamError(.plan, "a value of type \(source) cannot be cast to \(target)", hint: CastRules.hint(from: source, to: target))
    }

    private static func isRaw(_ type: DataType) -> Bool {
        if case .raw = type.kind { return true }
        return false
    }
}

/// Which values of a column a cast could not take, and what becomes of that.
struct CastFailures {
    enum Mode {
        /// CAST: the first failure ends the batch.
        case throwing
        /// The parts of a value in a CAST: failures are kept, since a part may lie behind a null.
        case collecting
        /// TRY_CAST: the whole value is NULL.
        case trying
    }

    let mode: Mode
    /// Ascending where the cast goes through its rows in order.
    private(set) var rows: [Int32] = []
    private var errors: [MillstreamError] = []

    init(_ mode: Mode) { self.mode = mode }

    /// The failures of the parts of this cast's values.
    var ofParts: CastFailures { CastFailures(mode == .trying ? .trying : .collecting) }

    mutating func note(_ row: Int, _ error: @autoclosure () -> MillstreamError) throws(MillstreamError) {
        switch mode {
        case .throwing:
            var failure = error()
            failure.recordIndex = Int64(row)
            throw failure
        case .collecting:
            errors.append(error())
            rows.append(Int32(truncatingIfNeeded: row))
        case .trying: rows.append(Int32(truncatingIfNeeded: row))
        }
    }

    /// Takes over the failures of parts: row `row` of this cast failed if one of its parts `range(row)` did; nil for a row that has no parts, as a null's are none.
    mutating func absorb(_ parts: CastFailures, count: Int, _ range: (Int) -> Range<Int>?) throws(MillstreamError) {
        guard !parts.rows.isEmpty else { return }
        let order = parts.rows.indices.sorted { parts.rows[$0] < parts.rows[$1] }
        var next = 0
        for row in 0..<count {
            guard let range = range(row), !range.isEmpty else { continue }
            while next < order.count, Int(parts.rows[order[next]]) < range.lowerBound { next += 1 }
            guard next < order.count else { return }
            let failed = order[next]
            if Int(parts.rows[failed]) < range.upperBound { try note(row, parts.errors[failed]) }
        }
    }

    /// The result with the rows that TRY_CAST failed for made null.
    func settled(_ column: Column) -> Column {
        guard !rows.isEmpty else { return column }
        let validity = Validity.ofAll([Operand(column)], count: column.count) ?? DecimalKernels.allSet(column.count)
        for row in rows { Bits.clear(validity.base, Int(row)) }
        return column.masked(validity)
    }

    /// What is said of a text that is no value of a type; at most 100 bytes of it are shown.
    static func unreadable(_ bytes: UnsafeRawBufferPointer, _ target: DataType) -> MillstreamError {
        let shown = String(decoding: bytes.prefix(100), as: UTF8.self)
        return MillstreamError(.decode, "cannot cast '\(shown)' to \(target.nullable)", hint: "TRY_CAST gives NULL for what cannot be cast.")
    }
}

extension Column {
    /// The same values; null where a bit of `validity`, which begins with this window's first value, is not set.
    func masked(_ validity: Buffer) -> Column {
        Column(
            type: type.nullable, count: count, offset: offset, validity: offset == 0 ? validity : Bits.moved(validity, to: offset, count: count), values: values,
            dataBuffers: dataBuffers, children: children, hostObjects: hostObjects)
    }
}
