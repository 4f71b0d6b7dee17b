import Columnar
import Plan

/// Makes the values of one column, or of a part of a nested one, from their numbers: whole columns at a time.
struct DatagenMaker: Sendable {
    private enum Values: Sendable {
        case boolean
        /// Bounds of integers, and how many bytes a value has.
        case integer(Int64, Int64, width: Int)
        case real(Double, Double, isFloat: Bool)
        /// Bounds of the unscaled values.
        case decimal(Int128, Int128)
        case text(length: Int, varies: Bool)
        case bytes(length: Int, varies: Bool)
        case dateNow
        case timeNow(perSecond: Int64)
        case timestamp(perSecond: Int64, pastMilliseconds: Int64)
        case sequence(Int64, scale: Int)
        case list(length: Int)
        case row
    }

    /// Text and bytes of a type without a length of its own.
    static let lengthDefault = 100
    static let elementCountDefault = 3
    /// More than this in one value is a mistake rather than a wish.
    static let lengthMax = 1 << 24

    private let type: DataType
    private let values: Values
    private let parts: [DatagenMaker]
    private let seed: UInt64
    /// Words below this make a null; 0 makes none.
    private let nullBound: UInt64

    init(_ rule: DatagenColumn, _ type: DataType, name: String, seed: UInt64) throws(MillstreamError) {
        self.type = type
        self.seed = seed
        guard rule.nullRate >= 0, rule.nullRate <= 1 else {
            throw MillstreamError(.configuration, "column '\(name)': the share of nulls is \(rule.nullRate); it must be from 0 to 1")
        }
        guard type.isNullable || rule.nullRate == 0 else {
            throw MillstreamError(.configuration, "column '\(name)' is declared \(type) and cannot have a share of nulls")
        }
        nullBound = rule.nullRate >= 1 ? .max : UInt64(rule.nullRate * 0x1p64)
        values = try DatagenMaker.values(rule, type, name)
        var parts: [DatagenMaker] = []
        for (place, part) in DatagenMaker.partTypes(type).enumerated() {
            let partRule = rule.parts.indices.contains(place) ? rule.parts[place] : DatagenColumn()
            guard case .random = partRule.rule else {
                throw MillstreamError(.unsupported, "column '\(name)': a part of a nested value cannot be a sequence")
            }
            parts.append(try DatagenMaker(partRule, part, name: name, seed: randomWord(seed, at: UInt64(place + 1))))
        }
        self.parts = parts
    }

    private static func partTypes(_ type: DataType) -> [DataType] {
        switch type.kind {
        case .array(let element): [element]
        case .map(let key, let value): [key.notNull, value]
        case .multiset(let element): [element.notNull]
        case .row(let fields), .structured(_, let fields): fields.map(\.type)
        default: []
        }
    }

