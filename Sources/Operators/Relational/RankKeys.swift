import Columnar
import Plan
import State
#if canImport(Glibc)
import Glibc
#endif

/// The sort keys of a batch's rows as bytes whose order is that of the rows: so that two rows of any types are compared by a few words.
///
/// Of each column a byte says whether it is NULL, then come the bytes of the value: numbers from the high byte on, text with an end that is less than any
/// other text; turned around where the order descends.
struct RankKeyEncoder {
    private let order: [Plan.SortKey]

    /// Throws `plan` for a column that has no order.
    init(_ order: [Plan.SortKey], _ schema: Schema) throws(MillstreamError) {
        self.order = order
        for key in order {
            guard key.column >= 0, key.column < schema.fields.count else {
                throw MillstreamError(.plan, "the order names column \(key.column); the stream has \(schema.fields.count)")
            }
            let type = schema.fields[key.column].type
            switch type.layout {
            case .bits, .fixed, .views, .null: break
            default: throw MillstreamError(.plan, "rows cannot be ranked by a column of type \(type)")
            }
        }
    }

    /// Where each row's bytes end, and the bytes of all rows.
    func encode(_ columns: [Column], count: Int) -> RankKeyBytes {
        var bytes = RankKeyBytes()
        bytes.ends.reserveCapacity(count)
        for row in 0..<count {
            for key in order { append(columns[key.column], row, key, &bytes.bytes) }
            bytes.ends.append(bytes.bytes.count)
        }
        return bytes
    }

    @inline(__always)
    private func append(_ column: Column, _ row: Int, _ key: Plan.SortKey, _ bytes: inout [UInt8]) {
        if column.isNull(row) { return bytes.append(key.nullsFirst ? 0 : 2) }
        bytes.append(1)
        let mask: UInt8 = key.isDescending ? 0xff : 0
        switch column.type.layout {
        case .bits: bytes.append((column.bit(row) ? 1 : 0) ^ mask)
        case .fixed(let byteWidth): appendFixed(column, row, byteWidth, mask, &bytes)
        case .views:
            for byte in column.bytes(row) {
                bytes.append(byte ^ mask)
                if byte == 0 { bytes.append(0xff ^ mask) }
            }
            bytes.append(mask)
            bytes.append(mask)
        default: break
        }
    }

    private func appendFixed(_ column: Column, _ row: Int, _ byteWidth: Int, _ mask: UInt8, _ bytes: inout [UInt8]) {
        switch column.type.kind {
        case .float: return append(Self.ordered(Double(column.pointer(as: Float.self)[row])), 8, mask, &bytes)
        case .double: return append(Self.ordered(column.pointer(as: Double.self)[row]), 8, mask, &bytes)
        default: break
        }
        switch byteWidth {
        case 1: append(UInt64(bitPattern: Int64(column.pointer(as: Int8.self)[row])) ^ 0x80, 1, mask, &bytes)
        case 2: append(UInt64(bitPattern: Int64(column.pointer(as: Int16.self)[row])) ^ 0x8000, 2, mask, &bytes)
        case 4: append(UInt64(bitPattern: Int64(column.pointer(as: Int32.self)[row])) ^ 0x8000_0000, 4, mask, &bytes)
        case 8: append(UInt64(bitPattern: column.pointer(as: Int64.self)[row]) ^ (1 << 63), 8, mask, &bytes)
        default:
            let value = column.pointer(as: Int128.self)[row]
            append(UInt64(bitPattern: Int64(truncatingIfNeeded: value >> 64)) ^ (1 << 63), 8, mask, &bytes)
            append(UInt64(truncatingIfNeeded: value), 8, mask, &bytes)
        }
    }

    private static func ordered(_ value: Double) -> UInt64 {
        let bits = StableHash.canonicalBits(value)
        return bits >> 63 == 1 ? ~bits : bits | (1 << 63)
    }

    /// The low bytes of a word, the highest first.
    @inline(__always)
    private func append(_ word: UInt64, _ byteCount: Int, _ mask: UInt8, _ bytes: inout [UInt8]) {
        for place in stride(from: byteCount - 1, through: 0, by: -1) {
            bytes.append(UInt8(truncatingIfNeeded: word &>> UInt64(truncatingIfNeeded: 8 &* place)) ^ mask)
        }
    }
}

/// The encoded keys of a batch.
struct RankKeyBytes {
    fileprivate(set) var bytes: [UInt8] = []
    fileprivate(set) var ends: [Int] = []

