import Columnar
import Plan

/// Writes rows in a file's format, a line per row.
final class RowEncoder {
    private enum Form {
        case printed(RowText)
        case separated(CSVDialect)
        case json
        /// What stands before the row and behind it, for a row that comes and for one that goes.
        case changelog(insert: (StaticString, StaticString), delete: (StaticString, StaticString))
        case raw(RawCodec)
    }

    private let form: Form
    private let cells: [CellWriter]
    private let names: [[UInt8]]
    /// The places of the cells' columns in a batch.
    private let columns: [Int]
    private let omitsNulls: Bool
    /// The header line of a CSV file, empty where there is none.
    let header: [UInt8]
    /// Whether rows of all kinds can be written.
    let takesChanges: Bool

    /// `columns`: the positions of those that are written; nil: all.
    init(_ format: FileSinkDescription.Format, schema whole: Schema, columns: [Int]? = nil) throws(MillstreamError) {
        let schema = Schema((columns ?? Array(whole.fields.indices)).map { whole.fields[$0] }, shape: whole.shape)
        self.columns = columns ?? Array(whole.fields.indices)
        var header: [UInt8] = []
        var (omitsNulls, takesChanges) = (false, false)
        switch format {
        case .text:
            guard columns == nil else { throw MillstreamError(.configuration, "files of text have no partitions") }
            form = .printed(RowText(schema))
            cells = []
        case .csv(let options):
            let dialect = try CSVDialect(options)
            if let field = schema.fields.first(where: { !RowEncoder.hasCSVText($0.type, options) }) {
                throw MillstreamError(.unsupported, "column '\(field.name)' of type \(field.type) cannot be written as CSV")
            }
            form = .separated(dialect)
            cells = schema.fields.map { CellWriter($0.type, style: .csv, options: CellOptions(options)) }
            if options.hasHeader { header = try RowEncoder.header(schema, dialect) }
        case .json(let options):
            form = .json
            cells = schema.fields.map { CellWriter($0.type, style: .json, options: CellOptions(options)) }
            omitsNulls = options.omitsNullFields
        case .changelog(let options):
            form = RowEncoder.changelog(options.kind)
            cells = schema.fields.map { CellWriter($0.type, style: .json, options: CellOptions(options.json)) }
            (omitsNulls, takesChanges) = (options.json.omitsNullFields, true)
        case .raw(let options):
            guard schema.fields.count == 1 else {
                throw MillstreamError(.typeMismatch, "the raw format has one column, not (\(schema.columnList))")
            }
            form = .raw(try RawCodec(schema.fields[0].type, options))
            cells = []
        }
        // A stream of bare values has bare JSON values.
        names = schema.shape == .scalar && !takesChanges ? [] : schema.fields.map { jsonKey($0.name) }
        self.omitsNulls = omitsNulls
        self.takesChanges = takesChanges
        self.header = header
    }

    /// Flink's SQL has no CSV text of maps, and of nested values one level.
    private static func hasCSVText(_ type: DataType, _ options: CSVOptions) -> Bool {
        guard options.elementDelimiter != nil else { return true }
        switch type.kind {
        case .map, .multiset, .raw, .intervalDayTime, .intervalYearMonth, .variant, .bitmap: return false
        default: return type.childTypes.allSatisfy { hasCSVText($0, options) }
        }
    }

    /// An update is written as a delete and an insert: of the old row nobody knows where the new one is.
    private static func changelog(_ kind: ChangelogOptions.Kind) -> Form {
        switch kind {
        case .debezium: .changelog(insert: ("{\"before\":null,\"after\":", ",\"op\":\"c\"}"), delete: ("{\"before\":", ",\"after\":null,\"op\":\"d\"}"))
        case .ogg: .changelog(insert: ("{\"before\":null,\"after\":", ",\"op_type\":\"I\"}"), delete: ("{\"before\":", ",\"after\":null,\"op_type\":\"D\"}"))
        case .canal: .changelog(insert: ("{\"data\":[", "],\"type\":\"INSERT\"}"), delete: ("{\"data\":[", "],\"type\":\"DELETE\"}"))
        case .maxwell: .changelog(insert: ("{\"data\":", ",\"type\":\"insert\"}"), delete: ("{\"data\":", ",\"type\":\"delete\"}"))
        }
    }

