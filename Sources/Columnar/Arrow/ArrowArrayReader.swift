import CMillstream

/// Makes columns of the nodes of one imported array.
struct ArrowArrayReader {
    let owner: ArrowArrayOwner
    let options: ArrowImportOptions

    /// The column of `array`, whose type is `node`'s.
    func column(_ array: UnsafePointer<ArrowArray>, _ node: ArrowNode) throws(MillstreamError) -> Column {
        let window = try window(array, node)
        if let dictionary = node.dictionary { return try decoded(array, node, dictionary, window) }
        return try plain(array, node, window)
    }

    private func plain(_ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow) throws(MillstreamError) -> Column {
        switch node.format {
        case .null: return Column(type: node.type, count: window.count, values: nil)
        case .bits:
            let values = try buffer(array, 1, byteCount: Bits.byteCount(window.end), node)
            return Column(type: node.type, count: window.count, offset: window.offset, validity: window.validity, values: values)
        case .fixed(let byteWidth): return try fixed(array, node, window, byteWidth: byteWidth)
        case .handles: return try handles(array, node, window)
        case .unsigned, .half, .decimal, .dayTimeInterval: return try converted(array, node, window)
        case .views: return try views(array, node, window)
        case .offsetBytes(let isLarge): return try offsetBytes(array, node, window, isLarge: isLarge)
        case .fixedBytes(let width): return try fixedBytes(array, node, window, width: width)
        case .row: return try row(array, node, window)
        case .list, .listView, .fixedList, .map: return try list(array, node, window)
        }
    }

    private func fixed(
        _ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow, byteWidth: Int
    ) throws(MillstreamError) -> Column {
        let values = try aligned(try buffer(array, 1, byteCount: byteWidth * window.end, node), to: byteWidth)
        return Column(type: node.type, count: window.count, offset: window.offset, validity: window.validity, values: values)
    }

    private func handles(_ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow) throws(MillstreamError) -> Column {
        guard let objects = options.hostObjects else { throw node.error("there is no host language", .typeMismatch) }
        let shared = try aligned(try buffer(array, 1, byteCount: 8 * window.end, node), to: 8)
        let handles = shared.pointer(as: HostObjects.Handle?.self) + window.offset
        guard options.ownsHandles else {
            for index in 0..<window.count where handles[index] == nil && !window.isNull(index) { throw node.error("value \(index) is a NULL handle") }
            return Column(
                type: node.type, count: window.count, offset: window.offset, validity: window.validity, values: shared, hostObjects: objects)
        }
        // Handles in the places of nulls bring no reference: a copy without them can be given back as a whole.
        let owned = Buffer(byteCount: 8 * window.count)
        let target = owned.pointer(as: HostObjects.Handle?.self)
        for index in 0..<window.count { target[index] = window.isNull(index) ? nil : handles[index] }
        let handleOwner = HandleOwner(objects: objects, buffer: owned, count: window.count)
        for index in 0..<window.count where target[index] == nil && !window.isNull(index) { throw node.error("value \(index) is a NULL handle") }
        return Column(
            type: node.type, count: window.count, validity: window.validityFromZero(),
            values: Buffer(unowned: owned.base, byteCount: 8 * window.count, owner: handleOwner), hostObjects: objects)
    }

    private func row(_ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow) throws(MillstreamError) -> Column {
        var children = [Column?](repeating: nil, count: node.children.count)
        for index in node.readingOrder {
            let child = try child(array, index, node)
            let column = try column(child, node.children[index])
            guard column.count >= window.end else {
                throw node.children[index].error("it has \(column.count) values, fewer than the \(window.end) of its struct")
            }
            try checkNotNull(column, node.children[index]) { isNull in
                (0..<window.count).first { !window.isNull($0) && isNull(window.offset + $0) }
            }
            children[index] = column
        }
        return Column(
            type: node.type, count: window.count, offset: window.offset, validity: window.validity, values: nil,
            children: children.compactMap { $0 })
    }

    /// Checks that a child that is declared NOT NULL has no nulls where it counts, which `search` knows: in the place of a parent's null it may have some.
    func checkNotNull(
        _ column: Column, _ node: ArrowNode, _ search: ((Int) -> Bool) -> Int?
    ) throws(MillstreamError) {
        guard !node.type.isNullable, column.validity != nil, let index = search({ column.isNull($0) }) else { return }
        throw node.error("it is declared NOT NULL, but is null in row \(index)", .typeMismatch)
    }

