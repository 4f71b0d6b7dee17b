import Columnar
import Dataflow
import State
import TestColumns
import Testing

/// A table of keys with a row each, as a keyed operator has them, and the same as a copy made at once would be.
private final class Subject {
    static let keyTypes: [[DataType]] = [[.bigInt], [.string], [.bigInt, .string], [.int], [.double], [.boolean], [.bytes]]
    static let rowTypes: [[DataType]] = [
        [.bigInt, .bigInt], [.string, .int.notNull, .boolean, .bytes], [.tinyInt, .double, DataType(.decimal(precision: 30, scale: 2)), .float],
        [.string], (0..<70).map { $0 % 3 == 0 ? .smallInt : .string },
    ]

    let types: [DataType]
    let rows: [DataType]
    let table: KeyTable
    let store: RowStore
    /// Slots of a piece of a snapshot; nil: all are one.
    let pieceSlotCount: Int?
    var random: TestColumns.SeededRandom

    init(_ seed: Int) throws {
        random = TestColumns.SeededRandom(seed)
        types = Self.keyTypes[seed % Self.keyTypes.count]
        rows = Self.rowTypes[random.int(0..<Self.rowTypes.count)]
        table = try KeyTable(types: types)
        store = RowStore(types: rows, hostObjects: nil)
        pieceSlotCount = seed % 2 == 0 ? 256 : nil
    }

    private func scalar(_ type: DataType, _ number: Int, nulls: Bool) -> Scalar {
        if nulls, type.isNullable, number % 11 == 0 { return .null }
        switch type.kind {
        case .boolean: return .boolean(number & 1 == 0)
        case .float, .double: return .double(Double(number) / 4)
        case .decimal: return .decimal(Int128(number) << 40)
        case .tinyInt: return .int64(Int64(Int8(truncatingIfNeeded: number)))
        case .smallInt: return .int64(Int64(Int16(truncatingIfNeeded: number)))
        case .int: return .int64(Int64(Int32(truncatingIfNeeded: number)))
        case .varChar: return .string(String(repeating: "\(number % 10)", count: number % 3 == 0 ? number % 60 : number % 12) + "-\(number)")
        case .varBinary: return .bytes(Array("\(number)".utf8) + [UInt8](repeating: 7, count: number % 40))
        default: return .int64(Int64(number))
        }
    }

    private func columns(_ types: [DataType], _ numbers: [[Int]], nulls: Bool) throws -> [Column] {
        var result: [Column] = []
        for (place, type) in types.enumerated() {
            let builder = try ColumnBuilder.make(for: type)
            for row in numbers { try builder.append(scalar(type, row[place % row.count], nulls: nulls)) }
            result.append(builder.finish())
        }
        return result
    }

    private func slots(_ numbers: [Int], inserts: Bool) throws -> [Int32] {
        let keys = try columns(types, numbers.map { [$0, $0 / 3] }, nulls: true)
        let batch = Batch(schema: Schema(keys.enumerated().map { Field("k\($0.offset)", $0.element.type) }), columns: keys, count: numbers.count)
        let hashes = try #require(try batch.keyed(by: keys).keyHashes)
        var slots = [Int32](repeating: -1, count: numbers.count)
        try slots.withUnsafeMutableBufferPointer { target in
            guard let base = target.baseAddress else { return }
            let words = UnsafePointer(hashes.pointer(as: UInt64.self))
            if inserts {
                try table.lookup(keys: keys, hashes: words, count: numbers.count, slots: base)
            } else {
                try table.find(keys: keys, hashes: words, count: numbers.count, slots: base)
            }
        }
        withExtendedLifetime(hashes) {}
        return slots
    }

    private func distinct(_ slots: [Int32]) -> [Int32] {
        var seen = Set<Int32>()
        return slots.filter { $0 >= 0 && seen.insert($0).inserted }
    }

    /// Keys come, change and go.
    func mutate() throws {
        let range = 1..<(random.chance(50) && rows.count < 10 ? 900 : 150)
        switch random.int(0..<20) {
        case 0 where random.chance(20):
            store.removeAll()
            table.clear()
        case 0..<5:
            let erased = distinct(try slots((0..<random.int(0..<120)).map { _ in random.int(range) }, inserts: false))
            erased.withUnsafeBufferPointer { slots in
                guard let base = slots.baseAddress else { return }
                store.remove(base, count: slots.count)
                table.erase(slots: base, count: slots.count)
            }
        default:
            let changed = distinct(try slots((0..<random.int(1..<400)).map { _ in random.int(range) }, inserts: true))
            let values = try columns(rows, changed.map { _ in [random.int(0..<5_000), random.int(0..<5_000), random.int(0..<5_000)] }, nulls: true)
            try changed.withUnsafeBufferPointer { slots in try store.set(values, slots: slots.baseAddress!, count: slots.count) }
        }
    }

