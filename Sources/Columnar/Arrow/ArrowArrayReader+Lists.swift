import CMillstream

extension ArrowArrayReader {
    /// Lists of all forms; maps are lists of key and value.
    func list(_ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow) throws(MillstreamError) -> Column {
        let elements = try column(try child(array, 0, node), node.children[0])
        if window.count == 0 { return list(node, 0, 0, nil, Buffer.zeroed(byteCount: 4), elements.slice(0, 0)) }
        let lists: Column
        switch node.format {
        case .list(isLarge: true): lists = try largeList(array, node, window, elements)
        case .listView(let isLarge): lists = try listView(array, node, window, elements, isLarge: isLarge)
        case .fixedList(let width): lists = try fixedList(node, window, elements, width: width)
        default: lists = try smallList(array, node, window, elements)
        }
        try checkNotNull(lists.children[0], node.children[0]) { isNull in
            (0..<lists.count).first { !lists.isNull($0) && lists.listRange($0).contains(where: isNull) }
        }
        return lists
    }

    private func smallList(
        _ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow, _ elements: Column
    ) throws(MillstreamError) -> Column {
        let offsets = try aligned(try buffer(array, 1, byteCount: 4 * (window.end + 1), node), to: 4)
        let bounds = try checkOffsets(UnsafePointer(offsets.pointer(as: Int32.self)) + window.offset, window.count, node)
        try check(bounds.upperBound, elements, node)
        if node.format == .map { try checkEntries(elements, bounds, node) }
        return list(node, window.count, window.offset, window.validity, offsets, elements)
    }

    private func list(_ node: ArrowNode, _ count: Int, _ offset: Int, _ validity: Buffer?, _ offsets: Buffer, _ elements: Column) -> Column {
        var child = elements
        if node.format == .map, let type = node.type.elementType {
            child = Column(
                type: type, count: elements.count, offset: elements.offset, validity: nil, values: nil, children: elements.children)
        }
        return Column(type: node.type, count: count, offset: offset, validity: validity, values: offsets, children: [child])
    }

    private func check(_ end: Int, _ elements: Column, _ node: ArrowNode) throws(MillstreamError) {
        guard end <= elements.count else { throw node.error("its lists end at element \(end), but there are \(elements.count)") }
    }

    private func checkEntries(_ entries: Column, _ bounds: ClosedRange<Int>, _ node: ArrowNode) throws(MillstreamError) {
        let used = entries.slice(bounds.lowerBound, bounds.upperBound - bounds.lowerBound)
        guard used.nullCount == 0 else { throw node.error("a map has an entry that is null") }
        guard used.field(0).nullCount == 0 else { throw node.error("a map has a key that is null") }
    }

    private func largeList(
        _ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow, _ elements: Column
    ) throws(MillstreamError) -> Column {
        let wide = try aligned(try buffer(array, 1, byteCount: 8 * (window.end + 1), node), to: 8)
        let source = UnsafePointer(wide.pointer(as: Int64.self)) + window.offset
        let bounds = try checkOffsets(source, window.count, node)
        try check(bounds.upperBound, elements, node)
        // The elements' count is an Int32, and so is every offset now.
        let offsets = try Buffer(checking: 4 * (window.count + 1))
        let target = offsets.pointer(as: Int32.self)
        for index in 0...window.count { target[index] = Int32(truncatingIfNeeded: source[index]) }
        return list(node, window.count, 0, window.validityFromZero(), offsets, elements)
    }

    private func fixedList(_ node: ArrowNode, _ window: ArrowWindow, _ elements: Column, width: Int) throws(MillstreamError) -> Column {
        let (end, overflow) = width.multipliedReportingOverflow(by: window.end)
        guard !overflow else { throw node.error("\(window.end) lists of \(width) elements", .limitExceeded) }
        try check(end, elements, node)
        let offsets = try Buffer(checking: 4 * (window.count + 1))
        let target = offsets.pointer(as: Int32.self)
        for index in 0...window.count { target[index] = Int32(truncatingIfNeeded: (window.offset + index) * width) }
        return list(node, window.count, 0, window.validityFromZero(), offsets, elements)
    }

