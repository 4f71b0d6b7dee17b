import Columnar

/// Rows of flat columns as bytes, the same bytes for the same key: nulls are equal, and so are all NaNs and the two zeros.
///
/// A row is a bitmap of the columns that are not null, then each column's value at a fixed place (of text its length; zeros where null), then the texts.
struct KeyEncoding {
    let types: [DataType]
    /// Where each column's value or length is.
    private let byteOffsets: [Int]
    /// Bytes of a row without its texts.
    private let fixedByteCount: Int

    /// Nil for types that have no such form: none at all, nested ones, NULL and OBJECT.
    init?(_ types: [DataType]) {
        guard !types.isEmpty else { return nil }
        var end = Bits.byteCount(types.count)
        var byteOffsets: [Int] = []
        for type in types {
            byteOffsets.append(end)
            switch type.layout {
            case .bits: end += 1
            case .fixed(let byteWidth): end += byteWidth
            case .views: end += 4
            case .null, .list, .row, .handles: return nil
            }
        }
        self.types = types
        self.byteOffsets = byteOffsets
        fixedByteCount = end
    }

    /// The rows `start ..< start + count` of dense columns: views into `data`, which is replaced if it is too small. Throws `limitExceeded` for more bytes
    /// than views reach.
    func encode(
        _ columns: [Column], start: Int, count: Int, into views: UnsafeMutablePointer<StringView>, data: inout Buffer
    ) throws(MillstreamError) {
        // Where each row begins, then where its next text goes.
        let ends = Buffer(byteCount: 8 * count)
        let places = ends.pointer(as: Int.self)
        let byteCount = try assignPlaces(columns, start, count, views, places)
        if data.byteCount < byteCount { data = try Buffer(checking: max(byteCount, 2 * data.byteCount)) }
        let base = data.base
        for row in 0..<count {
            (base + places[row]).initializeMemory(as: UInt8.self, repeating: 0, count: fixedByteCount)
            views[row].offset = Int32(truncatingIfNeeded: places[row])
        }
        for (position, column) in columns.enumerated() {
            writeEncoded(
                EncodedField(
                    column: column, start: start, count: count, position: position, target: base, places: places, byteOffset: byteOffsets[position]))
        }
        writeTexts(columns, start, count, base, places)
        for row in 0..<count {
            let bytes = UnsafeRawBufferPointer(start: base + Int(views[row].offset), count: Int(views[row].length))
            views[row] = bytes.count <= StringView.inlineByteCount
                ? StringView(inline: bytes) : StringView(bytes: bytes, bufferIndex: 0, offset: Int(views[row].offset))
        }
        withExtendedLifetime(ends) {}
    }

    /// The lengths and beginnings of rows; returns the bytes of all.
    private func assignPlaces(
        _ columns: [Column], _ start: Int, _ count: Int, _ views: UnsafeMutablePointer<StringView>, _ places: UnsafeMutablePointer<Int>
    ) throws(MillstreamError) -> Int {
        for row in 0..<count { places[row] = fixedByteCount }
        for column in columns where column.type.layout == .views {
            let source = column.pointer(as: StringView.self) + start
            for row in 0..<count where !column.isNull(start + row) { places[row] += Int(source[row].length) }
        }
        var end = 0
        for row in 0..<count {
            let length = places[row]
            guard end + length <= Int(Int32.max) else {
                throw MillstreamError(.limitExceeded, "the keys of \(count) rows have more than \(Int32.max) bytes", hint: "Use shorter keys.")
            }
            views[row] = StringView(length: Int32(truncatingIfNeeded: length), prefix: 0, bufferIndex: 0, offset: 0)
            places[row] = end
            end += length
        }
        return end
    }

    private func writeTexts(
        _ columns: [Column], _ start: Int, _ count: Int, _ base: UnsafeMutableRawPointer, _ places: UnsafeMutablePointer<Int>
    ) {
        guard types.contains(where: { $0.layout == .views }) else { return }
        for row in 0..<count { places[row] += fixedByteCount }
        for column in columns where column.type.layout == .views {
            for row in 0..<count where !column.isNull(start + row) {
                let bytes = column.bytes(start + row)
                guard bytes.count > 0, let source = bytes.baseAddress else { continue }
                (base + places[row]).copyMemory(from: source, byteCount: bytes.count)
                places[row] += bytes.count
            }
        }
    }

