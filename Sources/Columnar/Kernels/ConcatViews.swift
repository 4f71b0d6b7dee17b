/// Concatenation of text and bytes: views are renumbered, and the data stays where it is, unless that would keep much for little.
extension Column {
    /// A column of more data buffers than this is copied into new ones: each costs a reference count per column.
    static let dataBufferCountMax = 256
    /// Data is copied if less than one in so many of the buffers' bytes is used...
    static let wastedFactor = 4
    /// ...and the buffers are larger than this.
    static let wastedByteCountMin = 256 << 10

    static func concatViews(
        _ columns: [Column], _ type: DataType, _ total: Int, _ validity: Buffer?
    ) throws(MillstreamError) -> Column {
        var numbers: [ObjectIdentifier: Int32] = [:]
        var buffers: [Buffer] = []
        var bufferByteCount = 0
        for column in columns where column.count > 0 {
            for buffer in column.dataBuffers where numbers[ObjectIdentifier(buffer)] == nil {
                numbers[ObjectIdentifier(buffer)] = Int32(truncatingIfNeeded: buffers.count)
                buffers.append(buffer)
                bufferByteCount += buffer.byteCount
            }
        }
        let used = columns.reduce(0) { $0 + $1.longByteCount }
        if buffers.count > dataBufferCountMax || (bufferByteCount > wastedByteCountMin && bufferByteCount / wastedFactor > used) {
            return try copyViews(columns, type, total)
        }
        let values = Buffer(byteCount: 16 * total)
        var target = values.pointer(as: StringView.self)
        for column in columns where column.count > 0 {
            let renumbered = column.dataBuffers.map { numbers[ObjectIdentifier($0)] ?? 0 }
            renumberViews(column, renumbered, target)
            target += column.count
        }
        return Column(type: type, count: total, validity: validity, values: values, dataBuffers: buffers)
    }

    /// The bytes of the values that are not inline.
    var longByteCount: Int {
        guard count > 0, !dataBuffers.isEmpty else { return 0 }
        let views = pointer(as: StringView.self)
        var total = 0
        if validity == nil {
            for index in 0..<count { total &+= views[index].length > 12 ? Int(views[index].length) : 0 }
        } else {
            for index in 0..<count where !isNull(index) && views[index].length > 12 { total &+= Int(views[index].length) }
        }
        return total
    }

    private static func copyViews(_ columns: [Column], _ type: DataType, _ total: Int) throws(MillstreamError) -> Column {
        var builder = ViewBuilder()
        try builder.reserve(total)
        for column in columns where column.count > 0 {
            let values = ViewReader(column)
            for index in 0..<column.count {
                if column.isNull(index) { try builder.appendNull() } else { try builder.append(values[index]) }
            }
        }
        return builder.finish(type: type)
    }
}

/// Copies views and gives those that refer to a buffer its new number. A null's view is made empty: it may hold anything.
private func renumberViews(_ column: Column, _ numbers: [Int32], _ target: UnsafeMutablePointer<StringView>) {
    let views = UnsafePointer(column.pointer(as: StringView.self))
    let hasNulls = column.mayHaveNulls
    numbers.withUnsafeBufferPointer { numbers in
        for index in 0..<column.count {
            var view = views[index]
            if hasNulls && column.isNull(index) {
                view = StringView(length: 0, prefix: 0, bufferIndex: 0, offset: 0)
            } else if view.length > 12 {
                view.bufferIndex = numbers[Int(view.bufferIndex)]
            }
            target[index] = view
        }
    }
    withExtendedLifetime(column) {}
}
