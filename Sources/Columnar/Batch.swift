/// Rows as columns, with the stream's hidden columns: row kind, event timestamp and the hash of the key.
///
/// Invariants: all columns have `physicalCount` values; `selection`, if there, lists the rows that count, in order (a filter or an exchange
/// copies nothing); hidden columns are indexed like the others. `columns` holds the schema's fields first; an operator that keys a stream by a
/// function appends the key's columns behind them (`schema.fields.count ..< columns.count`).
public struct Batch: Sendable {
    public var schema: Schema
    public var columns: [Column]
    public var physicalCount: Int
    public var selection: Selection?
    /// TINYINT of `RowKind`; nil means all rows are inserts.
    public var rowKinds: Column?
    /// BIGINT milliseconds; nil means no row has a timestamp, and `EventTime.none` means that one has not.
    public var timestamps: Column?
    /// BIGINT, the bits of the key's stable hash; nil before the stream is keyed.
    public var keyHashes: Column?

    public init(
        schema: Schema, columns: [Column], count: Int, selection: Selection? = nil, rowKinds: Column? = nil, timestamps: Column? = nil,
        keyHashes: Column? = nil
    ) {
        self.schema = schema
        self.columns = columns
        self.physicalCount = count
        self.selection = selection
        self.rowKinds = rowKinds
        self.timestamps = timestamps
        self.keyHashes = keyHashes
    }

    /// How many rows count.
    public var count: Int { selection?.count ?? physicalCount }
    public var isEmpty: Bool { count == 0 }

    /// Rows `start ..< start + length` of those that count, sharing all memory.
    public func slice(_ start: Int, _ length: Int) -> Batch {
        if start == 0 && length == count { return self }
        var copy = self
        if let selection {
            copy.selection = selection.slice(start, length)
        } else {
            copy.columns = columns.map { $0.slice(start, length) }
            copy.rowKinds = rowKinds?.slice(start, length)
            copy.timestamps = timestamps?.slice(start, length)
            copy.keyHashes = keyHashes?.slice(start, length)
            copy.physicalCount = length
        }
        return copy
    }

    /// The rows that `selection` (indices into the rows that count) names.
    public func selecting(_ indices: Selection) -> Batch {
        var copy = self
        copy.selection = selection.map { indices.composed(over: $0) } ?? indices
        return copy
    }

    /// Roughly how many bytes the rows that count take.
    public var byteCount: Int {
        let physical = columns.reduce(0) { $0 + $1.byteCount } + (timestamps == nil ? 0 : 8 * physicalCount)
            + (keyHashes == nil ? 0 : 8 * physicalCount) + (rowKinds == nil ? 0 : physicalCount)
        guard let selection, physicalCount > 0 else { return physical }
        return Int(Double(physical) * Double(selection.count) / Double(physicalCount))
    }
}

/// Row indices in ascending or any other order, without repeats unless a taker asks for them.
public final class Selection: @unchecked Sendable {
    private let buffer: Buffer
    private let offset: Int
    public let count: Int

    /// Takes over `count` Int32 indices.
    public init(buffer: Buffer, offset: Int = 0, count: Int) {
        self.buffer = buffer
        self.offset = offset
        self.count = count
    }

    public convenience init(_ indices: [Int32]) {
        self.init(buffer: Buffer.copying(indices), count: indices.count)
    }

    /// The indices; the caller keeps the selection alive.
    public var indices: UnsafePointer<Int32> { UnsafePointer(buffer.pointer(as: Int32.self) + offset) }

    /// The index at a place; hot loops take `indices` instead.
    public subscript(_ index: Int) -> Int { Int(indices[index]) }

    public func slice(_ start: Int, _ length: Int) -> Selection {
        precondition(start >= 0 && length >= 0 && start + length <= count, "slice out of range")
        return Selection(buffer: buffer, offset: offset + start, count: length)
    }

    /// These indices looked up in `outer`: the selection of a selection.
    public func composed(over outer: Selection) -> Selection {
        let result = Buffer(byteCount: 4 * count)
        let target = result.pointer(as: Int32.self)
        let inner = indices
        let source = outer.indices
        for index in 0..<count { target[index] = source[Int(inner[index])] }
        return Selection(buffer: result, count: count)
    }
}

/// What a row does to the table that a changelog describes. Raw values are Flink's.
public enum RowKind: Int8, Sendable {
    case insert = 0
    case updateBefore = 1
    case updateAfter = 2
    case delete = 3
}

/// A point in event time: milliseconds since the epoch. Arithmetic saturates, so that `min - 1` is `min` and no sum overflows.
@frozen
public struct EventTime: Hashable, Comparable, Sendable, BitwiseCopyable {
    public var milliseconds: Int64

    @inlinable
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Before every record; the first watermark.
    public static let min = EventTime(milliseconds: .min)
    /// After every record; the watermark at the end of input.
    public static let max = EventTime(milliseconds: .max)
    /// The mark of a record without a timestamp (as in Flink, `Long.MIN_VALUE`).
    public static let none = EventTime(milliseconds: .min)

    @inlinable
    public static func < (left: EventTime, right: EventTime) -> Bool { left.milliseconds < right.milliseconds }

    @inlinable
    public static func + (left: EventTime, milliseconds: Int64) -> EventTime {
        EventTime(milliseconds: left.milliseconds.addingSaturating(milliseconds))
    }

    @inlinable
    public static func - (left: EventTime, milliseconds: Int64) -> EventTime {
        EventTime(milliseconds: left.milliseconds.subtractingSaturating(milliseconds))
    }
}

extension Int64 {
    /// The sum, or the nearest bound where it overflows.
    @inlinable
    public func addingSaturating(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    /// The difference, or the nearest bound where it overflows.
    @inlinable
    public func subtractingSaturating(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }
}
