import Columnar

#if canImport(Glibc)
    import Glibc
#endif

/// Builds a column of text or bytes in place: a value's bytes are appended where they will stay, in one run of blocks for the whole batch.
///
/// Values of another column can be taken over, whole or in part, without copying what is longer than a view (`sharing`). One thread, one column.
final class TextColumn {
    /// The longest value that a function makes. Longer ones come of a mistake in REPEAT or LPAD sooner than of data.
    static let valueByteCountMax = 256 << 20
    private static let blockByteCountMin = 4 << 10
    private static let blockByteCountMax = 1 << 20

    private(set) var count = 0
    private var views: Buffer
    private var viewCapacity: Int
    private var validity: Buffer?
    private var blocks: [Buffer]
    private var block: Buffer?
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity = 0
    /// Where the value under construction begins and ends in the block.
    private var start = 0
    private var end = 0
    private var isTooLong = false

    /// `rowCount` is a guess. Parts of `sharing`'s values may be taken over.
    init(rowCount: Int, sharing: Column? = nil) {
        viewCapacity = max(rowCount, 1)
        views = Buffer(byteCount: viewCapacity * MemoryLayout<StringView>.stride)
        blocks = sharing?.dataBuffers ?? []
        base = views.pointer(as: UInt8.self)
    }

    /// How many bytes the value under construction has.
    var valueByteCount: Int { end &- start }
    var valueBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base + start, count: end &- start) }

    @inline(__always)
    func append(_ byte: UInt8) {
        if end == capacity, !grow(1) { return }
        base[end] = byte
        end &+= 1
    }

    @inline(__always)
    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        if bytes.count > capacity &- end, !grow(bytes.count) { return }
        memcpy(base + end, source, bytes.count)
        end &+= bytes.count
    }

    func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    func append(_ text: StaticString) { append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) }

    /// The UTF-8 of a code point; what is no scalar becomes `?`, as Java encodes a lone surrogate.
    func append(point: UInt32) {
        if point < 0x80 { return append(UInt8(truncatingIfNeeded: point)) }
        if point < 0x800 {
            append(UInt8(truncatingIfNeeded: 0xC0 | point >> 6))
        } else if point < 0x10000 {
            if point >= 0xD800 && point < 0xE000 { return append(0x3F) }
            append(UInt8(truncatingIfNeeded: 0xE0 | point >> 12))
            append(UInt8(truncatingIfNeeded: 0x80 | (point >> 6) & 0x3F))
        } else if point < 0x110000 {
            append(UInt8(truncatingIfNeeded: 0xF0 | point >> 18))
            append(UInt8(truncatingIfNeeded: 0x80 | (point >> 12) & 0x3F))
            append(UInt8(truncatingIfNeeded: 0x80 | (point >> 6) & 0x3F))
        } else {
            return append(0x3F)
        }
        append(UInt8(truncatingIfNeeded: 0x80 | point & 0x3F))
    }

    /// `bytes` with U+FFFD for what is no UTF-8.
    func append(repairing bytes: UnsafeRawBufferPointer) {
        if UTF8Validation.isValid(bytes) { append(bytes) } else { append(String(decoding: bytes, as: UTF8.self)) }
    }

    /// Room for `additional` bytes, which the caller writes at once: `body` gets the place and says how many it wrote.
    func write(room additional: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int) {
        if additional > capacity &- end, !grow(additional) { return }
        end &+= body(base + end)
    }

    /// Forgets the bytes of the value under construction from `byteCount` on.
    func truncateValue(to byteCount: Int) { end = min(end, start &+ byteCount) }

    // MARK: Ends of values

    /// What was appended since the last end is a value.
    func endValue() throws(MillstreamError) {
        if isTooLong { throw Self.tooLong() }
        let length = end &- start
        let bytes = UnsafeRawBufferPointer(start: base + start, count: length)
        if length <= StringView.inlineByteCount {
            append(view: StringView(inline: bytes))
            end = start
        } else {
            append(view: StringView(bytes: bytes, bufferIndex: blocks.count &- 1, offset: start))
            start = end
        }
    }

    static func tooLong() -> MillstreamError {
        MillstreamError(.limitExceeded, "a text function made a value of more than \(valueByteCountMax >> 20) MiB", hint: "Look at the lengths given to REPEAT, LPAD, RPAD or REPLACE.")
    }

    func appendNull() {
        end = start
        if validity == nil {
            let bits = Buffer(byteCount: Bits.byteCount(max(viewCapacity, count &+ 1)) &+ 8)
            memset(bits.base, 0xFF, bits.byteCount)
            validity = bits
        }
        append(view: StringView(length: 0, prefix: 0, bufferIndex: 0, offset: 0))
        if let validity { Bits.clear(validity.base, count &- 1) }
    }

    /// A value of the shared column, from `first` on, `length` bytes of it.
    @inline(__always)
    func append(_ view: StringView, _ bytes: UnsafeRawBufferPointer, from first: Int, _ length: Int) {
        if first == 0, length == bytes.count { return append(view: view) }
        let part = UnsafeRawBufferPointer(rebasing: bytes[first..<first &+ length])
        if length <= StringView.inlineByteCount { return append(view: StringView(inline: part)) }
        append(view: StringView(bytes: part, bufferIndex: Int(view.bufferIndex), offset: Int(view.offset) &+ first))
    }

    @inline(__always)
    private func append(view: StringView) {
        if count == viewCapacity { growViews() }
        views.pointer(as: StringView.self)[count] = view
        count &+= 1
    }

    func finish(_ type: DataType) -> Column {
        Column(type: validity == nil ? type : type.nullable, count: count, validity: validity, values: views, dataBuffers: blocks)
    }

    // MARK: Growth

    @inline(never)
    private func growViews() {
        let larger = Buffer(byteCount: 2 * viewCapacity * MemoryLayout<StringView>.stride)
        memcpy(larger.base, views.base, count * MemoryLayout<StringView>.stride)
        if let validity {
            let bits = Buffer(byteCount: Bits.byteCount(2 * viewCapacity) &+ 8)
            memset(bits.base, 0xFF, bits.byteCount)
            memcpy(bits.base, validity.base, Bits.byteCount(viewCapacity))
            self.validity = bits
        }
        views = larger
        viewCapacity *= 2
    }

    /// A new block with the value under construction at its start; false where the value would be too long, which `endValue` reports.
    @inline(never)
    private func grow(_ additional: Int) -> Bool {
        let length = end &- start
        guard !isTooLong, additional >= 0, additional <= Self.valueByteCountMax &- length else {
            isTooLong = true
            return false
        }
        let next = min(Self.blockByteCountMax, max(Self.blockByteCountMin, 4 &* (block?.byteCount ?? 0)))
        let larger = Buffer(byteCount: max(next, min(2 &* (length &+ additional), Self.valueByteCountMax)))
        if length > 0 { memcpy(larger.base, base + start, length) }
        // A block that holds nothing but the value that moves out is not kept.
        if start == 0, block != nil { blocks.removeLast() }
        blocks.append(larger)
        block = larger
        base = larger.pointer(as: UInt8.self)
        capacity = larger.byteCount
        start = 0
        end = length
        return true
    }
}

