import Columnar

/// Writes rows as a DataStream prints them: a bare value, `(a,b)` for a tuple, `+I[a, b]` for a row, with Java's text for the values.
final class RowText {
    private let shape: Schema.Shape
    private let cells: [CellWriter]

    /// `style`: `.java`, or `.table` for the rows of a table.
    init(_ schema: Schema, style: TextStyle = .java) {
        shape = style == .table ? .row : schema.shape
        cells = schema.fields.map { CellWriter($0.type, style: style) }
    }

    /// Appends the row at physical index `index`, without a line end.
    func write(_ batch: Batch, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        switch shape {
        case .scalar: break
        case .tuple: text.append(UInt8(ascii: "("))
        case .row: text.append(rowKindText(batch, index))
        }
        for (place, cell) in cells.enumerated() {
            if place > 0 { text.append(shape == .row ? ", " : ",") }
            let column = batch.columns[place]
            if column.isNull(index) { cell.writeNull(to: text) } else { try cell.write(column, index, to: text) }
        }
        switch shape {
        case .scalar: break
        case .tuple: text.append(UInt8(ascii: ")"))
        case .row: text.append(UInt8(ascii: "]"))
        }
    }

    private func rowKindText(_ batch: Batch, _ index: Int) -> StaticString {
        guard let kinds = batch.rowKinds else { return "+I[" }
        switch RowKind(rawValue: kinds.pointer(as: Int8.self)[index]) {
        case .updateBefore: return "-U["
        case .updateAfter: return "+U["
        case .delete: return "-D["
        default: return "+I["
        }
    }
}

extension Batch {
    /// Calls `body` with the physical index of each row that counts, in order.
    @inline(__always)
    func forEachRow<Failure: Error>(_ body: (Int) throws(Failure) -> Void) throws(Failure) {
        guard let selection else {
            for index in 0..<physicalCount { try body(index) }
            return
        }
        let indices = selection.indices
        for place in 0..<selection.count { try body(Int(indices[place])) }
        withExtendedLifetime(selection) {}
    }
}