    /// List views may overlap and come in any order: the elements are gathered, unless they lie one behind the other anyway.
    private func listView(
        _ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow, _ elements: Column, isLarge: Bool
    ) throws(MillstreamError) -> Column {
        let width = isLarge ? 8 : 4
        let starts = try buffer(array, 1, byteCount: width * window.end, node).base
        let lengths = try buffer(array, 2, byteCount: width * window.end, node).base
        func number(_ base: UnsafeMutableRawPointer, _ index: Int) -> Int {
            let place = width * (window.offset + index)
            return isLarge
                ? Int(base.loadUnaligned(fromByteOffset: place, as: Int64.self)) : Int(base.loadUnaligned(fromByteOffset: place, as: Int32.self))
        }
        let offsets = try Buffer(checking: 4 * (window.count + 1))
        let target = offsets.pointer(as: Int32.self)
        var total = 0
        var isGapless = true
        target[0] = 0
        for index in 0..<window.count {
            if !window.isNull(index) {
                let (start, length) = (number(starts, index), number(lengths, index))
                guard start >= 0, length >= 0, start <= elements.count, length <= elements.count - start else {
                    throw node.error("list \(index) has \(length) elements from \(start) on, but there are \(elements.count)")
                }
                isGapless = isGapless && (length == 0 || start == total)
                total += length
                guard total <= Column.countLimit else { throw node.error("its lists have too many elements", .limitExceeded) }
            }
            target[index + 1] = Int32(truncatingIfNeeded: total)
        }
        let validity = window.validityFromZero()
        if isGapless { return list(node, window.count, 0, validity, offsets, elements) }
        let places = try Buffer(checking: 4 * total)
        let indices = places.pointer(as: Int32.self)
        for index in 0..<window.count {
            let first = Int(target[index])
            let length = Int(target[index + 1]) - first
            if length == 0 { continue }
            let start = number(starts, index)
            for step in 0..<length { indices[first + step] = Int32(truncatingIfNeeded: start + step) }
        }
        let gathered = try elements.taking(indices, count: total)
        withExtendedLifetime(places) {}
        return list(node, window.count, 0, validity, offsets, gathered)
    }

    /// A dictionary's values at the places of the indices.
    func decoded(
        _ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ dictionary: ArrowNode, _ window: ArrowWindow
    ) throws(MillstreamError) -> Column {
        guard let pointer = array.pointee.dictionary, pointer.pointee.release != nil else {
            throw node.error("the dictionary was released already", .invalidArgument)
        }
        let values = try column(pointer, dictionary)
        let places = try Buffer(checking: 4 * window.count)
        let target = places.pointer(as: Int32.self)
        switch node.format {
        case .fixed(1): try indices(array, node, window, values.count, target, Int8.self)
        case .fixed(2): try indices(array, node, window, values.count, target, Int16.self)
        case .fixed(4): try indices(array, node, window, values.count, target, Int32.self)
        case .fixed: try indices(array, node, window, values.count, target, Int64.self)
        case .unsigned(1): try indices(array, node, window, values.count, target, UInt8.self)
        case .unsigned(2): try indices(array, node, window, values.count, target, UInt16.self)
        case .unsigned(4): try indices(array, node, window, values.count, target, UInt32.self)
        default: try indices(array, node, window, values.count, target, UInt64.self)
        }
        let column = try values.taking(UnsafePointer(target), count: window.count, nullsForNegative: window.validity != nil)
        withExtendedLifetime(places) {}
        return column.type == node.type ? column : column.retyped(node.type)
    }

    private func indices<Index: FixedWidthInteger & BitwiseCopyable>(
        _ array: UnsafePointer<ArrowArray>, _ node: ArrowNode, _ window: ArrowWindow, _ limit: Int, _ target: UnsafeMutablePointer<Int32>,
        _ type: Index.Type
    ) throws(MillstreamError) {
        let width = MemoryLayout<Index>.size
        let values = try aligned(try buffer(array, 1, byteCount: width * window.end, node), to: width)
        let source = UnsafePointer(values.pointer(as: Index.self)) + window.offset
        for index in 0..<window.count {
            if window.isNull(index) {
                target[index] = -1
            } else if let place = Int(exactly: source[index]), place >= 0, place < limit {
                target[index] = Int32(truncatingIfNeeded: place)
            } else {
                throw node.error("value \(index) is number \(source[index]) of a dictionary of \(limit)")
            }
        }
    }
}
