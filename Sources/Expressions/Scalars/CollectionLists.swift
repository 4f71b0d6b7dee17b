import Columnar

/// Builds a column of lists of which the elements are values of other columns: offsets, nulls, and where each element comes from.
struct ListAssembly {
    private let offsets: Buffer
    private let validity: Buffer
    private(set) var rows = 0
    private var hasNulls = false
    private var end = 0

    init(count: Int) {
        offsets = Buffer(byteCount: 4 * (count + 1))
        offsets.pointer(as: Int32.self)[0] = 0
        validity = Buffer.zeroed(byteCount: Validity.wordByteCount(count))
    }

    /// Ends the list of the next row behind `end` elements.
    mutating func end(_ end: Int) throws(MillstreamError) {
        guard end <= Column.countLimit else {
            throw MillstreamError(.limitExceeded, "the lists of one column hold at most \(Column.countLimit) elements", hint: "Use smaller batches.")
        }
        Bits.set(validity.base, rows)
        self.end = end
        rows += 1
        offsets.pointer(as: Int32.self)[rows] = Int32(truncatingIfNeeded: end)
    }

    mutating func endNull() {
        hasNulls = true
        rows += 1
        offsets.pointer(as: Int32.self)[rows] = Int32(truncatingIfNeeded: end)
    }

    /// The column of all rows over its elements.
    func finish(_ type: DataType, child: Column) -> Column {
        Column(type: type, count: rows, validity: hasNulls ? validity : nil, values: offsets, children: [child])
    }

    /// The column with the elements at some places of one column.
    func finish(_ type: DataType, taking elements: [Int32], from source: Column) throws(MillstreamError) -> Column {
        let buffer = Buffer.copying(elements)
        let child = try source.taking(buffer.pointer(as: Int32.self), count: elements.count)
        withExtendedLifetime(buffer) {}
        return finish(type, child: child.typed(type.elementType ?? child.type))
    }

    /// The column with the elements at some places of several columns.
    func finish(_ type: DataType, gathering places: [RowPlace], from sources: [Column]) throws(MillstreamError) -> Column {
        let element = type.elementType ?? sources[0].type
        return finish(type, child: try Column.gathering(places, from: sources, as: element))
    }
}

extension Column {
    /// The same values under a type of the same layout.
    func typed(_ type: DataType) -> Column { self.type == type || self.type.layout != type.layout ? self : retyped(type) }

    /// The values at places of several columns; a column without a type of its own gives nulls.
    static func gathering(_ places: [RowPlace], from sources: [Column], as type: DataType) throws(MillstreamError) -> Column {
        var usable: [Column] = []
        for source in sources { usable.append(source.type.layout == type.layout ? source : try Column.nulls(type: type, count: max(1, source.count))) }
        let buffer = Buffer.copying(places)
        let column = try Column.gathering(buffer.pointer(as: RowPlace.self), count: places.count, from: usable)
        withExtendedLifetime(buffer) {}
        return column.typed(type)
    }

    /// The values at some places; null where that is negative.
    func taking(places: [Int32], as type: DataType) throws(MillstreamError) -> Column {
        let buffer = Buffer.copying(places)
        let column = try taking(buffer.pointer(as: Int32.self), count: places.count, nullsForNegative: true)
        withExtendedLifetime(buffer) {}
        return column.typed(type)
    }

    /// Whether a value is a number that equals nothing.
    @inline(__always)
    func isNaN(_ index: Int) -> Bool {
        switch type.kind {
        case .double: pointer(as: Double.self)[index].isNaN && !isNull(index)
        case .float: pointer(as: Float.self)[index].isNaN && !isNull(index)
        default: false
        }
    }
}

extension Operand {
    /// The elements of a row's list; meaningless where it is null.
    @inline(__always)
    func list(_ row: Int) -> Range<Int> { column.listRange(isConstant ? 0 : row) }

