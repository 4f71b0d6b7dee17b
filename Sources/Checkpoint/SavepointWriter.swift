import Columnar
import Dataflow

/// Makes a savepoint out of another one, or out of nothing: operators are carried over, with their state changed, or get state from rows.
///
/// What it is based on stays as it is. What is carried over is checked first, so that no damage goes on; its files are copied as they are unless a part of
/// them has changed. One thread at a time.
public final class SavepointWriter {
    private struct Entry {
        var id: OperatorID
        var name: String
        var parallelism: Int
        var maxParallelism: Int
        var coordinator: [UInt8] = []
        /// Where it is in the savepoint that this one is based on.
        var source: Manifest.OperatorState?
        var removed: Set<String> = []
        var added: [(part: String, batch: Batch, keyCount: Int)] = []
        /// Committables that are no longer to be committed.
        var resolved: Set<String> = []

        var isCarried: Bool { removed.isEmpty && added.isEmpty && resolved.isEmpty }
    }

    private let base: SavepointReader?
    private let maxParallelism: Int
    private var entries: [Entry]
    private var properties: [Manifest.Property]
    private let hostObjects: HostObjects?

    /// `maxParallelism` is that of operators that are new, and decides where their keys are. `hostObjects` knows keys of type OBJECT.
    public init(basedOn base: SavepointReader?, maxParallelism: Int = KeyGroup.defaultMaxParallelism, hostObjects: HostObjects? = nil) throws(MillstreamError) {
        guard maxParallelism >= 1, maxParallelism <= KeyGroup.maxParallelismLimit else {
            throw MillstreamError(.invalidArgument, "the max parallelism is \(maxParallelism); it is 1 to \(KeyGroup.maxParallelismLimit)")
        }
        self.base = base
        self.maxParallelism = maxParallelism
        self.hostObjects = hostObjects
        entries = (base?.manifest.operators ?? []).map {
            Entry(
                id: $0.id, name: $0.name, parallelism: $0.parallelism, maxParallelism: $0.maxParallelism, coordinator: $0.coordinator, source: $0)
        }
        properties = base?.manifest.properties ?? []
    }

    private func index(of uid: String) throws(MillstreamError) -> Int {
        if let index = entries.firstIndex(where: { $0.id.text == uid }) { return index }
        let known = entries.map { "'\($0.id.text)'" }.joined(separator: ", ")
        throw MillstreamError(
            .invalidArgument, "there is no operator with the uid '\(uid)' in the savepoint",
            hint: known.isEmpty ? "It has none." : "There are \(known).")
    }

    /// The types of a part's columns in the savepoint that this one is based on; nil where it has no such part.
    public func columns(of uid: String, part: String) throws(MillstreamError) -> [Field]? {
        guard let base, entries.contains(where: { $0.id.text == uid && $0.source != nil }) else { return nil }
        return try base.fields(part, of: uid)
    }

    /// Gives an operator the rows of one part of its state, in place of those that it had. A new operator is made with the name.
    ///
    /// Keyed parts (`keyed/…`, `timers/…`) begin with the key's columns, `key0`, `key1`, …: rows go to the key groups of their keys. OBJECT columns come as
    /// BYTES with the type OBJECT in the schema. Throws `invalidArgument` for columns that no state has.
    public func put(_ part: String, of uid: String, name: String? = nil, rows batch: Batch) throws(MillstreamError) {
        guard !uid.isEmpty, !part.isEmpty else { throw MillstreamError(.invalidArgument, "an operator's uid and a state's name are not empty") }
        let batch = try batch.compacted()
        let keyCount = try Self.check(part, batch)
        if !entries.contains(where: { $0.id.text == uid }) {
            entries.append(Entry(id: OperatorID(uid), name: name ?? uid, parallelism: 1, maxParallelism: maxParallelism))
        }
        let index = try index(of: uid)
        try refuseStores(entries[index])
        try refuseOtherKeys(part, batch.schema.fields.prefix(keyCount).map(\.type), entries[index])
        try refuseRepeated(part, batch, keyCount)
        if let name { entries[index].name = name }
        entries[index].removed.insert(part)
        entries[index].added.removeAll { $0.part == part }
        entries[index].added.append((part, batch, keyCount))
    }

    /// What a store's files hold is carried over as it is, or not at all.
    private func refuseStores(_ entry: Entry) throws(MillstreamError) {
        guard let source = entry.source, source.files.contains(where: { !$0.stores.isEmpty }) else { return }
        throw MillstreamError(
            .unsupported, "the checkpoint has state of '\(source.name)' in files of a store, which cannot be changed", hint: "Take a savepoint of the job, which has rows.")
    }