    private static func values(_ rule: DatagenColumn, _ type: DataType, _ name: String) throws(MillstreamError) -> Values {
        if case .sequence(let first, let last) = rule.rule { return try sequence(first, last, type, name) }
        func integers(_ low: Int64, _ high: Int64, _ width: Int) throws(MillstreamError) -> Values {
            let bounds = try (bound(rule.minimum, name) ?? low, bound(rule.maximum, name) ?? high)
            guard bounds.0 >= low, bounds.1 <= high, bounds.0 <= bounds.1 else { throw badBounds(name, type) }
            return .integer(bounds.0, bounds.1, width: width)
        }
        func length(_ own: Int) throws(MillstreamError) -> Int {
            let length = rule.length ?? min(own, own == DataType.unboundedLength ? lengthDefault : own)
            guard length > 0, length <= min(own, lengthMax) else {
                throw MillstreamError(.configuration, "column '\(name)' of type \(type): a length of \(length) is refused")
            }
            return length
        }
        switch type.kind {
        case .boolean: return .boolean
        case .tinyInt: return try integers(Int64(Int8.min), Int64(Int8.max), 1)
        case .smallInt: return try integers(Int64(Int16.min), Int64(Int16.max), 2)
        case .int, .intervalYearMonth: return try integers(Int64(Int32.min), Int64(Int32.max), 4)
        case .bigInt, .intervalDayTime: return try integers(.min, .max, 8)
        case .float: return try reals(rule, Double(Float.leastNonzeroMagnitude), Double(Float.greatestFiniteMagnitude), type, name)
        case .double: return try reals(rule, .leastNonzeroMagnitude, .greatestFiniteMagnitude, type, name)
        case .decimal(let precision, _):
            var (low, high): (Int128, Int128) = (0, powerOfTen(precision) - 1)
            if case .decimal(let value)? = rule.minimum { low = value }
            if case .decimal(let value)? = rule.maximum { high = value }
            guard low <= high, low.magnitude < powerOfTen(precision).magnitude, high.magnitude < powerOfTen(precision).magnitude else {
                throw badBounds(name, type)
            }
            return .decimal(low, high)
        case .char(let own): return .text(length: try length(own), varies: false)
        case .varChar(let own): return .text(length: try length(own), varies: rule.variesLength)
        case .binary(let own): return .bytes(length: try length(own), varies: false)
        case .varBinary(let own): return .bytes(length: try length(own), varies: rule.variesLength)
        case .date: return .dateNow
        case .time(let precision): return .timeNow(perSecond: TimeUnit(precision: precision).perSecond)
        case .timestamp(let precision), .timestampLTZ(let precision):
            return .timestamp(perSecond: TimeUnit(precision: precision).perSecond, pastMilliseconds: max(0, rule.maxPastMilliseconds))
        case .array, .map, .multiset:
            let length = rule.length ?? elementCountDefault
            guard length >= 0, length <= 1 << 20 else {
                throw MillstreamError(.configuration, "column '\(name)' of type \(type): a length of \(length) is refused")
            }
            return .list(length: length)
        case .row, .structured: return .row
        case .null, .raw, .object, .variant, .bitmap:
            throw MillstreamError(.unsupported, "datagen makes no values of type \(type), which column '\(name)' has")
        }
    }

    private static func sequence(_ first: Int64, _ last: Int64, _ type: DataType, _ name: String) throws(MillstreamError) -> Values {
        let range: ClosedRange<Int64>
        var factor = 0
        switch type.kind {
        case .tinyInt: range = Int64(Int8.min)...Int64(Int8.max)
        case .smallInt: range = Int64(Int16.min)...Int64(Int16.max)
        case .int: range = Int64(Int32.min)...Int64(Int32.max)
        case .bigInt, .float, .double, .char, .varChar: range = .min ... .max
        case .decimal(let precision, let scale):
            let largest = Int64(clamping: powerOfTen(precision - scale) - 1)
            (range, factor) = (-largest...largest, scale)
        default:
            throw MillstreamError(.unsupported, "column '\(name)' of type \(type) cannot be a sequence", hint: "Numbers and text can.")
        }
        guard first <= last, range.contains(first), range.contains(last) else {
            throw MillstreamError(.configuration, "column '\(name)' of type \(type): a sequence from \(first) to \(last) is refused")
        }
        return .sequence(first, scale: factor)
    }

    private static func reals(_ rule: DatagenColumn, _ low: Double, _ high: Double, _ type: DataType, _ name: String) throws(MillstreamError) -> Values {
        var bounds = (low, high)
        if case .double(let value)? = rule.minimum { bounds.0 = value }
        if case .double(let value)? = rule.maximum { bounds.1 = value }
        guard bounds.0 <= bounds.1, bounds.0.isFinite, bounds.1.isFinite else { throw badBounds(name, type) }
        let isFloat = if case .float = type.kind { true } else { false }
        return .real(bounds.0, bounds.1, isFloat: isFloat)
    }

