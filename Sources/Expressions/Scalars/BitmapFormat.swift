import Columnar

/// The portable serialized form that all Roaring libraries share (RoaringFormatSpec): little-endian; a cookie, keys and counts, offsets, then the containers.
extension RoaringBitmap {
    private static let cookieWithoutRuns: UInt32 = 12_346
    private static let cookieWithRuns: UInt32 = 12_347
    /// With runs, fewer containers than this have no offsets.
    private static let offsetCountMin = 4

    /// The set in serialized bytes, of which the end may be left over; nil where they are none, whatever they are.
    public init?(serialized bytes: UnsafeRawBufferPointer) {
        self.init()
        var reader = BitmapReader(bytes)
        guard let cookie = reader.word() else { return nil }
        let count: Int
        var runs: [UInt8]?
        if cookie == RoaringBitmap.cookieWithoutRuns {
            guard let number = reader.word(), number <= 65_536 else { return nil }
            count = Int(number)
        } else if cookie & 0xFFFF == RoaringBitmap.cookieWithRuns {
            count = Int(cookie >> 16) + 1
            guard let marks = reader.bytes((count + 7) / 8) else { return nil }
            runs = marks
        } else {
            return nil
        }
        var headers: [(key: UInt16, count: Int)] = []
        for _ in 0..<count {
            guard let key = reader.half(), let less = reader.half() else { return nil }
            if let last = headers.last, key <= last.key { return nil }
            headers.append((key, Int(less) + 1))
        }
        if runs == nil || count >= RoaringBitmap.offsetCountMin {
            // Where each container begins, which the containers themselves say too.
            guard reader.skip(4 * count) else { return nil }
        }
        for (index, header) in headers.enumerated() {
            let isRun = runs.map { $0[index >> 3] & (1 &<< UInt8(truncatingIfNeeded: index & 7)) != 0 } ?? false
            guard let container = isRun ? reader.runs() : header.count > RoaringBitmap.arrayCountMax ? reader.bits(header.count) : reader.array(header.count) else { return nil }
            append(header.key, container)
        }
    }

    /// The bytes. A container is written as runs where those are shorter, as Flink's are.
    public func serialized() -> [UInt8] {
        var bytes: [UInt8] = []
        func put(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
        let runs = containers.map { container -> Int? in
            let count = container.runCount
            return 2 + 4 * count < container.plainByteCount ? count : nil
        }
        let hasRuns = runs.contains { $0 != nil }
        if hasRuns {
            put(RoaringBitmap.cookieWithRuns | UInt32(truncatingIfNeeded: keys.count - 1) << 16)
            var marks = [UInt8](repeating: 0, count: (keys.count + 7) / 8)
            for (index, count) in runs.enumerated() where count != nil { marks[index >> 3] |= 1 &<< UInt8(truncatingIfNeeded: index & 7) }
            bytes += marks
        } else {
            put(RoaringBitmap.cookieWithoutRuns)
            put(UInt32(truncatingIfNeeded: keys.count))
        }
        for (key, container) in zip(keys, containers) {
            put(key)
            put(UInt16(truncatingIfNeeded: container.count - 1))
        }
        if !hasRuns || keys.count >= RoaringBitmap.offsetCountMin {
            var offset = bytes.count + 4 * keys.count
            for (container, count) in zip(containers, runs) {
                put(UInt32(truncatingIfNeeded: offset))
                offset += count.map { 2 + 4 * $0 } ?? container.plainByteCount
            }
        }
        for (container, count) in zip(containers, runs) {
            if let count {
                put(UInt16(truncatingIfNeeded: count))
                container.forEachRun { start, length in
                    put(start)
                    put(length)
                }
                continue
            }
            switch container {
            case .array(let values): for value in values { put(value) }
            case .bits(let words, _): for word in words { put(word) }
            }
        }
        return bytes
    }

    /// How many numbers serialized bytes have, from their head alone where there are no runs; nil where they are no bitmap.
    static func cardinality(serialized bytes: UnsafeRawBufferPointer) -> Int64? {
        var reader = BitmapReader(bytes)
        guard let cookie = reader.word() else { return nil }
        guard cookie == cookieWithoutRuns else { return RoaringBitmap(serialized: bytes)?.cardinality }
        guard let count = reader.word(), count <= 65_536 else { return nil }
        var total: Int64 = 0
        for _ in 0..<count {
            guard reader.half() != nil, let less = reader.half() else { return nil }
            total += Int64(less) + 1
        }
        return total
    }
}

extension RoaringBitmap.Container {
    /// As an array or as bits.
    fileprivate var plainByteCount: Int { count > RoaringBitmap.arrayCountMax ? 8 * RoaringBitmap.wordCount : 2 * count }

