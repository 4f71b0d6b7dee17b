import Columnar

/// Reads what `ColumnWriter` wrote. Every length is checked before memory is asked for, so that a damaged file can neither trap nor fill the memory.
struct ColumnReader {
    let objects: (any ObjectCoding)?

    func read(_ type: DataType, count: Int, from source: inout FormatReader) throws(MillstreamError) -> Column {
        let flag = try source.number(UInt8.self)
        guard flag <= 1 else { throw source.damaged("a column's flags are \(flag)") }
        let validity = flag == 1 ? try bits(count, from: &source) : nil
        switch type.layout {
        case .null: return Column(type: type, count: count, values: nil)
        case .bits: return Column(type: type, count: count, validity: validity, values: try bits(count, from: &source))
        case .fixed(let byteWidth):
            let (byteCount, overflow) = count.multipliedReportingOverflow(by: byteWidth)
            guard !overflow else { throw source.damaged("\(count) values") }
            return Column(type: type, count: count, validity: validity, values: try copy(try source.take(byteCount)))
        case .views: return try views(type, count, validity, from: &source)
        case .list: return try lists(type, count, validity, from: &source)
        case .row:
            var children: [Column] = []
            for child in type.childTypes { children.append(try read(child, count: count, from: &source)) }
            return Column(type: type, count: count, validity: validity, values: nil, children: children)
        case .handles:
            guard let objects else {
                throw MillstreamError(.unsupported, "'\(source.subject)' holds values of a host language, which this program does not read")
            }
            let bytes = try read(DataType.bytes, count: count, from: &source)
            let column = try objects.decode(bytes)
            guard column.count == count else { throw .internal("\(column.count) values were decoded instead of \(count)") }
            // A reader without the host leaves them as bytes.
            return column.type.layout == type.layout ? column.retyped(type) : column
        }
    }

    private func copy(_ source: UnsafeRawBufferPointer) throws(MillstreamError) -> Buffer {
        let buffer = try Buffer(checking: source.count)
        if let base = source.baseAddress, source.count > 0 { buffer.base.copyMemory(from: base, byteCount: source.count) }
        return buffer
    }

    private func bits(_ count: Int, from source: inout FormatReader) throws(MillstreamError) -> Buffer {
        try copy(try source.take(Bits.byteCount(count)))
    }

    private func views(_ type: DataType, _ count: Int, _ validity: Buffer?, from source: inout FormatReader) throws(MillstreamError) -> Column {
        let lengths = try source.take(4 &* count)
        var total = 0
        for index in 0..<count {
            let length = Int32(littleEndian: lengths.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
            guard length >= 0 else { throw source.damaged("a length of \(length)") }
            total += Int(length)
        }
        guard total <= Int(Int32.max) else { throw source.damaged("\(total) bytes of text") }
        let data = try copy(try source.take(total))
        let values = try Buffer(checking: 16 * count)
        let target = values.pointer(as: StringView.self)
        var place = 0
        for index in 0..<count {
            let length = Int(Int32(littleEndian: lengths.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self)))
            let bytes = UnsafeRawBufferPointer(start: data.base + place, count: length)
            if type.isText, !UTF8Validation.isValid(bytes) { throw source.damaged("a text is no UTF-8") }
            target[index] = length <= StringView.inlineByteCount
                ? StringView(inline: bytes) : StringView(bytes: bytes, bufferIndex: 0, offset: place)
            place += length
        }
        return Column(type: type, count: count, validity: validity, values: values, dataBuffers: [data])
    }

    private func lists(_ type: DataType, _ count: Int, _ validity: Buffer?, from source: inout FormatReader) throws(MillstreamError) -> Column {
        guard let elementType = type.elementType else { throw .internal("\(type) has no elements") }
        let lengths = try source.take(4 &* count)
        let values = try Buffer(checking: 4 * (count + 1))
        let offsets = values.pointer(as: Int32.self)
        offsets[0] = 0
        var total = 0
        for index in 0..<count {
            let length = Int32(littleEndian: lengths.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
            total += Int(length)
            guard length >= 0, total <= Int(Int32.max) else { throw source.damaged("a list of \(length) elements") }
            offsets[index + 1] = Int32(truncatingIfNeeded: total)
        }
        let elementCount = Int(try source.number(UInt32.self))
        guard elementCount == total else { throw source.damaged("\(elementCount) elements for lists of \(total)") }
        // A column of type NULL takes no bytes, so its count is bounded by nothing else.
        guard elementCount <= Column.countLimit else { throw source.damaged("\(elementCount) elements") }
        let elements = try read(elementType, count: elementCount, from: &source)
        return Column(type: type, count: count, validity: validity, values: values, children: [elements])
    }
}