    private static func bound(_ scalar: Scalar?, _ name: String) throws(MillstreamError) -> Int64? {
        switch scalar {
        case nil: return nil
        case .int64(let value)?: return value
        default: throw MillstreamError(.configuration, "column '\(name)' has a bound that is no whole number")
        }
    }

    private static func badBounds(_ name: String, _ type: DataType) -> MillstreamError {
        MillstreamError(.configuration, "column '\(name)' of type \(type): the bounds of its values are refused")
    }

    // MARK: Making

    /// The values of numbers `first ..< first + count`. `now` is in milliseconds.
    func make(first: Int64, count: Int, now: Int64) throws(MillstreamError) -> Column {
        let validity = nulls(first, count)
        switch values {
        case .boolean:
            let buffer = Buffer.zeroed(byteCount: Bits.byteCount(count))
            for index in 0..<count where word(first, index) & 1 == 1 { Bits.set(buffer.base, index) }
            return Column(type: type, count: count, validity: validity, values: buffer)
        case .integer(let low, let high, let width): return integers(low, high, width, first, count, validity)
        case .real(let low, let high, let isFloat): return reals(low, high, isFloat, first, count, validity)
        case .decimal(let low, let high):
            let span = UInt128(truncatingIfNeeded: high - low) + 1
            return fixed(Int128.self, count, validity) { index in
                let word = UInt128(word(first, index)) << 64 | UInt128(word(first, index, second: 1))
                return low + Int128(truncatingIfNeeded: word % span)
            }
        case .text(let length, let varies): return try texts(length, varies, first, count, validity, isHex: true)
        case .bytes(let length, let varies): return try texts(length, varies, first, count, validity, isHex: false)
        case .dateNow:
            let day = Int32(truncatingIfNeeded: now.floorDivided(by: 86_400_000))
            return fixed(Int32.self, count, validity) { _ in day }
        case .timeNow(let perSecond):
            let time = scaled(now &- now.floorDivided(by: 86_400_000) &* 86_400_000, perSecond)
            if case .fixed(4) = type.layout { return fixed(Int32.self, count, validity) { _ in Int32(truncatingIfNeeded: time) } }
            return fixed(Int64.self, count, validity) { _ in time }
        case .timestamp(let perSecond, let past):
            let span = past == .max ? UInt64(Int64.max) : UInt64(past) + 1
            return fixed(Int64.self, count, validity) { index in
                let back = Int64(word(first, index).multipliedFullWidth(by: span).high)
                return scaled(now.subtractingSaturating(back), perSecond)
            }
        case .sequence(let start, let scale): return try sequence(start, scale, first, count, validity)
        case .list(let length): return try lists(length, first, count, now, validity)
        case .row:
            var children: [Column] = []
            for part in parts { children.append(try part.make(first: first, count: count, now: now)) }
            return Column(type: type, count: count, validity: validity, values: nil, children: children)
        }
    }

    /// The chance of a value: of its number, whatever batch it is in. There is a second one for values of more than 64 bits.
    @inline(__always)
    private func word(_ first: Int64, _ index: Int, second: UInt64 = 0) -> UInt64 {
        randomWord(seed, at: UInt64(bitPattern: first &+ Int64(index)) &* 2 &+ second)
    }

    /// Milliseconds in units of `1 / perSecond` seconds.
    private func scaled(_ milliseconds: Int64, _ perSecond: Int64) -> Int64 {
        perSecond >= 1_000 ? milliseconds.multipliedSaturating(by: perSecond / 1_000) : milliseconds.floorDivided(by: 1_000 / perSecond)
    }

    private func nulls(_ first: Int64, _ count: Int) -> Buffer? {
        guard nullBound > 0 else { return nil }
        var nulls = LazyValidity(count: count)
        for index in 0..<count {
            let word = randomWord(~seed, at: UInt64(bitPattern: first &+ Int64(index)))
            if word < nullBound || nullBound == .max { nulls.clear(index) }
        }
        return nulls.buffer
    }

