import Columnar
import Dataflow
import Expressions
import Plan

/// The elements of a collection of each row, behind the row's columns. An element that is a NULL row counts, but does not come out, as in Flink.
final class UnnestOperator: Operator {
    private static let chunkRowCount = 4096

    private let description: UnnestDescription
    private let collection: ScalarProgram
    private let condition: PairCondition?
    private let schema: Schema
    private let inputCount: Int
    private let evaluation: Evaluation
    private var rowsBefore: Int64 = 0
    /// The batch, its collections, and the next row.
    private var work: (batch: Batch, collections: Column, next: Int)?

    init(_ description: UnnestDescription, input: Schema, output: Schema, evaluation: Evaluation) throws(MillstreamError) {
        guard description.collection.type.layout == .list else {
            throw MillstreamError(.plan, "UNNEST takes an ARRAY, a MAP or a MULTISET, not \(description.collection.type)")
        }
        self.description = description
        collection = try ScalarProgram([description.collection])
        if let condition = description.condition { self.condition = try PairCondition(condition) } else { condition = nil }
        schema = output
        inputCount = input.fields.count
        self.evaluation = evaluation
    }

    func open(_ context: OperatorContext) { evaluation.open(context) }

    func onWatermark(_ watermark: EventTime, output: any Output) -> Progress {
        evaluation.watermark = watermark.milliseconds
        return .done
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        let batch = try batch.compacted()
        do throws(MillstreamError) {
            work = (batch, try collection.columns(of: batch, evaluation.context())[0], 0)
            return try resume(output: output)
        } catch {
            throw error.shifted(by: rowsBefore)
        }
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        while let (batch, collections, first) = work {
            var end = first
            var rows: [Int32] = []
            var elements: [Int32] = []
            var numbers: [Int32] = []
            while end < batch.count, elements.count < Self.chunkRowCount {
                add(collections, end, &rows, &elements, &numbers)
                end += 1
            }
            let result = try unnested(batch, collections, first..<end, rows, elements, numbers)
            work?.next = end
            if end == batch.count {
                work = nil
                rowsBefore += Int64(batch.count)
            }
            try emit(result, output)
            if output.isFull, work != nil { return .more }
        }
        return .done
    }

    private func emit(_ result: Batch, _ output: any Output) throws(MillstreamError) {
        var start = 0
        while start < result.count {
            let count = min(Self.chunkRowCount, result.count - start)
            try output.emit(result.slice(start, count))
            start += count
        }
    }

    /// The places of a row's elements in the child column, each with its number in the row.
    private func add(_ collections: Column, _ row: Int, _ rows: inout [Int32], _ elements: inout [Int32], _ numbers: inout [Int32]) {
        if collections.isNull(row) { return }
        let child = collections.children[0]
        var number: Int32 = 0
        var isMultiset = false
        if case .multiset = collections.type.kind { isMultiset = true }
        let skipsNulls = !isMultiset && child.type.layout == .row
        for element in collections.listRange(row) {
            var copies = 1
            if isMultiset {
                // A ROW of the element and its count.
                copies = Int(max(0, child.field(1).pointer(as: Int32.self)[element]))
                let value = child.field(0)
                if value.type.layout == .row, value.isNull(element) {
                    number &+= Int32(truncatingIfNeeded: copies)
                    continue
                }
            }
            for _ in 0..<copies {
                number &+= 1
                if skipsNulls, child.isNull(element) { continue }
                rows.append(Int32(truncatingIfNeeded: row))
                elements.append(Int32(truncatingIfNeeded: element))
                numbers.append(number)
            }
        }
    }

    private func unnested(
        _ batch: Batch, _ collections: Column, _ range: Range<Int>, _ allRows: [Int32], _ allElements: [Int32], _ allNumbers: [Int32]
    ) throws(MillstreamError) -> Batch {
        var (rows, elements, numbers) = (allRows, allElements, allNumbers)
        if condition != nil { try keepMatches(batch, collections, &rows, &elements, &numbers) }
        if description.isLeft { addMissing(range, &rows, &elements, &numbers) }
        let selection = Selection(rows)
        var columns: [Column] = []
        for column in batch.columns.prefix(inputCount) { columns.append(try column.taking(selection)) }
        columns += try elementColumns(collections, elements)
        if description.hasOrdinality { columns.append(try Self.numbers(numbers)) }
        return try .result(
            schema, columns, count: rows.count, rowKinds: try batch.rowKinds?.taking(selection), timestamps: try batch.timestamps?.taking(selection))
    }

    private static func numbers(_ numbers: [Int32]) throws(MillstreamError) -> Column {
        let column = Column(type: DataType.int.notNull, count: numbers.count, values: Buffer.copying(numbers))
        return try column.taking(orNull: numbers.indices.map { numbers[$0] > 0 ? Int32(truncatingIfNeeded: $0) : -1 })
    }

    private func keepMatches(
        _ batch: Batch, _ collections: Column, _ rows: inout [Int32], _ elements: inout [Int32], _ numbers: inout [Int32]
    ) throws(MillstreamError) {
        guard let condition, !rows.isEmpty else { return }
        let selection = Selection(rows)
        let own = try elementColumns(collections, elements)
        let (inputCount, given) = (inputCount, numbers)
        let matches = try condition.pairs(rows.count, evaluation) { (position) throws(MillstreamError) in
            if position < inputCount { return try batch.columns[position].taking(selection) }
            return position - inputCount < own.count ? own[position - inputCount] : try Self.numbers(given)
        }
        guard let matches else { return }
        rows = (0..<matches.count).map { rows[matches[$0]] }
        elements = (0..<matches.count).map { elements[matches[$0]] }
        numbers = (0..<matches.count).map { numbers[matches[$0]] }
    }

    /// A row without elements gets one that is no element.
    private func addMissing(_ range: Range<Int>, _ rows: inout [Int32], _ elements: inout [Int32], _ numbers: inout [Int32]) {
        var merged: (rows: [Int32], elements: [Int32], numbers: [Int32]) = ([], [], [])
        var place = 0
        for row in range {
            let first = place
            while place < rows.count, Int(rows[place]) == row {
                merged.rows.append(rows[place])
                merged.elements.append(elements[place])
                merged.numbers.append(numbers[place])
                place += 1
            }
            guard place == first else { continue }
            merged.rows.append(Int32(truncatingIfNeeded: row))
            merged.elements.append(-1)
            merged.numbers.append(-1)
        }
        (rows, elements, numbers) = merged
    }

    /// What the elements at some places of the child column come out as: their fields, where they are rows.
    private func elementColumns(_ collections: Column, _ places: [Int32]) throws(MillstreamError) -> [Column] {
        let child = collections.children[0]
        switch collections.type.kind {
        case .map: return [try child.field(0).taking(orNull: places), try child.field(1).taking(orNull: places)]
        case .multiset: return try fields(of: child.field(0), places)
        default: return try fields(of: child, places)
        }
    }

    private func fields(of column: Column, _ places: [Int32]) throws(MillstreamError) -> [Column] {
        guard column.type.layout == .row else { return [try column.taking(orNull: places)] }
        let known = places.map { $0 >= 0 && !column.isNull(Int($0)) ? $0 : -1 }
        var fields: [Column] = []
        for position in column.children.indices { fields.append(try column.field(position).taking(orNull: known)) }
        return fields
    }
}