/// A text or bytes argument as a loop sees it.
struct TextArgument {
    let column: Column
    let isConstant: Bool
    private let reader: ViewReader

    init(_ operand: Operand) {
        column = operand.column
        isConstant = operand.isConstant
        reader = ViewReader(operand.column)
    }

    @inline(__always)
    subscript(_ row: Int) -> UnsafeRawBufferPointer { reader[isConstant ? 0 : row] }

    @inline(__always)
    func isNull(_ row: Int) -> Bool { column.isNull(isConstant ? 0 : row) }

    @inline(__always)
    func view(_ row: Int) -> StringView { column.pointer(as: StringView.self)[isConstant ? 0 : row] }
}

/// An integer argument of any width as a loop sees it.
struct IntegerArgument {
    private let base: UnsafeRawPointer
    private let width: Int
    private let isConstant: Bool

    init(_ operand: Operand) {
        isConstant = operand.isConstant
        if case .fixed(let byteWidth) = operand.type.layout, byteWidth <= 8 { width = byteWidth } else { width = 0 }
        base = UnsafeRawPointer(operand.column.values.unsafelyUnwrapped.base) + operand.column.offset * width
    }

    @inline(__always)
    subscript(_ row: Int) -> Int {
        let row = isConstant ? 0 : row
        switch width {
        case 4: return Int(base.load(fromByteOffset: row &<< 2, as: Int32.self))
        case 8: return Int(base.load(fromByteOffset: row &<< 3, as: Int64.self))
        case 2: return Int(base.load(fromByteOffset: row &<< 1, as: Int16.self))
        case 1: return Int(base.load(fromByteOffset: row, as: Int8.self))
        default: return 0
        }
    }
}

/// The loops that most text functions share. A row with a null argument gives null and is not looked at.
enum TextLoops {
    /// Whether an argument is null in all rows.
    static func isNull(_ arguments: [Operand]) -> Bool { arguments.contains { $0.isNullConstant || $0.type.kind == .null } }

