import Checkpoint
import Columnar
import Dataflow
import Exchange
import Plan

/// Where a channel of a gate comes from: how its place is known to a later run.
struct InFlightPlace: Hashable {
    /// The head's input, and which of the exchanges that lead there.
    var input: Int
    var exchange: Int
    var producer: Int
    var producerCount: Int
    /// How the exchange deals out its rows.
    var partitioning: InFlightPartitioning
}

enum InFlightPartitioning: UInt8 {
    case forward = 0, rebalance, rescale, shuffle, broadcast, global, hash, custom

    init(_ partitioning: Partitioning) {
        switch partitioning {
        case .forward: self = .forward
        case .rebalance: self = .rebalance
        case .rescale: self = .rescale
        case .shuffle: self = .shuffle
        case .broadcast: self = .broadcast
        case .global: self = .global
        case .hash: self = .hash
        case .custom: self = .custom
        }
    }
}

/// The inputs of one subtask as its unaligned checkpoints see them: writes what was in flight, and gives it back to the subtask of a later run, whose producers
/// and whose own number may be others.
///
/// The ends of channels are not kept: who had ended says so once more.
struct InFlightInputs {
    /// The gate's channels, in their order; empty for a source.
    let places: [InFlightPlace]
    let name: String
    let subtask: Int
    let parallelism: Int
    /// The partitioner of an exchange that leads to an input, for rows that have to find their subtask anew. Never called for other exchanges than those.
    let makePartitioner: (_ input: Int, _ exchange: Int) throws(MillstreamError) -> any Partitioner

    private enum Kind {
        static let rows: UInt8 = 0
        static let watermark: UInt8 = 1
        static let active: UInt8 = 2
        static let idle: UInt8 = 3
    }

    // MARK: Writing

    func write(_ channels: [InFlightChannel], to state: any StateWriter) throws(MillstreamError) {
        var index = FormatWriter()
        index.put(UInt32(truncatingIfNeeded: channels.count))
        for (place, channel) in zip(places, channels) {
            index.put(UInt32(truncatingIfNeeded: place.input))
            index.put(UInt32(truncatingIfNeeded: place.exchange))
            index.put(UInt32(truncatingIfNeeded: place.producer))
            index.put(UInt32(truncatingIfNeeded: place.producerCount))
            index.put(place.partitioning.rawValue)
            index.put(UInt32(truncatingIfNeeded: channel.messages.count))
            for message in channel.messages {
                switch message {
                case .batch(let batch):
                    index.put(Kind.rows)
                    try state.write(RuntimePart.inFlightRows(place.input), keyGroup: nil, batch: batch)
                case .watermark(let watermark):
                    index.put(Kind.watermark)
                    index.put(watermark.milliseconds)
                case .status(let status): index.put(status == .idle ? Kind.idle : Kind.active)
                case .barrier, .endOfInput: throw .internal("a message that is not kept")
                }
            }
        }
        try state.write(RuntimePart.inFlight, keyGroup: nil, bytes: index.bytes)
    }

    // MARK: Reading

    /// What one old subtask had in one channel.
    private struct Sequence {
        var place: InFlightPlace
        var subtask: Int
        /// How far the channel had come when the barrier passed.
        var progress: InputProgress.Channel
        var messages: [Message]
        /// How many batches the subtask has before this channel's, for dealing them out.
        var batchesBefore = 0
    }

    /// Whether there is anything in flight in an operator's state.
    static func isPresent(in state: SubtaskState) -> Bool { state.reader.names.contains(RuntimePart.inFlight) }

    /// What comes again into this subtask's channels, in their order; nil if the checkpoint has nothing in flight for the operator. `isFirst`: all of it comes
    /// before anything new.
    func replay(_ state: SubtaskState) throws(MillstreamError) -> (messages: [[Message]], isFirst: Bool)? {
        guard Self.isPresent(in: state) else { return nil }
        let isSame = state.reader.formerParallelism == parallelism
        let old = try sequences(state, only: isSame ? subtask : nil)
        if isSame, old.map(\.place) == places { return (old.map(\.messages), false) }
        // The operator is where it was, and those before it are others; or all of it has changed.
        let keeps = isSame && Set(old.map { [$0.place.input, $0.place.exchange, Int($0.place.partitioning.rawValue)] })
            .isSubset(of: Set(places.map { [$0.input, $0.exchange, Int($0.partitioning.rawValue)] }))
        let all = isSame && !keeps ? try sequences(state, only: nil) : old
        return try reroute(all, staysAtSubtask: keeps, formerParallelism: state.reader.formerParallelism, outputs: try state.inputs().map(\.output))
    }

