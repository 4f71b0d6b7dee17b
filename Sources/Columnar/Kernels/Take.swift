#if canImport(Glibc)
    import Glibc
#endif

extension Column {
    /// The values that `selection` names, in its order, densely. Text, bytes and handles are shared, not copied.
    public func taking(_ selection: Selection) throws(MillstreamError) -> Column {
        let column = try taking(selection.indices, count: selection.count)
        withExtendedLifetime(selection) {}
        return column
    }

    /// The values at `count` indices. With `nullsForNegative` a negative index gives a null (the missing side of an outer join), and the type
    /// is nullable; without it, all indices must be in `0 ..< self.count`. Throws `limitExceeded` if the elements of lists become too many.
    public func taking(_ indices: UnsafePointer<Int32>, count: Int, nullsForNegative: Bool = false) throws(MillstreamError) -> Column {
        let source = self.count == 0 && nullsForNegative ? try Column.nulls(type: type, count: 1, hostObjects: hostObjects) : self
        let validity = source.takeValidity(indices, count, nullsForNegative)
        let type = nullsForNegative ? self.type.nullable : self.type
        switch type.layout {
        case .null: return Column(type: type, count: count, values: nil)
        case .bits: return source.taken(type, count, validity, source.takeBits(indices, count))
        case .fixed(let byteWidth): return source.taken(type, count, validity, source.takeFixed(byteWidth, indices, count))
        case .views: return source.taken(type, count, validity, source.takeFixed(16, indices, count))
        case .handles: return source.taken(type, count, validity, source.takeHandles(indices, count))
        case .row:
            var fields: [Column] = []
            for index in children.indices {
                fields.append(try source.field(index).taking(indices, count: count, nullsForNegative: nullsForNegative))
            }
            return Column(type: type, count: count, validity: validity, values: nil, children: fields)
        case .list: return try source.takeLists(type, validity, indices, count)
        }
    }

    private func taken(_ type: DataType, _ count: Int, _ validity: Buffer?, _ values: Buffer) -> Column {
        Column(type: type, count: count, validity: validity, values: values, dataBuffers: dataBuffers, hostObjects: hostObjects)
    }

    private func takeValidity(_ indices: UnsafePointer<Int32>, _ count: Int, _ nullsForNegative: Bool) -> Buffer? {
        guard validity != nil || nullsForNegative else { return nil }
        let result = Buffer(byteCount: Bits.byteCount(count))
        let target = result.pointer(as: UInt8.self)
        if let validity {
            takeBitmap(validity.base, offset, indices, count, target)
        } else {
            memset(target, 0xff, result.byteCount)
        }
        guard nullsForNegative else { return result }
        for index in 0..<count where indices[index] < 0 { Bits.clear(target, index) }
        return result
    }

    private func takeBits(_ indices: UnsafePointer<Int32>, _ count: Int) -> Buffer {
        let result = Buffer(byteCount: Bits.byteCount(count))
        if let values { takeBitmap(values.base, offset, indices, count, result.pointer(as: UInt8.self)) }
        return result
    }

    private func takeFixed(_ byteWidth: Int, _ indices: UnsafePointer<Int32>, _ count: Int) -> Buffer {
        let result = Buffer(byteCount: byteWidth * count)
        switch byteWidth {
        case 1: takeValues(pointer(as: UInt8.self), indices, count, result.pointer(as: UInt8.self))
        case 2: takeValues(pointer(as: UInt16.self), indices, count, result.pointer(as: UInt16.self))
        case 4: takeValues(pointer(as: UInt32.self), indices, count, result.pointer(as: UInt32.self))
        case 8: takeValues(pointer(as: UInt64.self), indices, count, result.pointer(as: UInt64.self))
        default: takeValues(pointer(as: SIMD2<UInt64>.self), indices, count, result.pointer(as: SIMD2<UInt64>.self))
        }
        return result
    }