    @inline(__always)
    private func fixed<Value: BitwiseCopyable>(_ kind: Value.Type, _ count: Int, _ validity: Buffer?, _ value: (Int) -> Value) -> Column {
        let buffer = Buffer(byteCount: MemoryLayout<Value>.stride * count)
        let target = buffer.pointer(as: Value.self)
        for index in 0..<count { target[index] = value(index) }
        return Column(type: type, count: count, validity: validity, values: buffer)
    }

    private func integers(_ low: Int64, _ high: Int64, _ width: Int, _ first: Int64, _ count: Int, _ validity: Buffer?) -> Column {
        // 0 stands for all of the 64 bits' values.
        let span = UInt64(bitPattern: high &- low) &+ 1
        func value(_ index: Int) -> Int64 {
            let word = word(first, index)
            return span == 0 ? Int64(bitPattern: word) : low &+ Int64(bitPattern: word.multipliedFullWidth(by: span).high)
        }
        switch width {
        case 1: return fixed(Int8.self, count, validity) { Int8(truncatingIfNeeded: value($0)) }
        case 2: return fixed(Int16.self, count, validity) { Int16(truncatingIfNeeded: value($0)) }
        case 4: return fixed(Int32.self, count, validity) { Int32(truncatingIfNeeded: value($0)) }
        default: return fixed(Int64.self, count, validity) { value($0) }
        }
    }

    private func reals(_ low: Double, _ high: Double, _ isFloat: Bool, _ first: Int64, _ count: Int, _ validity: Buffer?) -> Column {
        // Not low + u * (high - low): the difference may be beyond the largest number.
        func value(_ index: Int) -> Double {
            let part = unit(word(first, index))
            return low * (1 - part) + high * part
        }
        if isFloat { return fixed(Float.self, count, validity) { min(max(Float(value($0)), Float(low)), Float(high)) } }
        return fixed(Double.self, count, validity) { value($0) }
    }

    /// Hexadecimal digits, as Flink's, or bytes: one run of memory for all values, and views of it.
    private func texts(_ length: Int, _ varies: Bool, _ first: Int64, _ count: Int, _ validity: Buffer?, isHex: Bool) throws(MillstreamError) -> Column {
        // Whole words are written; the last one may go beyond its value.
        let data = try Buffer(checking: count * length + 16)
        let bytes = data.pointer(as: UInt8.self)
        let perWord = isHex ? 16 : 8
        let wordsPerValue = UInt64((length + perWord - 1) / perWord + 1)
        let views = Buffer(byteCount: 16 * count)
        let target = views.pointer(as: StringView.self)
        guard count * length <= ViewBuilder.blockByteCountLimit else {
            throw MillstreamError(.limitExceeded, "\(count) values of \(length) bytes are too much for one batch")
        }
        var end = 0
        for index in 0..<count {
            var place = (UInt64(bitPattern: first) &+ UInt64(index)) &* wordsPerValue
            var size = length
            if varies { size = 1 + Int(randomWord(seed, at: place).multipliedFullWidth(by: UInt64(length)).high) }
            var written = 0
            while written < size {
                place &+= 1
                let word = randomWord(seed, at: place)
                let target = bytes + end + written
                if isHex { writeHex(word, to: target) } else { UnsafeMutableRawPointer(target).storeBytes(of: word, as: UInt64.self) }
                written += perWord
            }
            let value = UnsafeRawBufferPointer(start: bytes + end, count: size)
            target[index] = size <= StringView.inlineByteCount ? StringView(inline: value) : StringView(bytes: value, bufferIndex: 0, offset: end)
            end += size
        }
        return Column(type: type, count: count, validity: validity, values: views, dataBuffers: [data])
    }

