/// A column to sort by. By default nulls are the least values, as in Flink: first where ascending, last where descending.
public struct SortKey: Sendable {
    public var column: Column
    public var isDescending: Bool
    public var nullsFirst: Bool

    public init(_ column: Column, isDescending: Bool = false, nullsFirst: Bool? = nil) {
        self.column = column
        self.isDescending = isDescending
        self.nullsFirst = nullsFirst ?? !isDescending
    }
}

extension Selection {
    /// The first `count` rows, or those of `candidates`, in the order of `keys`; equal rows keep their order. Throws as `Column.compare` does.
    public static func sorted(
        by keys: [SortKey], count: Int, among candidates: Selection? = nil
    ) throws(MillstreamError) -> Selection {
        let total = candidates?.count ?? count
        guard let first = keys.first, total > 1 else {
            return candidates ?? Selection((0..<Int32(truncatingIfNeeded: count)).map { $0 })
        }
        let scratch = Buffer(byteCount: total * MemoryLayout<SortEntry>.stride)
        let entries = UnsafeMutableBufferPointer(start: scratch.pointer(as: SortEntry.self), count: total)
        let source = candidates?.indices
        for index in 0..<total {
            entries[index] = SortEntry(first, row: source.map { Int($0[index]) } ?? index, place: index)
        }
        let tied = SortEntry.isExact(first.column.type) ? Array(keys.dropFirst()) : keys
        try sort(entries, tied)
        let result = Buffer(byteCount: 4 * total)
        let target = result.pointer(as: Int32.self)
        for index in 0..<total {
            let place = Int(entries[index].place)
            target[index] = source.map { $0[place] } ?? Int32(truncatingIfNeeded: place)
        }
        withExtendedLifetime((scratch, candidates)) {}
        return Selection(buffer: result, count: total)

        func sort(_ entries: UnsafeMutableBufferPointer<SortEntry>, _ tied: [SortKey]) throws(MillstreamError) {
            if tied.isEmpty { return entries.sortInPlace { $0.precedes($1) } }
            // Swift's sort takes no typed error: the first one is kept, and the order of the rest does not matter.
            var failure: MillstreamError?
            entries.sortInPlace { left, right in
                if let decided = left.precedesByPrefix(right) { return decided }
                guard failure == nil else { return left.place < right.place }
                do throws(MillstreamError) {
                    let leftRow = source.map { Int($0[Int(left.place)]) } ?? Int(left.place)
                    let rightRow = source.map { Int($0[Int(right.place)]) } ?? Int(right.place)
                    let order = try compareTied(tied, leftRow, rightRow)
                    return order == 0 ? left.place < right.place : order < 0
                } catch {
                    failure = error
                    return left.place < right.place
                }
            }
            if let failure { throw failure }
        }
    }
}

extension UnsafeMutableBufferPointer where Element == SortEntry {
    /// Sorts the memory itself; the buffer is a value that points there.
    fileprivate func sortInPlace(_ precedes: (SortEntry, SortEntry) -> Bool) {
        var copy = self
        copy.sort(by: precedes)
    }
}

private func compareTied(_ keys: [SortKey], _ left: Int, _ right: Int) throws(MillstreamError) -> Int {
    for key in keys {
        // Descending turns the order of values around, but not the place of nulls.
        let nullsFirst = key.nullsFirst != key.isDescending
        let order = try key.column.compare(at: left, to: key.column, at: right, nullsFirst: nullsFirst)
        if order != 0 { return key.isDescending ? -order : order }
    }
    return 0
}

/// A row while it is sorted: the first key as an unsigned number that has the key's order, so that most comparisons touch no column.
private struct SortEntry: BitwiseCopyable {
    let prefix: UInt64
    /// Puts nulls before (0) or after (2) values (1).
    let rank: Int32
    let place: Int32

    init(_ key: SortKey, row: Int, place: Int) {
        self.place = Int32(truncatingIfNeeded: place)
        if key.column.isNull(row) {
            rank = key.nullsFirst ? 0 : 2
            prefix = 0
        } else {
            rank = 1
            let ascending = SortEntry.prefix(key.column, row)
            prefix = key.isDescending ? ~ascending : ascending
        }
    }

    /// Whether equal prefixes mean equal values.
    static func isExact(_ type: DataType) -> Bool {
        switch type.layout {
        case .bits, .null: true
        case .fixed(let byteWidth): byteWidth <= 8
        default: false
        }
    }

    func precedes(_ other: SortEntry) -> Bool { precedesByPrefix(other) ?? (place < other.place) }

    @inline(__always)
    func precedesByPrefix(_ other: SortEntry) -> Bool? {
        if rank != other.rank { return rank < other.rank }
        return prefix == other.prefix ? nil : prefix < other.prefix
    }

    private static func prefix(_ column: Column, _ row: Int) -> UInt64 {
        switch column.type.layout {
        case .bits: return column.bit(row) ? 1 : 0
        case .fixed(let byteWidth): return prefixFixed(column, row, byteWidth)
        case .views:
            var word: UInt64 = 0
            let bytes = column.bytes(row)
            withUnsafeMutableBytes(of: &word) { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(8))) }
            return word.bigEndian
        default: return 0
        }
    }

    private static func prefixFixed(_ column: Column, _ row: Int, _ byteWidth: Int) -> UInt64 {
        switch column.type.kind {
        case .float: return ordered(Double(column.pointer(as: Float.self)[row]))
        case .double: return ordered(column.pointer(as: Double.self)[row])
        default: break
        }
        switch byteWidth {
        case 1: return ordered(Int64(column.pointer(as: Int8.self)[row]))
        case 2: return ordered(Int64(column.pointer(as: Int16.self)[row]))
        case 4: return ordered(Int64(column.pointer(as: Int32.self)[row]))
        case 8: return ordered(column.pointer(as: Int64.self)[row])
        default: return ordered(Int64(clamping: column.pointer(as: Int128.self)[row]))
        }
    }

    private static func ordered(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) ^ (1 << 63) }

    private static func ordered(_ value: Double) -> UInt64 {
        let bits = StableHash.canonicalBits(value)
        return bits >> 63 == 1 ? ~bits : bits | (1 << 63)
    }
}
