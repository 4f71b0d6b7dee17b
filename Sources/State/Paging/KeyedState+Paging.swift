import Columnar
import Dataflow

/// The states of a process function's keys, in memory for the keys that were met lately and in a store for the others.
///
/// A key is one record of the store, with all its states: lists and maps are read and written whole. Timers, and the slots of keys that have some, stay in memory.
extension KeyedState {
    /// The store's name, and its part in a checkpoint.
    package static let storePart = "states"

    /// Whether states can leave memory.
    public var isPaged: Bool { pageStore != nil }

    /// Opens the store where the job has one; comes before anything is restored.
    public func openStore(_ context: OperatorContext) throws(MillstreamError) {
        let kept = stores.indices.filter { isPerKey[$0] }
        guard let opener = context.stores, let paging = context.paging else { return try StoredState.refuse(Self.storePart, context) }
        guard !kept.isEmpty else { return }
        if paging.objects == nil, kept.contains(where: { !types[$0].isNative }) {
            paging.warn(StoredState.staysInMemory(context, "its values are objects of a host that cannot be written"))
            return try StoredState.refuse(Self.storePart, context)
        }
        let found = try StoredState.find(Self.storePart, values: stateTexts, context)
        let store = try opener.open(context.storePlace(Self.storePart), from: found.stores)
        pageStore = PageStore(store: store, isUsed: !found.stores.isEmpty, keyTypes: found.keyTypes, context: context, paging: paging)
        if let types = found.keyTypes {
            let table = try KeyTable(types: types, hostObjects: hostObjects)
            try bindStore(to: table)
            self.table = table
        }
    }

    /// What a record's states are, in their order.
    private var stateTexts: [String] {
        stores.indices.filter { isPerKey[$0] }.map { Self.stateText(names[$0], stores[$0].kind, types[$0]) }
    }

    private static func stateText(_ name: String, _ kind: StateCells.Kind, _ types: StateTypes) -> String {
        "\(name) \(kind) \(types.value.nullable) \(types.key.map { "\($0.nullable)" } ?? "")"
    }

    /// The same before there is any state; nil for a kind that is not kept by key.
    package static func stateText(_ name: String, _ kind: Kind, _ types: StateTypes) -> String? {
        switch kind {
        case .value: stateText(name, StateCells.Kind.value, types)
        case .list: stateText(name, StateCells.Kind.list, types)
        case .map: stateText(name, StateCells.Kind.map, types)
        case .operatorState: nil
        }
    }

    /// The keys are those of a table now.
    func bindStore(to table: KeyTable) throws(MillstreamError) {
        guard let pageStore, pager == nil else { return }
        guard
            let made = KeyPager(
                store: pageStore.store, isStoreUsed: pageStore.isUsed, values: self, table: table, context: pageStore.context, paging: pageStore.paging)
        else {
            pageStore.paging.warn(
                StoredState.staysInMemory(pageStore.context, "its keys are of the types \(table.types.map { "\($0)" }.joined(separator: ", "))"))
            pageStore.store.close()
            self.pageStore = nil
            return
        }
        pager = made
    }

    /// Behind the look-up of a request's keys: their states come into memory.
    public func enter(_ slots: [Int32], in table: KeyTable) throws(MillstreamError) {
        guard pageStore != nil else { return }
        try bindStore(to: table)
        guard let pager else { return }
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            if let base = list.baseAddress { try pager.enter(base, count: list.count, changes: false) }
        }
    }

    /// Between two requests: states leave memory where it is over its bound.
    public func settle() throws(MillstreamError) { try pager?.settle() }

    public func closeStore() { pageStore?.store.close() }

    // MARK: Checkpoints

    /// Writes the states of keys where they are in a store. False: they are in memory.
    func snapshotStore(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) -> Bool {
        guard let pageStore else { return false }
        if pageStore.paging.isIncremental, !checkpoint.isSavepoint {
            try pager?.flush()
            let text = StoredState.text(keys: pager?.table.types ?? [], values: stateTexts)
            try writer.write(StoredState.typesPart(Self.storePart), keyGroup: nil, bytes: text)
            try writer.write(Self.storePart, files: try pageStore.store.files())
            return true
        }
        guard let pager else { return true }
        try pager.flush()
        let scan = try pager.scan()
        let states = stores.indices.filter { isPerKey[$0] }.map { RecordColumns.State(name: names[$0], kind: stores[$0].kind, types: types[$0]) }
        try writer.writeLater { (writer) throws(MillstreamError) in
            try scan.forEachChunk(decodesObjects: false) { (chunk) throws(MillstreamError) in
                try RecordColumns(states).write(chunk, to: writer)
            }
        }
        return true
    }
}

