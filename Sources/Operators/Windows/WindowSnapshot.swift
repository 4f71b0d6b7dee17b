import Columnar
import Dataflow
import State

/// What some slots of a window's contents hold, for a checkpoint.
struct ContentRows {
    /// As `WindowContents.stateFields` says.
    var columns: [Column]
    var count: Int
    /// For each row the place of its slot in the list of slots; nil: one row for each slot.
    var parents: [Int32]?
}

/// The rows of a keyed part of a checkpoint while they are gathered: keys, what the operator keeps of each, then the contents.
///
/// Everything is gathered in the order of the slots, where memory is read from front to back, and put into the order of the key groups behind the barrier.
struct KeyedPart {
    private let name: String
    private let fields: [Field]
    private var batches: [Batch] = []
    private var hashes: [UInt64] = []
    /// So many of the first columns behind the keys have one value in all rows: no order changes them.
    private var constantCount = 0

    /// `fields` are those of the columns behind the keys.
    init(_ name: String, fields: [Field]) {
        self.name = name
        self.fields = fields
    }

    /// Adds rows of some slots of a table: `columns` are those of `fields`, the first `constantCount` of them of one value each.
    mutating func add(_ slots: [Int32], of table: KeyTable, _ columns: [Column], constantCount: Int = 0) throws(MillstreamError) {
        guard !slots.isEmpty else { return }
        self.constantCount = batches.isEmpty ? constantCount : 0
        let keys = try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return [Column]() }
            return try table.keys(slots: base, count: list.count)
        }
        hashes.reserveCapacity(hashes.count + slots.count)
        for slot in slots { hashes.append(table.hash(Int(slot))) }
        let keyFields = keys.enumerated().map { Field("key\($0.offset)", $0.element.type) }
        batches.append(Batch(schema: Schema(keyFields + fields), columns: keys + columns, count: slots.count))
    }

    /// Writes a block for each key group that has rows; within a group they stay in the order in which they were added.
    func write(maxParallelism: Int, to writer: any StateWriter) throws(MillstreamError) {
        guard let first = batches.first else { return }
        // A host may change its values in place.
        guard !first.columns.contains(where: { $0.type.holdsObjects }) else { return try writeNow(maxParallelism: maxParallelism, to: writer) }
        let part = self
        try writer.writeLater { (writer) throws(MillstreamError) in try part.writeNow(maxParallelism: maxParallelism, to: writer) }
    }

    private func writeNow(maxParallelism: Int, to writer: any StateWriter) throws(MillstreamError) {
        var all = try Batch.concat(batches)
        let groupCount = max(1, maxParallelism)
        let (order, ends) = countingSort(hashes, groupCount: groupCount)
        let firstConstant = all.columns.count - fields.count
        for index in all.columns.indices where index < firstConstant || index >= firstConstant + constantCount {
            all.columns[index] = try all.columns[index].taking(order)
        }
        var start = 0
        for group in 0..<groupCount where ends[group] > start {
            try writer.write(name, keyGroup: KeyGroup(group), batch: all.slice(start, ends[group] - start))
            start = ends[group]
        }
    }
}

extension DataType {
    /// Whether there are values of a host in it.
    fileprivate var holdsObjects: Bool { layout == .handles || childTypes.contains { $0.holdsObjects } }
}

/// The rows by the groups of their hashes, and where each group ends.
private func countingSort(_ hashes: [UInt64], groupCount: Int) -> (order: Selection, ends: [Int]) {
    let count = hashes.count
    let order = Buffer(byteCount: 4 * count)
    let target = order.pointer(as: Int32.self)
    var places = [Int](repeating: 0, count: groupCount + 1)
    hashes.withUnsafeBufferPointer { hashes in
        places.withUnsafeMutableBufferPointer { places in
            for row in 0..<count { places[KeyGroup.index(hash: hashes[row], maxParallelism: groupCount) &+ 1] &+= 1 }
            for group in 0..<groupCount { places[group &+ 1] &+= places[group] }
            for row in 0..<count {
                let group = KeyGroup.index(hash: hashes[row], maxParallelism: groupCount)
                target[places[group]] = Int32(truncatingIfNeeded: row)
                places[group] &+= 1
            }
        }
    }
    return (Selection(buffer: order, count: count), places)
}

/// The rows of a keyed part that a subtask reads.
struct RestoredPart {
    let keys: [Column]
    let columns: [Column]
    let hashes: Column
    let count: Int

    /// Nil where there are none. Throws `decode` for a part of other columns than keys of `keyTypes` (nil: any) and `fields`.
    init?(_ reader: any StateReader, _ name: String, keyTypes: [DataType]?, fields: [Field]) throws(MillstreamError) {
        var batches: [Batch] = []
        try Self.forEachBatch(reader, name, keyTypes: keyTypes, fields: fields) { batches.append($0) }
        guard !batches.isEmpty else { return nil }
        try self.init(try Batch.concat(batches), keyCount: batches[0].columns.count - fields.count)
    }

    /// Each of its blocks, one after the other.
    static func forEachBlock(
        _ reader: any StateReader, _ name: String, keyTypes: [DataType]?, fields: [Field], _ body: (RestoredPart) throws(MillstreamError) -> Void
    ) throws(MillstreamError) {
        try forEachBatch(reader, name, keyTypes: keyTypes, fields: fields) { (batch) throws(MillstreamError) in
            try body(try RestoredPart(batch, keyCount: batch.columns.count - fields.count))
        }
    }