    private func sequences(_ state: SubtaskState, only subtask: Int?) throws(MillstreamError) -> [Sequence] {
        var result: [Sequence] = []
        for old in 0..<state.reader.formerParallelism where subtask == nil || old == subtask {
            let reader = state.reader.ofSubtask(SubtaskIndex(old))
            for (_, bytes) in try reader.unkeyedBytes(RuntimePart.inFlight) {
                var inputs: [InputProgress] = []
                for (_, progress) in try reader.unkeyedBytes(RuntimePart.inputs) {
                    inputs = try RuntimePart.inputs(from: progress, subject: RuntimePart.inputs)
                }
                result += try sequences(bytes, reader, old, inputs)
            }
        }
        return result
    }

    private func sequences(
        _ bytes: [UInt8], _ reader: OperatorStateReader, _ subtask: Int, _ inputs: [InputProgress]
    ) throws(MillstreamError) -> [Sequence] {
        try bytes.withBytes { (all) throws(MillstreamError) in
            var source = FormatReader(all, subject: RuntimePart.inFlight)
            var rows: [Int: [Batch]] = [:]
            var taken: [Int: Int] = [:]
            var seen: [Int: Int] = [:]
            var result: [Sequence] = []
            var batchCount = 0
            for _ in 0..<(try source.count(of: 21)) {
                let input = Int(try source.number(UInt32.self))
                let exchange = Int(try source.number(UInt32.self))
                let producer = Int(try source.number(UInt32.self))
                let producerCount = Int(try source.number(UInt32.self))
                guard let partitioning = InFlightPartitioning(rawValue: try source.number(UInt8.self)), input < inputs.count else {
                    throw source.damaged("a channel is unknown")
                }
                let place = InFlightPlace(input: input, exchange: exchange, producer: producer, producerCount: producerCount, partitioning: partitioning)
                let number = seen[input, default: 0]
                seen[input] = number + 1
                guard number < inputs[input].channels.count else { throw source.damaged("a channel has no watermark") }
                var sequence = Sequence(place: place, subtask: subtask, progress: inputs[input].channels[number], messages: [])
                sequence.batchesBefore = batchCount
                for _ in 0..<(try source.count(of: 1)) {
                    switch try source.number(UInt8.self) {
                    case Kind.rows:
                        if rows[input] == nil { rows[input] = try reader.unkeyedBatches(RuntimePart.inFlightRows(input)).map(\.batch) }
                        let next = taken[input, default: 0]
                        taken[input] = next + 1
                        guard let batches = rows[input], next < batches.count else { throw source.damaged("rows are missing") }
                        sequence.messages.append(.batch(batches[next]))
                        batchCount += 1
                    case Kind.watermark: sequence.messages.append(.watermark(EventTime(milliseconds: try source.number(Int64.self))))
                    case Kind.active: sequence.messages.append(.status(.active))
                    case Kind.idle: sequence.messages.append(.status(.idle))
                    default: throw source.damaged("a message is unknown")
                    }
                }
                result.append(sequence)
            }
            try source.finish()
            return result
        }
    }

    // MARK: Another parallelism

    /// Deals old channels out to new ones.
    ///
    /// Rows find their subtask by the exchange's rule. A channel's order stays, so that rows and watermarks are merged channel by channel: what an old producer
    /// had sent goes to the channels of the same producer, or, where that is no longer the same, to one channel before all else. Watermarks go through a valve
    /// over the old channels, so that none comes before a row that it had behind it.
    private func reroute(
        _ old: [Sequence], staysAtSubtask: Bool, formerParallelism: Int, outputs: [EventTime]
    ) throws(MillstreamError) -> (messages: [[Message]], isFirst: Bool) {
        var result: [[Message]] = Array(repeating: [], count: places.count)
        var isFirst = false
        for input in Set(old.map(\.place.input)).sorted() {
            let exchangeCount = (places.filter { $0.input == input }.map(\.exchange).max() ?? -1) + 1
            guard exchangeCount > 0 else {
                throw MillstreamError(
                    .plan, "the checkpoint has rows on their way to input \(input) of '\(name)', which it has not any more",
                    hint: "Start from a savepoint: it has no rows on their way.", operatorName: name)
            }
            for exchange in 0..<exchangeCount {
                let own = places.indices.filter { places[$0].input == input && places[$0].exchange == exchange }
                // A union with fewer streams than before: what the others had sent comes with the last one's.
                let sequences = old.filter { $0.place.input == input && min($0.place.exchange, exchangeCount - 1) == exchange }
                guard let first = own.first, !sequences.isEmpty else { continue }
                let channelOf: (Int) -> Int? = { producer in own.first { places[$0].producer == producer } }
                let isSameProducers = sequences.allSatisfy {
                    $0.place.exchange == exchange && $0.place.producerCount == places[first].producerCount && channelOf($0.place.producer) != nil
                }
                let router = try Router(
                    self, input: input, exchange: exchange, staysAtSubtask: staysAtSubtask, formerParallelism: formerParallelism, first: first)
                defer { router.close() }
                let output = input < outputs.count ? outputs[input] : .min
                if isSameProducers {
                    for producer in Set(sequences.map(\.place.producer)).sorted() {
                        guard let channel = channelOf(producer) else { continue }
                        try merge(
                            sequences.filter { $0.place.producer == producer }, output, router, isSameProducers: true, rowsTo: { _ in channel },
                            othersTo: [channel], &result)
                    }
                } else {
                    isFirst = true
                    try merge(sequences, output, router, isSameProducers: false, rowsTo: { own[$0.place.producer % own.count] }, othersTo: own, &result)
                }
            }
        }
        return (result, isFirst)
    }

