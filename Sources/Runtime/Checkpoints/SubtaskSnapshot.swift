import Checkpoint
import Columnar
import Dataflow
import Exchange

/// What one operator's subtask gave to a checkpoint: in memory, until the background has written it.
final class StateParts: StateWriter, @unchecked Sendable {
    private enum Part {
        case batch(String, KeyGroup?, Batch)
        case bytes(String, KeyGroup?, [UInt8])
        case deferred(any DeferredParts)
        case files(String, any StoreFiles)
        case later(@Sendable (any StateWriter) throws(MillstreamError) -> Void)
        case written
    }

    private var parts: [Part] = []
    /// The first part that is not written.
    private var next = 0
    private let objects: (any ObjectCoding)?
    /// The first value of the host that could not be written down. It fails the checkpoint; the operator goes on as if it had been written.
    private(set) var failure: MillstreamError?

    /// `objects` writes down the values of a host at once: the host may change them behind the barrier.
    init(objects: (any ObjectCoding)? = nil) { self.objects = objects }

    var isEmpty: Bool { parts.isEmpty }

    func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) throws(MillstreamError) {
        do throws(MillstreamError) { parts.append(.batch(name, keyGroup, try batch.encodingObjects(objects))) } catch {
            failure = failure ?? error.ofValue(in: name, batch)
        }
    }

    func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) { parts.append(.bytes(name, keyGroup, bytes)) }

    func writeLater(_ parts: @escaping @Sendable (any StateWriter) throws(MillstreamError) -> Void) { self.parts.append(.later(parts)) }

    func write(_ parts: any DeferredParts) { self.parts.append(.deferred(parts)) }

    func write(_ name: String, files: any StoreFiles) { parts.append(.files(name, files)) }

    /// Gives some more to another writer, in order: about so many bytes of what is still the operator's, or a few parts. False when it has everything, and nothing
    /// is held any more.
    func write(byteCount: Int, to writer: any StateWriter) throws(MillstreamError) -> Bool {
        while next < parts.count {
            switch parts[next] {
            case .batch(let name, let group, let batch): try writer.write(name, keyGroup: group, batch: batch)
            case .bytes(let name, let group, let bytes): try writer.write(name, keyGroup: group, bytes: bytes)
            case .deferred(let deferred): if try deferred.write(byteCount: byteCount, to: writer) { return true }
            case .files(let name, let files): try writer.write(name, files: files)
            case .later(let parts): try parts(writer)
            case .written: break
            }
            parts[next] = .written
            next += 1
        }
        return false
    }
}

/// A subtask's answer to a barrier: the state of each operator of its chain, in their order.
final class SubtaskSnapshot: @unchecked Sendable {
    let barrier: CheckpointBarrier
    let subtask: Int
    /// What stands before the first operator: the source's reader, or the inputs.
    let head: StateParts
    var states: [StateParts?]
    /// The state of the source's enumerator, from whichever of its subtasks the barrier passed last.
    var enumerator: [UInt8]?
    /// Whether the barrier went ahead of rows, and how much of them there was.
    let isUnaligned: Bool
    private(set) var inFlightByteCount = 0
    private var missingCount: Int
    /// Whether rows in flight belong to it that are not all known.
    private var isInFlight: Bool
    /// The barrier must not wait in the chain.
    var isInHaste: Bool { mayOvertake && missingCount > 0 }
    private var mayOvertake: Bool

    init(_ barrier: CheckpointBarrier, subtask: Int, operatorCount: Int, hasGate: Bool, objects: (any ObjectCoding)?) {
        isUnaligned = barrier.alignment == .unaligned
        mayOvertake = isUnaligned
        isInFlight = isUnaligned && hasGate
        head = StateParts(objects: objects)
        self.barrier = barrier
        self.subtask = subtask
        states = Array(repeating: nil, count: operatorCount)
        missingCount = operatorCount
    }

