import Columnar
import Dataflow
import Plan
import State

/// The rows that a join by time keeps of one input: by key, in the order of their times or as they came.
final class TimedRows {
    let slots: RowSlots
    private(set) var chains = RowChains()
    private var times = SlotArray<Int64>(fill: 0)
    private var marks = SlotArray<Int8>(fill: 0)
    private let schema: Schema
    private let part: String
    /// What is written beside each row: what its mark means.
    private let markName: String

    init(_ schema: Schema, part: String, mark: String, hostObjects: HostObjects?) {
        self.schema = schema
        self.part = part
        markName = mark
        slots = RowSlots(types: schema.types, hostObjects: hostObjects)
    }

    @inline(__always)
    func first(_ key: Int32) -> Int32 { chains.first(key) }
    @inline(__always)
    func last(_ key: Int32) -> Int32 { chains.last(key) }
    @inline(__always)
    func next(_ slot: Int32) -> Int32 { chains.next(slot) }
    @inline(__always)
    func previous(_ slot: Int32) -> Int32 { chains.previous(slot) }
    @inline(__always)
    func time(_ slot: Int32) -> Int64 { times[Int(slot)] }
    @inline(__always)
    func mark(_ slot: Int32) -> Int8 { marks[Int(slot)] }
    func setMark(_ slot: Int32, _ mark: Int8) { marks[Int(slot)] = mark }

    func append(_ slot: Int32, key: Int32, time: Int64, mark: Int8) { insert(slot, key, time, mark, behind: last(key)) }

    /// Behind those that are not later.
    func insertByTime(_ slot: Int32, key: Int32, time: Int64, mark: Int8) {
        var previous = last(key)
        while previous >= 0, times[Int(previous)] > time { previous = chains.previous(previous) }
        insert(slot, key, time, mark, behind: previous)
    }

    private func insert(_ slot: Int32, _ key: Int32, _ time: Int64, _ mark: Int8, behind previous: Int32) {
        times.reserve(Int(slot) + 1)
        marks.reserve(Int(slot) + 1)
        times[Int(slot)] = time
        marks[Int(slot)] = mark
        chains.insert(slot, behind: previous, key: key)
    }

    func remove(_ slot: Int32) {
        chains.remove(slot)
        slots.release(slot)
    }

    // MARK: Checkpoints

    private var stateFields: [Field] {
        [Field("time", DataType.bigInt.notNull), Field(markName, DataType.tinyInt.notNull)] + schema.fields.map { Field("record.\($0.name)", $0.type.nullable) }
    }

    var declaredPart: DeclaredPart { DeclaredPart(part, stateFields) }

    func snapshot(_ table: KeyTable, maxParallelism: Int, to writer: any StateWriter) throws(MillstreamError) {
        let (rows, keys) = chains.all(table.liveSlots())
        guard !rows.isEmpty else { return }
        let columns = [
            .int64s(rows.map { times[Int($0)] }), Column(type: DataType.tinyInt.notNull, count: rows.count, values: Buffer.copying(rows.map { marks[Int($0)] })),
        ] + (try slots.gather(rows))
        var part = KeyedPart(part, fields: stateFields)
        try part.add(keys, of: table, columns)
        try part.write(maxParallelism: maxParallelism, to: writer)
    }

    /// `body` gets the key and the time of each row.
    func restore(_ table: KeyTable, from reader: any StateReader, _ body: (Int32, Int64) -> Void) throws(MillstreamError) {
        try RestoredPart.forEachBlock(reader, part, keyTypes: table.types, fields: stateFields) { (part) throws(MillstreamError) in
            let keys = try part.slots(in: table)
            let given = try slots.add(Array(part.columns[2...]), count: part.count)
            let values = part.int64s(0)
            let own = UnsafeBufferPointer(start: UnsafePointer(part.columns[1].pointer(as: Int8.self)), count: part.count).map { $0 }
            for row in 0..<part.count {
                append(given[row], key: keys[row], time: values[row], mark: own[row])
                body(keys[row], values[row])
            }
        }
    }
}