/// The store of a process function's states, before and after its keys' types are known.
struct PageStore {
    let store: any StateStore
    let isUsed: Bool
    let keyTypes: [DataType]?
    let context: OperatorContext
    let paging: StatePaging
}

extension StateTypes {
    /// Whether no value is an object of the host.
    fileprivate var isNative: Bool {
        StateColumns.stored(value).layout != .handles && (key.map { StateColumns.stored($0).layout != .handles } ?? true)
    }
}

// MARK: - Records

/// How a value lies in a record: a byte that says what it is, then 8 bytes, or a length and as many bytes.
private enum ValueTag {
    static let bool: UInt8 = 1
    static let int64: UInt8 = 2
    static let double: UInt8 = 3
    static let bytes: UInt8 = 4
    /// As the host writes it.
    static let object: UInt8 = 5
}

extension KeyedState: PagedValues {
    func contains(_ slot: Int) -> Bool {
        for (index, cells) in stores.enumerated() where isPerKey[index] && cells.isUsed(slot) { return true }
        return false
    }

    /// Timers name slots.
    func keepsKey(_ slot: Int) -> Bool { slot < uses.capacity && uses[slot] > 0 }

    func byteCount(of slots: [Int32]) -> Int {
        var total = 0
        for (index, cells) in stores.enumerated() where isPerKey[index] {
            for slot in slots { total += cells.byteCount(Int(slot)) }
        }
        return total
    }

    func forget(_ slots: [Int32]) {
        for (index, cells) in stores.enumerated() where isPerKey[index] {
            for slot in slots where cells.isUsed(Int(slot)) {
                cells.take(Int(slot)) { discard($0) }
                uses[Int(slot)] -= 1
            }
        }
        releaseGarbage()
    }

    func encode(_ slots: [Int32], into rows: PackedBytes) throws(MillstreamError) {
        let kept = stores.indices.filter { isPerKey[$0] }
        var objects = RecordObjects(try encodeObjects(of: slots, kept))
        rows.removeAll()
        var record: [UInt8] = []
        for slot in slots {
            record.removeAll(keepingCapacity: true)
            for (number, index) in kept.enumerated() where stores[index].isUsed(Int(slot)) {
                record.append(UInt8(truncatingIfNeeded: number))
                record.append(UInt8(truncatingIfNeeded: number >> 8))
                switch stores[index].kind {
                case .value: put(stores[index].values[Int(slot)], &record, &objects)
                case .list:
                    putCount(stores[index].lists[Int(slot)].count, &record)
                    for element in stores[index].lists[Int(slot)] { put(element, &record, &objects) }
                case .map:
                    putCount(stores[index].maps[Int(slot)].count, &record)
                    stores[index].maps[Int(slot)].forEachHashed { (hash, key, value) in
                        putWord(hash, &record)
                        put(key, &record, &objects)
                        put(value, &record, &objects)
                    }
                }
            }
            rows.append(record)
        }
    }

    /// The values of the host that the slots have, in the order in which records have them, as the host writes them.
    private func encodeObjects(of slots: [Int32], _ kept: [Int]) throws(MillstreamError) -> Column? {
        guard let hostObjects, let coding = pageStore?.paging.objects else { return nil }
        var handles: [HostObjects.Handle?] = []
        func note(_ value: StateValue?) { if case .object(let handle)? = value { handles.append(handle.pointer) } }
        let holders = kept.filter { !types[$0].isNative }
        guard !holders.isEmpty else { return nil }
        for slot in slots {
            for index in holders where stores[index].isUsed(Int(slot)) {
                switch stores[index].kind {
                case .value: note(stores[index].values[Int(slot)])
                case .list: for element in stores[index].lists[Int(slot)] { note(element) }
                case .map:
                    stores[index].maps[Int(slot)].forEachHashed { (_, key, value) in
                        note(key)
                        note(value)
                    }
                }
            }
        }
        guard !handles.isEmpty else { return nil }
        // Borrowed: the cells have the references.
        let borrowed = Column(type: DataType.object, count: handles.count, values: Buffer.copying(handles.map { UInt(bitPattern: $0) }), hostObjects: hostObjects)
        return try coding.encode(borrowed)
    }

    private func put(_ value: StateValue?, _ record: inout [UInt8], _ objects: inout RecordObjects) {
        switch value {
        case .bool(let flag)?:
            record.append(ValueTag.bool)
            record.append(flag ? 1 : 0)
        case .int64(let number)?:
            record.append(ValueTag.int64)
            putWord(UInt64(bitPattern: number), &record)
        case .double(let number)?:
            record.append(ValueTag.double)
            putWord(number.bitPattern, &record)
        case .bytes(let bytes)?:
            record.append(ValueTag.bytes)
            putCount(bytes.count, &record)
            record.append(contentsOf: bytes)
        case .object?:
            record.append(ValueTag.object)
            objects.putNext(&record)
        case nil: break
        }
    }