    /// Rows of text: `body` appends a row's value to the column, or gives false for null.
    @inline(__always)
    static func text(
        _ arguments: [Operand], _ count: Int, _ type: DataType, sharing: Column? = nil, _ body: (Int, TextColumn) throws(MillstreamError) -> Bool
    ) throws(MillstreamError) -> Operand {
        if isNull(arguments) { return .null(type) }
        let validity = Validity.ofAll(arguments, count: count)
        let result = TextColumn(rowCount: count, sharing: sharing)
        for row in 0..<count {
            if let validity, !Bits.get(validity.base, row) {
                result.appendNull()
            } else if try body(row, result) {
                try result.endValue()
            } else {
                result.appendNull()
            }
        }
        return Operand(result.finish(type))
    }

    /// Rows of parts of the first argument: `body` gives the part's place and length in bytes, nil for null.
    @inline(__always)
    static func parts(
        _ arguments: [Operand], _ count: Int, _ type: DataType, _ body: (Int, UnsafeRawBufferPointer) -> (from: Int, length: Int)?
    ) -> Operand {
        if isNull(arguments) { return .null(type) }
        let validity = Validity.ofAll(arguments, count: count)
        let source = TextArgument(arguments[0])
        let result = TextColumn(rowCount: count, sharing: source.column)
        for row in 0..<count {
            if let validity, !Bits.get(validity.base, row) {
                result.appendNull()
                continue
            }
            let bytes = source[row]
            if let part = body(row, bytes) { result.append(source.view(row), bytes, from: part.from, part.length) } else { result.appendNull() }
        }
        return Operand(result.finish(type))
    }

    /// Rows of INT or BIGINT; `body` gives nil for null.
    @inline(__always)
    static func numbers<Element: FixedWidthInteger & BitwiseCopyable>(
        _ arguments: [Operand], _ count: Int, _ type: DataType, as element: Element.Type, _ body: (Int) throws(MillstreamError) -> Element?
    ) throws(MillstreamError) -> Operand {
        if isNull(arguments) { return .null(type) }
        var validity = Validity.ofAll(arguments, count: count)
        let values = Buffer(byteCount: count * MemoryLayout<Element>.stride)
        let numbers = values.pointer(as: Element.self)
        for row in 0..<count {
            numbers[row] = 0
            if let validity, !Bits.get(validity.base, row) { continue }
            if let number = try body(row) {
                numbers[row] = number
            } else {
                let bits = validity ?? allSet(count)
                Bits.clear(bits.base, row)
                validity = bits
            }
        }
        return Operand(Column(type: validity == nil ? type : type.nullable, count: count, validity: validity, values: values))
    }

    /// Rows of truth; `body` gives nil for null.
    @inline(__always)
    static func truths(
        _ arguments: [Operand], _ count: Int, _ type: DataType, _ body: (Int) throws(MillstreamError) -> Bool?
    ) throws(MillstreamError) -> Operand {
        if isNull(arguments) { return .null(type) }
        var validity = Validity.ofAll(arguments, count: count)
        let values = Buffer.zeroed(byteCount: Validity.wordByteCount(count))
        for row in 0..<count {
            if let validity, !Bits.get(validity.base, row) { continue }
            if let truth = try body(row) {
                if truth { Bits.set(values.base, row) }
            } else {
                let bits = validity ?? allSet(count)
                Bits.clear(bits.base, row)
                validity = bits
            }
        }
        return Operand(Column(type: validity == nil ? type : type.nullable, count: count, validity: validity, values: values))
    }

    /// Rows of ARRAY<STRING>: `body` appends a row's elements, each with its end, or gives false for null.
    @inline(__always)
    static func lists(
        _ arguments: [Operand], _ count: Int, _ type: DataType, sharing: Column? = nil, _ body: (Int, TextColumn) throws(MillstreamError) -> Bool
    ) throws(MillstreamError) -> Operand {
        if isNull(arguments) { return .null(type) }
        var validity = Validity.ofAll(arguments, count: count)
        let elements = TextColumn(rowCount: 2 * count, sharing: sharing)
        let offsets = Buffer(byteCount: 4 * (count + 1))
        let ends = offsets.pointer(as: Int32.self)
        ends[0] = 0
        for row in 0..<count {
            if validity.map({ Bits.get($0.base, row) }) ?? true, try !body(row, elements) {
                let bits = validity ?? allSet(count)
                Bits.clear(bits.base, row)
                validity = bits
            }
            guard elements.count < Column.countLimit else {
                throw MillstreamError(.limitExceeded, "the lists of one column hold at most \(Column.countLimit) elements", hint: "Use smaller batches.")
            }
            ends[row + 1] = Int32(truncatingIfNeeded: elements.count)
        }
        let child = elements.finish(type.elementType ?? .string)
        return Operand(Column(type: validity == nil ? type : type.nullable, count: count, validity: validity, values: offsets, children: [child]))
    }

    static func allSet(_ count: Int) -> Buffer {
        let bits = Buffer(byteCount: Validity.wordByteCount(count))
        memset(bits.base, 0xFF, bits.byteCount)
        return bits
    }
}
