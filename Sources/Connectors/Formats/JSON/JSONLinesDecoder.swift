import CDecoding
import Columnar
import Plan

/// What a line of JSON becomes: the decoder of the lines asks, whatever the objects mean.
protocol JSONLineReader: AnyObject {
    /// Whether the rows are changes, with row kinds.
    var makesChanges: Bool { get }
    /// Takes the parsed line into rows, and accepts them when all of them are complete. Throws `JSONProblem`.
    func take(_ json: JSONEvents, into rows: JSONRows) throws
}

/// Lines of JSON to typed columns. A field that is missing is NULL; fields that the schema does not have are passed over.
final class JSONLinesDecoder<Reader: JSONLineReader>: FileDecoder {
    private let malformed: FileSourceDescription.Malformed
    private let reader: Reader
    private let rows: JSONRows
    private let json: JSONEvents
    private var lines: JSONLines?

    init(
        schema: Schema, options: JSONOptions, malformed: FileSourceDescription.Malformed, reader: Reader
    ) throws(MillstreamError) {
        self.malformed = malformed
        self.reader = reader
        rows = try JSONRows(schema: schema, options: options, nullsProblems: malformed == .ignore, hasKinds: reader.makesChanges)
        json = try JSONEvents()
    }

    var canSplit: Bool { true }
    var endsAtCarriageReturn: Bool { false }

    func begin(_ chunk: Chunk) { lines = JSONLines(chunk) }

    func next(rowLimit: Int) throws(MillstreamError) -> DecodedRows {
        guard var lines else { throw .internal("a decoder was asked for rows before its first chunk") }
        var result = DecodedRows(batch: nil, position: lines.position, lineCount: 0, malformedCount: 0, failure: nil, isExhausted: false)
        lines.lineCount = 0
        let chunk = lines.chunk
        while rows.count < max(1, rowLimit) {
            guard let line = lines.next() else {
                result.isExhausted = true
                break
            }
            let nulledCount = rows.nulledCount
            if var problem = try take(chunk, line.start, line.count) {
                guard malformed != .fail else {
                    result.failure = problem
                    lines.goBack(to: line.start)
                    break
                }
                result.malformedCount += 1
                if malformed == .deadLetter {
                    problem.recordEnd = withoutLineEnd(chunk.bytes, line.start, line.start + line.count)
                    result.refused.append(problem)
                }
                // What the line gave so far does not count; and a bad line counts for the limit.
                try rows.endRow()
            } else if rows.nulledCount > nulledCount {
                result.malformedCount += 1
            }
            lines.lineCount += 1
        }
        result.position = lines.position
        result.lineCount = lines.lineCount
        result.batch = rows.finish()
        self.lines = lines
        return result
    }

    /// Takes one line; the failure if it does not decode.
    private func take(_ chunk: Chunk, _ start: Int, _ count: Int) throws(MillstreamError) -> DecodeFailure? {
        if let (reason, offset) = json.parse(chunk.bytes + start, count) {
            let shown = quoted(chunk.bytes + start, count)
            return DecodeFailure(recordStart: start, textStart: start + offset, reason: "the line is not a JSON object: \(reason): \(shown)")
        }
        do {
            try reader.take(json, into: rows)
            return nil
        } catch let problem as JSONProblem {
            return DecodeFailure(recordStart: start, textStart: start, reason: "field '\(problem.path)': \(problem.reason)", field: problem.path)
        } catch let error as MillstreamError { throw error } catch { throw .internal("\(error)") }
    }
}

/// A line is a row.
final class JSONObjectReader: JSONLineReader {
    var makesChanges: Bool { false }

    func take(_ json: JSONEvents, into rows: JSONRows) throws {
        try rows.take(json, 0)
        try rows.checkMissing()
        try rows.endRow()
        rows.accept(1)
    }
}
