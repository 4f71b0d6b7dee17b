import Columnar
import Plan

/// Writes rows in a file's format, a line per row.
final class RowEncoder {
    private enum Form {
        case printed(RowText)
        case separated(CSVDialect)
        case json
    }

    private let form: Form
    private let cells: [CellWriter]
    private let names: [[UInt8]]
    /// The header line of a CSV file, empty where there is none.
    let header: [UInt8]

    init(_ format: FileSinkDescription.Format, schema: Schema) throws(MillstreamError) {
        var header: [UInt8] = []
        switch format {
        case .text:
            form = .printed(RowText(schema))
            cells = []
        case .csv(let options):
            let dialect = try CSVDialect(options)
            form = .separated(dialect)
            cells = schema.fields.map { CellWriter($0.type, style: .csv) }
            if options.hasHeader { header = try RowEncoder.header(schema, dialect) }
        case .jsonLines:
            form = .json
            cells = schema.fields.map { CellWriter($0.type, style: .json) }
        }
        // A stream of bare values has bare JSON values.
        names = schema.shape == .scalar ? [] : schema.fields.map { jsonKey($0.name) }
        self.header = header
    }

    /// Appends a row and its line end. Throws `invalidArgument` for a value that the dialect cannot hold.
    func write(_ batch: Batch, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        switch form {
        case .printed(let rows):
            rows.write(batch, index, to: text)
        case .separated(let dialect):
            for (place, cell) in cells.enumerated() {
                if place > 0 { text.append(dialect.delimiter) }
                try writeField(batch.columns[place], index, cell, dialect, to: text)
            }
        case .json:
            if names.isEmpty {
                writeValue(batch.columns[0], index, cells[0], to: text)
            } else {
                text.append(UInt8(ascii: "{"))
                for (place, cell) in cells.enumerated() {
                    if place > 0 { text.append(UInt8(ascii: ",")) }
                    names[place].withUnsafeBytes { text.append($0) }
                    writeValue(batch.columns[place], index, cell, to: text)
                }
                text.append(UInt8(ascii: "}"))
            }
        }
        text.append(UInt8(ascii: "\n"))
    }

    private func writeValue(_ column: Column, _ index: Int, _ cell: CellWriter, to text: TextBuffer) {
        if column.isNull(index) { cell.writeNull(to: text) } else { cell.write(column, index, to: text) }
    }

    private func writeField(
        _ column: Column, _ index: Int, _ cell: CellWriter, _ dialect: CSVDialect, to text: TextBuffer
    ) throws(MillstreamError) {
        if column.isNull(index) {
            dialect.nullLiteral?.withUnsafeBytes { text.append($0) }
            return
        }
        let start = text.count
        cell.write(column, index, to: text)
        if cell.isText { try text.quoteField(from: start, dialect, isOnly: cells.count == 1) }
    }

    private static func header(_ schema: Schema, _ dialect: CSVDialect) throws(MillstreamError) -> [UInt8] {
        let text = TextBuffer(capacity: 256)
        for (place, field) in schema.fields.enumerated() {
            if place > 0 { text.append(dialect.delimiter) }
            let start = text.count
            text.append(field.name)
            try text.quoteField(from: start, dialect, isOnly: schema.fields.count == 1)
        }
        text.append(UInt8(ascii: "\n"))
        return Array(text.bytes)
    }
}

extension TextBuffer {
    /// Puts the last field in quotes if it would be read as something else without them.
    fileprivate func quoteField(from start: Int, _ dialect: CSVDialect, isOnly: Bool) throws(MillstreamError) {
        guard needsQuotes(from: start, dialect, isOnly: isOnly) else { return }
        let field = Array(bytes[start...])
        guard let quote = dialect.quote else { return try escapeField(field, from: start, dialect) }
        truncate(to: start)
        append(quote)
        for byte in field {
            if byte == quote { append(quote) } else if byte == dialect.escape { append(byte) }
            append(byte)
        }
        append(quote)
    }

    private func needsQuotes(from start: Int, _ dialect: CSVDialect, isOnly: Bool) -> Bool {
        let field = bytes[start...]
        // An empty line is no row, and a text that looks like the literal for NULL is not NULL.
        if field.isEmpty { return isOnly || dialect.nullLiteral?.isEmpty == true }
        if let comment = dialect.comment, field.first == comment { return true }
        if let literal = dialect.nullLiteral, field.elementsEqual(literal) { return true }
        for byte in field where byte <= 0x22 || byte == dialect.delimiter || byte == dialect.quote || byte == dialect.escape {
            if byte == dialect.delimiter || byte == dialect.quote || byte == dialect.escape || byte == 0x0A || byte == 0x0D { return true }
        }
        return false
    }

    private func escapeField(_ field: [UInt8], from start: Int, _ dialect: CSVDialect) throws(MillstreamError) {
        guard let escape = dialect.escape else {
            let shown = field.withUnsafeBufferPointer { $0.baseAddress.map { quoted($0, field.count) } ?? "''" }
            throw MillstreamError(
                .invalidArgument, "the text \(shown) cannot be written as a CSV field without quotes",
                hint: "Give the CSV format a quote or an escape.")
        }
        truncate(to: start)
        for byte in field {
            if byte == dialect.delimiter || byte == escape || byte == 0x0A || byte == 0x0D { append(escape) }
            append(byte)
        }
    }
}
