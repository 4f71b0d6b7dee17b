#if canImport(Glibc)
    import Glibc
#endif

/// A row of one of several columns; a negative `source` is no row.
@frozen
public struct RowPlace: BitwiseCopyable, Sendable {
    public var source: Int32
    public var row: Int32

    @inlinable
    public init(source: Int32, row: Int32) {
        self.source = source
        self.row = row
    }
}

extension Column {
    /// The values at `count` places of some columns of one type, densely, in one pass however many columns there are; null where a place is no row.
    ///
    /// Text and bytes are copied, so that the result keeps none of the columns' data; handles are borrowed. Throws `invalidArgument` for no columns,
    /// `typeMismatch` for different layouts, `limitExceeded` if the elements of lists become too many.
    public static func gathering(_ places: UnsafePointer<RowPlace>, count: Int, from sources: [Column]) throws(MillstreamError) -> Column {
        guard let first = sources.first else { throw MillstreamError(.invalidArgument, "gathering from no columns") }
        var hasValidity = false
        for source in sources {
            guard source.type.layout == first.type.layout, source.children.count == first.children.count else {
                throw MillstreamError(.typeMismatch, "a column of type \(source.type) cannot be gathered with one of type \(first.type)")
            }
            hasValidity = hasValidity || source.validity != nil
        }
        var least: Int32 = 0
        for index in 0..<count { least = min(least, places[index].source) }
        let validity = hasValidity || least < 0 ? gatherValidity(places, count, sources) : nil
        let type = least < 0 ? widestType(sources).nullable : widestType(sources)
        switch type.layout {
        case .null: return Column(type: type, count: count, values: nil)
        case .bits: return Column(type: type, count: count, validity: validity, values: gatherBits(places, count, sources))
        case .fixed(let byteWidth):
            return Column(type: type, count: count, validity: validity, values: gatherFixed(byteWidth, places, count, sources))
        case .views: return try gatherViews(places, count, sources, type, validity)
        case .handles:
            let values = gatherFixed(8, places, count, sources, keeping: Keepers.merging(sources))
            return Column(type: type, count: count, validity: validity, values: values, hostObjects: first.hostObjects)
        case .list: return try gatherLists(places, count, sources, type, validity)
        case .row:
            var fields: [Column] = []
            for index in first.children.indices {
                fields.append(try gathering(places, count: count, from: sources.map { $0.offset == 0 ? $0.children[index] : $0.field(index) }))
            }
            return Column(type: type, count: count, validity: validity, values: nil, children: fields)
        }
    }

    private static func gatherValidity(_ places: UnsafePointer<RowPlace>, _ count: Int, _ sources: [Column]) -> Buffer {
        let result = Buffer.zeroed(byteCount: Bits.byteCount(count))
        let target = result.pointer(as: UInt8.self)
        let bitmaps = sources.map { $0.validity.map { UnsafeRawPointer($0.base) } }
        let offsets = sources.map(\.offset)
        for index in 0..<count where places[index].source >= 0 {
            let source = Int(places[index].source)
            let isThere = bitmaps[source].map { Bits.get($0, offsets[source] &+ Int(places[index].row)) } ?? true
            target[index &>> 3] |= (isThere ? 1 : 0) &<< UInt8(truncatingIfNeeded: index & 7)
        }
        return result
    }

    private static func gatherBits(_ places: UnsafePointer<RowPlace>, _ count: Int, _ sources: [Column]) -> Buffer {
        let result = Buffer.zeroed(byteCount: Bits.byteCount(count))
        let target = result.pointer(as: UInt8.self)
        let bitmaps = sources.map { $0.values.map { UnsafeRawPointer($0.base) } }
        let offsets = sources.map(\.offset)
        for index in 0..<count where places[index].source >= 0 {
            let source = Int(places[index].source)
            let isSet = bitmaps[source].map { Bits.get($0, offsets[source] &+ Int(places[index].row)) } ?? false
            target[index &>> 3] |= (isSet ? 1 : 0) &<< UInt8(truncatingIfNeeded: index & 7)
        }
        return result
    }

    private static func gatherFixed(
        _ byteWidth: Int, _ places: UnsafePointer<RowPlace>, _ count: Int, _ sources: [Column], keeping keeper: AnyObject? = nil
    ) -> Buffer {
        let result = Buffer(byteCount: byteWidth * count, keeping: keeper)
        switch byteWidth {
        case 1: gatherValues(UInt8.self, places, count, sources, result)
        case 2: gatherValues(UInt16.self, places, count, sources, result)
        case 4: gatherValues(UInt32.self, places, count, sources, result)
        case 8: gatherValues(UInt64.self, places, count, sources, result)
        default: gatherValues(SIMD2<UInt64>.self, places, count, sources, result)
        }
        return result
    }

