import Columnar
import Dataflow
import State

/// In BATCH mode, around an operator with keys or a broadcast input: its input comes in Flink's order.
///
/// - Rows with timestamps wait until the input has ended. Then they come key by key, in the order in which the keys first came, and those of a key by their
///   timestamps; equal ones as they came, the first input's before the second's. Rows without timestamps are before all of these: they pass at once.
/// - A broadcast input comes first: rows of the other one wait for its end.
/// - Processing-time timers fire when the input has ended, behind the event-time timers, and never by the clock.
///
/// What waits is kept in memory.
final class BatchInputOperator: Operator {
    private enum Step {
        /// Rows that were held.
        case held(Batch, input: Int)
        /// Rows in their order.
        case sorted(Batch, input: Int)
        /// The broadcast input has ended.
        case releaseHeld
        /// All rows are there.
        case releaseSorted
        case watermark(EventTime)
        case endOfProcessingTime
        case end(input: Int)
    }

    private static let chunkRowCount = 4096

    private let operation: any Operator
    /// The key columns of each input; nil for one without keys.
    private let keys: [[Int]?]
    private let broadcastInput: Int?
    private let hostObjects: HostObjects?
    private var isBroadcastOpen: Bool
    private var held: [(batch: Batch, input: Int)] = []
    /// Dense rows with timestamps, by input.
    private var unsorted: [[Batch]]
    private var steps: [Step] = []
    /// Whether the operator has said `more`.
    private var isOutstanding = false

    init(_ operation: any Operator, keys: [[Int]?], broadcastInput: Int? = nil, hostObjects: HostObjects?) {
        self.operation = operation
        self.keys = keys
        self.broadcastInput = broadcastInput
        self.hostObjects = hostObjects
        isBroadcastOpen = broadcastInput != nil
        unsorted = keys.map { _ in [] }
    }

    var forwardsWatermarks: Bool { operation.forwardsWatermarks }
    var nextEventTime: EventTime? { operation.nextEventTime }

    func open(_ context: OperatorContext) throws(MillstreamError) { try operation.open(context) }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        if isBroadcastOpen, input != broadcastInput {
            held.append((batch, input))
            return .done
        }
        return try take(batch, input, output)
    }

    /// There is one watermark in BATCH mode, the last; no row comes behind it.
    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        guard watermark == .max else { return .done }
        return try run([.releaseHeld, .releaseSorted, .watermark(watermark), .endOfProcessingTime], output)
    }

    func onProcessingTime(_ now: ProcessingTime, output: any Output) throws(MillstreamError) -> Progress { .done }

    func onStatus(_ status: WatermarkStatus, output: any Output) throws(MillstreamError) { try operation.onStatus(status, output: output) }

    func onEndOfInput(_ input: Int, output: any Output) throws(MillstreamError) -> Progress {
        try run(input == broadcastInput ? [.releaseHeld, .end(input: input)] : [.end(input: input)], output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        if isOutstanding {
            if try operation.resume(output: output) == .more { return .more }
            isOutstanding = false
        }
        return try run([], output)
    }

    /// For operators of one input while no rows wait: what waits is not in a checkpoint. Flink takes none in BATCH mode.
    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        guard broadcastInput == nil, unsorted.allSatisfy(\.isEmpty) else {
            throw MillstreamError(
                .unsupported, "in BATCH mode rows wait for the end of the input, and no checkpoint has them", hint: "Use STREAMING mode for checkpoints.")
        }
        try operation.snapshot(checkpoint, into: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) { try operation.restore(from: reader) }

    func close() throws(MillstreamError) {
        held = []
        unsorted = []
        steps = []
        try operation.close()
    }

    // MARK: Steps

    private func take(_ batch: Batch, _ input: Int, _ output: any Output) throws(MillstreamError) -> Progress {
        guard keys[input] != nil, batch.timestamps != nil else { return try operation.process(batch, input: input, output: output) }
        unsorted[input].append(try batch.compacted())
        return .done
    }

    private func run(_ new: [Step], _ output: any Output) throws(MillstreamError) -> Progress {
        // Last first.
        steps = new.reversed() + steps
        while let step = steps.popLast() {
            if try perform(step, output) == .more {
                isOutstanding = true
                return .more
            }
            if output.isFull, !steps.isEmpty { return .more }
        }
        return .done
    }

    private func perform(_ step: Step, _ output: any Output) throws(MillstreamError) -> Progress {
        switch step {
        case .held(let batch, let input): return try take(batch, input, output)
        case .sorted(let batch, let input): return try operation.process(batch, input: input, output: output)
        case .releaseHeld:
            isBroadcastOpen = false
            steps += held.reversed().map { .held($0.batch, input: $0.input) }
            held = []
            return .done
        case .releaseSorted:
            steps += try sorted().reversed()
            return .done
        case .watermark(let watermark): return try operation.onWatermark(watermark, output: output)
        case .endOfProcessingTime: return try operation.onProcessingTime(ProcessingTime(milliseconds: .max), output: output)
        case .end(let input): return try operation.onEndOfInput(input, output: output)
        }
    }

    // MARK: Order

    private struct Place: BitwiseCopyable {
        var time: Int64
        var slot: Int32
        var input: Int32
        var row: Int32

        func precedes(_ other: Place) -> Bool {
            if slot != other.slot { return slot < other.slot }
            if time != other.time { return time < other.time }
            return input == other.input ? row < other.row : input < other.input
        }
    }

    /// The rows with timestamps in their order, as batches of one input each.
    private func sorted() throws(MillstreamError) -> [Step] {
        var keyed = KeyedRows(inputs: keys.map { $0 ?? [] }, hostObjects: hostObjects)
        var places: [Place] = []
        var rows: [Batch?] = unsorted.map { _ in nil }
        for input in unsorted.indices where !unsorted[input].isEmpty {
            let all = try Batch.concat(unsorted[input])
            unsorted[input] = []
            guard all.count <= Int(Int32.max) else {
                throw MillstreamError(.limitExceeded, "BATCH mode sorts at most \(Int32.max) rows of one subtask", hint: "Raise the parallelism.")
            }
            var slots = [Int32](repeating: 0, count: all.count)
            _ = try slots.withUnsafeMutableBufferPointer { (slots) throws(MillstreamError) in
                guard let base = slots.baseAddress else { return [Column]() }
                return try keyed.look(up: all, input: input, into: base)
            }
            guard let times = all.timestamps else { throw .internal("rows to be sorted have no timestamps") }
            let time = times.pointer(as: Int64.self)
            places.reserveCapacity(places.count + all.count)
            for row in slots.indices {
                places.append(
                    Place(time: time[row], slot: slots[row], input: Int32(truncatingIfNeeded: input), row: Int32(truncatingIfNeeded: row)))
            }
            withExtendedLifetime(times) {}
            rows[input] = all
        }
        places.sort { $0.precedes($1) }
        var found: [Step] = []
        var start = 0
        while start < places.count {
            let input = places[start].input
            var end = start + 1
            while end < places.count, end - start < Self.chunkRowCount, places[end].input == input { end += 1 }
            if let all = rows[Int(input)] {
                found.append(.sorted(all.selecting(Selection(places[start..<end].map(\.row))), input: Int(input)))
            }
            start = end
        }
        return found
    }
}
