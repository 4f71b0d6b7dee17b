import Columnar
import Plan

/// The rows that a program sees: a batch's, or some of another's. Columns are made dense one by one, as they are asked for.
final class ScalarRows {
    private enum Origin {
        case batch(Batch)
        case some(Selection, ScalarRows)
    }
    private let origin: Origin
    /// Rows among which these were already, in what order: what was computed for them need not be computed again.
    private let lender: (rows: ScalarRows, selection: Selection)?
    let count: Int
    private var columns: [Int: Column] = [:]
    /// By the steps' ids.
    var results: [Operand?]

    init(_ batch: Batch, nodeCount: Int) {
        origin = .batch(batch)
        lender = nil
        count = batch.count
        results = Array(repeating: nil, count: nodeCount)
    }

    /// The rows that `selection` names. They are also those that `lent` names among `lender`.
    init(_ selection: Selection, of rows: ScalarRows, lender: ScalarRows? = nil, _ lent: Selection? = nil) {
        origin = .some(selection, rows)
        if let lender, let lent, lender !== rows { self.lender = (lender, lent) } else { self.lender = nil }
        count = selection.count
        results = Array(repeating: nil, count: rows.results.count)
    }

    /// What is known of a step: computed for these rows, or for rows among which they are.
    func result(of node: ScalarNode) throws(MillstreamError) -> Operand? {
        if let result = results[node.id] { return result }
        switch node.work {
        case .column, .constant: return nil
        default: break
        }
        guard case .some(let selection, let rows) = origin else { return nil }
        var result: Operand?
        if let lender, let known = lender.rows.results[node.id] {
            result = try known.taking(lender.selection)
        } else if let known = try rows.result(of: node) {
            result = try known.taking(selection)
        }
        results[node.id] = result
        return result
    }

    func column(_ position: Int) throws(MillstreamError) -> Column {
        if let column = columns[position] { return column }
        let column: Column
        switch origin {
        case .some(let selection, let rows): column = try rows.column(position).taking(selection)
        case .batch(let batch):
            guard position < batch.columns.count else {
                throw MillstreamError(.typeMismatch, "a batch has \(batch.columns.count) columns where at least \(position + 1) are needed", domain: .internal)
            }
            column = if let selection = batch.selection { try batch.columns[position].taking(selection) } else { batch.columns[position] }
        }
        columns[position] = column
        return column
    }
}

/// For each row, which of several results has it.
struct RowPlaces {
    private let buffer: Buffer
    private let count: Int

    init(count: Int, source: Int32, row: Int32) {
        self.count = count
        buffer = Buffer(byteCount: count * MemoryLayout<RowPlace>.stride)
        let places = buffer.pointer(as: RowPlace.self)
        for index in 0..<count { places[index] = RowPlace(source: source, row: row) }
    }

    /// Each row's place, from `place(row)`.
    @inline(__always)
    func set(_ count: Int, _ place: (Int) -> RowPlace) {
        let places = buffer.pointer(as: RowPlace.self)
        for row in 0..<count { places[row] = place(row) }
    }

    /// The rows that `selection` names (nil: all) are those of `source`, in its order (or `isInPlace`: at their own places); a constant has one for all.
    func set(_ selection: Selection?, source: Int32, isConstant: Bool = false, isInPlace: Bool = false) {
        let places = buffer.pointer(as: RowPlace.self)
        if let selection {
            let indices = selection.indices
            if isInPlace, !isConstant {
                for index in 0..<selection.count { places[Int(indices[index])] = RowPlace(source: source, row: indices[index]) }
            } else {
                for index in 0..<selection.count { places[Int(indices[index])] = RowPlace(source: source, row: isConstant ? 0 : Int32(truncatingIfNeeded: index)) }
            }
            withExtendedLifetime(selection) {}
        } else {
            for index in 0..<count { places[index] = RowPlace(source: source, row: isConstant ? 0 : Int32(truncatingIfNeeded: index)) }
        }
    }

    func gather(_ columns: [Column], as type: DataType? = nil) throws(MillstreamError) -> Column {
        // A typeless NULL takes the type of the result.
        var sources: [Column] = []
        for column in columns {
            if let type, column.type.layout != type.layout { sources.append(try Column.nulls(type: type, count: max(column.count, 1))) } else { sources.append(column) }
        }
        let column = try Column.gathering(buffer.pointer(as: RowPlace.self), count: count, from: sources)
        withExtendedLifetime(buffer) {}
        guard let type else { return column }
        return column.retyped(column.mayHaveNulls ? type.nullable : type)
    }
}

extension Operand {
    /// One value for all rows.
    static func constant(_ value: Scalar, _ type: DataType) throws(MillstreamError) -> Operand {
        if value == .null { return .null(type) }
        let builder = try ColumnBuilder.make(for: type)
        try builder.append(value)
        return Operand(builder.finish(), isConstant: true)
    }

    /// A column with a value for each row. Throws `internal` where a kernel gave another type than was asked for.
    func dense(_ count: Int, as type: DataType) throws(MillstreamError) -> Column {
        if column.type.layout != type.layout {
            guard isNullConstant || column.type.kind == .null else { throw .internal("a value of type \(column.type) stands where one of type \(type) should") }
            return try Column.nulls(type: type, count: count)
        }
        let column = isConstant ? try self.column.repeatingFirst(count) : self.column
        return column.type == type ? column : column.retyped(type)
    }

    /// The same values under the type of the expression that they are the result of.
    func typed(_ type: DataType) -> Operand {
        if column.type == type { return self }
        if column.type.layout != type.layout { return .null(type) }
        return Operand(column.retyped(type), isConstant: isConstant)
    }

    /// The values at some rows.
    func taking(_ selection: Selection) throws(MillstreamError) -> Operand { isConstant ? self : Operand(try column.taking(selection)) }

    /// The rows at which a condition is not `value`: those that a later condition may still decide.
    func open(_ count: Int, unless value: Bool) -> Selection {
        if isConstant, !isNullConstant, column.bit(0) == value { return Selection([]) }
        if isConstant { return Selection(Array(0..<Int32(truncatingIfNeeded: count))) }
        var rows: [Int32] = []
        rows.reserveCapacity(count)
        for row in 0..<count where column.isNull(row) || column.bit(row) != value { rows.append(Int32(truncatingIfNeeded: row)) }
        return Selection(rows)
    }

    /// The rows without a value.
    func nullRows(_ count: Int) -> Selection {
        var rows: [Int32] = []
        for row in 0..<count where isNull(row) { rows.append(Int32(truncatingIfNeeded: row)) }
        return Selection(rows)
    }
}

extension Selection {
    /// The indices below `count` that are not among these, which ascend.
    func complement(count: Int) -> Selection {
        var rows: [Int32] = []
        rows.reserveCapacity(count - self.count)
        var next = 0
        for row in 0..<count {
            if next < self.count, self[next] == row { next += 1 } else { rows.append(Int32(truncatingIfNeeded: row)) }
        }
        return Selection(rows)
    }
}

extension Bits {
    /// The first `count` bits, moved to `offset` in a buffer of their own.
    static func moved(_ bits: Buffer, to offset: Int, count: Int) -> Buffer {
        let buffer = Buffer(byteCount: Bits.byteCount(offset + count) + 8)
        Bits.copy(from: bits.base, 0, to: buffer.base, offset, count: count)
        return buffer
    }
}
