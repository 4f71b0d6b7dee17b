import Columnar
import Dataflow

/// Rows of flat columns as bytes and back, exactly: how keys and values lie in a state store.
///
/// A row is a head of a fixed length, which is the caller's; a bitmap of the columns that are not null; each column's value at a fixed place (of text its
/// length; zeros where null); then the texts. OBJECT values are texts as the host writes them. Equal keys of a `KeyTable` have equal bytes, because the
/// table keeps floating point in one form.
struct RowCoding: Sendable {
    let types: [DataType]
    let headByteCount: Int
    private let objects: (any ObjectCoding)?
    private let byteOffsets: [Int]
    private let fixedByteCount: Int
    private let hasTexts: Bool

    /// Nil for types that have no such form: nested ones, NULL, and OBJECT without a host that can write its values.
    init?(_ types: [DataType], headByteCount: Int = 0, objects: (any ObjectCoding)?) {
        var end = headByteCount + Bits.byteCount(types.count)
        var byteOffsets: [Int] = []
        var hasTexts = false
        for type in types {
            byteOffsets.append(end)
            switch type.layout {
            case .bits: end += 1
            case .fixed(let byteWidth): end += byteWidth
            case .handles where objects == nil: return nil
            case .views, .handles:
                end += 4
                hasTexts = true
            case .null, .list, .row: return nil
            }
        }
        self.types = types
        self.headByteCount = headByteCount
        self.objects = objects
        self.byteOffsets = byteOffsets
        self.hasTexts = hasTexts
        fixedByteCount = end
    }

    // MARK: Writing

    /// Replaces the rows of `out`. The heads are undefined.
    func encode(_ columns: [Column], count: Int, into out: PackedBytes) throws(MillstreamError) {
        var written: [Column] = []
        for column in columns {
            if column.type.layout == .handles, let objects { written.append(try objects.encode(column)) } else { written.append(column) }
        }
        if hasTexts {
            let lengths = Buffer(byteCount: 8 * max(1, count))
            let target = lengths.pointer(as: Int.self)
            for row in 0..<count { target[row] = fixedByteCount }
            for column in written where column.type.layout == .views {
                let views = column.pointer(as: StringView.self)
                let hasNulls = column.mayHaveNulls
                for row in 0..<count where !hasNulls || !column.isNull(row) { target[row] &+= Int(views[row].length) }
            }
            var end = 0
            for row in 0..<count {
                end &+= target[row]
                target[row] = end
            }
            out.reset(count: count, byteCount: end)
            out.ends.update(from: target, count: count)
            withExtendedLifetime(lengths) {}
        } else {
            out.reset(count: count, byteCount: count * fixedByteCount)
            for row in 0..<count { out.ends[row] = (row &+ 1) &* fixedByteCount }
        }
        out.absent.update(repeating: 0, count: count)
        let zeroCount = fixedByteCount - headByteCount
        for row in 0..<count { (out.bytes + out.start(row) + headByteCount).initializeMemory(as: UInt8.self, repeating: 0, count: zeroCount) }
        for (position, column) in written.enumerated() {
            let field = WrittenField(column: column, count: count, position: position, bitmap: headByteCount, byteOffset: byteOffsets[position], rows: out)
            field.write()
            withExtendedLifetime(column) {}
        }
        if hasTexts { putTexts(written, count, out) }
    }

    private func putTexts(_ columns: [Column], _ count: Int, _ out: PackedBytes) {
        let places = Buffer(byteCount: 8 * max(1, count))
        let ends = places.pointer(as: Int.self)
        for row in 0..<count { ends[row] = out.start(row) &+ fixedByteCount }
        for column in columns where column.type.layout == .views {
            for row in 0..<count where !column.isNull(row) {
                let bytes = column.bytes(row)
                guard bytes.count > 0, let source = bytes.baseAddress else { continue }
                (out.bytes + ends[row]).copyMemory(from: source, byteCount: bytes.count)
                ends[row] &+= bytes.count
            }
        }
        withExtendedLifetime(places) {}
    }

    // MARK: Reading

    /// The columns of rows that `encode` wrote. `decodesObjects` is false for whoever writes OBJECT columns on: these then have the bytes alone, as
    /// `Batch.encodingObjects` leaves them. Throws `decode` for bytes that are no row.
    func decode(_ rows: UnsafePointer<UnsafeRawBufferPointer>, count: Int, decodesObjects: Bool = true) throws(MillstreamError) -> [Column] {
        for row in 0..<count where rows[row].count < fixedByteCount || rows[row].baseAddress == nil { throw Self.damage }
        var result: [Column] = []
        let ends = Buffer(byteCount: 8 * max(1, count))
        let textPlaces = ends.pointer(as: Int.self)
        for row in 0..<count { textPlaces[row] = fixedByteCount }
        for position in types.indices {
            let type = types[position]
            switch type.layout {
            case .views: result.append(try texts(position, type, rows, count, textPlaces))
            case .handles:
                let bytes = try texts(position, DataType.bytes, rows, count, textPlaces)
                if decodesObjects, let objects {
                    result.append(try objects.decode(bytes))
                } else {
                    result.append(Column(type: type, count: count, values: nil, children: [bytes]))
                }
            default: result.append(fixed(position, rows, count))
            }
        }
        withExtendedLifetime(ends) {}
        return result
    }

