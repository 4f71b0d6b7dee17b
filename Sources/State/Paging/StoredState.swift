import Columnar
import Dataflow

/// State that a checkpoint has as the files of a store.
package enum StoredState {
    /// A restored store is filled in pieces of so many rows.
    static let restoredRowCount = 16_384

    /// The part that says of which types the keys and values in a store's files are, a line each, with an empty line between.
    package static func typesPart(_ part: String) -> String { "\(part)/types" }

    static func text(keys: [DataType], values: [String]) -> [UInt8] {
        Array((keys.map { "\($0.nullable)" } + [""] + values).joined(separator: "\n").utf8)
    }

    /// The files of the store `part` that the operator goes on from, and the types of its keys; none where there are typed columns, or nothing. Throws `decode` where
    /// the values were others.
    static func find(
        _ part: String, values: [String], _ context: OperatorContext
    ) throws(MillstreamError) -> (stores: [any StoredStore], keyTypes: [DataType]?) {
        guard let reader = context.restored?.reader else { return ([], nil) }
        let stores = try reader.stores(part)
        var keyTypes: [DataType]?
        for (_, bytes) in try reader.unkeyedBytes(typesPart(part)) {
            let (keys, former) = types(in: bytes)
            guard former == values else { throw changed(part, of: context.operatorName, from: former, to: values) }
            guard keyTypes == nil, !keys.isEmpty else { continue }
            var types: [DataType] = []
            for key in keys { types.append(try DataType.parse(key)) }
            keyTypes = types
        }
        return (stores, stores.isEmpty ? nil : keyTypes)
    }

    /// What `text` wrote.
    package static func types(in bytes: [UInt8]) -> (keys: [String], values: [String]) {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let keys = Array(lines.prefix { !$0.isEmpty })
        return (keys, Array(lines.dropFirst(keys.count + 1)))
    }

    package static func changed(_ part: String, of name: String, from former: [String], to values: [String]) -> MillstreamError {
        MillstreamError(
            .decode, "the state '\(part)' of '\(name)' has \(former) in the checkpoint, and \(values) in the job",
            hint: "An incremental checkpoint is for the same state. It can change with a savepoint.", domain: .external)
    }

    /// Throws where a checkpoint has state in files of a store, and the operator keeps it in memory.
    static func refuse(_ part: String, _ context: OperatorContext) throws(MillstreamError) {
        guard let reader = context.restored?.reader, try !reader.stores(part).isEmpty else { return }
        throw needsStore(context.operatorName)
    }

    package static func needsStore(_ name: String) -> MillstreamError {
        MillstreamError(
            .invalidState, "the checkpoint has the state of '\(name)' as files of RocksDB, and the job keeps it in memory",
            hint: "Start with state.backend.type: rocksdb; a savepoint or a full checkpoint suits every backend.")
    }

    static func staysInMemory(_ context: OperatorContext, _ reason: String) -> String {
        "the state of '\(context.operatorName)' stays in memory, whatever state.backend.type says: \(reason)"
    }

    /// A block of a checkpoint: the keys as `key0`, `key1`, …, then `columns`.
    static func batch(_ chunk: StoreScan.Chunk, _ fields: [Field], _ columns: [Column], keys: [Column]? = nil, count: Int? = nil) -> Batch {
        let keys = keys ?? chunk.keys
        let keyFields = keys.enumerated().map { Field("key\($0.offset)", $0.element.type) }
        return Batch(schema: Schema(keyFields + fields), columns: keys + columns, count: count ?? chunk.count)
    }
}
