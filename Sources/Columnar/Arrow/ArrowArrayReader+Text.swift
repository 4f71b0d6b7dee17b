import CMillstream

extension ArrowArrayReader {
    /// Views are shared as they are, once each is known to lie within its buffer.
    func views(_ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow) throws(MillstreamError) -> Column {
        let dataCount = Int(array.pointee.n_buffers) - 3
        var data: [Buffer] = []
        if dataCount > 0 {
            let byteCounts = try buffer(array, dataCount + 2, byteCount: 8 * dataCount, node).base
            for index in 0..<dataCount {
                let byteCount = byteCounts.loadUnaligned(fromByteOffset: 8 * index, as: Int64.self)
                guard byteCount >= 0 else { throw node.error("data buffer \(index) has \(byteCount) bytes") }
                data.append(try buffer(array, index + 2, byteCount: Int(byteCount), node))
            }
        }
        // Kernels load views as two words.
        let shared = try aligned(try buffer(array, 1, byteCount: 16 * window.end, node), to: 16)
        let column = Column(
            type: node.type, count: window.count, offset: window.offset, validity: window.validity, values: shared, dataBuffers: data)
        switch checkViews(column, isText: node.type.isText) {
        case .valid: return column
        case .unpadded: return try rebuilt(column)
        case .invalid(let index, let what): throw node.error("value \(index) \(what)")
        }
    }

    /// Text or bytes with offsets: views over the shared bytes.
    func offsetBytes(
        _ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow, isLarge: Bool
    ) throws(MillstreamError) -> Column {
        guard window.count > 0 else { return Column(type: node.type, count: 0, values: Buffer(byteCount: 0)) }
        let width = isLarge ? 8 : 4
        let offsets = try aligned(try buffer(array, 1, byteCount: width * (window.end + 1), node), to: width)
        let bounds: ClosedRange<Int>
        if isLarge {
            bounds = try checkOffsets(UnsafePointer(offsets.pointer(as: Int64.self)) + window.offset, window.count, node)
        } else {
            bounds = try checkOffsets(UnsafePointer(offsets.pointer(as: Int32.self)) + window.offset, window.count, node)
        }
        let data = try buffer(array, 2, byteCount: bounds.upperBound, node)
        let base = UnsafeRawPointer(data.base)
        if isLarge {
            let starts = UnsafePointer(offsets.pointer(as: Int64.self)) + window.offset
            return try viewsOver(base, bounds, node, window) { Int(starts[$0]) }
        }
        let starts = UnsafePointer(offsets.pointer(as: Int32.self)) + window.offset
        return try viewsOver(base, bounds, node, window) { Int(starts[$0]) }
    }

    /// Fixed-size binary: views over the shared bytes.
    func fixedBytes(
        _ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow, width: Int
    ) throws(MillstreamError) -> Column {
        guard window.count > 0 else { return Column(type: node.type, count: 0, values: Buffer(byteCount: 0)) }
        let (end, overflow) = width.multipliedReportingOverflow(by: window.end)
        guard !overflow else { throw node.error("\(window.end) values of \(width) bytes", .limitExceeded) }
        let data = try buffer(array, 1, byteCount: end, node)
        let first = width * window.offset
        return try viewsOver(UnsafeRawPointer(data.base), first...end, node, window) { first &+ width &* $0 }
    }

    /// Checks that `count + 1` offsets begin at 0 or above and never fall; gives the first and the last.
    func checkOffsets<Offset: FixedWidthInteger>(
        _ offsets: UnsafePointer<Offset>, _ count: Int, _ node: ArrowNode
    ) throws(MillstreamError) -> ClosedRange<Int> {
        guard offsets[0] >= 0 else { throw node.error("the first offset is \(offsets[0])") }
        var falls = false
        for index in 0..<count { falls = falls || offsets[index &+ 1] < offsets[index] }
        guard !falls else {
            let index = (0..<count).first { offsets[$0 + 1] < offsets[$0] } ?? 0
            throw node.error("the offsets fall from \(offsets[index]) to \(offsets[index + 1]) at value \(index)")
        }
        return Int(offsets[0])...Int(offsets[count])
    }

    /// Views of values that lie one behind the other: value i from `start(i)` to `start(i + 1)`, all within `bounds`.
    @inline(__always)
    private func viewsOver(
        _ base: UnsafeRawPointer, _ bounds: ClosedRange<Int>, _ node: ArrowNode, _ window: ArrowWindow, _ start: (Int) -> Int
    ) throws(MillstreamError) -> Column {
        if node.type.isText, let index = firstInvalidText(base, bounds, window, start) { throw node.error("value \(index) is not valid UTF-8") }
        let values = try Buffer(checking: 16 * window.count)
        let target = values.pointer(as: StringView.self)
        var blocks: [Int] = [bounds.lowerBound]
        for index in 0..<window.count {
            let from = start(index)
            let length = start(index &+ 1) &- from
            if length <= StringView.inlineByteCount {
                target[index] = inlineView(base, from, length, end: bounds.upperBound)
                continue
            }
            guard length <= Int(Int32.max) else {
                if window.isNull(index) { target[index] = inlineView(base, from, 0, end: 0); continue }
                throw node.error("value \(index) has \(length) bytes; at most \(Int32.max) are taken", .limitExceeded)
            }
            // A view reaches 2 GiB; what lies further gets a data buffer of its own, which begins there.
            if from &+ length &- blocks[blocks.count - 1] > Int(Int32.max) { blocks.append(from) }
            target[index] = StringView(
                bytes: UnsafeRawBufferPointer(start: base + from, count: length), bufferIndex: blocks.count - 1,
                offset: from &- blocks[blocks.count - 1])
        }
        let data = blocks.map { Buffer(unowned: base + $0, byteCount: bounds.upperBound - $0, owner: owner) }
        return Column(type: node.type, count: window.count, validity: window.validityFromZero(), values: values, dataBuffers: data)
    }

