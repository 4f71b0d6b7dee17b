import CDecoding
import Columnar
import Plan

/// One JSON object per line to typed columns. A field that is missing is NULL; fields that the schema does not have are passed over; of two fields
/// with one name the first counts, as for Flink.
final class JSONLinesDecoder: FileDecoder {
    private let schema: Schema
    private let malformed: FileSourceDescription.Malformed
    private let columns: [JSONColumn]
    private let json: JSONEvents
    private var chunk: Chunk?
    private var position = 0
    /// The row in which a column got its last value, to tell missing and repeated fields.
    private var filled: [Int]

    init(schema: Schema, malformed: FileSourceDescription.Malformed) throws(MillstreamError) {
        self.schema = schema
        self.malformed = malformed
        var columns: [JSONColumn] = []
        for field in schema.fields { columns.append(try JSONColumn(field.name, field.type, builder: try ColumnBuilder.make(for: field.type))) }
        self.columns = columns
        json = try JSONEvents()
        filled = Array(repeating: -1, count: columns.count)
    }

    var canSplit: Bool { true }
    /// To JSON a carriage return is a space.
    var endsAtCarriageReturn: Bool { false }

    func begin(_ chunk: Chunk) {
        self.chunk = chunk
        position = chunk.start
    }

    func next(rowLimit: Int) throws(MillstreamError) -> DecodedRows {
        guard let chunk else { throw .internal("a decoder was asked for rows before its first chunk") }
        var result = DecodedRows(batch: nil, position: position, lineCount: 0, malformedCount: 0, failure: nil, isExhausted: false)
        var (row, good): (Int, [Int32]) = (0, [])
        while row < max(1, rowLimit) {
            guard let line = nextLine(chunk) else {
                result.isExhausted = true
                break
            }
            if isBlank(chunk.bytes + line.start, line.count) {
                result.lineCount += 1
                continue
            }
            if var problem = try take(chunk, line.start, line.count, row: row) {
                guard malformed != .fail else {
                    result.failure = problem
                    position = line.start
                    break
                }
                result.malformedCount += 1
                if malformed == .deadLetter {
                    problem.recordEnd = withoutLineEnd(chunk.bytes, line.start, line.start + line.count)
                    result.refused.append(problem)
                }
            } else {
                good.append(Int32(truncatingIfNeeded: row))
            }
            result.lineCount += 1
            for (place, column) in columns.enumerated() where filled[place] != row { try column.appendNull() }
            row += 1
        }
        result.position = position
        finish(row, good, &result)
        return result
    }

    private func finish(_ row: Int, _ good: [Int32], _ result: inout DecodedRows) {
        // A column may have one value more: of the row that stopped the decoder.
        let finished = columns.map { column in
            let values = column.finish()
            return values.count > row ? values.slice(0, row) : values
        }
        for place in filled.indices { filled[place] = -1 }
        guard !good.isEmpty else { return }
        let batch = Batch(schema: schema, columns: finished, count: row)
        result.batch = good.count == row ? batch : batch.selecting(Selection(good))
    }

    /// Takes one line into the columns; the failure if it does not decode. Then some of the columns may have its value.
    private func take(_ chunk: Chunk, _ start: Int, _ count: Int, row: Int) throws(MillstreamError) -> DecodeFailure? {
        if let (reason, offset) = json.parse(chunk.bytes + start, count) {
            let shown = quoted(chunk.bytes + start, count)
            return DecodeFailure(recordStart: start, textStart: start + offset, reason: "the line is not a JSON object: \(reason): \(shown)")
        }
        do {
            var place = 1
            var expected = 0
            while place < json.count - 1 {
                if let column = self.column(json.text(place), &expected), filled[column] != row {
                    try columns[column].append(json, place + 1)
                    filled[column] = row
                }
                place = json.next(place + 1)
            }
            for (place, column) in columns.enumerated() where filled[place] != row && !column.type.isNullable {
                throw JSONProblem(path: column.name, reason: "the field is missing, and its column is declared \(column.type)")
            }
            return nil
        } catch let problem as JSONProblem {
            return DecodeFailure(recordStart: start, textStart: start, reason: "field '\(problem.path)': \(problem.reason)", field: problem.path)
        } catch let error as MillstreamError { throw error } catch { throw .internal("\(error)") }
    }

    /// The column of a key. Lines tend to have their fields in one order, so the column behind the last one is tried first.
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

    private func nextLine(_ chunk: Chunk) -> (start: Int, count: Int)? {
        let start = position
        guard start < chunk.end, start < chunk.limit else { return nil }
        if let end = findLineFeed(chunk.bytes + start, chunk.end - start) {
            position = start + end + 1
            return (start, end)
        }
        guard chunk.isLast else { return nil }
        position = chunk.end
        return (start, chunk.end - start)
    }

    private func isBlank(_ text: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        for index in 0..<count where text[index] != 0x20 && text[index] != 0x0D && text[index] != 0x09 { return false }
        return true
    }
}
