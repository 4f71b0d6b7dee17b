import Columnar
import Dataflow

/// The files of all subtasks that an operator had, as one subtask of today reads them.
public final class OperatorStateReader: StateReader {
    private var files: [StateFileReader]
    /// By the names of their parts, in the order of their subtasks.
    private let stores: [(name: String, store: any StoredStore)]
    public let formerParallelism: Int

    /// The files in the order of their subtasks, each narrowed to the key groups of the subtask that reads; and the stores with any of those key groups. An
    /// operator without state has none.
    public init(_ files: [StateFileReader], stores: [(name: String, store: any StoredStore)] = [], formerParallelism: Int) {
        self.files = files
        self.stores = stores
        self.formerParallelism = formerParallelism
    }

    /// The same for what one of those subtasks wrote alone.
    public func ofSubtask(_ subtask: SubtaskIndex) -> OperatorStateReader {
        OperatorStateReader(files.filter { $0.subtask == subtask }, formerParallelism: formerParallelism)
    }

    /// Whoever reads has what it needs: the files' memory goes.
    public func release() { files = [] }

    public func stores(_ name: String) throws(MillstreamError) -> [any StoredStore] { stores.lazy.filter { $0.name == name }.map(\.store) }

    public var names: [String] {
        var names: [String] = []
        for file in files {
            for name in file.names where !names.contains(name) { names.append(name) }
        }
        return names
    }

    public func batches(_ name: String) throws(MillstreamError) -> [(keyGroup: KeyGroup?, batch: Batch)] {
        var result: [(keyGroup: KeyGroup?, batch: Batch)] = []
        for file in files { result += try file.batches(name) }
        return result
    }

    public func rowCount(_ name: String) -> Int { files.reduce(0) { $0 + $1.rowCount(name) } }

    public func forEachBatch(_ name: String, _ body: (KeyGroup?, Batch) throws(MillstreamError) -> Void) throws(MillstreamError) {
        for file in files { try file.forEachBatch(name, body) }
    }

    public func bytes(_ name: String) throws(MillstreamError) -> [(keyGroup: KeyGroup?, bytes: [UInt8])] {
        var result: [(keyGroup: KeyGroup?, bytes: [UInt8])] = []
        for file in files { result += try file.bytes(name) }
        return result
    }

    public func unkeyedBatches(_ name: String) throws(MillstreamError) -> [(subtask: SubtaskIndex, batch: Batch)] {
        var result: [(subtask: SubtaskIndex, batch: Batch)] = []
        for file in files { result += try file.unkeyedBatches(name) }
        return result
    }

    public func unkeyedBytes(_ name: String) throws(MillstreamError) -> [(subtask: SubtaskIndex, bytes: [UInt8])] {
        var result: [(subtask: SubtaskIndex, bytes: [UInt8])] = []
        for file in files { result += try file.unkeyedBytes(name) }
        return result
    }
}
