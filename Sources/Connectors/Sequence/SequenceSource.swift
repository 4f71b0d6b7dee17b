import Columnar
import Dataflow

/// The integers `first ... last`, one range per subtask.
///
/// Within a split the numbers ascend without a gap; the position is the next number.
public final class SequenceSource: Source {
    public let schema: Schema
    public var boundedness: Boundedness { .bounded }
    private let first: Int64
    private let last: Int64

    /// Throws `configuration` if `first` is above `last`, `typeMismatch` if the schema is not one BIGINT column.
    public init(first: Int64, last: Int64, schema: Schema = .scalar(.bigInt)) throws(MillstreamError) {
        guard first <= last else {
            throw MillstreamError(.configuration, "a number sequence starts at \(first) and ends before it, at \(last)")
        }
        guard schema.fields.count == 1, case .bigInt = schema.fields[0].type.kind else {
            throw MillstreamError(.typeMismatch, "a number sequence has one column of type BIGINT, not (\(schema.columnList))")
        }
        self.first = first
        self.last = last
        self.schema = schema
    }

    public func makeEnumerator(parallelism: Int) throws(MillstreamError) -> any SplitEnumerator {
        SplitList(ranges(parallelism).map { SourceSplit(id: "\($0.lowerBound) to \($0.upperBound)", payload: encode($0)) })
    }

    public func makeReader(_ context: SourceReaderContext) throws(MillstreamError) -> any SourceReader { SequenceReader(schema: schema) }

    /// At most `parallelism` ranges of nearly equal length. Unsigned, because the whole of Int64 has 2^64 numbers.
    private func ranges(_ parallelism: Int) -> [ClosedRange<Int64>] {
        // The numbers of a single range may be one more than a UInt64 counts.
        if parallelism <= 1 { return [first...last] }
        let span = UInt64(bitPattern: last &- first)
        let parts = UInt64(max(1, parallelism))
        let (quotient, remainder) = (span / parts, span % parts)
        var ranges: [ClosedRange<Int64>] = []
        var start = first
        // The span counts gaps, one fewer than the numbers: the parts share `span + 1` of them.
        var extra = remainder &+ 1
        for _ in 0..<parts {
            let count = quotient &+ (extra > 0 ? 1 : 0)
            if extra > 0 { extra &-= 1 }
            guard count > 0 else { break }
            let end = start &+ Int64(bitPattern: count &- 1)
            ranges.append(start...end)
            if end == last { break }
            start = end &+ 1
        }
        return ranges
    }
}

private func encode(_ range: ClosedRange<Int64>) -> [UInt8] {
    var encoder = StateEncoder()
    encoder.put(range.lowerBound)
    encoder.put(range.upperBound)
    return encoder.bytes
}

/// Reads its ranges one after the other.
private final class SequenceReader: SourceReader {
    private struct Open {
        var id: String
        /// The next number; meaningless when `isDone`.
        var range: ClosedRange<Int64>
    }

    private let schema: Schema
    private var open: [Open] = []
    private var isComplete = false

    init(schema: Schema) { self.schema = schema }

    func addSplit(_ split: SourceSplit) throws(MillstreamError) {
        var decoder = try StateDecoder(split.payload, subject: "the position of a number sequence")
        let (first, last) = (try decoder.int64(), try decoder.int64())
        guard first <= last else { throw MillstreamError(.decode, "the range \(first)...\(last) of a number sequence is empty", domain: .external) }
        open.append(Open(id: split.id, range: first...last))
    }

    func noMoreSplits() { isComplete = true }

    /// An id to finish with, once its last numbers are out.
    private var finished: String?

    func poll(rowLimit: Int) throws(MillstreamError) -> SourcePoll {
        if let id = finished {
            finished = nil
            return .splitFinished(id)
        }
        guard let current = open.first else { return isComplete ? .end : .needsSplit }
        let left = UInt64(bitPattern: current.range.upperBound &- current.range.lowerBound)
        let limit = min(max(1, rowLimit), 1 << 20)
        let count = left >= UInt64(limit) ? limit : Int(left) + 1
        let buffer = Buffer(byteCount: 8 * count)
        fillAscending(buffer.pointer(as: Int64.self), from: current.range.lowerBound, count: count)
        let column = Column(type: schema.fields[0].type, count: count, values: buffer)
        let lastOut = current.range.lowerBound &+ Int64(count - 1)
        if lastOut == current.range.upperBound {
            finished = current.id
            open.removeFirst()
        } else {
            open[0].range = (lastOut &+ 1)...current.range.upperBound
        }
        return .batch(Batch(schema: schema, columns: [column], count: count), split: current.id)
    }

    func snapshot() throws(MillstreamError) -> [SourceSplit] { open.map { SourceSplit(id: $0.id, payload: encode($0.range)) } }
    func close() {}
}

/// Writes `first`, `first + 1`, ... eight at a time.
private func fillAscending(_ target: UnsafeMutablePointer<Int64>, from first: Int64, count: Int) {
    var lane = SIMD8<Int64>(0, 1, 2, 3, 4, 5, 6, 7) &+ SIMD8(repeating: first)
    let step = SIMD8<Int64>(repeating: 8)
    var index = 0
    while index &+ 8 <= count {
        UnsafeMutableRawPointer(target + index).storeBytes(of: lane, as: SIMD8<Int64>.self)
        lane = lane &+ step
        index &+= 8
    }
    while index < count {
        target[index] = first &+ Int64(index)
        index &+= 1
    }
}

extension Schema {
    /// The columns as a message names them: `a INT, b STRING`.
    var columnList: String { fields.map { "\($0.name) \($0.type)" }.joined(separator: ", ") }
}
