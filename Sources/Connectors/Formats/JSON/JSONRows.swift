import CDecoding
import Columnar
import Plan

/// The columns of a schema under construction, and the way of JSON objects into them, a row each.
final class JSONRows {
    let schema: Schema
    private let columns: [JSONColumn]
    private let reading: JSONReading
    /// The row in which a column got its last value, to tell missing and repeated fields.
    private var filled: [Int]
    /// Rows that are complete, good and bad ones.
    private(set) var count = 0
    /// The good ones of them.
    private var good: [Int32] = []
    private let hasKinds: Bool
    private var kinds: [Int8] = []

    /// `nullsProblems`: a field that is no value of its column is NULL. `hasKinds`: the rows are changes.
    init(schema: Schema, options: JSONOptions, nullsProblems: Bool, hasKinds: Bool) throws(MillstreamError) {
        self.schema = schema
        self.hasKinds = hasKinds
        reading = JSONReading(options, nullsProblems: nullsProblems)
        var columns: [JSONColumn] = []
        for field in schema.fields {
            columns.append(try JSONColumn(field.name, field.type, builder: try ColumnBuilder.make(for: field.type), reading: reading))
        }
        self.columns = columns
        filled = Array(repeating: -1, count: columns.count)
    }

    /// Fields that were no values of their columns and became NULL, in all rows so far.
    var nulledCount: Int { reading.nulledCount }

    /// Takes the fields of the object at `place` into the row that is being made. Of two fields with one name the first counts, as for Flink; so what
    /// an earlier object of the same row gave stays. Throws `JSONProblem`; then some of the columns may have a value.
    func take(_ json: JSONEvents, _ place: Int) throws {
        let end = json.next(place) - 1
        var place = place + 1
        var expected = 0
        while place < end {
            if let column = column(json.text(place), &expected), filled[column] != count {
                try columns[column].append(json, place + 1)
                filled[column] = count
            }
            place = json.next(place + 1)
        }
    }

    /// Throws `JSONProblem` if a field that must be there is missing.
    func checkMissing() throws {
        for (place, column) in columns.enumerated() where filled[place] != count {
            guard column.type.isNullable else {
                throw JSONProblem(path: column.name, reason: "the field is missing, and its column is declared \(column.type)")
            }
            if reading.needsAllFields { throw JSONProblem(path: column.name, reason: "the field is missing") }
        }
    }

    /// Ends the row; columns without a value get a NULL.
    func endRow(_ kind: RowKind = .insert) throws(MillstreamError) {
        for (place, column) in columns.enumerated() where filled[place] != count { try column.appendNull() }
        if hasKinds { kinds.append(kind.rawValue) }
        count += 1
    }

    /// The last `count` rows that were ended are good.
    func accept(_ count: Int) { for row in self.count - count..<self.count { good.append(Int32(truncatingIfNeeded: row)) } }

    /// The good rows; there are none then.
    func finish() -> Batch? {
        let rows = count
        // A column may have one value more: of the row that stopped the decoder.
        let finished = columns.map { column in
            let values = column.finish()
            return values.count > rows ? values.slice(0, rows) : values
        }
        for place in filled.indices { filled[place] = -1 }
        count = 0
        defer {
            good.removeAll(keepingCapacity: true)
            kinds.removeAll(keepingCapacity: true)
        }
        guard !good.isEmpty else { return nil }
        var batch = Batch(schema: schema, columns: finished, count: rows)
        if hasKinds { batch.rowKinds = Column(type: DataType.tinyInt.notNull, count: rows, values: Buffer.copying(kinds)) }
        return good.count == rows ? batch : batch.selecting(Selection(good))
    }

    /// The column of a key. Objects tend to have their fields in one order, so the column behind the last one is tried first.
    private func column(_ key: UnsafeBufferPointer<UInt8>, _ expected: inout Int) -> Int? {
        if expected < columns.count, columns[expected].matches(key) {
            expected += 1
            return expected - 1
        }
        for place in columns.indices where columns[place].matches(key) {
            expected = place + 1
            return place
        }
        return nil
    }
}

/// Cuts a chunk into lines, and passes over blank ones. To JSON a carriage return is a space.
struct JSONLines {
    let chunk: Chunk
    private(set) var position: Int
    var lineCount: Int64 = 0

    init(_ chunk: Chunk) {
        self.chunk = chunk
        position = chunk.start
    }

    /// The next line that is not blank; nil: there is none in the chunk.
    mutating func next() -> (start: Int, count: Int)? {
        while true {
            let start = position
            guard start < chunk.end, start < chunk.limit else { return nil }
            var count = chunk.end - start
            if let end = findLineFeed(chunk.bytes + start, count) {
                position = start + end + 1
                count = end
            } else {
                guard chunk.isLast else { return nil }
                position = chunk.end
            }
            guard isBlank(chunk.bytes + start, count) else { return (start, count) }
            lineCount += 1
        }
    }

    /// Goes back to a line that was given out.
    mutating func goBack(to start: Int) { position = start }

    private func isBlank(_ text: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        for index in 0..<count where text[index] != 0x20 && text[index] != 0x0D && text[index] != 0x09 { return false }
        return true
    }
}
