import Columnar
import Dataflow

/// What a checkpoint is made of: written last, and so the proof that all the rest is there.
public struct Manifest: Hashable, Sendable {
    public static let version: UInt8 = 1
    /// The name of a checkpoint's manifest within its group.
    public static let name = "_metadata"
    private static let head: [UInt8] = Array("MCHECK".utf8) + [version, 0]

    /// The state of one operator.
    public struct OperatorState: Hashable, Sendable {
        public var id: OperatorID
        /// As the user calls it, for messages.
        public var name: String
        public var parallelism: Int
        public var maxParallelism: Int
        /// The file of each subtask that has state, in their order.
        public var files: [SubtaskFile]
        /// What the operator's one coordinator keeps: a source's splits that no reader has.
        public var coordinator: [UInt8]

        public init(id: OperatorID, name: String, parallelism: Int, maxParallelism: Int, files: [SubtaskFile] = [], coordinator: [UInt8] = []) {
            self.id = id
            self.name = name
            self.parallelism = parallelism
            self.maxParallelism = maxParallelism
            self.files = files
            self.coordinator = coordinator
        }
    }

    public struct SubtaskFile: Hashable, Sendable {
        public var subtask: SubtaskIndex
        public var file: StateFile.Summary
        /// The subtask's stores.
        public var stores: [Store] = []

        public init(subtask: SubtaskIndex, file: StateFile.Summary, stores: [Store] = []) {
            self.subtask = subtask
            self.file = file
            self.stores = stores
        }
    }

    /// A store's files: those that belong to this checkpoint alone lie beside its state files, others in the job's `SharedFiles.group`.
    public struct Store: Hashable, Sendable {
        /// Of the part of the state.
        public var name: String
        public var files: [StoredFile]

        public init(name: String, files: [StoredFile]) {
            self.name = name
            self.files = files
        }
    }