    private static func forEachBatch(
        _ reader: any StateReader, _ name: String, keyTypes: [DataType]?, fields: [Field], _ body: (Batch) throws(MillstreamError) -> Void
    ) throws(MillstreamError) {
        var keyTypes = keyTypes
        let part = DeclaredPart(name, fields)
        try reader.forEachBatch(name) { (_, batch) throws(MillstreamError) in
            if batch.count == 0 { return }
            let fitted = try part.fitted(batch, keyTypes: keyTypes)
            keyTypes = fitted.columns.prefix(fitted.columns.count - fields.count).map(\.type)
            try body(fitted)
        }
    }

    private init(_ all: Batch, keyCount: Int) throws(MillstreamError) {
        count = all.count
        keys = Array(all.columns[..<keyCount])
        columns = Array(all.columns[keyCount...])
        guard let hashes = try all.keyed(by: keys).keyHashes else { throw .internal("a keyed batch has no hashes") }
        self.hashes = hashes
    }

    private init(keys: [Column], columns: [Column], hashes: Column, count: Int) {
        self.keys = keys
        self.columns = columns
        self.hashes = hashes
        self.count = count
    }

    /// Some of the rows.
    func taking(_ rows: [Int32]) throws(MillstreamError) -> RestoredPart {
        let selection = Selection(rows)
        var taken: [Column] = []
        for column in keys + columns { taken.append(try column.taking(selection)) }
        return RestoredPart(
            keys: Array(taken[..<keys.count]), columns: Array(taken[keys.count...]), hashes: try hashes.taking(selection), count: rows.count)
    }

    /// The rows' slots in a table; keys that it lacks are added, in the order of the rows.
    func slots(in table: KeyTable) throws(MillstreamError) -> [Int32] {
        var slots = [Int32](repeating: 0, count: count)
        try slots.withUnsafeMutableBufferPointer { (target) throws(MillstreamError) in
            guard let base = target.baseAddress else { return }
            try table.lookup(keys: keys, hashes: UnsafePointer(hashes.pointer(as: UInt64.self)), count: count, slots: base)
        }
        return slots
    }

    /// The values of a BIGINT column without nulls.
    func int64s(_ column: Int) -> [Int64] {
        Array(UnsafeBufferPointer(start: UnsafePointer(columns[column].pointer(as: Int64.self)), count: count))
    }

    /// The rows in the order of a BIGINT column; those with the same value as they are.
    func order(by column: Int) -> [Int32] {
        let values = int64s(column)
        // Mostly values that ascend within each block: the sort finds the runs.
        return (0..<Int32(truncatingIfNeeded: count)).sorted { values[Int($0)] < values[Int($1)] }
    }
}

/// The event time (or the time of the clock) that the subtasks of a window operator had reached, each with its key groups: mostly the same in all, as barriers
/// come behind the same watermarks everywhere. Where they are not, the new subtask begins with the least one, and the windows say which of them have fired.
struct FormerWatermarks {
    private static let part = "window/time"
    private static let fields = [
        Field("watermark", DataType.bigInt.notNull), Field("first_key_group", DataType.int.notNull), Field("end_key_group", DataType.int.notNull),
    ]
    private var ranges: [(groups: Range<Int>, watermark: EventTime)] = []

    static func write(_ watermark: EventTime, _ keyGroups: Range<Int>, to writer: any StateWriter) throws(MillstreamError) {
        func number(_ value: Int) -> Column { .repeating(Int32(truncatingIfNeeded: value), type: .int, count: 1) }
        let columns: [Column] = [
            .repeating(watermark.milliseconds, type: .bigInt, count: 1), number(keyGroups.lowerBound), number(keyGroups.upperBound),
        ]
        try writer.write(part, keyGroup: nil, batch: Batch(schema: Schema(fields), columns: columns, count: 1))
    }

    init(_ reader: any StateReader) throws(MillstreamError) {
        for (_, batch) in try reader.batches(Self.part) {
            guard batch.columns.map(\.type.nullable) == Self.fields.map(\.type.nullable) else {
                throw MillstreamError(.decode, "the part '\(Self.part)' of the checkpoint has the columns \(batch.schema)", domain: .external)
            }
            for row in 0..<batch.count {
                let (first, end) = (Int(batch.columns[1].pointer(as: Int32.self)[row]), Int(batch.columns[2].pointer(as: Int32.self)[row]))
                guard first <= end else {
                    throw MillstreamError(.decode, "the part '\(Self.part)' of the checkpoint has key groups \(first) to \(end)", domain: .external)
                }
                ranges.append((first..<end, EventTime(milliseconds: batch.columns[0].pointer(as: Int64.self)[row])))
            }
        }
    }

    /// The least watermark of those that had some of the groups.
    func least(_ keyGroups: Range<Int>) -> EventTime { ranges.filter { $0.groups.overlaps(keyGroups) }.map(\.watermark).min() ?? .min }
}

extension Column {
    /// A BIGINT column without nulls.
    static func int64s(_ values: [Int64]) -> Column { Column(type: DataType.bigInt.notNull, count: values.count, values: Buffer.copying(values)) }
}