    /// Lists keep their order; null ones are empty.
    private static func gatherLists(
        _ places: UnsafePointer<RowPlace>, _ count: Int, _ sources: [Column], _ type: DataType, _ validity: Buffer?
    ) throws(MillstreamError) -> Column {
        let offsets = Buffer(byteCount: 4 * (count + 1))
        let target = offsets.pointer(as: Int32.self)
        let starts = sources.map { UnsafePointer($0.pointer(as: Int32.self)) }
        var total = 0
        target[0] = 0
        for index in 0..<count {
            if places[index].source >= 0, validity.map({ Bits.get($0.base, index) }) ?? true {
                let range = starts[Int(places[index].source)] + Int(places[index].row)
                total &+= Int(range[1]) &- Int(range[0])
            }
            guard total <= Column.countLimit else { throw MillstreamError.tooManyElements }
            target[index + 1] = Int32(truncatingIfNeeded: total)
        }
        let elements = Buffer(byteCount: MemoryLayout<RowPlace>.stride * total)
        let elementPlaces = elements.pointer(as: RowPlace.self)
        for index in 0..<count {
            let first = Int(target[index])
            let length = Int(target[index + 1]) - first
            if length == 0 { continue }
            let source = places[index].source
            let start = starts[Int(source)][Int(places[index].row)]
            for step in 0..<length {
                elementPlaces[first &+ step] = RowPlace(source: source, row: start &+ Int32(truncatingIfNeeded: step))
            }
        }
        let child = try gathering(elementPlaces, count: total, from: sources.map { $0.children[0] })
        withExtendedLifetime((elements, sources)) {}
        return Column(type: type, count: count, validity: validity, values: offsets, children: [child])
    }

    private static func gatherViews(
        _ places: UnsafePointer<RowPlace>, _ count: Int, _ sources: [Column], _ type: DataType, _ validity: Buffer?
    ) throws(MillstreamError) -> Column {
        let words = Buffer(byteCount: 16 * count)
        gatherValues(SIMD2<UInt64>.self, places, count, sources, words)
        let target = words.pointer(as: StringView.self)
        let empty = StringView(length: 0, prefix: 0, bufferIndex: 0, offset: 0)
        var byteCount = 0
        for index in 0..<count {
            // The place of a null may hold anything.
            if let validity, !Bits.get(validity.base, index) { target[index] = empty }
            let length = Int(target[index].length)
            byteCount &+= length > StringView.inlineByteCount ? length : 0
        }
        if byteCount == 0 { return Column(type: type, count: count, validity: validity, values: words) }
        // The data buffers of all sources, and where each source's begin.
        var blocks: [UnsafeRawPointer] = []
        var starts: [Int32] = []
        for source in sources {
            starts.append(Int32(truncatingIfNeeded: blocks.count))
            for buffer in source.dataBuffers { blocks.append(UnsafeRawPointer(buffer.base)) }
        }
        // More bytes than the offsets of one buffer reach go to several.
        var buffers: [Buffer] = []
        var end = 0
        var left = byteCount
        for index in 0..<count {
            let length = Int(target[index].length)
            if length <= StringView.inlineByteCount { continue }
            if buffers.isEmpty || end + length > buffers[buffers.count - 1].byteCount {
                buffers.append(try Buffer(checking: max(length, min(left, gatheredBlockByteCountMax))))
                end = 0
            }
            let view = target[index]
            let block = blocks[Int(starts[Int(places[index].source)]) + Int(view.bufferIndex)]
            memcpy(buffers[buffers.count - 1].base + end, block + Int(view.offset), length)
            target[index].bufferIndex = Int32(truncatingIfNeeded: buffers.count - 1)
            target[index].offset = Int32(truncatingIfNeeded: end)
            end += length
            left -= length
        }
        withExtendedLifetime(sources) {}
        return Column(type: type, count: count, validity: validity, values: words, dataBuffers: buffers)
    }
}

/// A data buffer's offsets are Int32.
private let gatheredBlockByteCountMax = Int(Int32.max)

/// Places without a row give zeros.
private func gatherValues<Value: BitwiseCopyable>(
    _ type: Value.Type, _ places: UnsafePointer<RowPlace>, _ count: Int, _ sources: [Column], _ result: Buffer
) {
    let target = result.pointer(as: Value.self)
    let bases = sources.map { UnsafePointer($0.pointer(as: Value.self)) }
    bases.withUnsafeBufferPointer { bases in
        for index in 0..<count {
            let place = places[index]
            if place.source >= 0 {
                target[index] = bases[Int(place.source)][Int(place.row)]
            } else {
                memset(target + index, 0, MemoryLayout<Value>.size)
            }
        }
    }
    withExtendedLifetime(sources) {}
}