    @inline(__always)
    func range(_ row: Int) -> Range<Int> { (row == 0 ? 0 : ends[row - 1])..<ends[row] }
}

/// The first bytes of a key as numbers; what is longer has its own memory.
struct RankKey: BitwiseCopyable {
    static let inlineByteCount = 24

    var high: UInt64 = 0
    var middle: UInt64 = 0
    var low: UInt64 = 0
    /// The bytes behind those: their count (8 bytes), then they; nil: none.
    var tail: UnsafeMutableRawPointer?

    init() {}

    /// Takes memory for what is longer; `free` gives it back.
    init(_ bytes: RankKeyBytes, _ row: Int) {
        let range = bytes.range(row)
        bytes.bytes.withUnsafeBytes { all in
            let own = UnsafeRawBufferPointer(rebasing: all[range])
            high = Self.word(own, 0)
            middle = Self.word(own, 8)
            low = Self.word(own, 16)
            guard own.count > Self.inlineByteCount, let base = own.baseAddress else { return }
            let count = own.count - Self.inlineByteCount
            let memory = UnsafeMutableRawPointer.allocate(byteCount: 8 + count, alignment: 8)
            memory.storeBytes(of: count, as: Int.self)
            (memory + 8).copyMemory(from: base + Self.inlineByteCount, byteCount: count)
            tail = memory
        }
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> UInt64 {
        if start + 8 <= bytes.count { return bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self).bigEndian }
        var word: UInt64 = 0
        for place in 0..<8 { word = word &<< 8 | (start + place < bytes.count ? UInt64(bytes[start + place]) : 0) }
        return word
    }

    func free() { tail?.deallocate() }

    /// Less than 0, 0 or more than 0.
    @inline(__always)
    func compare(_ other: RankKey) -> Int {
        if high != other.high { return high < other.high ? -1 : 1 }
        if middle != other.middle { return middle < other.middle ? -1 : 1 }
        if low != other.low { return low < other.low ? -1 : 1 }
        return tail == nil && other.tail == nil ? 0 : compareTails(other)
    }

    private func compareTails(_ other: RankKey) -> Int {
        guard let tail else { return -1 }
        guard let otherTail = other.tail else { return 1 }
        let (count, otherCount) = (tail.load(as: Int.self), otherTail.load(as: Int.self))
        let order = memcmp(tail + 8, otherTail + 8, min(count, otherCount))
        return order != 0 ? Int(order) : count - otherCount
    }
}

/// Rows in order, several orders side by side: a balanced tree for each partition, whose nodes are the numbers of rows. A row's place is found by its key,
/// and among equal keys by when it came.
///
/// The trees are treaps: a row's priority is a hash of its number and age, so that their shape is the same in each run.
final class RankTrees {
    private var keys = SlotArray<RankKey>(fill: RankKey())
    private var sequences = SlotArray<Int64>(fill: 0)
    private var lefts = SlotArray<Int32>(fill: -1)
    private var rights = SlotArray<Int32>(fill: -1)
    private var sizes = SlotArray<Int32>(fill: 0)
    private var roots = SlotArray<Int32>(fill: -1)
    private var nextSequence: Int64 = 0
    private var live = 0

    deinit {
        for slot in 0..<min(keys.capacity, sizes.capacity) where sizes[slot] > 0 { keys[slot].free() }
    }

    @inline(__always)
    private func root(_ partition: Int32) -> Int32 { Int(partition) < roots.capacity ? roots[Int(partition)] : -1 }

    func count(_ partition: Int32) -> Int { size(root(partition)) }

    @inline(__always)
    private func size(_ node: Int32) -> Int { node < 0 ? 0 : Int(sizes[Int(node)]) }

    func key(_ row: Int32) -> RankKey { keys[Int(row)] }
    func sequence(_ row: Int32) -> Int64 { sequences[Int(row)] }

    /// Adds a row, behind those with its key, or at the age that another had. The key's memory is the tree's then. Returns how many rows are before it.
    @discardableResult
    func insert(_ row: Int32, _ key: RankKey, in partition: Int32, sequence: Int64? = nil) -> Int {
        let index = Int(row)
        keys.reserve(index + 1)
        sequences.reserve(index + 1)
        lefts.reserve(index + 1)
        rights.reserve(index + 1)
        sizes.reserve(index + 1)
        roots.reserve(Int(partition) + 1)
        keys[index] = key
        sequences[index] = sequence ?? nextSequence
        if sequence == nil { nextSequence += 1 }
        lefts[index] = -1
        rights[index] = -1
        sizes[index] = 1
        live += 1
        roots[Int(partition)] = inserted(row, into: root(partition))
        return place(row, in: partition)
    }