    /// All keyed state of an operator has keys of one type.
    private func refuseOtherKeys(_ part: String, _ types: [DataType], _ entry: Entry) throws(MillstreamError) {
        guard !types.isEmpty else { return }
        var others = entry.added.filter { $0.keyCount > 0 }.map { (name: $0.part, types: $0.batch.schema.fields.prefix($0.keyCount).map(\.type)) }
        if let base, let source = entry.source {
            for known in try base.partFields(of: source.id.text) where !entry.removed.contains(known.name) {
                let count = known.fields.enumerated().prefix { $0.element.name == "key\($0.offset)" }.count
                if count > 0 { others.append((known.name, known.fields.prefix(count).map(\.type))) }
            }
        }
        guard let other = others.first(where: { $0.name != part && $0.types.map(\.nullable) != types.map(\.nullable) }) else { return }
        func text(_ types: [DataType]) -> String { types.map { "\($0.nullable)" }.joined(separator: ", ") }
        throw MillstreamError(
            .invalidArgument,
            "the keys of the state '\(part)' are given as \(text(types)), and those of '\(other.name)' of the same operator are \(text(other.types)) in the savepoint",
            hint: "An operator's states have keys of one type; say which with types=.")
    }

    /// A key has one value, and one value for each key of a map.
    private func refuseRepeated(_ part: String, _ batch: Batch, _ keyCount: Int) throws(MillstreamError) {
        let names = batch.schema.fields.map(\.name)
        guard part.hasPrefix("keyed/"), keyCount > 0, names.last == "value" || names.suffix(2) == ["map_key", "map_value"] else { return }
        let isMap = names.last == "map_value"
        var keys: [Column] = []
        for index in 0..<(isMap ? keyCount + 1 : keyCount) { keys.append(try key(batch.columns[index], batch.schema.fields[index].type)) }
        guard let hashes = try batch.keyed(by: keys).keyHashes else { throw .internal("a keyed batch has no hashes") }
        let words = hashes.pointer(as: UInt64.self)
        let order = (0..<batch.count).sorted { (words[$0], $0) < (words[$1], $1) }
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, words[order[end]] == words[order[start]] { end += 1 }
            for later in start..<end {
                for earlier in start..<later {
                    var isSame = true
                    for column in keys where isSame { isSame = try column.isEqual(at: order[earlier], to: column, at: order[later]) }
                    guard isSame else { continue }
                    let what = Batch(schema: Schema(keys.indices.map { Field("key\($0)", keys[$0].type) }), columns: keys, count: batch.count).keyText(order[later])
                    throw MillstreamError(
                        .invalidArgument,
                        "the \(isMap ? "key and map key" : "key") \(what ?? "") come\(isMap ? "" : "s") twice in the state '\(part)', in the rows \(order[earlier]) and \(order[later])",
                        hint: "It has one value: leave out the other row.")
                }
            }
            start = end
        }
        withExtendedLifetime(hashes) {}
    }

    /// Removes an operator with all its state, or one part of it. Throws `unsupported` for a part of an operator whose state is in files of a store.
    public func remove(_ uid: String, part: String? = nil) throws(MillstreamError) {
        let index = try index(of: uid)
        guard let part else {
            entries.remove(at: index)
            return
        }
        try refuseStores(entries[index])
        let isAdded = entries[index].added.contains { $0.part == part }
        let isThere: Bool
        if let base, entries[index].source != nil { isThere = try base.fields(part, of: entries[index].source?.id.text ?? uid) != nil } else { isThere = false }
        guard isAdded || isThere else { throw MillstreamError(.invalidArgument, "the operator '\(uid)' has no state '\(part)' in the savepoint") }
        entries[index].removed.insert(part)
        entries[index].added.removeAll { $0.part == part }
    }

    /// Gives an operator another uid.
    public func rename(_ uid: String, to other: String) throws(MillstreamError) {
        let index = try index(of: uid)
        guard !other.isEmpty, !entries.contains(where: { $0.id.text == other }) else {
            throw MillstreamError(.invalidArgument, "there is an operator with the uid '\(other)' in the savepoint already")
        }
        entries[index].id = OperatorID(other)
    }

    /// What is decided about committables, by their numbers (`SavepointReader.committables`): those that are committed or given up are not committed again.
    ///
    /// Throws `invalidArgument` for a number that is not there.
    public func resolve(_ decisions: [(number: String, decision: CommitDecision)]) throws(MillstreamError) {
        guard let base else { throw MillstreamError(.invalidState, "a new savepoint has no results to commit") }
        let known = try base.committables()
        for (number, decision) in decisions {
            guard let committable = known.first(where: { $0.number == number }) else {
                throw MillstreamError(
                    .invalidArgument, "there is no result '\(number)' in the savepoint",
                    hint: known.isEmpty ? "It has none to commit." : "There are \(known.prefix(16).map(\.number).joined(separator: ", ")).")
            }
            guard decisions.filter({ $0.number == number }).count == 1 else {
                throw MillstreamError(.invalidArgument, "two things are said about the result '\(number)'")
            }
            properties.removeAll { $0.name == "resolved/\(number)" }
            properties.append(Manifest.Property("resolved/\(number)", "\(decision.rawValue): \(committable.description)"))
            if decision == .retry { continue }
            entries[try index(of: committable.uid)].resolved.insert(number)
        }
    }

    // MARK: Writing

    /// Writes everything into a new group of `storage`, the manifest last. `id` is the savepoint's number, by default that of what it is based on.
    public func write(
        to storage: any CheckpointStorage, group: String, id: CheckpointID? = nil, triggered: ProcessingTime, compression: Compression = .none
    ) throws(MillstreamError) {
        let prefix = group.isEmpty ? "" : group + "/"
        guard !storage.exists(prefix + Manifest.name) else {
            throw MillstreamError(.io, "there is a savepoint at '\(storage.location(group))' already", hint: "Name another directory.", domain: .external)
        }
        var states: [Manifest.OperatorState] = []
        var properties = properties
        for (place, entry) in entries.enumerated() {
            var state = Manifest.OperatorState(
                id: entry.id, name: entry.name, parallelism: entry.parallelism, maxParallelism: entry.maxParallelism, coordinator: entry.coordinator)
            if entry.isCarried, let source = entry.source, let base {
                for part in source.files {
                    let name = "op-\(place)-\(part.subtask.value)"
                    var file = try base.copy(part, of: source, to: storage, name: prefix + name)
                    file.name = name
                    state.files.append(Manifest.SubtaskFile(subtask: part.subtask, file: file))
                    state.files[state.files.count - 1].stores = try copyStores(part, name, base, to: storage, prefix)
                }
                if source.id != entry.id { Self.rename(&properties, from: source.id.text, to: entry.id.text) }
            } else {
                if let source = entry.source { properties.removeAll { $0.name.hasPrefix(WrittenObjects.prefix(of: source.id.text)) } }
                try write(entry, place, to: storage, prefix, compression, &state, &properties)
            }
            states.append(state)
        }
        let manifest = Manifest(
            jobName: base?.manifest.jobName ?? "", id: id ?? base?.manifest.id ?? CheckpointID(0), isSavepoint: true, triggered: triggered,
            operators: states, properties: properties)
        let object = try storage.begin(prefix + Manifest.name)
        do throws(MillstreamError) {
            try manifest.encode().withBytes { (bytes) throws(MillstreamError) in try object.write(bytes) }
            try object.commit()
        } catch {
            object.abandon()
            throw error
        }
    }

    /// The files of a subtask's stores, all of which belong to the new savepoint alone: what it is based on may go.
    private func copyStores(
        _ part: Manifest.SubtaskFile, _ name: String, _ base: SavepointReader, to storage: any CheckpointStorage, _ prefix: String
    ) throws(MillstreamError) -> [Manifest.Store] {
        var stores: [Manifest.Store] = []
        var number = 0
        for store in part.stores {
            var copies = Manifest.Store(name: store.name, files: [])
            for file in store.files {
                var copied = file
                copied.object = "\(name)-store-\(number)"
                copied.isShared = false
                number += 1
                try base.copy(file, of: part, to: storage, name: prefix + copied.object)
                copies.files.append(copied)
            }
            stores.append(copies)
        }
        return stores
    }

    private static func rename(_ properties: inout [Manifest.Property], from uid: String, to other: String) {
        let prefix = WrittenObjects.prefix(of: uid)
        for index in properties.indices where properties[index].name.hasPrefix(prefix) {
            properties[index].name = WrittenObjects.prefix(of: other) + properties[index].name.dropFirst(prefix.count)
        }
    }

    /// The files of an operator whose state has changed: those that it had without what is removed, what is added in the first.
    private func write(
        _ entry: Entry, _ place: Int, to storage: any CheckpointStorage, _ prefix: String, _ compression: Compression,
        _ state: inout Manifest.OperatorState, _ properties: inout [Manifest.Property]
    ) throws(MillstreamError) {
        var objects: [WrittenObjects] = []
        var sources = entry.source?.files ?? []
        // There is a first file for what is added.
        if !entry.added.isEmpty, sources.first?.subtask != SubtaskIndex(0) {
            sources.insert(Manifest.SubtaskFile(subtask: SubtaskIndex(0), file: StateFile.Summary(name: "", byteCount: 0, rowCount: 0, checksum: 0)), at: 0)
        }
        for (number, part) in sources.enumerated() {
            let name = "op-\(place)-\(part.subtask.value)"
            let writer = try StateFileWriter(storage, name: prefix + name, compression: compression)
            do throws(MillstreamError) {
                if let source = entry.source, let base, !part.file.name.isEmpty { try carry(part, of: source, in: base, entry, to: writer) }
                if number == 0 { for (name, batch, keyCount) in entry.added { try add(name, batch, keyCount, entry.maxParallelism, to: writer) } }
                var file = try writer.finish()
                file.name = name
                state.files.append(Manifest.SubtaskFile(subtask: part.subtask, file: file))
                objects.append(writer.objects)
            } catch {
                writer.abandon()
                throw error
            }
        }
        properties += WrittenObjects.properties(of: entry.id.text, objects)
    }

    private func carry(
        _ part: Manifest.SubtaskFile, of source: Manifest.OperatorState, in base: SavepointReader, _ entry: Entry, to writer: StateFileWriter
    ) throws(MillstreamError) {
        let file = try base.open(part, of: source)
        for name in file.names where !entry.removed.contains(name) {
            for (group, batch) in try file.batches(name) {
                var batch = batch
                if name == Committables.part, !entry.resolved.isEmpty {
                    let numbers = try Committables.numbers(of: batch, uid: source.id.text)
                    let kept = (0..<Int32(truncatingIfNeeded: batch.count)).filter { !entry.resolved.contains(numbers[Int($0)]) }
                    batch = try batch.selecting(Selection(kept)).compacted()
                    if batch.count == 0 { continue }
                }
                try writer.write(name, keyGroup: group, batch: batch.writtenObjects())
            }
            for (group, bytes) in try file.bytes(name) { try writer.write(name, keyGroup: group, bytes: bytes) }
        }
    }

    private func add(_ part: String, _ batch: Batch, _ keyCount: Int, _ maxParallelism: Int, to writer: StateFileWriter) throws(MillstreamError) {
        guard batch.count > 0 else { return }
        guard keyCount > 0 else { return try writer.write(part, keyGroup: nil, batch: batch.writtenObjects()) }
        var keys: [Column] = []
        for index in 0..<keyCount { keys.append(try key(batch.columns[index], batch.schema.fields[index].type)) }
        guard let hashes = try batch.keyed(by: keys).keyHashes else { throw .internal("a keyed batch has no hashes") }
        let values = hashes.pointer(as: UInt64.self)
        let groups = (0..<batch.count).map { KeyGroup.index(hash: values[$0], maxParallelism: maxParallelism) }
        withExtendedLifetime(hashes) {}
        // By groups, within each in the order in which they came.
        let order = (0..<Int32(truncatingIfNeeded: batch.count)).sorted { (groups[Int($0)], $0) < (groups[Int($1)], $1) }
        let sorted = try batch.selecting(Selection(order)).compacted().writtenObjects()
        var start = 0
        while start < order.count {
            let group = groups[Int(order[start])]
            var end = start
            while end < order.count, groups[Int(order[end])] == group { end += 1 }
            try writer.write(part, keyGroup: KeyGroup(group), batch: sorted.slice(start, end - start))
            start = end
        }
    }

    /// A key's column as a job has it, for its hashes.
    private func key(_ column: Column, _ type: DataType) throws(MillstreamError) -> Column {
        guard case .object = type.kind else { return column }
        guard let coding = HostObjectCoding(hostObjects) else {
            throw MillstreamError(.unsupported, "keys of type OBJECT need the host language that knows them")
        }
        return try coding.decode(column)
    }

    /// How many of the first columns are a key's. Throws for columns that the part cannot have.
    private static func check(_ part: String, _ batch: Batch) throws(MillstreamError) -> Int {
        let names = batch.schema.fields.map(\.name)
        let keyCount = names.enumerated().prefix { $0.element == "key\($0.offset)" }.count
        func refused(_ expected: String) -> MillstreamError {
            MillstreamError(.invalidArgument, "the state '\(part)' has the columns \(expected), and the rows have \(names.joined(separator: ", "))")
        }
        let isKeyed = part.hasPrefix("keyed/") || part.hasPrefix("timers/")
        guard isKeyed == (keyCount > 0) || !(isKeyed || part.hasPrefix("operator/")) else {
            throw isKeyed
                ? refused("key0, …, first")
                : MillstreamError(.invalidArgument, "the state '\(part)' has no keys, and the rows have the columns \(names.joined(separator: ", "))")
        }
        let rest = Array(names[keyCount...])
        if part.hasPrefix("keyed/"), ![["value"], ["element"], ["map_key", "map_value"]].contains(rest) {
            throw refused("key0, …, and value; or element; or map_key and map_value")
        }
        if part.hasPrefix("timers/"), rest != ["time", "number"] { throw refused("key0, …, time, number") }
        if part.hasPrefix("operator/"), rest != (part.hasPrefix("operator/broadcast/") ? ["map_key", "map_value"] : ["element"]) {
            throw refused(part.hasPrefix("operator/broadcast/") ? "map_key, map_value" : "element")
        }
        let columns = isKeyed || part.hasPrefix("operator/") ? Array(batch.columns) : Array(batch.columns.prefix(keyCount))
        for (field, column) in zip(batch.schema.fields, columns) where column.nullCount > 0 {
            throw MillstreamError(.invalidArgument, "the column '\(field.name)' of the state '\(part)' has \(column.nullCount) nulls; a state has none")
        }
        return keyCount
    }
}

