import Columnar
import Dataflow
import State
import Testing

private let rowTypes: [DataType] = [
    .bigInt, .object, .boolean, .string, .tinyInt, .smallInt, .int.notNull, .float, .double, DataType(.decimal(precision: 30, scale: 2)), .bytes, .date,
]
private let nestedTypes: [DataType] = [.int, DataType(.array(.string)), .object, DataType(.row([Field("a", .bigInt), Field("b", .string)])), .null]
private let manyTypes: [DataType] = (0..<130).map { $0 % 5 == 0 ? .boolean : $0 % 5 == 1 ? .string : $0 % 7 == 3 ? .tinyInt : .bigInt }

private func text(_ column: Column, _ row: Int) -> String {
    switch column.scalar(at: row) {
    case .object(let object): object.handle.map { "o\(box($0).pointee.value)" } ?? "null"
    case .double(let value): "d\(value)"
    case let scalar: "\(scalar)"
    }
}

/// Makes random columns, and remembers the boxes in them.
private final class RandomRows {
    let random: SeededRandom
    var boxes: [HostObjects.Handle] = []

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    func column(_ type: DataType, _ count: Int) throws -> Column {
        if type.kind == .object { return try objectColumn((0..<count).map { _ in random.next(below: 9) == 0 ? nil : newBox() }) }
        let builder = try ColumnBuilder.make(for: type, hostObjects: countedObjects)
        for _ in 0..<count { try builder.append(scalar(type)) }
        return builder.finish()
    }

    func newBox() -> HostObjects.Handle {
        boxes.append(makeBox(Int64(boxes.count)))
        return boxes[boxes.count - 1]
    }

    private func scalar(_ type: DataType) -> Scalar {
        if type.kind == .null || (type.isNullable && random.next(below: 7) == 0) { return .null }
        let number = Int64(truncatingIfNeeded: random.next(below: 1 << 40)) - (1 << 39)
        switch type.kind {
        case .boolean: return .boolean(number & 1 == 0)
        case .float, .double: return .double(Double(number % 1_000) / 4)
        case .decimal: return .decimal(Int128(number) << 40)
        case .tinyInt: return .int64(Int64(Int8(truncatingIfNeeded: number)))
        case .smallInt: return .int64(Int64(Int16(truncatingIfNeeded: number)))
        case .int, .date: return .int64(Int64(Int32(truncatingIfNeeded: number)))
        case .varChar:
            // Longer and shorter than what was in the place before, by little and by much.
            let text = String(repeating: "\(number % 10)", count: Int(number & (number & 16 == 0 ? 31 : 511)))
            return .string(number % 4 == 0 ? "" : number % 4 == 1 ? "s\(number % 99)" : text)
        case .varBinary: return .bytes([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: Int(number & (number & 32 == 0 ? 31 : 511))))
        case .array: return .list([.string("e\(number)"), .null, .string("an element that is not inline")])
        case .row: return .row([.int64(number), .string("a field that is not inline \(number)")])
        default: return .int64(number)
        }
    }
}

/// A store beside what it should hold.
private struct ModelledStore {
    let types: [DataType]
    let store: RowStore
    var rows: [Int32: [String]] = [:]

    init(_ types: [DataType]) {
        self.types = types
        store = RowStore(types: types, hostObjects: countedObjects)
    }

    mutating func set(_ columns: [Column], _ slots: [Int32]) throws {
        try slots.withUnsafeBufferPointer { if let base = $0.baseAddress { try store.set(columns, slots: base, count: $0.count) } }
        for (row, slot) in slots.enumerated() { rows[slot] = columns.map { text($0, row) } }
    }

    func gather(_ slots: [Int32]) throws -> [Column] {
        try slots.withUnsafeBufferPointer { try store.gather($0.baseAddress.unsafelyUnwrapped, count: $0.count) }
    }

    mutating func remove(_ slots: [Int32]) {
        slots.withUnsafeBufferPointer { if let base = $0.baseAddress { store.remove(base, count: $0.count) } }
        for slot in slots { rows[slot] = nil }
    }

    /// Whether a gathered batch is what the model says, absent slots being rows of nulls.
    func agrees(_ columns: [Column], _ slots: [Int32]) -> Bool {
        guard columns.count == types.count, columns.allSatisfy({ $0.count == slots.count }) else { return false }
        return slots.indices.allSatisfy { row in
            let expected = rows[slots[row]]
            return columns.indices.allSatisfy { position in
                expected.map { $0[position] == text(columns[position], row) } ?? columns[position].isNull(row)
            }
        }
    }
}