    private func merge(
        _ all: [Sequence], _ output: EventTime, _ router: Router, isSameProducers: Bool, rowsTo channel: (Sequence) -> Int, othersTo channels: [Int],
        _ result: inout [[Message]]
    ) throws(MillstreamError) {
        let sequences = all.filter { router.counts($0.subtask) }
        guard !sequences.isEmpty else { return }
        var valve = WatermarkValve(channelCount: sequences.count)
        valve.restore(InputProgress(output: output, channels: sequences.map(\.progress)))
        func pass(_ passed: WatermarkValve.Result) {
            for target in channels {
                if let watermark = passed.watermark { result[target].append(.watermark(watermark)) }
                // A new producer begins as an active one, and says itself when it rests.
                if let status = passed.status, isSameProducers { result[target].append(.status(status)) }
            }
        }
        pass(valve.settle())
        var next = Array(repeating: 0, count: sequences.count)
        var watermarks = sequences.map(\.progress.watermark)
        // The one that is furthest back in event time goes on, so that the rows of each come under the watermark that they would have come under.
        while let number = sequences.indices.filter({ next[$0] < sequences[$0].messages.count }).min(by: { watermarks[$0] < watermarks[$1] }) {
            let sequence = sequences[number]
            switch sequence.messages[next[number]] {
            case .batch(let batch):
                for rows in try router.own(batch, of: sequence.subtask, number: sequence.batchesBefore + next[number]) {
                    result[channel(sequence)].append(.batch(rows))
                }
            case .watermark(let watermark):
                watermarks[number] = max(watermarks[number], watermark)
                pass(valve.onWatermark(watermark, channel: number))
            case .status(let status): pass(valve.onStatus(status, channel: number))
            case .barrier, .endOfInput: break
            }
            next[number] += 1
        }
    }

    /// Which of the rows of an old subtask's channel are this subtask's.
    private final class Router: RoutedRows {
        let inputs: InFlightInputs
        let partitioning: InFlightPartitioning
        let staysAtSubtask: Bool
        let formerParallelism: Int
        let partitioner: (any Partitioner)?
        var found: [Batch] = []

        init(_ inputs: InFlightInputs, input: Int, exchange: Int, staysAtSubtask: Bool, formerParallelism: Int, first: Int) throws(MillstreamError) {
            self.inputs = inputs
            self.staysAtSubtask = staysAtSubtask
            self.formerParallelism = formerParallelism
            partitioning = inputs.places[first].partitioning
            let asks = !staysAtSubtask && (partitioning == .hash || partitioning == .custom)
            partitioner = asks ? try inputs.makePartitioner(input, exchange) : nil
        }

        /// Whether an old subtask's channels matter for this one.
        func counts(_ old: Int) -> Bool {
            if staysAtSubtask { return old == inputs.subtask }
            // Each of them had all rows; which ones it still had to see, its state says.
            if partitioning == .broadcast { return old == (inputs.subtask < formerParallelism ? inputs.subtask : 0) }
            return true
        }

        func own(_ batch: Batch, of old: Int, number: Int) throws(MillstreamError) -> [Batch] {
            if let partitioner {
                try partitioner.route(batch, to: self)
                defer { found = [] }
                return found
            }
            let isOwn =
                switch partitioning {
                case _ where staysAtSubtask, .broadcast: true
                case .global: inputs.subtask == 0
                case .forward: old % inputs.parallelism == inputs.subtask
                default: (old + number) % inputs.parallelism == inputs.subtask
                }
            return isOwn ? [batch] : []
        }

        var channelCount: Int { inputs.parallelism }
        func add(_ rows: Batch, to channel: Int) { if channel == inputs.subtask, rows.count > 0 { found.append(rows) } }
        func close() { try? partitioner?.close() }
    }
}

extension RuntimePart {
    /// What was in flight to the head of a chain: the channels, and what was in them but for the rows.
    static let inFlight = "runtime/in-flight"
    /// The rows that were in flight to an input, in the order of its channels.
    static func inFlightRows(_ input: Int) -> String { "in-flight/\(input)" }
}