    /// Appends a row and its line end. Throws `invalidArgument` for a value that the dialect cannot hold.
    func write(_ batch: Batch, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        switch form {
        case .printed(let rows):
            try rows.write(batch, index, to: text)
        case .separated(let dialect):
            for (place, cell) in cells.enumerated() {
                if place > 0 { text.append(dialect.delimiter) }
                try writeField(batch.columns[columns[place]], index, cell, dialect, to: text)
            }
        case .json:
            if names.isEmpty {
                try writeValue(batch.columns[0], index, cells[0], to: text)
            } else {
                try writeObject(batch, index, to: text)
            }
        case .changelog(let insert, let delete):
            let kind = batch.rowKinds?.pointer(as: Int8.self)[index] ?? RowKind.insert.rawValue
            let isInsert = kind == RowKind.insert.rawValue || kind == RowKind.updateAfter.rawValue
            let around = isInsert ? insert : delete
            text.append(around.0)
            try writeObject(batch, index, to: text)
            text.append(around.1)
        case .raw(let codec):
            let column = batch.columns[columns[0]]
            if !column.isNull(index) { try codec.encode(column, index, to: text) }
        }
        text.append(UInt8(ascii: "\n"))
    }

    private func writeObject(_ batch: Batch, _ index: Int, to text: TextBuffer) throws(MillstreamError) {
        text.append(UInt8(ascii: "{"))
        var isFirst = true
        for (place, cell) in cells.enumerated() {
            let column = batch.columns[columns[place]]
            if omitsNulls, column.isNull(index) { continue }
            if !isFirst { text.append(UInt8(ascii: ",")) }
            isFirst = false
            names[place].withUnsafeBytes { text.append($0) }
            try writeValue(column, index, cell, to: text)
        }
        text.append(UInt8(ascii: "}"))
    }

    private func writeValue(_ column: Column, _ index: Int, _ cell: CellWriter, to text: TextBuffer) throws(MillstreamError) {
        if column.isNull(index) { cell.writeNull(to: text) } else { try cell.write(column, index, to: text) }
    }

    private func writeField(
        _ column: Column, _ index: Int, _ cell: CellWriter, _ dialect: CSVDialect, to text: TextBuffer
    ) throws(MillstreamError) {
        if column.isNull(index) {
            dialect.nullLiteral?.withUnsafeBytes { text.append($0) }
            return
        }
        let start = text.count
        try cell.write(column, index, to: text)
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
        if dialect.quotesAsFlink { return dialect.quote != nil && needsFlinkQuotes(field, dialect) || dialect.quote == nil && holdsMarks(field, dialect) }
        // An empty line is no row, and a text that looks like the literal for NULL is not NULL.
        if field.isEmpty { return isOnly || dialect.nullLiteral?.isEmpty == true }
        if let comment = dialect.comment, field.first == comment { return true }
        if let literal = dialect.nullLiteral, field.elementsEqual(literal) { return true }
        return holdsMarks(field, dialect)
    }

    private func holdsMarks(_ field: Slice<UnsafeRawBufferPointer>, _ dialect: CSVDialect) -> Bool {
        for byte in field where byte <= 0x22 || byte == dialect.delimiter || byte == dialect.quote || byte == dialect.escape {
            if byte == dialect.delimiter || byte == dialect.quote || byte == dialect.escape || byte == 0x0A || byte == 0x0D { return true }
        }
        return false
    }

    /// Jackson does not look closely: quotes are around all texts of more than 24 UTF-16 units, and around those with a character up to the
    /// delimiter or the quote in the code table, or a backslash.
    private func needsFlinkQuotes(_ field: Slice<UnsafeRawBufferPointer>, _ dialect: CSVDialect) -> Bool {
        let last = max(dialect.delimiter, dialect.quote ?? 0, 0x0D)
        var unitCount = 0
        for byte in field {
            if byte <= last || byte == UInt8(ascii: "\\") || byte == dialect.escape { return true }
            unitCount += byte & 0xC0 == 0x80 ? 0 : byte >= 0xF0 ? 2 : 1
        }
        return unitCount > 24
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