    private func sequence(_ start: Int64, _ scale: Int, _ first: Int64, _ count: Int, _ validity: Buffer?) throws(MillstreamError) -> Column {
        let next = start &+ first
        switch type.kind {
        case .tinyInt: return fixed(Int8.self, count, validity) { Int8(truncatingIfNeeded: next &+ Int64($0)) }
        case .smallInt: return fixed(Int16.self, count, validity) { Int16(truncatingIfNeeded: next &+ Int64($0)) }
        case .int: return fixed(Int32.self, count, validity) { Int32(truncatingIfNeeded: next &+ Int64($0)) }
        case .float: return fixed(Float.self, count, validity) { Float(next &+ Int64($0)) }
        case .double: return fixed(Double.self, count, validity) { Double(next &+ Int64($0)) }
        case .decimal:
            let factor = powerOfTen(scale)
            return fixed(Int128.self, count, validity) { Int128(next &+ Int64($0)) &* factor }
        case .char, .varChar:
            var builder = ViewBuilder()
            let text = TextBuffer(capacity: 32)
            for index in 0..<count {
                text.clear()
                text.append(integer: next &+ Int64(index))
                try builder.append(text.bytes)
            }
            let column = builder.finish(type: type)
            return Column(type: type, count: count, validity: validity, values: column.values, dataBuffers: column.dataBuffers)
        default: return fixed(Int64.self, count, validity) { next &+ Int64($0) }
        }
    }

    private func lists(_ length: Int, _ first: Int64, _ count: Int, _ now: Int64, _ validity: Buffer?) throws(MillstreamError) -> Column {
        let (total, overflow) = count.multipliedReportingOverflow(by: length)
        guard !overflow, total <= Column.countLimit else {
            throw MillstreamError(.limitExceeded, "\(count) values of \(length) elements are too much for one batch")
        }
        var children: [Column] = []
        for part in parts { children.append(try part.make(first: first &* Int64(length), count: total, now: now)) }
        var ends = (0...count).map { Int32(truncatingIfNeeded: $0 * length) }
        if let entryType = type.elementType, entryType.layout == .row, !isArray {
            // Keys are unique: of equal ones the first stays, and a MULTISET counts them.
            let kept = distinctKeys(children[0], count, length)
            if kept.places.count < total {
                let selection = Selection(kept.places)
                for place in children.indices { children[place] = try children[place].taking(selection) }
            }
            ends = kept.ends
            if case .multiset = type.kind {
                children.append(Column(type: DataType.int.notNull, count: kept.places.count, values: Buffer.copying(kept.counts)))
            }
            children = [Column(type: entryType, count: kept.places.count, values: nil, children: children)]
        }
        return Column(type: type, count: count, validity: validity, values: Buffer.copying(ends), children: children)
    }

    private var isArray: Bool { if case .array = type.kind { true } else { false } }

    private func distinctKeys(_ keys: Column, _ count: Int, _ length: Int) -> (places: [Int32], counts: [Int32], ends: [Int32]) {
        var (places, counts, ends): ([Int32], [Int32], [Int32]) = ([], [], [0])
        var known: [Scalar] = []
        for row in 0..<count {
            known.removeAll(keepingCapacity: true)
            let start = counts.count
            for place in row * length..<(row + 1) * length {
                let key = keys.scalar(at: place)
                if let same = known.firstIndex(of: key) {
                    counts[start + same] &+= 1
                } else {
                    known.append(key)
                    places.append(Int32(truncatingIfNeeded: place))
                    counts.append(1)
                }
            }
            ends.append(Int32(truncatingIfNeeded: places.count))
        }
        return (places, counts, ends)
    }
}

/// The 16 digits of a word.
@inline(__always)
private func writeHex(_ word: UInt64, to target: UnsafeMutablePointer<UInt8>) {
    for place in 0..<16 { target[place] = hexDigit(UInt8(truncatingIfNeeded: word &>> UInt64(4 &* place)) & 15) }
}

extension Int64 {
    /// The product, or the nearest bound where it overflows; `factor` is above zero.
    fileprivate func multipliedSaturating(by factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? (self < 0 ? .min : .max) : product
    }
}