    /// True when all have answered.
    func add(_ parts: StateParts, of place: Int) -> Bool {
        states[place] = parts
        missingCount -= 1
        return isWhole
    }

    /// True when nothing else is missing.
    func endInFlight(byteCount: Int) -> Bool {
        inFlightByteCount = byteCount
        isInFlight = false
        return isWhole
    }

    func overtake() { mayOvertake = true }

    private var isWhole: Bool { missingCount == 0 && !isInFlight }
}

/// The parts of a state file that the runtime writes itself, beside the operators' own.
enum RuntimePart {
    /// Present where the operator has seen the end of all its inputs.
    static let ended = "runtime/ended"
    /// How far event time has come in each input of the head of a chain.
    static let inputs = "runtime/inputs"
    /// The splits of a source's reader, with their positions.
    static let splits = "source/splits"

    /// Whether a part says only how far the head of a chain had come: with another chain it means nothing.
    static func isProgress(_ part: String) -> Bool { part == ended || part == inputs }

    static func encode(_ inputs: [InputProgress]) -> [UInt8] {
        var out = FormatWriter()
        out.put(UInt32(truncatingIfNeeded: inputs.count))
        for input in inputs {
            out.put(input.output.milliseconds)
            out.put(UInt32(truncatingIfNeeded: input.channels.count))
            for channel in input.channels {
                out.put(channel.watermark.milliseconds)
                out.put(UInt8(channel.isIdle ? 1 : 0))
            }
        }
        return out.bytes
    }

    static func inputs(from bytes: [UInt8], subject: String) throws(MillstreamError) -> [InputProgress] {
        try bytes.withBytes { (all) throws(MillstreamError) in
            var source = FormatReader(all, subject: subject)
            var inputs: [InputProgress] = []
            for _ in 0..<(try source.count(of: 12)) {
                var input = InputProgress(output: EventTime(milliseconds: try source.number(Int64.self)), channels: [])
                for _ in 0..<(try source.count(of: 9)) {
                    let watermark = EventTime(milliseconds: try source.number(Int64.self))
                    input.channels.append(InputProgress.Channel(watermark: watermark, isIdle: try source.number(UInt8.self) != 0))
                }
                inputs.append(input)
            }
            try source.finish()
            return inputs
        }
    }

    static func encode(_ splits: [SourceSplit]) throws(MillstreamError) -> [UInt8] {
        var out = FormatWriter()
        out.put(UInt32(truncatingIfNeeded: splits.count))
        for split in splits {
            try out.put(split.id)
            try out.put(counted: split.payload)
        }
        return out.bytes
    }

    static func splits(from bytes: [UInt8], subject: String) throws(MillstreamError) -> [SourceSplit] {
        try bytes.withBytes { (all) throws(MillstreamError) in
            var source = FormatReader(all, subject: subject)
            let splits = try self.splits(from: &source)
            try source.finish()
            return splits
        }
    }

    private static func splits(from source: inout FormatReader) throws(MillstreamError) -> [SourceSplit] {
        var splits: [SourceSplit] = []
        for _ in 0..<(try source.count(of: 8)) { splits.append(SourceSplit(id: try source.text(), payload: try source.counted())) }
        return splits
    }

    /// An enumerator's own state, and the splits that it gave to readers whose state was taken before.
    static func encode(enumerator state: [UInt8], late splits: [SourceSplit]) throws(MillstreamError) -> [UInt8] {
        var out = FormatWriter()
        try out.put(counted: state)
        try out.put(counted: try encode(splits))
        return out.bytes
    }

    static func enumerator(from bytes: [UInt8], subject: String) throws(MillstreamError) -> (state: [UInt8], late: [SourceSplit]) {
        try bytes.withBytes { (all) throws(MillstreamError) in
            var source = FormatReader(all, subject: subject)
            let state = try source.counted()
            let late = try source.counted()
            try source.finish()
            return (state, try splits(from: late, subject: subject))
        }
    }
}