    /// The elements of a list, the entries of a map.
    var elements: Column { column.children[0] }

    /// The number in a row of an integer argument.
    func integer(_ row: Int) -> Int64 {
        let row = isConstant ? 0 : row
        switch column.type.layout {
        case .fixed(1): return Int64(column.pointer(as: Int8.self)[row])
        case .fixed(2): return Int64(column.pointer(as: Int16.self)[row])
        case .fixed(4): return Int64(column.pointer(as: Int32.self)[row])
        default: return column.pointer(as: Int64.self)[row]
        }
    }
}

/// Elements without their doubles: a table of hashes that is used for one row after the other.
///
/// Null equals null and 0.0 equals -0.0, but NaN equals nothing, as SQL's `=` has it.
struct ElementSet {
    private let sources: [Column]
    private let hashes: [Buffer]
    /// The first element of each source that has a hash: columns may be windows of much longer ones.
    private let starts: [Int]
    private var places: [RowPlace] = []
    private var table: [Int32] = []

    /// For elements of the lists of some arguments, of one type: of `sources`, which the lists index.
    init(_ lists: [Operand], _ sources: [Column]) throws(MillstreamError) {
        var windows: [Range<Int>] = []
        for (operand, source) in zip(lists, sources) {
            let column = operand.column
            let last = column.count > 0 ? column.listRange(column.count - 1).upperBound : 0
            let first = column.count > 0 ? column.listRange(0).lowerBound : 0
            windows.append(min(max(first, 0), source.count)..<max(min(max(first, 0), source.count), min(last, source.count)))
        }
        try self.init(sources, windows)
    }

    /// For elements of these windows of columns of one type.
    init(_ sources: [Column], _ windows: [Range<Int>]) throws(MillstreamError) {
        self.sources = sources
        starts = windows.map(\.lowerBound)
        var hashes: [Buffer] = []
        for (source, window) in zip(sources, windows) {
            let buffer = Buffer(byteCount: 8 * max(1, window.count))
            try hash(columns: [source.slice(window.lowerBound, window.count)], count: window.count, selection: nil, into: buffer.pointer(as: UInt64.self))
            hashes.append(buffer)
        }
        self.hashes = hashes
    }

    /// Empties the set and makes room for `count` elements.
    mutating func reset(_ count: Int) {
        places.removeAll(keepingCapacity: true)
        var size = 8
        while size < 2 * count { size *= 2 }
        if table.count == size {
            for index in table.indices { table[index] = -1 }
        } else {
            table = [Int32](repeating: -1, count: size)
        }
    }

    /// Adds an element; false if it is there.
    mutating func insert(_ source: Int, _ row: Int) throws(MillstreamError) -> Bool {
        guard let slot = try find(source, row) else { return false }
        table[slot] = Int32(truncatingIfNeeded: places.count)
        places.append(RowPlace(source: Int32(truncatingIfNeeded: source), row: Int32(truncatingIfNeeded: row)))
        return true
    }

    func contains(_ source: Int, _ row: Int) throws(MillstreamError) -> Bool { try find(source, row) == nil }

    /// The free slot for an element; nil where it has one.
    private func find(_ source: Int, _ row: Int) throws(MillstreamError) -> Int? {
        let column = sources[source]
        let word = hashes[source].pointer(as: UInt64.self)[row &- starts[source]]
        let isNaN = column.isNaN(row)
        var slot = Int(truncatingIfNeeded: word & UInt64(truncatingIfNeeded: table.count - 1))
        while table[slot] >= 0 {
            let place = places[Int(table[slot])]
            if !isNaN, hashes[Int(place.source)].pointer(as: UInt64.self)[Int(place.row) &- starts[Int(place.source)]] == word,
                try sources[Int(place.source)].isEqual(at: Int(place.row), to: column, at: row)
            { return nil }
            slot = (slot + 1) & (table.count - 1)
        }
        return slot
    }
}