    func decode(_ rows: UnsafePointer<UnsafeRawBufferPointer>, slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) {
        let kept = stores.indices.filter { isPerKey[$0] }
        let kinds = kept.map { stores[$0].kind }
        // The host's values of all records at once, then the records.
        var written = ViewBuilder()
        for row in 0..<count {
            var reader = StateRecordReader(rows[row])
            try reader.forEachValue(kinds) { (value) throws(MillstreamError) in
                if case .object(let bytes) = value { try written.append(bytes) }
            }
        }
        var objects: [StateValue] = []
        if written.count > 0 {
            guard let coding = pageStore?.paging.objects else { throw RowCoding.damage }
            let column = try coding.decode(written.finish(type: DataType.bytes))
            objects = try StateColumns.values(column, declared: .object, state: Self.storePart)
        }
        var end = 0
        for row in 0..<count { end = max(end, Int(slots[row]) + 1) }
        uses.reserve(end)
        for index in kept { stores[index].reserve(end) }
        var next = 0
        func made(_ value: StateRecordReader.Value) -> StateValue {
            switch value {
            case .bool(let flag): return .bool(flag)
            case .int64(let number): return .int64(number)
            case .double(let number): return .double(number)
            case .bytes(let bytes): return .bytes(Array(bytes))
            case .object:
                next += 1
                return objects[next - 1]
            }
        }
        for row in 0..<count {
            let slot = Int(slots[row])
            var reader = StateRecordReader(rows[row])
            while let number = try reader.state(kinds.count) {
                let cells = stores[kept[number]]
                uses[slot] += 1
                switch cells.kind {
                case .value: cells.values[slot] = made(try reader.value())
                case .list:
                    let elementCount = try reader.count()
                    cells.lists[slot].reserveCapacity(elementCount)
                    for _ in 0..<elementCount { cells.lists[slot].append(made(try reader.value())) }
                case .map:
                    for _ in 0..<(try reader.count()) {
                        let hash = try reader.word()
                        let key = made(try reader.value())
                        cells.maps[slot].append(hash, key, made(try reader.value()))
                    }
                }
            }
        }
    }
}

private func putWord(_ word: UInt64, _ record: inout [UInt8]) { withUnsafeBytes(of: word.littleEndian) { record.append(contentsOf: $0) } }
private func putCount(_ count: Int, _ record: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(truncatingIfNeeded: count).littleEndian) { record.append(contentsOf: $0) }
}

/// The written values of the host on their way into records, in order.
private struct RecordObjects {
    private let column: Column?
    private var next = 0

    init(_ column: Column?) { self.column = column }

    mutating func putNext(_ record: inout [UInt8]) {
        guard let column, next < column.count else { return putCount(0, &record) }
        let bytes = column.bytes(next)
        putCount(bytes.count, &record)
        record.append(contentsOf: bytes)
        next += 1
    }
}

/// Reads a record from front to back. Throws `decode` for what is none.
struct StateRecordReader {
    enum Value {
        case bool(Bool), int64(Int64), double(Double)
        case bytes(UnsafeRawBufferPointer), object(UnsafeRawBufferPointer)
    }

    private let record: UnsafeRawBufferPointer
    private var place = 0

    init(_ record: UnsafeRawBufferPointer) { self.record = record }

    private mutating func take(_ count: Int) throws(MillstreamError) -> Int {
        guard count >= 0, count <= record.count - place else { throw RowCoding.damage }
        defer { place += count }
        return place
    }

    /// The number of the next state; nil at the end.
    mutating func state(_ stateCount: Int) throws(MillstreamError) -> Int? {
        if place == record.count { return nil }
        let number = Int(UInt16(littleEndian: record.loadUnaligned(fromByteOffset: try take(2), as: UInt16.self)))
        guard number < stateCount else { throw RowCoding.damage }
        return number
    }

    mutating func count() throws(MillstreamError) -> Int {
        let count = Int(UInt32(littleEndian: record.loadUnaligned(fromByteOffset: try take(4), as: UInt32.self)))
        // Each takes at least two bytes.
        guard count <= record.count - place else { throw RowCoding.damage }
        return count
    }

    mutating func word() throws(MillstreamError) -> UInt64 { UInt64(littleEndian: record.loadUnaligned(fromByteOffset: try take(8), as: UInt64.self)) }