    fileprivate var runCount: Int {
        var count = 0
        switch self {
        case .array(let values):
            for index in values.indices where index == 0 || values[index] != values[index - 1] &+ 1 { count += 1 }
        case .bits(let words, _):
            var carry: UInt64 = 0
            for word in words {
                // Bits of which the one below is not set.
                count += (word & ~(word &<< 1 | carry)).nonzeroBitCount
                carry = word &>> 63
            }
        }
        return count
    }

    /// The first number of each run, and how many follow it.
    fileprivate func forEachRun(_ body: (UInt16, UInt16) -> Void) {
        var start = -1
        var last = -2
        func add(_ value: Int) {
            if value != last + 1 {
                if start >= 0 { body(UInt16(truncatingIfNeeded: start), UInt16(truncatingIfNeeded: last - start)) }
                start = value
            }
            last = value
        }
        switch self {
        case .array(let values): for value in values { add(Int(value)) }
        case .bits(let words, _):
            for (index, word) in words.enumerated() {
                var rest = word
                while rest != 0 {
                    add(index &<< 6 &+ rest.trailingZeroBitCount)
                    rest &= rest &- 1
                }
            }
        }
        if start >= 0 { body(UInt16(truncatingIfNeeded: start), UInt16(truncatingIfNeeded: last - start)) }
    }
}

/// Reads little-endian numbers; every step is checked against the end.
private struct BitmapReader {
    private let source: UnsafeRawBufferPointer
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer) { source = bytes }

    mutating func skip(_ count: Int) -> Bool {
        guard count <= source.count - place else { return false }
        place += count
        return true
    }

    mutating func word() -> UInt32? {
        let start = place
        return skip(4) ? UInt32(littleEndian: source.loadUnaligned(fromByteOffset: start, as: UInt32.self)) : nil
    }

    mutating func half() -> UInt16? {
        let start = place
        return skip(2) ? UInt16(littleEndian: source.loadUnaligned(fromByteOffset: start, as: UInt16.self)) : nil
    }

    mutating func bytes(_ count: Int) -> [UInt8]? {
        let start = place
        return skip(count) ? Array(source[start..<(start + count)]) : nil
    }

    mutating func array(_ count: Int) -> RoaringBitmap.Container? {
        guard 2 * count <= source.count - place else { return nil }
        var values: [UInt16] = []
        values.reserveCapacity(count)
        for _ in 0..<count {
            guard let value = half() else { return nil }
            if let last = values.last, value <= last { return nil }
            values.append(value)
        }
        return .array(values)
    }

    mutating func bits(_ count: Int) -> RoaringBitmap.Container? {
        let start = place
        guard skip(8 * RoaringBitmap.wordCount) else { return nil }
        var words = [UInt64](repeating: 0, count: RoaringBitmap.wordCount)
        for index in 0..<RoaringBitmap.wordCount { words[index] = UInt64(littleEndian: source.loadUnaligned(fromByteOffset: start + 8 * index, as: UInt64.self)) }
        guard words.reduce(0, { $0 + $1.nonzeroBitCount }) == count else { return nil }
        return .bits(words, count)
    }

    /// Pairs of a start and how many numbers follow it, ascending and apart.
    mutating func runs() -> RoaringBitmap.Container? {
        guard let count = half(), 4 * Int(count) <= source.count - place else { return nil }
        var words = [UInt64](repeating: 0, count: RoaringBitmap.wordCount)
        var next = 0
        for _ in 0..<count {
            guard let start = half(), let length = half(), Int(start) >= next, Int(start) + Int(length) <= 65_535 else { return nil }
            for value in Int(start)...(Int(start) + Int(length)) { words[value >> 6] |= 1 &<< UInt64(value & 63) }
            next = Int(start) + Int(length) + 1
        }
        return RoaringBitmap.Container.normal(words)
    }
}