    /// The first valid value whose text is no UTF-8. Mostly one pass over all bytes: only where that fails, or meets characters that values might
    /// cut, single values are looked at.
    @inline(__always)
    private func firstInvalidText(_ base: UnsafeRawPointer, _ bounds: ClosedRange<Int>, _ window: ArrowWindow, _ start: (Int) -> Int) -> Int? {
        let all = UnsafeRawBufferPointer(start: base + bounds.lowerBound, count: bounds.upperBound - bounds.lowerBound)
        if UTF8Validation.isASCII(all) { return nil }
        for index in 0..<window.count where !window.isNull(index) {
            let bytes = UnsafeRawBufferPointer(start: base + start(index), count: start(index + 1) - start(index))
            if !UTF8Validation.isValid(bytes) { return index }
        }
        return nil
    }

    /// A view of at most 12 bytes; where 16 can be read, two loads and masks do it.
    @inline(__always)
    private func inlineView(_ base: UnsafeRawPointer, _ from: Int, _ length: Int, end: Int) -> StringView {
        guard from &+ 16 <= end else {
            return StringView(inline: UnsafeRawBufferPointer(start: base + from, count: max(0, length)))
        }
        let low = base.loadUnaligned(fromByteOffset: from, as: UInt64.self)
        let high = base.loadUnaligned(fromByteOffset: from &+ 8, as: UInt32.self)
        let lowMask: UInt64 = length >= 8 ? .max : (1 &<< UInt64(truncatingIfNeeded: 8 &* length)) &- 1
        let highMask: UInt32 = length <= 8 ? 0 : length >= 12 ? .max : (1 &<< UInt32(truncatingIfNeeded: 8 &* (length &- 8))) &- 1
        let masked = low & lowMask
        return StringView(
            length: Int32(truncatingIfNeeded: length), prefix: UInt32(truncatingIfNeeded: masked),
            bufferIndex: Int32(truncatingIfNeeded: masked >> 32), offset: Int32(bitPattern: high & highMask))
    }

    /// The same values in views of our own, for a producer that left bytes behind a short value.
    private func rebuilt(_ column: Column) throws(MillstreamError) -> Column {
        var builder = ViewBuilder()
        try builder.reserve(column.count)
        for index in 0..<column.count {
            if column.isNull(index) { try builder.appendNull() } else { try builder.append(column.bytes(index)) }
        }
        return builder.finish(type: column.type)
    }
}

private enum ViewCheck {
    case valid
    /// The bytes behind a short value are not zero, so that views cannot be compared as words.
    case unpadded
    case invalid(index: Int, what: String)
}

private func checkViews(_ column: Column, isText: Bool) -> ViewCheck {
    let byteCounts = column.dataBuffers.map(\.byteCount)
    return withDataPointers(of: column) { blocks in
        byteCounts.withUnsafeBufferPointer { checkViews(column, blocks, $0, isText: isText) }
    }
}

private func checkViews(
    _ column: Column, _ blocks: UnsafePointer<UnsafeRawPointer>, _ byteCounts: UnsafeBufferPointer<Int>, isText: Bool
) -> ViewCheck {
    guard column.count > 0 else { return .valid }
    let views = UnsafePointer(column.pointer(as: StringView.self))
    let hasNulls = column.mayHaveNulls
    var isPadded = true
    for index in 0..<column.count {
        if hasNulls && column.isNull(index) { continue }
        let view = views + index
        let length = Int(view.pointee.length)
        if length < 0 { return .invalid(index: index, what: "has a length of \(length)") }
        if length <= StringView.inlineByteCount {
            let (isASCII, hasRest) = inspectInline(view, length)
            isPadded = isPadded && !hasRest
            if isASCII { continue }
        } else {
            let place = Int(view.pointee.offset)
            let number = Int(view.pointee.bufferIndex)
            if number < 0 || number >= byteCounts.count { return .invalid(index: index, what: "is in data buffer \(number) of \(byteCounts.count)") }
            if place < 0 || place + length > byteCounts[number] {
                return .invalid(index: index, what: "has bytes \(place) to \(place + length) of a data buffer of \(byteCounts[number])")
            }
            let prefix = (blocks[number] + place).loadUnaligned(as: UInt32.self)
            if prefix != view.pointee.prefix { return .invalid(index: index, what: "has a prefix that its bytes do not begin with") }
        }
        if isText && !UTF8Validation.isValid(viewBytes(view, blocks)) { return .invalid(index: index, what: "is not valid UTF-8") }
    }
    return isPadded ? .valid : .unpadded
}

/// Whether the bytes of a short value are ASCII, and whether there is anything but zeros behind them.
@inline(__always)
private func inspectInline(_ view: UnsafePointer<StringView>, _ length: Int) -> (isASCII: Bool, hasRest: Bool) {
    let words = UnsafeRawPointer(view)
    let low = words.load(fromByteOffset: 4, as: UInt32.self)
    let high = words.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    let lowUsed: UInt32 = length >= 4 ? .max : (1 &<< UInt32(truncatingIfNeeded: 8 &* length)) &- 1
    let highUsed: UInt64 = length <= 4 ? 0 : length >= 12 ? .max : (1 &<< UInt64(truncatingIfNeeded: 8 &* (length &- 4))) &- 1
    let isASCII = low & lowUsed & 0x8080_8080 == 0 && high & highUsed & 0x8080_8080_8080_8080 == 0
    return (isASCII, low & ~lowUsed != 0 || high & ~highUsed != 0)
}