    mutating func value() throws(MillstreamError) -> Value {
        let tag = record[try take(1)]
        switch tag {
        case ValueTag.bool: return .bool(record[try take(1)] != 0)
        case ValueTag.int64: return .int64(Int64(bitPattern: try word()))
        case ValueTag.double: return .double(Double(bitPattern: try word()))
        case ValueTag.bytes, ValueTag.object:
            let length = Int(UInt32(littleEndian: record.loadUnaligned(fromByteOffset: try take(4), as: UInt32.self)))
            let start = try take(length)
            let bytes = UnsafeRawBufferPointer(rebasing: record[start..<start + length])
            return tag == ValueTag.bytes ? .bytes(bytes) : .object(bytes)
        default: throw RowCoding.damage
        }
    }

    /// All values in order; of maps key, value, key, value.
    mutating func forEachValue(_ kinds: [StateCells.Kind], _ body: (Value) throws(MillstreamError) -> Void) throws(MillstreamError) {
        while let number = try state(kinds.count) {
            switch kinds[number] {
            case .value: try body(try value())
            case .list: for _ in 0..<(try count()) { try body(try value()) }
            case .map:
                for _ in 0..<(try count()) {
                    _ = try word()
                    try body(try value())
                    try body(try value())
                }
            }
        }
    }
}

/// Records as the typed columns of a checkpoint, state by state, without the host: its values are written already.
private struct RecordColumns {
    struct State: Sendable {
        let name: String
        let kind: StateCells.Kind
        let types: StateTypes
    }

    private let states: [State]
    /// For each state the records that its rows come from, and the columns' values.
    private var rows: [[Int32]]
    private var first: [[StateRecordReader.Value]]
    private var second: [[StateRecordReader.Value]]

    init(_ states: [State]) {
        self.states = states
        rows = states.map { _ in [] }
        first = states.map { _ in [] }
        second = first
    }

    mutating func read(_ records: [UnsafeRawBufferPointer]) throws(MillstreamError) {
        for (number, record) in records.enumerated() {
            var reader = StateRecordReader(record)
            let row = Int32(truncatingIfNeeded: number)
            while let state = try reader.state(states.count) {
                switch states[state].kind {
                case .value:
                    rows[state].append(row)
                    first[state].append(try reader.value())
                case .list:
                    for _ in 0..<(try reader.count()) {
                        rows[state].append(row)
                        first[state].append(try reader.value())
                    }
                case .map:
                    for _ in 0..<(try reader.count()) {
                        _ = try reader.word()
                        rows[state].append(row)
                        first[state].append(try reader.value())
                        second[state].append(try reader.value())
                    }
                }
            }
        }
    }

    func write(_ chunk: StoreScan.Chunk, to writer: any StateWriter) throws(MillstreamError) {
        var all = self
        try all.read(chunk.rows)
        for (number, state) in states.enumerated() where !all.rows[number].isEmpty {
            let isWhole = state.kind == .value && all.rows[number].count == chunk.count
            var keys = chunk.keys
            if !isWhole {
                let rows = Selection(all.rows[number])
                keys = []
                for key in chunk.keys { keys.append(try key.takingWritten(rows)) }
            }
            let firstType = state.kind == .map ? state.types.key ?? .object : state.types.value
            var columns = [try column(all.first[number], firstType, state.name)]
            if state.kind == .map { columns.append(try column(all.second[number], state.types.value, state.name)) }
            let fields = zip(KeyedState.fields(state.kind), columns).map { Field($0, $1.type) }
            try writer.write(
                KeyedState.partPrefix + state.name, keyGroup: chunk.group,
                batch: StoredState.batch(chunk, fields, columns, keys: keys, count: all.rows[number].count))
        }
    }

    private func column(_ values: [StateRecordReader.Value], _ declared: DataType, _ state: String) throws(MillstreamError) -> Column {
        guard StateColumns.stored(declared).layout == .handles else {
            return try StateColumns.column(values.count, type: declared, state: state, hostObjects: nil) { row in
                switch values[row] {
                case .bool(let flag): .bool(flag)
                case .int64(let number): .int64(number)
                case .double(let number): .double(number)
                case .bytes(let bytes): .bytes(Array(bytes))
                case .object: nil
                }
            }
        }
        var builder = ViewBuilder()
        try builder.reserve(values.count)
        for value in values {
            guard case .object(let bytes) = value else { throw RowCoding.damage }
            try builder.append(bytes)
        }
        return Column(type: DataType.object.notNull, count: values.count, values: nil, children: [builder.finish(type: DataType.bytes)])
    }
}

extension Column {
    /// Some rows, also of a column of host values that are written already.
    fileprivate func takingWritten(_ rows: Selection) throws(MillstreamError) -> Column {
        guard type.layout == .handles, let written = children.first else { return try taking(rows) }
        return Column(type: type, count: rows.count, values: nil, children: [try written.slice(offset, count).taking(rows)])
    }
}