private func distinctSlots(_ random: SeededRandom, below limit: UInt64, _ count: Int) -> [Int32] {
    var seen: Set<Int32> = []
    var result: [Int32] = []
    for _ in 0..<count {
        let slot = Int32(random.next(below: limit))
        if seen.insert(slot).inserted { result.append(slot) }
    }
    return result
}

@Suite struct RowStoreTests {
    /// Random writes, reads and removals agree with a dictionary, and no reference is lost or given back twice.
    @Test(arguments: [rowTypes, nestedTypes, manyTypes, [.object], [.bigInt], []], [UInt64(40), 5_000])
    func agreesWithAModel(types: [DataType], slotLimit: UInt64) throws {
        let rows = RandomRows(seed: slotLimit)
        var model = ModelledStore(types)
        for step in 0..<60 {
            var slots = distinctSlots(rows.random, below: slotLimit, Int(rows.random.next(below: types.count > 100 ? 20 : 150)))
            let offset = Int(rows.random.next(below: 4))
            var columns: [Column] = []
            for type in types { columns.append(try rows.column(type, slots.count + offset).slice(offset, slots.count)) }
            try model.set(columns, slots)
            columns = []
            slots = (0..<100).map { _ in Int32(rows.random.next(below: slotLimit + 20)) }
            #expect(model.agrees(try model.gather(slots), slots), "step \(step)")
            model.remove(distinctSlots(rows.random, below: slotLimit + 30, Int(rows.random.next(below: 40))))
            if step == 30 {
                model.store.removeAll()
                model.rows = [:]
            }
            #expect(model.store.count == model.rows.count || types.isEmpty)
            #expect((0..<Int32(slotLimit) + 40).allSatisfy { model.store.contains(Int($0)) == (model.rows[$0] != nil) })
            let held = model.rows.count * types.count { $0.kind == .object }
            let references = rows.boxes.reduce(0) { $0 + box($1).pointee.references }
            #expect(references <= held && rows.boxes.allSatisfy { box($0).pointee.references >= 0 })
        }
        model = ModelledStore(types)
        #expect(rows.boxes.allSatisfy { box($0).pointee.references == 0 })
    }

    /// A column that owns its handles gives them to the store, without a call to the host; one that does not leaves them where they are.
    @Test func referencesAreTakenOverOnce() throws {
        let handles = (0..<4).map { makeBox(Int64($0)) }
        do {
            var first: RowStore? = RowStore(types: [.object, .object], hostObjects: countedObjects)
            var second: RowStore? = RowStore(types: [.object], hostObjects: countedObjects)
            let column = try objectColumn([handles[0], nil, handles[1], handles[2]])
            let slots: [Int32] = [3, 2, 1, 0]
            try first?.set([column, column], slots: slots, count: 4)
            #expect(handles.map { box($0).pointee.references } == [2, 2, 2, 1])
            try second?.set([column], slots: slots, count: 4)
            #expect(handles.map { box($0).pointee.references } == [3, 3, 3, 1])
            second = nil
            first = nil
            // The stores gave their rows up; the column goes on borrowing what it handed over.
            #expect(handles.prefix(3).allSatisfy { box($0).pointee.references > 0 })
            #expect(text(column, 0) == "o0" && text(column, 3) == "o2")
        }
        #expect(handles.map { box($0).pointee.references } == [0, 0, 0, 1])
    }

    @Test func handedOverHandlesGoWhenTheColumnAndTheStoreHaveGone() throws {
        let handles = (0..<3).map { makeBox(Int64($0)) }
        do {
            let store = RowStore(types: [.object], hostObjects: nil)
            try store.set([try objectColumn(handles.map { $0 })], slots: [0, 1, 2], count: 3)
            #expect(handles.allSatisfy { box($0).pointee.references == 1 })
            store.removeAll()
            #expect(handles.allSatisfy { box($0).pointee.references == 0 })
        }
        #expect(handles.allSatisfy { box($0).pointee.references == 0 })
    }

