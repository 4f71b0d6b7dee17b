/// Builds a ROW column: append one value to each of `fields`, then `endRow()`.
public final class RowBuilder: ColumnBuilder {
    public let fields: [ColumnBuilder]
    private var rows = 0
    private var validity = ValidityBuilder()
    public override var count: Int { rows }

    init(type: DataType, fields: [ColumnBuilder]) {
        self.fields = fields
        super.init(type: type)
    }

    /// Ends a row; a field that got no value since the last row gets a null.
    public func endRow() throws(MillstreamError) {
        _ = try grownCapacity(rows, count: rows, additional: 1)
        rows += 1
        for field in fields where field.count < rows { try field.appendNull() }
    }

    public override func appendNull() throws(MillstreamError) {
        _ = try grownCapacity(rows, count: rows, additional: 1)
        for field in fields { try field.appendNull() }
        try validity.clear(rows, capacity: rows + 1)
        rows += 1
        try validity.grow(capacity: rows)
    }

    override func appendRun(_ column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        guard column.children.count == fields.count else {
            throw MillstreamError(.typeMismatch, "a value of type \(column.type) cannot go into a column of type \(type)")
        }
        _ = try grownCapacity(rows, count: rows, additional: length)
        for (field, child) in zip(fields, column.children) { try field.append(from: child, column.offset + start, length) }
        try validity.copy(from: column, start, to: rows, count: length, capacity: rows + length)
        rows += length
    }

    override func appendScalar(_ scalar: Scalar) throws(MillstreamError) {
        guard case .row(let values) = scalar, values.count == fields.count else { throw mismatch(scalar) }
        for (field, value) in zip(fields, values) { try field.append(value) }
        try endRow()
    }

    public override func finish() -> Column {
        do throws(MillstreamError) { try validity.grow(capacity: rows) } catch {}
        let column = Column(type: type, count: rows, validity: validity.finish(), values: nil, children: fields.map { $0.finish() })
        rows = 0
        return column
    }
}