/// What is decided about a result of which nobody knows whether it is visible.
public enum CommitDecision: String, Sendable, CaseIterable {
    /// It is visible: nothing is left to do.
    case committed
    /// It is to be committed once more when the job starts.
    case retry
    /// It is given up.
    case aborted
}

extension SavepointReader {
    /// A result that a sink has prepared and that the job commits when it starts from here.
    public struct PreparedResult: Sendable {
        /// Names it within the savepoint: the same for the same result wherever the savepoint lies.
        public let number: String
        public let uid: String
        public let operatorName: String
        public let subtask: Int
        /// The first checkpoint that has it.
        public let checkpoint: Int64
        public let byteCount: Int
        /// In the sink's words.
        public let description: String
    }

    /// All results that are prepared, in the order of the operators and of their preparation.
    public func committables() throws(MillstreamError) -> [PreparedResult] {
        var result: [PreparedResult] = []
        for state in manifest.operators {
            for part in state.files {
                for (_, batch) in try open(part, of: state).batches(Committables.part) {
                    let numbers = try Committables.numbers(of: batch, uid: state.id.text)
                    for row in 0..<batch.count {
                        result.append(
                            PreparedResult(
                                number: numbers[row], uid: state.id.text, operatorName: state.name,
                                subtask: Int(batch.columns[1].pointer(as: Int32.self)[row]), checkpoint: batch.columns[0].pointer(as: Int64.self)[row],
                                byteCount: batch.columns[2].bytes(row).count, description: String(decoding: batch.columns[3].bytes(row), as: UTF8.self)))
                    }
                }
            }
        }
        return result
    }
}