    /// The names of the objects outside of the checkpoint's group that it needs; each once, sorted.
    public var sharedObjects: [String] {
        var names = Set<String>()
        for state in operators {
            for file in state.files {
                for store in file.stores { names.formUnion(store.files.lazy.filter(\.isShared).map(\.object)) }
            }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public var jobName: String
    public var id: CheckpointID
    public var isSavepoint: Bool
    public var triggered: ProcessingTime
    /// In the order of the plan.
    public var operators: [OperatorState]
    /// What else whoever restores it must know, e.g. the host language's version; sorted by name.
    public var properties: [Property]

    public struct Property: Hashable, Sendable {
        public var name: String
        public var value: String

        public init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(
        jobName: String, id: CheckpointID, isSavepoint: Bool, triggered: ProcessingTime, operators: [OperatorState], properties: [Property] = []
    ) {
        self.jobName = jobName
        self.id = id
        self.isSavepoint = isSavepoint
        self.triggered = triggered
        self.operators = operators
        self.properties = properties.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    public func encode() throws(MillstreamError) -> [UInt8] {
        var out = FormatWriter()
        try out.put(jobName)
        out.put(id.value)
        out.put(UInt8(isSavepoint ? 1 : 0))
        out.put(triggered.milliseconds)
        out.put(UInt32(truncatingIfNeeded: operators.count))
        for state in operators {
            try out.put(state.id.text)
            try out.put(state.name)
            out.put(UInt32(truncatingIfNeeded: state.parallelism))
            out.put(UInt32(truncatingIfNeeded: state.maxParallelism))
            try out.put(counted: state.coordinator)
            out.put(UInt32(truncatingIfNeeded: state.files.count))
            for part in state.files {
                out.put(UInt32(truncatingIfNeeded: part.subtask.value))
                try out.put(part.file.name)
                out.put(part.file.byteCount)
                out.put(part.file.rowCount)
                out.put(part.file.checksum)
            }
        }
        out.put(UInt32(truncatingIfNeeded: properties.count))
        for property in properties {
            try out.put(property.name)
            try out.put(property.value)
        }
        try encodeStores(&out)
        var whole = FormatWriter()
        Self.head.withUnsafeBytes { whole.put(raw: $0) }
        whole.put(out.bytes.withUnsafeBytes { StableHash.xxh64($0, seed: UInt64($0.count)) })
        out.bytes.withUnsafeBytes { whole.put(raw: $0) }
        return whole.bytes
    }

    /// Nothing where there are no stores: whoever knows none can read it.
    private func encodeStores(_ out: inout FormatWriter) throws(MillstreamError) {
        var entries = FormatWriter()
        var count = 0
        for (place, state) in operators.enumerated() {
            for file in state.files {
                for store in file.stores {
                    count += 1
                    entries.put(UInt32(truncatingIfNeeded: place))
                    entries.put(UInt32(truncatingIfNeeded: file.subtask.value))
                    try entries.put(store.name)
                    entries.put(UInt32(truncatingIfNeeded: store.files.count))
                    for part in store.files {
                        try entries.put(part.name)
                        try entries.put(part.object)
                        entries.put(UInt8(part.isShared ? 1 : 0))
                        entries.put(part.byteCount)
                        entries.put(part.checksum)
                    }
                }
            }
        }
        guard count > 0 else { return }
        out.put(UInt32(truncatingIfNeeded: count))
        entries.bytes.withUnsafeBytes { out.put(raw: $0) }
    }

    private mutating func decodeStores(_ source: inout FormatReader) throws(MillstreamError) {
        guard source.remaining > 0 else { return }
        for _ in 0..<(try source.count(of: 16)) {
            let place = Int(try source.number(UInt32.self))
            let subtask = Int(try source.number(UInt32.self))
            guard place < operators.count, let index = operators[place].files.firstIndex(where: { $0.subtask.value == subtask }) else {
                throw source.damaged("a store of the subtask \(subtask) of the operator \(place)")
            }
            var store = Store(name: try source.text(), files: [])
            for _ in 0..<(try source.count(of: 25)) {
                let file = StoredFile(
                    name: try source.text(), object: try source.text(), isShared: try source.number(UInt8.self) != 0,
                    byteCount: try source.number(Int64.self), checksum: try source.number(UInt64.self))
                // A name that leads out of the checkpoint's directory is nobody's.
                guard file.byteCount >= 0, !file.object.split(separator: "/", omittingEmptySubsequences: false).contains(where: { $0.isEmpty || $0 == "." || $0 == ".." })
                else { throw source.damaged("the file '\(file.object)' of \(file.byteCount) bytes") }
                store.files.append(file)
            }
            operators[place].files[index].stores.append(store)
        }
    }

    /// `path` is for messages. Throws `decode` for anything but what `encode` gave.
    public init(decoding bytes: [UInt8], path: String) throws(MillstreamError) {
        self = try bytes.withBytes { (all) throws(MillstreamError) in try Manifest(all, path) }
    }

    private init(_ all: UnsafeRawBufferPointer, _ path: String) throws(MillstreamError) {
        guard all.count >= 16, all.prefix(6).elementsEqual(Self.head.prefix(6)) else {
            throw MillstreamError.damaged(path, at: 0, "it is no checkpoint's metadata")
        }
        guard all[6] == Self.version, all[7] == 0 else {
            throw MillstreamError(
                .decode, "'\(path)' has the format version \(all[6]), this Millstream reads version \(Self.version)",
                hint: "It was written by a newer Millstream: use that one.", domain: .external)
        }
        var head = FormatReader(UnsafeRawBufferPointer(rebasing: all[8..<16]), subject: path, origin: 8)
        let checksum = try head.number(UInt64.self)
        let body = UnsafeRawBufferPointer(rebasing: all[16...])
        let hash = StableHash.xxh64(body, seed: UInt64(body.count))
        guard hash == checksum else {
            throw MillstreamError.damaged(path, at: 8, "its \(body.count) bytes", checksum: hash, expected: checksum)
        }
        var source = FormatReader(body, subject: path, origin: 16)
        jobName = try source.text()
        id = CheckpointID(try source.number(Int64.self))
        isSavepoint = try source.number(UInt8.self) != 0
        triggered = ProcessingTime(milliseconds: try source.number(Int64.self))
        operators = []
        for _ in 0..<(try source.count(of: 24)) { operators.append(try Self.operatorState(from: &source)) }
        properties = []
        for _ in 0..<(try source.count(of: 8)) { properties.append(Property(try source.text(), try source.text())) }
        try decodeStores(&source)
        try source.finish()
    }

    private static func operatorState(from source: inout FormatReader) throws(MillstreamError) -> OperatorState {
        var state = OperatorState(
            id: OperatorID(try source.text()), name: try source.text(), parallelism: Int(try source.number(UInt32.self)),
            maxParallelism: Int(try source.number(UInt32.self)), coordinator: try source.counted())
        guard state.parallelism >= 1, state.maxParallelism >= state.parallelism, state.maxParallelism <= KeyGroup.maxParallelismLimit else {
            throw source.damaged("the parallelism \(state.parallelism) of at most \(state.maxParallelism)")
        }
        for _ in 0..<(try source.count(of: 32)) {
            let subtask = Int(try source.number(UInt32.self))
            guard subtask < state.parallelism else { throw source.damaged("the subtask \(subtask) of \(state.parallelism)") }
            let file = StateFile.Summary(
                name: try source.text(), byteCount: try source.number(Int64.self), rowCount: try source.number(Int64.self),
                checksum: try source.number(UInt64.self))
            state.files.append(SubtaskFile(subtask: SubtaskIndex(subtask), file: file))
        }
        return state
    }
}

extension Manifest {
    /// Where somebody looked for a savepoint or checkpoint, there is none.
    public static func missing(at path: String) -> MillstreamError {
        MillstreamError(
            .io, "there is no savepoint or checkpoint at '\(path)': it has no file \(name)",
            hint: "Name the directory of one, such as .../savepoint-1a2b3c-... or .../chk-7.", domain: .external)
    }
}