    /// The columns of `count` encoded rows.
    func decode(_ rows: UnsafePointer<UnsafeRawBufferPointer>, count: Int) throws(MillstreamError) -> [Column] {
        var result: [Column] = []
        // Where the next text of each row is.
        let ends = Buffer(byteCount: 8 * count)
        let textPlaces = ends.pointer(as: Int.self)
        for row in 0..<count { textPlaces[row] = fixedByteCount }
        for position in types.indices {
            let type = types[position]
            guard case .views = type.layout else {
                result.append(decodeFixed(position, rows, count))
                continue
            }
            var builder = ViewBuilder()
            try builder.reserve(count)
            for row in 0..<count {
                guard let base = rows[row].baseAddress, Bits.get(base, position) else {
                    try builder.appendNull()
                    continue
                }
                let length = Int(base.loadUnaligned(fromByteOffset: byteOffsets[position], as: UInt32.self))
                try builder.append(UnsafeRawBufferPointer(start: base + textPlaces[row], count: length))
                textPlaces[row] += length
            }
            result.append(builder.finish(type: type))
        }
        withExtendedLifetime(ends) {}
        return result
    }

    private func decodeFixed(_ position: Int, _ rows: UnsafePointer<UnsafeRawBufferPointer>, _ count: Int) -> Column {
        let type = types[position]
        let validity = Buffer.zeroed(byteCount: Bits.byteCount(count))
        var hasNulls = false
        for row in 0..<count {
            if let base = rows[row].baseAddress, Bits.get(base, position) { Bits.set(validity.base, row) } else { hasNulls = true }
        }
        let byteOffset = byteOffsets[position]
        let values: Buffer
        if case .fixed(let byteWidth) = type.layout {
            values = Buffer(byteCount: byteWidth * count)
            for row in 0..<count {
                if let base = rows[row].baseAddress { (values.base + byteWidth * row).copyMemory(from: base + byteOffset, byteCount: byteWidth) }
            }
        } else {
            values = Buffer.zeroed(byteCount: Bits.byteCount(count))
            for row in 0..<count {
                if let base = rows[row].baseAddress, base.load(fromByteOffset: byteOffset, as: UInt8.self) != 0 { Bits.set(values.base, row) }
            }
        }
        return Column(type: type, count: count, validity: hasNulls ? validity : nil, values: values)
    }
}

/// One column on its way into encoded rows: row i is row `start + i` of the column, and begins at `target + places[i]`.
private struct EncodedField {
    let column: Column
    let start: Int
    let count: Int
    let position: Int
    let target: UnsafeMutableRawPointer
    let places: UnsafePointer<Int>
    let byteOffset: Int

    /// Writes the values that are not null, and their bits in the bitmap.
    @inline(__always)
    func write<Value: BitwiseCopyable, Written: BitwiseCopyable>(_ source: UnsafePointer<Value>, _ convert: (Value) -> Written) {
        let hasNulls = column.mayHaveNulls
        let flag = UInt8(1) &<< UInt8(truncatingIfNeeded: position & 7)
        let flagByteOffset = position &>> 3
        for row in 0..<count {
            if hasNulls && column.isNull(start &+ row) { continue }
            let place = target + places[row]
            place.storeBytes(of: place.load(fromByteOffset: flagByteOffset, as: UInt8.self) | flag, toByteOffset: flagByteOffset, as: UInt8.self)
            place.storeBytes(of: convert(source[start &+ row]), toByteOffset: byteOffset, as: Written.self)
        }
    }

    func writeBits() {
        for row in 0..<count where !column.isNull(start + row) {
            let place = target + places[row]
            Bits.set(place, position)
            place.storeBytes(of: column.bit(start + row) ? 1 : 0, toByteOffset: byteOffset, as: UInt8.self)
        }
    }
}

private func writeEncoded(_ field: EncodedField) {
    let column = field.column
    switch (column.type.kind, column.type.layout) {
    case (.float, _): field.write(column.pointer(as: Float.self)) { $0 == 0 ? 0 : $0 != $0 ? UInt32(0x7fc0_0000) : $0.bitPattern }
    case (.double, _): field.write(column.pointer(as: Double.self)) { StableHash.canonicalBits($0) }
    case (_, .bits): field.writeBits()
    case (_, .fixed(byteWidth: 1)): field.write(column.pointer(as: UInt8.self)) { $0 }
    case (_, .fixed(byteWidth: 2)): field.write(column.pointer(as: UInt16.self)) { $0 }
    case (_, .fixed(byteWidth: 4)): field.write(column.pointer(as: UInt32.self)) { $0 }
    case (_, .fixed(byteWidth: 8)): field.write(column.pointer(as: UInt64.self)) { $0 }
    case (_, .fixed): field.write(column.pointer(as: SIMD2<UInt64>.self)) { $0 }
    default: field.write(column.pointer(as: StringView.self)) { $0.length }
    }
}
