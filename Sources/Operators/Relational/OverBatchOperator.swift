import Columnar
import Dataflow
import Plan

/// OVER in BATCH mode: all rows, when the input has ended. Each window puts them into its own order, and its frames move through them; the rows come out in the order of the
/// first window.
final class OverBatchOperator: Operator {
    private let windows: [OverDescription.Window]
    private let input: [DataType]
    private let schema: Schema
    private var batches: [Batch] = []
    private var result: (columns: [Column], count: Int)?
    private var nextRow = 0
    private static let chunkRowCount = 4_096

    init(_ windows: [OverDescription.Window], input: [DataType], output: Schema) throws(MillstreamError) {
        self.windows = windows
        self.input = input
        schema = output
        let calls = windows.reduce(0) { $0 + $1.calls.count }
        guard output.fields.count == input.count + calls else {
            throw MillstreamError(.plan, "OVER gives \(input.count + calls) columns, and its schema has \(output.fields.count)")
        }
        // What is wrong with a call shows before any row comes.
        for window in windows {
            for position in window.partitionBy + window.orderBy.map(\.column) where position < 0 || position >= input.count {
                throw MillstreamError(.plan, "a window of OVER reads column \(position); the rows have \(input.count) columns")
            }
            _ = try AggregateSet(window.aggregates.map(\.call), input: input, retracts: true)
            for call in window.calls { try call.checkNeighbours(input) }
        }
    }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if !batch.isEmpty { batches.append(try batch.compacted()) }
        return .done
    }

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        guard watermark == .max, result == nil, !batches.isEmpty else { return .done }
        for index in batches.indices {
            batches[index].rowKinds = nil
            batches[index].timestamps = nil
            batches[index].keyHashes = nil
        }
        let all = batches.count == 1 ? batches[0] : try Batch.concat(batches)
        batches = []
        result = (try compute(Array(all.columns.prefix(input.count)), all.count), all.count)
        return try emit(output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress { try emit(output) }

    private func emit(_ output: any Output) throws(MillstreamError) -> Progress {
        while let (columns, count) = result, nextRow < count {
            let length = min(Self.chunkRowCount, count - nextRow)
            let part = columns.map { $0.slice(nextRow, length) }
            nextRow += length
            try output.emit(Batch(schema: schema, columns: zip(part, schema.fields).map { $0.fitted(to: $1.type) }, count: length))
            if output.isFull, nextRow < count { return .more }
        }
        result = result.map { ([], $0.count) }
        return .done
    }

    /// The rows in the order of the first window, with the results of all.
    private func compute(_ columns: [Column], _ count: Int) throws(MillstreamError) -> [Column] {
        var results: [Column] = []
        var first: Selection?
        for window in windows {
            let order = try OverOrder(window, columns, count: count)
            var own = try self.results(window, order, columns, count)
            if let first {
                // From this window's order into that of the first one.
                var places = [Int32](repeating: 0, count: count)
                for place in 0..<count { places[order.rows[place]] = Int32(truncatingIfNeeded: place) }
                let rows = (0..<count).map { places[first[$0]] }
                for index in own.indices { own[index] = try own[index].taking(rows) }
            } else {
                first = order.rows
            }
            results += own
        }
        guard let first else { return columns }
        var sorted: [Column] = []
        for column in columns { sorted.append(try column.taking(first)) }
        return sorted + results
    }

    private func results(
        _ window: OverDescription.Window, _ order: OverOrder, _ columns: [Column], _ count: Int
    ) throws(MillstreamError) -> [Column] {
        var results = [Column?](repeating: nil, count: window.calls.count)
        for (index, call) in window.calls.enumerated() { results[index] = try OverRanking.column(call, order, columns, count: count) }
        let aggregates = window.aggregates
        if !aggregates.isEmpty {
            let frames = try OverFrames(window, order, count: count)
            let (places, steps, positions) = frames.events(order)
            let set = try AggregateSet(aggregates.map(\.call), input: input, retracts: window.start != .unboundedPreceding)
            set.reserve(1)
            let rows = places.map { Int32(truncatingIfNeeded: order.rows[Int($0)]) }
            var events: [Column] = columns
            for position in set.inputs { events[position] = try columns[position].taking(rows) }
            let slots = [Int32](repeating: 0, count: rows.count)
            let made = try slots.withUnsafeBufferPointer { (slots) throws(MillstreamError) in
                try steps.withUnsafeBufferPointer { (steps) throws(MillstreamError) in
                    guard let slot = slots.baseAddress, let step = steps.baseAddress else { return [Column]() }
                    return try set.run(events, slots: slot, steps: step, count: rows.count)
                }
            }
            for (place, column) in zip(aggregates.map(\.place), made) { results[place] = try column.taking(positions) }
        }
        return results.compactMap { $0 }
    }
}

extension OverDescription.Window {
    /// The calls that are aggregates of a frame, each with its place among all.
    var aggregates: [(place: Int, call: AggregateExpression)] {
        calls.enumerated().compactMap { place, call in
            guard case .builtIn(let function) = call.function else { return (place, call) }
            switch function {
            case .rowNumber, .rank, .denseRank, .percentRank, .cumeDist, .ntile, .lag, .lead: return nil
            default: return (place, call)
            }
        }
    }
}
