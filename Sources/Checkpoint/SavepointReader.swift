import Columnar
import Dataflow

/// Reads the state in a savepoint or checkpoint as rows, without a job.
///
/// Values of a host language stay as they were written down: OBJECT columns come as BYTES.
public final class SavepointReader {
    /// One part of an operator's state.
    public struct Part: Sendable {
        public let name: String
        public let rowCount: Int
        /// The names of its columns and the types that they have in the job.
        public let fields: [Field]
    }

    public let manifest: Manifest
    private let storage: any CheckpointStorage
    private let group: String

    /// Reads and checks the manifest. Throws `decode` and `io`, both with its path.
    public init(_ storage: any CheckpointStorage, group: String) throws(MillstreamError) {
        self.storage = storage
        self.group = group
        let name = group.isEmpty ? Manifest.name : "\(group)/\(Manifest.name)"
        do throws(MillstreamError) {
            manifest = try Manifest(decoding: try storage.read(name), path: storage.location(name))
        } catch { throw error.of(checkpointFile: storage.location(name)) }
    }

    private func state(of uid: String) throws(MillstreamError) -> Manifest.OperatorState {
        if let state = manifest.operators.first(where: { $0.id.text == uid }) { return state }
        let known = manifest.operators.filter { !$0.files.isEmpty }.map { "'\($0.id.text)'" }.joined(separator: ", ")
        throw MillstreamError(
            .invalidArgument, "'\(storage.location(group))' has no operator with the uid '\(uid)'",
            hint: known.isEmpty ? "It has no state at all." : "Those with state are \(known).")
    }

    private func files(_ state: Manifest.OperatorState) throws(MillstreamError) -> [StateFileReader] {
        var files: [StateFileReader] = []
        for part in state.files { files.append(try open(part, of: state)) }
        return files
    }

    private func place(_ part: Manifest.SubtaskFile) -> String { group.isEmpty ? part.file.name : "\(group)/\(part.file.name)" }

    func open(_ part: Manifest.SubtaskFile, of state: Manifest.OperatorState) throws(MillstreamError) -> StateFileReader {
        do throws(MillstreamError) {
            return try StateFileReader(
                storage, name: place(part), summary: part.file, subtask: part.subtask, formerParallelism: state.parallelism, objects: UndecodedObjects())
        } catch { throw error.of(checkpointFile: storage.location(place(part))) }
    }

    /// Checks every byte of every file.
    public func verify() throws(MillstreamError) {
        for state in manifest.operators {
            for part in state.files {
                try open(part, of: state).verify()
                for store in part.stores {
                    let files = CheckpointedStore(storage, group: group, subtask: part.subtask, keyGroups: 0..<0, files: store.files)
                    for file in store.files { try files.read(file) { _ in } }
                }
            }
        }
    }

    /// Copies a file as it is, once all of it is checked.
    func copy(_ part: Manifest.SubtaskFile, of state: Manifest.OperatorState, to target: any CheckpointStorage, name: String) throws(MillstreamError) -> StateFile.Summary {
        try open(part, of: state).verify()
        let object = try target.begin(name)
        do throws(MillstreamError) {
            try storage.read(place(part)).withBytes { (bytes) throws(MillstreamError) in try object.write(bytes) }
            try object.commit()
        } catch {
            object.abandon()
            throw error
        }
        return part.file
    }

    /// Copies a file of a subtask's store, and checks it on the way.
    func copy(_ file: StoredFile, of part: Manifest.SubtaskFile, to target: any CheckpointStorage, name: String) throws(MillstreamError) {
        let store = CheckpointedStore(storage, group: group, subtask: part.subtask, keyGroups: 0..<0, files: [file])
        let object = try target.begin(name)
        do throws(MillstreamError) {
            try store.read(file) { (bytes) throws(MillstreamError) in try object.write(bytes) }
            try object.commit()
        } catch {
            object.abandon()
            throw error
        }
    }

    /// The columns of one part of an operator's state, as the job has them; nil where there is no such part.
    public func fields(_ name: String, of uid: String) throws(MillstreamError) -> [Field]? {
        let state = try state(of: uid)
        for part in state.files {
            let file = try open(part, of: state)
            guard file.names.contains(name) else { continue }
            return try file.first(name)?.schema.fields ?? []
        }
        return nil
    }

    /// The parts of an operator's state with their columns; only as much is read as says so.
    public func partFields(of uid: String) throws(MillstreamError) -> [(name: String, fields: [Field])] {
        let state = try state(of: uid)
        var parts: [(name: String, fields: [Field])] = []
        for part in state.files {
            let file = try open(part, of: state)
            for name in file.names where !parts.contains(where: { $0.name == name }) { parts.append((name, try file.first(name)?.schema.fields ?? [])) }
        }
        return parts
    }

    /// What one part of an operator's state has in bytes, subtask after subtask.
    public func bytes(_ name: String, of uid: String) throws(MillstreamError) -> [[UInt8]] {
        var result: [[UInt8]] = []
        for file in try files(try state(of: uid)) { result += try file.bytes(name).map(\.bytes) }
        return result
    }

    /// The parts of an operator's state that are rows, in the order in which they were written. Throws `invalidArgument` for an operator that is not there.
    public func parts(of uid: String) throws(MillstreamError) -> [Part] {
        var parts: [Part] = []
        for file in try files(try state(of: uid)) {
            for name in file.names {
                for (_, batch) in try file.batches(name) {
                    if let known = parts.firstIndex(where: { $0.name == name }) {
                        parts[known] = Part(name: name, rowCount: parts[known].rowCount + batch.count, fields: parts[known].fields)
                    } else {
                        parts.append(Part(name: name, rowCount: batch.count, fields: batch.schema.fields))
                    }
                }
            }
        }
        return parts
    }

    /// The rows of one part, by key group, subtask after subtask, and its columns with the types that they have in the job. Throws `invalidArgument` for a
    /// part or an operator that is not there.
    public func rows(_ name: String, of uid: String) throws(MillstreamError) -> (fields: [Field], batches: [Batch]) {
        let state = try state(of: uid)
        var declared: [Field] = []
        var batches: [Batch] = []
        var names: [String] = []
        for file in try files(state) {
            for (_, batch) in try file.batches(name) {
                declared = batch.schema.fields
                // The types that the columns have now.
                let fields = zip(batch.schema.fields, batch.columns).map { Field($0.name, $1.type) }
                batches.append(Batch(schema: Schema(fields), columns: Array(batch.columns.prefix(fields.count)), count: batch.count))
            }
            for known in file.names where !names.contains(known) { names.append(known) }
        }
        guard !batches.isEmpty || state.files.allSatisfy(\.stores.isEmpty) else {
            throw MillstreamError(
                .unsupported, "the keyed state of '\(state.name)' (uid '\(uid)') is in files of a store in '\(storage.location(group))'",
                hint: "Take a savepoint of the job, which has rows.")
        }
        guard !batches.isEmpty else {
            throw MillstreamError(
                .invalidArgument, "'\(state.name)' (uid '\(uid)') has no state '\(name)' in '\(storage.location(group))'",
                hint: "It has \(names.map { "'\($0)'" }.joined(separator: ", ")).")
        }
        return (declared, batches)
    }
}

/// Leaves a host's values as they were written down.
private final class UndecodedObjects: ObjectCoding {
    func encode(_ column: Column) throws(MillstreamError) -> Column { column }
    func decode(_ column: Column) throws(MillstreamError) -> Column { column }
}