    /// Borrows the handles from whatever owns them, so that nothing is retained.
    private func takeHandles(_ indices: UnsafePointer<Int32>, _ count: Int) -> Buffer {
        let result = Buffer(byteCount: 8 * count, keeping: values?.keeper)
        takeValues(pointer(as: UInt64.self), indices, count, result.pointer(as: UInt64.self))
        return result
    }

    private func takeLists(
        _ type: DataType, _ validity: Buffer?, _ indices: UnsafePointer<Int32>, _ count: Int
    ) throws(MillstreamError) -> Column {
        let offsets = Buffer(byteCount: 4 * (count + 1))
        let target = offsets.pointer(as: Int32.self)
        var total = 0
        target[0] = 0
        for index in 0..<count {
            if validity.map({ Bits.get($0.base, index) }) ?? true { total &+= listRange(Int(indices[index])).count }
            guard total <= Column.countLimit else { throw MillstreamError.tooManyElements }
            target[index + 1] = Int32(truncatingIfNeeded: total)
        }
        let elements = Buffer(byteCount: 4 * total)
        let places = elements.pointer(as: Int32.self)
        for index in 0..<count {
            let first = Int(target[index])
            let length = Int(target[index + 1]) - first
            if length == 0 { continue }
            let start = listRange(Int(indices[index])).lowerBound
            for step in 0..<length { places[first &+ step] = Int32(truncatingIfNeeded: start &+ step) }
        }
        let child = try children[0].taking(places, count: total)
        withExtendedLifetime(elements) {}
        return Column(type: type, count: count, validity: validity, values: offsets, children: [child])
    }

    /// A column of nulls only, of the nullable form of `type`.
    public static func nulls(type: DataType, count: Int, hostObjects: HostObjects? = nil) throws(MillstreamError) -> Column {
        let type = type.nullable
        if type.kind == .null { return Column(type: type, count: count, values: nil) }
        var values: Buffer?
        var children: [Column] = []
        switch type.layout {
        case .null: break
        case .bits: values = .zeroed(byteCount: Bits.byteCount(count))
        case .fixed(let byteWidth): values = .zeroed(byteCount: byteWidth * count)
        case .views: values = .zeroed(byteCount: 16 * count)
        case .handles: values = .zeroed(byteCount: 8 * count)
        case .list:
            values = .zeroed(byteCount: 4 * (count + 1))
            for child in type.childTypes { children.append(try nulls(type: child, count: 0, hostObjects: hostObjects)) }
        case .row:
            for child in type.childTypes { children.append(try nulls(type: child, count: count, hostObjects: hostObjects)) }
        }
        return Column(
            type: type, count: count, validity: .zeroed(byteCount: Bits.byteCount(count)), values: values, children: children,
            hostObjects: type.kind == .object ? hostObjects : nil)
    }
}

extension MillstreamError {
    static var tooManyElements: MillstreamError {
        MillstreamError(
            .limitExceeded, "the lists of one column hold at most \(Column.countLimit) elements", hint: "Use smaller batches.")
    }
}

/// A negative index reads place 0 (the caller marks it null), so that the loop has no branch.
@inline(__always)
private func takeValues<Element: BitwiseCopyable>(
    _ source: UnsafePointer<Element>, _ indices: UnsafePointer<Int32>, _ count: Int, _ target: UnsafeMutablePointer<Element>
) {
    for index in 0..<count { target[index] = source[Int(max(0, indices[index]))] }
}

private func takeBitmap(
    _ source: UnsafeRawPointer, _ offset: Int, _ indices: UnsafePointer<Int32>, _ count: Int, _ target: UnsafeMutablePointer<UInt8>
) {
    var index = 0
    while index < count {
        var byte: UInt8 = 0
        let end = min(8, count &- index)
        for bit in 0..<end where Bits.get(source, offset &+ Int(max(0, indices[index &+ bit]))) {
            byte |= 1 &<< UInt8(truncatingIfNeeded: bit)
        }
        target[index &>> 3] = byte
        index &+= 8
    }
}