    /// The window of an array: its length and offset, checked, and its validity.
    private func window(_ array: UnsafePointer<ArrowArray>, _ node: ArrowNode) throws(MillstreamError) -> ArrowWindow {
        let (length, offset, nullCount) = (array.pointee.length, array.pointee.offset, array.pointee.null_count)
        guard length >= 0 else { throw node.error("the array's length is \(length)") }
        guard offset >= 0 else { throw node.error("the array's offset is \(offset)") }
        guard length <= Int64(Column.countLimit), offset <= Int64(Column.countLimit) - length else {
            throw node.error("an array of length \(length) at offset \(offset); at most \(Column.countLimit) values are taken", .limitExceeded)
        }
        guard nullCount >= -1, nullCount <= length else { throw node.error("\(nullCount) nulls in an array of length \(length)") }
        try checkCounts(array, node)
        var window = ArrowWindow(count: Int(length), offset: Int(offset), validity: nil)
        guard nullCount != 0, node.format != .null, let base = array.pointee.buffers?[0] else {
            guard nullCount <= 0 || node.format == .null else {
                throw node.error("the array has \(nullCount) nulls, but its validity buffer is NULL")
            }
            return window
        }
        let present = Bits.popcount(base, offset: window.offset, count: window.count)
        if present < window.count {
            window.validity = Buffer(unowned: base, byteCount: Bits.byteCount(window.end), owner: owner)
        }
        return window
    }

    private func checkCounts(_ array: UnsafePointer<ArrowArray>, _ node: ArrowNode) throws(MillstreamError) {
        let buffers = array.pointee.n_buffers
        let expected: ClosedRange<Int64> =
            switch node.format {
            case .null: 0...0
            case .row, .fixedList: 1...1
            case .offsetBytes, .listView: 3...3
            case .views: 3...Int64(Int32.max)
            default: 2...2
            }
        guard expected.contains(buffers) else {
            let wanted = node.format == .views ? "at least 3" : "\(expected.lowerBound)"
            throw node.error("the array has \(buffers) buffers, not \(wanted)")
        }
        guard buffers == 0 || array.pointee.buffers != nil else { throw node.error("the array's buffers are NULL") }
        guard array.pointee.n_children == Int64(node.children.count) else {
            throw node.error("the array has \(array.pointee.n_children) children, not \(node.children.count)")
        }
        guard node.children.isEmpty || array.pointee.children != nil else { throw node.error("the array's children are NULL") }
        guard (array.pointee.dictionary != nil) == (node.dictionary != nil) else {
            throw node.error("schema and array do not agree on whether there is a dictionary")
        }
    }

    /// The child at a place, checked to be there.
    func child(_ array: UnsafePointer<ArrowArray>, _ index: Int, _ node: ArrowNode) throws(MillstreamError) -> UnsafePointer<ArrowArray> {
        guard let child = array.pointee.children?[index] else { throw node.error("the array's child \(index) is NULL") }
        guard child.pointee.release != nil else { throw node.children[index].error("the array was released already", .invalidArgument) }
        return UnsafePointer(child)
    }

    /// A buffer of the array, of which `byteCount` bytes are needed.
    func buffer(_ array: UnsafePointer<ArrowArray>, _ index: Int, byteCount: Int, _ node: ArrowNode) throws(MillstreamError) -> Buffer {
        guard let base = array.pointee.buffers?[index] else {
            guard byteCount == 0 else { throw node.error("buffer \(index) is NULL, but must have \(byteCount) bytes") }
            return Buffer(byteCount: 0)
        }
        return Buffer(unowned: base, byteCount: byteCount, owner: owner)
    }

    /// The buffer, or a copy if it does not lie as its values must: kernels load them whole.
    func aligned(_ buffer: Buffer, to byteWidth: Int) throws(MillstreamError) -> Buffer {
        guard UInt(bitPattern: buffer.base) % UInt(byteWidth) != 0 else { return buffer }
        let copy = try Buffer(checking: buffer.byteCount)
        copy.base.copyMemory(from: buffer.base, byteCount: buffer.byteCount)
        return copy
    }
}

/// The part of an array's buffers that counts.
struct ArrowWindow {
    let count: Int
    let offset: Int
    /// Nil if nothing is null. Indexed from the buffers' start.
    var validity: Buffer?

    var end: Int { offset + count }

    @inline(__always)
    func isNull(_ index: Int) -> Bool { validity.map { !Bits.get($0.base, offset &+ index) } ?? false }

    /// The validity of the window alone, for values that were converted and begin at 0.
    func validityFromZero() -> Buffer? {
        guard let validity else { return nil }
        if offset == 0 { return validity }
        let result = Buffer(byteCount: Bits.byteCount(count))
        Bits.copy(from: validity.base, offset, to: result.base, 0, count: count)
        return result
    }
}