    /// What was gathered stays valid when its rows are replaced, removed, or the store goes.
    @Test func lentHandlesOutliveTheirRows() throws {
        var store: RowStore? = RowStore(types: [.object], hostObjects: countedObjects)
        var handles: [HostObjects.Handle] = []
        var lent: [Column] = []
        for round in 0..<20 {
            let new = (0..<5).map { makeBox(Int64(round * 5 + $0)) }
            handles += new
            try store?.set([try objectColumn(new.map { $0 })], slots: [0, 1, 2, 3, 4], count: 5)
            lent += try store?.gather([4, 3, 2, 1, 0], count: 5) ?? []
        }
        #expect(handles.allSatisfy { box($0).pointee.references == 1 })
        store?.remove([1], count: 1)
        store = nil
        for (round, column) in lent.enumerated() { #expect((0..<5).allSatisfy { text(column, $0) == "o\(round * 5 + 4 - $0)" }) }
        #expect(handles.allSatisfy { box($0).pointee.references == 1 })
        // Dropped in the order in which they were lent, references go with the first that needs them no more.
        lent.removeFirst(10)
        #expect(handles.prefix(50).allSatisfy { box($0).pointee.references == 0 })
        #expect(handles.suffix(50).allSatisfy { box($0).pointee.references == 1 })
        lent = []
        #expect(handles.allSatisfy { box($0).pointee.references == 0 })
    }

    /// One column that is kept for long makes a long chain of loans, which must not overflow the stack when it goes.
    @Test func aLongChainOfLoansIsDropped() throws {
        let store = RowStore(types: [.object], hostObjects: countedObjects)
        let handle = makeBox(1)
        try store.set([try objectColumn([handle])], slots: [0], count: 1)
        var kept: [Column] = try store.gather([0], count: 1)
        let rounds = 300_000
        for _ in 0..<rounds {
            box(handle).pointee.references += 1
            try store.set([try objectColumn([handle])], slots: [0], count: 1)
        }
        #expect(box(handle).pointee.references == rounds + 1)
        kept = []
        #expect(box(handle).pointee.references == 1 && kept.isEmpty)
    }

    /// Rows come in bulk, as those of a checkpoint do, into memory for which another thread asks the kernel at the same time; then they are written again.
    @Test func rowsInBulk() throws {
        let count = 150_000, columnCount = 69, textColumn = 3, nullColumn = 68
        let types: [DataType] = (0..<columnCount).map { $0 == textColumn ? .string : .bigInt }
        func columns(_ rows: Range<Int>, _ salt: Int) throws -> [Column] {
            try (0..<columnCount).map { place in
                if place != textColumn, place != nullColumn {
                    return Column(type: .bigInt, count: rows.count, values: Buffer.copying(rows.map { Int64($0 * columnCount + place + salt) }))
                }
                let builder = try ColumnBuilder.make(for: types[place])
                for row in rows {
                    let isNull = place == nullColumn && row % 5 == salt % 5
                    try builder.append(isNull ? .null : place == textColumn ? .string("text \(salt) of the row \(row)") : .int64(Int64(row)))
                }
                return builder.finish()
            }
        }
        func check(_ store: RowStore, _ salt: Int) throws {
            #expect(store.count == count)
            for start in stride(from: 0, to: count, by: 10_000) {
                let slots = (start..<start + 10_000).map { Int32($0) }
                let found = try slots.withUnsafeBufferPointer { try store.gather($0.baseAddress!, count: slots.count) }
                let expected = try columns(start..<start + 10_000, salt)
                for (left, right) in zip(found, expected) {
                    guard let row = slots.indices.first(where: { left.scalar(at: $0) != right.scalar(at: $0) }) else { continue }
                    Issue.record("slot \(slots[row]): \(left.scalar(at: row)) instead of \(right.scalar(at: row))")
                    return
                }
            }
        }
        let store = RowStore(types: types, hostObjects: nil)
        for salt in [0, 1] {
            try store.filling(count) {
                for start in stride(from: 0, to: count, by: 25_000) {
                    let slots = (start..<start + 25_000).map { Int32($0) }
                    let values = try columns(start..<start + 25_000, salt)
                    try slots.withUnsafeBufferPointer { try store.set(values, slots: $0.baseAddress!, count: slots.count) }
                }
            }
            try check(store, salt)
        }
    }

    @Test func otherTypesAreRefused() throws {
        let store = RowStore(types: [.bigInt, .string], hostObjects: nil)
        let rows = RandomRows(seed: 1)
        let columns = [try rows.column(.bigInt, 1), try rows.column(.int, 1)]
        #expect(throws: MillstreamError.self) { try store.set(columns, slots: [0], count: 1) }
        #expect(throws: MillstreamError.self) { try store.set([columns[0]], slots: [0], count: 1) }
        #expect(store.count == 0 && !store.contains(0))
    }
}
