import Columnar
import Dataflow
import State
import Testing

/// What the model of a key table keys by: the scalars, with one zero and one NaN, and host values by what they hold.
private func modelKey(_ columns: [Column], _ row: Int) -> String {
    columns.map { column in
        switch column.scalar(at: row) {
        case .double(let value): "d\(StableHash.canonicalBits(value))"
        case .object(let object): object.handle.map { "o\(box($0).pointee.value)" } ?? "null"
        case .int64(let value): "i\(value)"
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case let scalar: "\(scalar)"
        }
    }.joined(separator: "|")
}

private func column(_ type: DataType, _ scalars: [Scalar]) throws -> Column {
    let builder = try ColumnBuilder.make(for: type, hostObjects: countedObjects)
    for scalar in scalars { try builder.append(scalar) }
    return builder.finish()
}

/// Makes random keys of some type; few enough that they repeat.
private struct RandomKeys {
    var random: SeededRandom
    let types: [DataType]
    let domain: UInt64
    var boxes: [HostObjects.Handle] = []

    mutating func columns(_ count: Int) throws -> [Column] {
        var result: [Column] = []
        for type in types {
            if type.kind == .object {
                var handles: [HostObjects.Handle?] = []
                for _ in 0..<count {
                    if random.next(below: 20) == 0 {
                        handles.append(nil)
                        continue
                    }
                    let handle = makeBox(Int64(random.next(below: domain)))
                    boxes.append(handle)
                    handles.append(handle)
                }
                result.append(try objectColumn(handles))
                continue
            }
            var scalars: [Scalar] = []
            for _ in 0..<count { scalars.append(scalar(type)) }
            result.append(try column(type, scalars))
        }
        return result
    }

    private mutating func scalar(_ type: DataType) -> Scalar {
        if type.isNullable, random.next(below: 20) == 0 { return .null }
        let number = Int64(random.next(below: domain)) - 3
        switch type.kind {
        case .boolean: return .boolean(number & 1 == 0)
        case .float, .double:
            if number == 0 { return .double(random.next(below: 2) == 0 ? 0.0 : -0.0) }
            if number == 1 { return .double(random.next(below: 2) == 0 ? .nan : -.nan) }
            return .double(Double(number) / 4)
        case .decimal: return .decimal(Int128(number) << 3)
        case .tinyInt: return .int64(Int64(Int8(truncatingIfNeeded: number)))
        case .smallInt: return .int64(Int64(Int16(truncatingIfNeeded: number)))
        case .varChar: return .string(number % 3 == 0 ? "k\(number)" : "a longer key with number \(number)")
        case .array: return .list([.int64(number), .null])
        case .row: return .row([.int64(number & 7), .string("r\(number)")])
        default: return .int64(number)
        }
    }
}

private let keyTypes: [[DataType]] = [
    [.boolean], [.tinyInt], [.smallInt], [.int], [.bigInt], [.bigInt.notNull], [.float], [.double], [.date], [.string], [.string.notNull],
    [DataType(.decimal(precision: 20, scale: 2))], [.object], [DataType(.array(.int))],
    [DataType(.row([Field("a", .int), Field("b", .string)]))], [.int, .string], [.bigInt, .object, .double], [],
    [DataType(.decimal(precision: 20, scale: 2)).notNull, .boolean], [.tinyInt, .boolean], [.float, .double, .smallInt.notNull], [.string, .string, .date],
    [.int, .int, .int, .int, .int, .int, .int, .int, .string, .boolean], [.boolean, DataType(.array(.int))],
]