    static var damage: MillstreamError {
        MillstreamError(.decode, "a row of the state store is damaged", hint: "Start the job from its last checkpoint.", domain: .external)
    }

    private func texts(
        _ position: Int, _ type: DataType, _ rows: UnsafePointer<UnsafeRawBufferPointer>, _ count: Int, _ places: UnsafeMutablePointer<Int>
    ) throws(MillstreamError) -> Column {
        var builder = ViewBuilder()
        try builder.reserve(count)
        for row in 0..<count {
            guard let base = rows[row].baseAddress, Bits.get(base + headByteCount, position) else {
                try builder.appendNull()
                continue
            }
            let length = Int(base.loadUnaligned(fromByteOffset: byteOffsets[position], as: UInt32.self))
            guard length <= rows[row].count - places[row] else { throw Self.damage }
            try builder.append(UnsafeRawBufferPointer(start: base + places[row], count: length))
            places[row] += length
        }
        return builder.finish(type: type)
    }

    private func fixed(_ position: Int, _ rows: UnsafePointer<UnsafeRawBufferPointer>, _ count: Int) -> Column {
        let type = types[position]
        let bitmapOffset = headByteCount + position >> 3
        let flag = UInt8(1) &<< UInt8(truncatingIfNeeded: position & 7)
        var common: UInt8 = 0xff
        for row in 0..<count { common &= rows[row].load(fromByteOffset: bitmapOffset, as: UInt8.self) }
        var validity: Buffer?
        if common & flag == 0 {
            let bitmap = Buffer.zeroed(byteCount: Bits.byteCount(count))
            for row in 0..<count where rows[row].load(fromByteOffset: bitmapOffset, as: UInt8.self) & flag != 0 { Bits.set(bitmap.base, row) }
            validity = bitmap
        }
        let byteOffset = byteOffsets[position]
        let values: Buffer
        switch type.layout {
        case .fixed(byteWidth: 1): values = read(UInt8.self, rows, count, byteOffset)
        case .fixed(byteWidth: 2): values = read(UInt16.self, rows, count, byteOffset)
        case .fixed(byteWidth: 4): values = read(UInt32.self, rows, count, byteOffset)
        case .fixed(byteWidth: 8): values = read(UInt64.self, rows, count, byteOffset)
        case .fixed: values = read(SIMD2<UInt64>.self, rows, count, byteOffset)
        default:
            values = Buffer.zeroed(byteCount: Bits.byteCount(count))
            for row in 0..<count where rows[row].load(fromByteOffset: byteOffset, as: UInt8.self) != 0 { Bits.set(values.base, row) }
        }
        return Column(type: validity == nil ? type : type.nullable, count: count, validity: validity, values: values)
    }

    @inline(__always)
    private func read<Value: BitwiseCopyable>(
        _ type: Value.Type, _ rows: UnsafePointer<UnsafeRawBufferPointer>, _ count: Int, _ byteOffset: Int
    ) -> Buffer {
        let result = Buffer(byteCount: MemoryLayout<Value>.stride * count)
        let target = result.pointer(as: Value.self)
        for row in 0..<count { target[row] = rows[row].loadUnaligned(fromByteOffset: byteOffset, as: Value.self) }
        return result
    }
}

/// One column on its way into rows.
private struct WrittenField {
    let column: Column
    let count: Int
    let position: Int
    /// Where the bitmap begins in a row, and the value.
    let bitmap: Int
    let byteOffset: Int
    let rows: PackedBytes

    func write() {
        switch column.type.layout {
        case .bits:
            each { (place, row) in place.storeBytes(of: column.bit(row) ? 1 : 0, toByteOffset: byteOffset, as: UInt8.self) }
        case .fixed(byteWidth: 1): write(column.pointer(as: UInt8.self))
        case .fixed(byteWidth: 2): write(column.pointer(as: UInt16.self))
        case .fixed(byteWidth: 4): write(column.pointer(as: UInt32.self))
        case .fixed(byteWidth: 8): write(column.pointer(as: UInt64.self))
        case .fixed: write(column.pointer(as: SIMD2<UInt64>.self))
        default:
            let views = column.pointer(as: StringView.self)
            each { (place, row) in place.storeBytes(of: UInt32(bitPattern: views[row].length), toByteOffset: byteOffset, as: UInt32.self) }
        }
    }

    @inline(__always)
    private func write<Value: BitwiseCopyable>(_ source: UnsafePointer<Value>) {
        each { (place, row) in place.storeBytes(of: source[row], toByteOffset: byteOffset, as: Value.self) }
    }

    /// The rows whose value is not null, each with its bit set.
    @inline(__always)
    private func each(_ body: (UnsafeMutableRawPointer, Int) -> Void) {
        let base = rows.bytes
        let hasNulls = column.mayHaveNulls
        let flag = UInt8(1) &<< UInt8(truncatingIfNeeded: position & 7)
        let flagOffset = bitmap &+ position &>> 3
        for row in 0..<count {
            if hasNulls && column.isNull(row) { continue }
            let place = base + rows.start(row)
            place.storeBytes(of: place.load(fromByteOffset: flagOffset, as: UInt8.self) | flag, toByteOffset: flagOffset, as: UInt8.self)
            body(place, row)
        }
    }
}