    /// How many rows are before one that is in the tree.
    func place(_ row: Int32, in partition: Int32) -> Int {
        var node = root(partition)
        var before = 0
        while node >= 0, node != row {
            if precedes(row, node) {
                node = lefts[Int(node)]
            } else {
                before += size(lefts[Int(node)]) + 1
                node = rights[Int(node)]
            }
        }
        return before + (node < 0 ? 0 : size(lefts[Int(node)]))
    }

    /// The row with so many before it; -1: none.
    func row(_ place: Int, in partition: Int32) -> Int32 {
        var node = root(partition)
        var place = place
        while node >= 0 {
            let before = size(lefts[Int(node)])
            if place == before { return node }
            if place < before {
                node = lefts[Int(node)]
            } else {
                place -= before + 1
                node = rights[Int(node)]
            }
        }
        return -1
    }

    /// The rows from a place on, at most so many.
    func rows(from place: Int, count: Int, in partition: Int32) -> [Int32] {
        var rows: [Int32] = []
        guard count > 0, place < self.count(partition) else { return rows }
        rows.reserveCapacity(min(count, self.count(partition) - place))
        collect(root(partition), max(0, place), count, &rows)
        return rows
    }

    private func collect(_ node: Int32, _ start: Int, _ count: Int, _ rows: inout [Int32]) {
        guard node >= 0, rows.count < count else { return }
        let before = size(lefts[Int(node)])
        if start < before { collect(lefts[Int(node)], start, count, &rows) }
        if start <= before, rows.count < count { rows.append(node) }
        if rows.count < count { collect(rights[Int(node)], max(0, start - before - 1), count, &rows) }
    }

    /// Removes a row that is in the tree.
    func remove(_ row: Int32, in partition: Int32) {
        roots[Int(partition)] = removed(row, from: root(partition))
        keys[Int(row)].free()
        sizes[Int(row)] = 0
        live -= 1
    }

    private func removed(_ row: Int32, from node: Int32) -> Int32 {
        if node < 0 { return -1 }
        if node == row { return merged(lefts[Int(node)], rights[Int(node)]) }
        if precedes(row, node) {
            lefts[Int(node)] = removed(row, from: lefts[Int(node)])
        } else {
            rights[Int(node)] = removed(row, from: rights[Int(node)])
        }
        update(node)
        return node
    }

    private func inserted(_ row: Int32, into node: Int32) -> Int32 {
        if node < 0 { return row }
        if priority(row) > priority(node) {
            let (left, right) = split(node, by: row)
            lefts[Int(row)] = left
            rights[Int(row)] = right
            update(row)
            return row
        }
        if precedes(row, node) {
            lefts[Int(node)] = inserted(row, into: lefts[Int(node)])
        } else {
            rights[Int(node)] = inserted(row, into: rights[Int(node)])
        }
        update(node)
        return node
    }

    private func split(_ node: Int32, by row: Int32) -> (Int32, Int32) {
        if node < 0 { return (-1, -1) }
        if precedes(row, node) {
            let (left, right) = split(lefts[Int(node)], by: row)
            lefts[Int(node)] = right
            update(node)
            return (left, node)
        }
        let (left, right) = split(rights[Int(node)], by: row)
        rights[Int(node)] = left
        update(node)
        return (node, right)
    }

    private func merged(_ left: Int32, _ right: Int32) -> Int32 {
        if left < 0 { return right }
        if right < 0 { return left }
        if priority(left) > priority(right) {
            rights[Int(left)] = merged(rights[Int(left)], right)
            update(left)
            return left
        }
        lefts[Int(right)] = merged(left, lefts[Int(right)])
        update(right)
        return right
    }

    @inline(__always)
    private func update(_ node: Int32) {
        sizes[Int(node)] = Int32(truncatingIfNeeded: size(lefts[Int(node)]) + size(rights[Int(node)]) + 1)
    }

    @inline(__always)
    private func precedes(_ row: Int32, _ other: Int32) -> Bool {
        let order = keys[Int(row)].compare(keys[Int(other)])
        return order != 0 ? order < 0 : sequences[Int(row)] < sequences[Int(other)]
    }

    @inline(__always)
    private func priority(_ row: Int32) -> UInt64 { StableHash.word(UInt64(UInt32(bitPattern: row)), seed: UInt64(bitPattern: sequences[Int(row)])) }
}