    /// What a checkpoint must have, as text: copied now.
    func copied() throws -> [String] {
        let pieceSlotCount = pieceSlotCount ?? .max
        return try Dictionary(grouping: table.liveSlots()) { Int($0) / pieceSlotCount }.sorted { $0.key < $1.key }.flatMap { try copied($0.value) }
    }

    private func copied(_ slots: [Int32]) throws -> [String] {
        let order = table.keyGroupOrder(of: slots, maxParallelism: 16)
        let columns = try table.keys(of: order) + (try order.slots.withUnsafeBufferPointer { try store.gather($0.baseAddress!, count: $0.count) })
        var lines: [String] = []
        for (group, part) in order.groups { for row in part { lines.append("\(group.value): " + columns.map { "\($0.scalar(at: row))" }.joined(separator: "|")) } }
        return lines
    }

    func snapshot() throws -> HeldSnapshot {
        let held = HeldSnapshot()
        let fields = rows.enumerated().map { Field("r\($0.offset)", $0.element.nullable) }
        #expect(try table.writeLater("part", fields: fields, rows: store, maxParallelism: 16, pieceSlotCount: pieceSlotCount, to: held))
        return held
    }
}

private final class Lines: StateWriter {
    var lines: [String] = []
    func write(_ name: String, keyGroup: KeyGroup?, batch: Batch) {
        for row in 0..<batch.count { lines.append("\(keyGroup?.value ?? -1): " + batch.columns.map { "\($0.scalar(at: row))" }.joined(separator: "|")) }
    }
    func write(_ name: String, keyGroup: KeyGroup?, bytes: [UInt8]) {}
}

/// A snapshot is what was there at the barrier, whatever happens to the state while it is copied.
@Suite struct FrozenPartTests {
    private func check(_ expected: [String], _ held: HeldSnapshot, _ context: String) throws {
        let found = Lines()
        try held.write(to: found)
        #expect(found.lines.count == expected.count, "\(context)")
        if let place = zip(found.lines, expected).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset {
            Issue.record("\(context), row \(place): '\(found.lines[place])' instead of '\(expected[place])'")
        }
    }

    /// Several snapshots at once; each is copied in steps of any size between the changes, or dropped, or written when the state is gone.
    @Test("Copied in steps between changes", arguments: 0..<56) func steps(seed: Int) throws {
        var subject: Subject? = try Subject(seed)
        var random = TestColumns.SeededRandom(seed + 1_000)
        var open: [(expected: [String], held: HeldSnapshot)] = []
        var checked = 0
        for step in 0..<60 {
            try subject?.mutate()
            if random.chance(15), let subject { open.append((try subject.copied(), try subject.snapshot())) }
            for place in open.indices where random.chance(50) {
                for _ in 0..<random.int(1..<6) { if try !open[place].held.advance(byteCount: random.int(1..<9_000)) { break } }
            }
            if random.chance(10), !open.isEmpty {
                let (expected, held) = open.remove(at: random.int(0..<open.count))
                if random.chance(20) { continue }
                try check(expected, held, "seed \(seed), step \(step)")
                checked += 1
            }
        }
        let rest = open
        open = []
        if seed % 2 == 0 { subject = nil }
        for (expected, held) in rest { try check(expected, held, "seed \(seed), at the end") }
        #expect(checked + rest.count > 0)
        withExtendedLifetime(subject) {}
    }

    @Test("Copied by another thread at the same time", arguments: 0..<14) func threads(seed: Int) async throws {
        let subject = try Subject(seed)
        for _ in 0..<40 { try subject.mutate() }
        for round in 0..<6 {
            let expected = try subject.copied()
            let held = try subject.snapshot()
            nonisolated(unsafe) let shared = held
            let copier = Task.detached { while try shared.advance(byteCount: 4_096) {} }
            for _ in 0..<20 { try subject.mutate() }
            try await copier.value
            try check(expected, held, "seed \(seed), round \(round)")
        }
    }
}
