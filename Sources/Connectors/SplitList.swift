import Columnar
import Dataflow

/// Hands out a list of splits that is known from the start, each to whoever asks first.
final class SplitList: SplitEnumerator {
    private var waiting: [SourceSplit]

    init(_ splits: [SourceSplit]) { waiting = splits.reversed() }

    func nextSplit(for subtask: SubtaskIndex) throws(MillstreamError) -> SplitAssignment {
        guard let split = waiting.popLast() else { return .noMore }
        return .split(split)
    }

    func addBack(_ splits: [SourceSplit]) { waiting.append(contentsOf: splits.reversed()) }

    func snapshot() throws(MillstreamError) -> [UInt8] {
        var encoder = StateEncoder()
        encoder.put(waiting.reversed())
        return encoder.bytes
    }

    func restore(_ bytes: [UInt8]) throws(MillstreamError) {
        var decoder = try StateDecoder(bytes, subject: "the list of splits")
        waiting = try decoder.splits().reversed()
    }

    func close() {}
}

extension StateEncoder {
    mutating func put(_ splits: [SourceSplit]) {
        put(Int64(splits.count))
        for split in splits {
            put(split.id)
            put(split.payload)
        }
    }
}

extension StateDecoder {
    mutating func splits() throws(MillstreamError) -> [SourceSplit] {
        var splits: [SourceSplit] = []
        for _ in 0..<max(0, try int64()) { splits.append(SourceSplit(id: try string(), payload: try byteString())) }
        return splits
    }
}
