/// Builds an ARRAY column: append elements to `elements`, then `endList()` makes all of them since the last call one list.
public final class ListBuilder: ColumnBuilder {
    public let elements: ColumnBuilder
    private var ends = ListEnds()
    public override var count: Int { ends.count }

    init(type: DataType, elements: ColumnBuilder) {
        self.elements = elements
        super.init(type: type)
    }

    /// Ends a list.
    public func endList() throws(MillstreamError) { try ends.append(elements.count) }

    public override func appendNull() throws(MillstreamError) { try ends.appendNull(elements.count) }

    override func appendRun(_ column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        try ends.append(column, start, length, to: elements)
    }

    override func appendScalar(_ scalar: Scalar) throws(MillstreamError) {
        guard case .list(let values) = scalar else { throw mismatch(scalar) }
        for value in values { try elements.append(value) }
        try endList()
    }

    public override func finish() -> Column { ends.finish(type: type, elements: elements) }
}

/// The offsets and validity of a list column under construction.
struct ListEnds: ~Copyable {
    private var offsets = FixedWidthBuilder<Int32>()
    private var validity = ValidityBuilder()

    /// How many lists there are; the offsets have one more entry once there is one.
    var count: Int { max(0, offsets.count - 1) }

    mutating func append(_ end: Int) throws(MillstreamError) {
        guard let narrow = Int32(exactly: end) else {
            throw MillstreamError(.limitExceeded, "the lists of one column hold at most \(Int32.max) elements", hint: "Use smaller batches.")
        }
        if offsets.count == 0 { try offsets.append(0) }
        try offsets.append(narrow)
        try validity.grow(capacity: count)
    }

    mutating func appendNull(_ end: Int) throws(MillstreamError) {
        try append(end)
        try validity.clear(count - 1, capacity: count)
    }

    mutating func append(_ column: Column, _ start: Int, _ length: Int, to elements: ColumnBuilder) throws(MillstreamError) {
        for index in start..<start + length {
            if column.isNull(index) {
                try appendNull(elements.count)
            } else {
                let range = column.listRange(index)
                try elements.append(from: column.children[0], range.lowerBound, range.count)
                try append(elements.count)
            }
        }
    }

    mutating func finish(type: DataType, elements: ColumnBuilder) -> Column {
        let (values, _, entries) = offsets.finishBuffers()
        let usable = entries == 0 ? Buffer.zeroed(byteCount: 4) : values
        return Column(type: type, count: max(0, entries - 1), validity: validity.finish(), values: usable, children: [elements.finish()])
    }
}