/// The part of a sink's state that has what it has prepared (docs/state-format.md).
enum Committables {
    static let part = "sink/committables"
    private static let types: [DataType] = [.bigInt, .int, .bytes, .string]

    /// The numbers of a block's rows, which say what they are: a hash of the operator, the subtask, the checkpoint and the bytes; then which of equal ones.
    static func numbers(of batch: Batch, uid: String) throws(MillstreamError) -> [String] {
        guard batch.columns.map(\.type.nullable) == types else {
            throw MillstreamError(.decode, "the part '\(part)' has the columns \(batch.schema)", domain: .external)
        }
        var counts: [String: Int] = [:]
        var numbers: [String] = []
        for row in 0..<batch.count {
            var out = FormatWriter()
            try out.put(uid)
            out.put(batch.columns[0].pointer(as: Int64.self)[row])
            out.put(batch.columns[1].pointer(as: Int32.self)[row])
            out.put(raw: batch.columns[2].bytes(row))
            let digits = String(out.bytes.withUnsafeBytes { StableHash.xxh64($0, seed: 0) }, radix: 16)
            let number = String(repeating: "0", count: 16 - digits.count) + digits
            let count = counts[number, default: 0]
            counts[number] = count + 1
            numbers.append(count == 0 ? number : "\(number)-\(count + 1)")
        }
        return numbers
    }
}

extension Batch {
    /// OBJECT columns, whose values a reader without a host left as bytes, as a writer takes them.
    func writtenObjects() -> Batch {
        var batch = self
        for (index, field) in schema.fields.enumerated() where field.type.layout == .handles && columns[index].type.layout == .views {
            batch.columns[index] = Column(type: field.type, count: columns[index].count, values: nil, children: [columns[index]])
        }
        return batch
    }
}
