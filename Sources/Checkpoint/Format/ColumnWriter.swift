import Columnar

/// Writes columns in the layout of docs/state-format.md: only the values of the window, only the bytes that views point to.
struct ColumnWriter {
    let objects: (any ObjectCoding)?
    /// Is shown what is written of OBJECT columns.
    var onObjects: ((Column) -> Void)?

    /// A column without its type. Throws `limitExceeded` for more than 2 GiB of text, `unsupported` for OBJECT without a coder.
    func write(_ column: Column, into out: inout FormatWriter) throws(MillstreamError) {
        let hasValidity = column.validity != nil && column.nullCount > 0
        out.put(UInt8(hasValidity ? 1 : 0))
        if hasValidity, let validity = column.validity { put(bits: validity, column.offset, column.count, into: &out) }
        switch column.type.layout {
        case .null: break
        case .bits:
            if let values = column.values { put(bits: values, column.offset, column.count, into: &out) }
        case .fixed(let byteWidth):
            let base = UnsafeRawPointer(column.pointer(as: UInt8.self) - column.offset) + column.offset * byteWidth
            out.put(raw: UnsafeRawBufferPointer(start: base, count: column.count * byteWidth))
        case .views: try putViews(column, hasValidity, into: &out)
        case .list: try putLists(column, hasValidity, into: &out)
        case .row:
            for index in column.children.indices { try write(column.field(index), into: &out) }
        case .handles:
            let encoded: Column
            if let known = column.encodedObjects {
                encoded = known
            } else {
                guard let objects else { throw ObjectsUnwritable.error }
                encoded = try objects.encode(column)
            }
            onObjects?(encoded)
            try write(encoded, into: &out)
        }
        withExtendedLifetime(column) {}
    }

    private func put(bits source: Buffer, _ offset: Int, _ count: Int, into out: inout FormatWriter) {
        let byteCount = Bits.byteCount(count)
        guard byteCount > 0 else { return }
        let target = Buffer.zeroed(byteCount: byteCount)
        Bits.copy(from: source.base, offset, to: target.base, 0, count: count)
        out.put(raw: UnsafeRawBufferPointer(start: target.base, count: byteCount))
        withExtendedLifetime(target) {}
    }

    /// The lengths (0 for nulls), then all bytes.
    private func putViews(_ column: Column, _ hasNulls: Bool, into out: inout FormatWriter) throws(MillstreamError) {
        let lengths = Buffer(byteCount: 4 * column.count)
        let target = lengths.pointer(as: Int32.self)
        let views = column.pointer(as: StringView.self)
        var total = 0
        for index in 0..<column.count {
            let length = hasNulls && column.isNull(index) ? 0 : views[index].length
            target[index] = length.littleEndian
            total += Int(length)
        }
        guard total <= Int(Int32.max) else {
            throw MillstreamError(.limitExceeded, "\(total) bytes of text are too many for one block of a checkpoint")
        }
        out.put(raw: UnsafeRawBufferPointer(start: lengths.base, count: 4 * column.count))
        for index in 0..<column.count where target[index] != 0 { out.put(raw: column.bytes(index)) }
        withExtendedLifetime(lengths) {}
    }

    /// The lengths (0 for nulls), how many elements there are, and the elements.
    private func putLists(_ column: Column, _ hasNulls: Bool, into out: inout FormatWriter) throws(MillstreamError) {
        var first: Int?
        var end = 0
        var isDense = true
        for index in 0..<column.count {
            let range = hasNulls && column.isNull(index) ? 0..<0 : column.listRange(index)
            out.put(Int32(truncatingIfNeeded: range.count))
            if range.isEmpty { continue }
            if first != nil, range.lowerBound != end { isDense = false }
            first = first ?? range.lowerBound
            end = range.upperBound
        }
        let elements: Column
        if isDense {
            elements = column.children[0].slice(first ?? 0, end - (first ?? 0))
        } else {
            // Elements of nulls stand between: only the others are kept.
            var indices: [Int32] = []
            for index in 0..<column.count where !column.isNull(index) {
                for place in column.listRange(index) { indices.append(Int32(truncatingIfNeeded: place)) }
            }
            elements = try column.children[0].taking(Selection(indices))
        }
        out.put(UInt32(truncatingIfNeeded: elements.count))
        try write(elements, into: &out)
    }
}