@Suite struct KeyTableTests {
    /// Random look-ups and erasures agree with a dictionary, whatever the hashes are worth.
    @Test(arguments: keyTypes, [UInt64.max, 0xf, 0xffff_ffff_0000_003f]) func agreesWithAModel(types: [DataType], hashMask: UInt64) throws {
        var keys = RandomKeys(random: SeededRandom(seed: 7), types: types, domain: hashMask == 0xf ? 40 : 900)
        let table = try KeyTable(types: types, hostObjects: countedObjects, hashMask: hashMask)
        var slotOf: [String: Int32] = [:]
        var keyOf: [Int32: String] = [:]
        for step in 0..<44 {
            let offset = Int(keys.random.next(below: 5))
            let count = step == 5 ? 0 : Int(keys.random.next(below: step % 11 == 0 ? 2_600 : 250))
            let columns = try keys.columns(count + offset).map { $0.slice(offset, count) }
            let hashes = Buffer(byteCount: 8 * count)
            try hash(columns: columns, count: count, selection: nil, into: hashes.pointer(as: UInt64.self))
            for row in 0..<count { hashes.pointer(as: UInt64.self)[row] &= hashMask }
            var slots = [Int32](repeating: -7, count: count)
            if step % 4 == 3 {
                try slots.withUnsafeMutableBufferPointer {
                    try table.find(keys: columns, hashes: hashes.pointer(as: UInt64.self), count: count, slots: $0.baseAddress!)
                }
                #expect((0..<count).allSatisfy { slots[$0] == slotOf[modelKey(columns, $0)] ?? -1 })
            } else {
                let before = table.count
                let new = try slots.withUnsafeMutableBufferPointer {
                    try table.lookup(keys: columns, hashes: hashes.pointer(as: UInt64.self), count: count, slots: $0.baseAddress!)
                }
                var expectedNew: [Int32] = []
                var isRight = true
                for row in 0..<count {
                    let key = modelKey(columns, row)
                    if let known = slotOf[key] {
                        isRight = isRight && known == slots[row]
                    } else {
                        isRight = isRight && keyOf[slots[row]] == nil
                        slotOf[key] = slots[row]
                        keyOf[slots[row]] = key
                        expectedNew.append(slots[row])
                    }
                }
                #expect(isRight)
                #expect(expectedNew == table.newSlots && new == expectedNew.count && table.count == before + new)
            }
            if step % 5 == 0 { try check(table, keyOf) }
            let doomed = table.liveSlots().filter { _ in keys.random.next(below: step % 10 == 9 ? 2 : 9) == 0 }
            doomed.withUnsafeBufferPointer { if let base = $0.baseAddress { table.erase(slots: base, count: $0.count) } }
            for slot in doomed { if let key = keyOf.removeValue(forKey: slot) { slotOf[key] = nil } }
            if step == 40 {
                table.clear()
                slotOf = [:]
                keyOf = [:]
                #expect(table.count == 0 && table.liveSlots().isEmpty)
            }
        }
        try check(table, keyOf)
        table.clear()
        #expect(keys.boxes.allSatisfy { box($0).pointee.references == 0 })
    }

    private func check(_ table: KeyTable, _ keyOf: [Int32: String]) throws {
        let live = table.liveSlots()
        #expect(live == keyOf.keys.sorted())
        let gathered = try live.withUnsafeBufferPointer { slots in
            guard let base = slots.baseAddress, slots.count > 0 else { return [Column]() }
            return try table.keys(slots: base, count: slots.count)
        }
        guard !gathered.isEmpty else { return }
        #expect(live.indices.allSatisfy { modelKey(gathered, $0) == keyOf[live[$0]] })
    }

    @Test func aFailedComparisonIsTheUsersError() throws {
        let table = try KeyTable(types: [.object], hostObjects: countedObjects)
        let handles = [makeBox(incomparableValue), makeBox(incomparableValue)]
        let column = try objectColumn(handles)
        let hashes: [UInt64] = [1, 1]
        var slots: [Int32] = [0, 0]
        let error = #expect(throws: MillstreamError.self) {
            try table.lookup(keys: [column], hashes: hashes, count: 2, slots: &slots)
        }
        #expect(error?.code == .userFunction)
        #expect(box(handles[0]).pointee.references == 2)
    }

    @Test func slotsKnowTheirKeyGroup() throws {
        let table = try KeyTable(types: [.bigInt])
        let column = try column(.bigInt, (0..<500).map { .int64($0) })
        let hashes = Buffer(byteCount: 8 * 500)
        try hash(columns: [column], count: 500, selection: nil, into: hashes.pointer(as: UInt64.self))
        var slots = [Int32](repeating: 0, count: 500)
        try table.lookup(keys: [column], hashes: hashes.pointer(as: UInt64.self), count: 500, slots: &slots)
        for row in stride(from: 0, to: 500, by: 50) {
            let expected = KeyGroup.index(hash: StableHash.hash(Int64(row)), maxParallelism: 128)
            #expect(table.keyGroup(Int(slots[row]), maxParallelism: 128) == expected)
            #expect(table.hash(Int(slots[row])) == StableHash.hash(Int64(row)))
        }
    }
}
