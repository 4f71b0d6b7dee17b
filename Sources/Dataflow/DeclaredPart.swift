import Columnar

/// A part of the state that an operator keeps, as it would be in a checkpoint: known before anything runs.
public struct DeclaredPart: Sendable {
    public let name: String
    /// The columns behind those of the key.
    public let fields: [Field]

    public init(_ name: String, _ fields: [Field]) {
        self.name = name
        self.fields = fields
    }

    /// How the part's columns in a checkpoint become the operator's. Throws `decode` for what would lose values.
    public func evolution(from saved: [Field]) throws(MillstreamError) -> SchemaEvolution {
        try SchemaEvolution(
            from: saved.map { Field($0.name, $0.type.nullable) }, to: fields.map { Field($0.name, $0.type.nullable) }, mayChange: Self.isOfRecords)
    }

    /// Whether a column is a field of records that are kept as they came: of those there may be more or fewer than before. Accumulators are all needed.
    public static func isOfRecords(_ field: Field) -> Bool {
        ["record.", "element.", "accumulator."].contains { field.name.hasPrefix($0) }
    }

    /// A block of the part, as a checkpoint has it, with the columns that it has now. Throws `decode` where values would be lost, and for keys of other types than `keyTypes`
    /// (nil: any).
    public func fitted(_ batch: Batch, keyTypes: [DataType]?) throws(MillstreamError) -> Batch {
        let saved = batch.schema.fields
        let keyCount = Self.keyCount(saved)
        // A reader without the host has bytes where the schema says OBJECT.
        let keys = batch.columns.prefix(keyCount).map(\.type.nullable)
        let expected = (keyTypes ?? keys).map(\.nullable)
        guard keyCount > 0, keys == expected else {
            throw MillstreamError(
                .decode, "the keys of the part '\(name)' are of the types \(keys) in the checkpoint, and \(expected) in the job",
                hint: "The type of a key cannot change between a checkpoint and the job that goes on from it.", domain: .external)
        }
        let values = saved[keyCount...].map { Field($0.name, $0.type.nullable) }
        if values == fields.map({ Field($0.name, $0.type.nullable) }) { return batch }
        do throws(MillstreamError) {
            let evolution = try evolution(from: values)
            let columns = try evolution.apply(Array(batch.columns[keyCount..<saved.count]), count: batch.count)
            return Batch(schema: Schema(Array(saved[..<keyCount]) + evolution.fields), columns: Array(batch.columns[..<keyCount]) + columns, count: batch.count)
        } catch {
            throw MillstreamError(.decode, "the part '\(name)' of the checkpoint: \(error.message)", hint: error.hint, domain: .external)
        }
    }

    /// How many of a keyed part's columns are the key's: `key0`, `key1`, …
    public static func keyCount(_ fields: [Field]) -> Int { fields.enumerated().prefix { $0.element.name == "key\($0.offset)" }.count }
}

/// An operator that says which parts of state it keeps, before it is opened.
public protocol StateDeclaring: AnyObject {
    func declaredParts() throws(MillstreamError) -> [DeclaredPart]
    /// What the values of one of the operator's stores are, as a checkpoint with the store's files says it; nil for a store that it does not have.
    func storedValues(of store: String) -> [String]?
}

extension StateDeclaring {
    public func storedValues(of store: String) -> [String]? { nil }
}
