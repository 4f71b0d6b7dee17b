import Columnar
import Dataflow
import Glibc
import State
import Testing

/// What every store must do: the ones in memory and in RocksDB beside a plain dictionary, under drawn batches.
@Suite struct StateStoreTests {
    enum Kind: CaseIterable { case memory, rocks }

    static func stores(_ kind: Kind) throws -> any StateStores {
        switch kind {
        case .memory: return MemoryStores()
        case .rocks:
            // Small, so that a few hundred batches make files, levels and compactions.
            var settings = RocksDBSettings()
            settings.memoryByteCount = 16 << 20
            settings.writeBufferByteCount = 1 << 16
            settings.fileByteCount = 1 << 20
            settings.levelBaseByteCount = 1 << 20
            return try RocksDBStores(settings)
        }
    }

    static func place(_ subtask: Int = 0, of parallelism: Int = 1) -> StorePlace {
        StorePlace(
            jobID: "job", operatorID: OperatorID("op"), subtask: SubtaskIndex(subtask), name: "keyed",
            keyGroups: KeyGroup.range(subtask: subtask, parallelism: parallelism, maxParallelism: StoreModel.groupCount))
    }

    @Test("A store gives what a dictionary gives", arguments: Kind.allCases, [1, 2, 3] as [UInt64])
    func differential(kind: Kind, seed: UInt64) throws {
        let store = try Self.stores(kind).open(Self.place())
        var model = StoreModel(seed: seed)
        var views: [(view: any StoreView, entries: [StoreModel.Entry])] = []
        for step in 0..<240 {
            switch model.random.next(below: 12) {
            case 0: try model.deleteRange(store)
            case 1: try model.compareScan(store)
            case 2 where views.count < 3: views.append((try store.view(), model.sorted(KeyRange())))
            case 3 where !views.isEmpty:
                let (view, entries) = views.removeFirst()
                #expect(try StoreModel.all(view.scan(KeyRange())) == entries, "step \(step)")
            default:
                try model.write(store)
                try model.compareGet(store)
            }
        }
        #expect(try StoreModel.all(store.scan(KeyRange())) == model.sorted(KeyRange()))
        for (view, entries) in views { #expect(try StoreModel.all(view.scan(KeyRange())) == entries) }
        store.close()
        store.close()
    }

    @Test("A view is read, group by group and in several threads, while its store is written to", arguments: Kind.allCases)
    func viewBesideWrites(kind: Kind) async throws {
        let stores: any StateStores
        switch kind {
        case .memory: stores = MemoryStores()
        // One write buffer has it all.
        case .rocks: stores = try RocksDBStores()
        }
        let store = try stores.open(Self.place())
        var model = StoreModel(seed: 7)
        for _ in 0..<4 {
            for _ in 0..<20 { try model.write(store) }
            let expected = model.sorted(KeyRange())
            let view = try store.view()
            let readers = (0..<2).map { number in
                // The one view is read by one thread, the other by another.
                let view = number == 0 ? Result<any StoreView, any Error>.success(view) : Result { try store.view() }
                return Task.detached {
                    var found: [StoreModel.Entry] = []
                    for group in 0..<StoreModel.groupCount { found += try StoreModel.all(view.get().scan(KeyRange(prefix: StoreKey.prefix(group)))) }
                    // Two scans of one view at once, the first of which ends last.
                    let (first, second) = (try view.get().scan(KeyRange()), try view.get().scan(KeyRange(prefix: StoreKey.prefix(1))))
                    let (some, all) = (try StoreModel.all(second), try StoreModel.all(first))
                    return (found, all, some)
                }
            }
            for _ in 0..<60 {
                try model.write(store)
                try model.compareGet(store)
            }
            for reader in readers {
                let (found, all, some) = try await reader.value
                #expect(found == expected)
                #expect(all == expected)
                #expect(some == expected.filter { $0.key.starts(with: StoreKey.prefix(1)) })
            }
        }
        #expect(try StoreModel.all(store.scan(KeyRange())) == model.sorted(KeyRange()))
        store.close()
    }

    @Test("Values of a mebibyte, empty keys and values", arguments: Kind.allCases)
    func extremes(kind: Kind) throws {
        let store = try Self.stores(kind).open(Self.place())
        let large = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let keys = PackedBytes()
        let values = PackedBytes()
        for (key, value) in [([], [1]), ([0, 0], []), ([0, 1, 2], large), ([0, 1, 2, 0], large), ([0xff, 0xff, 0xff], [])] as [([UInt8], [UInt8])] {
            keys.append(key)
            values.append(value)
        }
        try store.write(keys, values)
        let found = PackedBytes()
        keys.append([0, 1])
        try store.get(keys, into: found)
        #expect((0..<found.count).map { found.array($0) } == [[1], [], large, large, [], nil])
        // At most a little more than the limit comes at once.
        let cursor = try store.scan(KeyRange(prefix: [0, 1]))
        #expect(try cursor.next(keys, values, countMax: 10, byteCountMax: 10) && keys.count == 1)
        #expect(try cursor.next(keys, values, countMax: 10, byteCountMax: 10) && keys.count == 1)
        #expect(try !cursor.next(keys, values))
        #expect(try StoreModel.all(store.scan(KeyRange(prefix: [0xff, 0xff]))).map(\.key) == [[0xff, 0xff, 0xff]])
        try store.get(PackedBytes(), into: found)
        #expect(found.count == 0)
        store.close()
    }

    @Test("Files of a store make the same store, at another parallelism too", arguments: Kind.allCases, [(1, 4), (4, 1), (3, 2), (2, 2)])
    func restore(kind: Kind, parallelism: (before: Int, after: Int)) throws {
        let stores = try Self.stores(kind)
        var model = StoreModel(seed: 7)
        var old: [any StateStore] = []
        for subtask in 0..<parallelism.before { old.append(try stores.open(Self.place(subtask, of: parallelism.before))) }
        for _ in 0..<30 { try model.write(old) }
        let given = try old.map { try $0.files() }
        // What comes behind the files is not in them, also where they are still being made.
        let entries = model.sorted(KeyRange())
        for _ in 0..<10 { try model.write(old) }
        let stored = try given.enumerated().map { try HeldStore($1, Self.place($0, of: parallelism.before)) }
        for store in old { store.close() }
        var restored: [StoreModel.Entry] = []
        for subtask in 0..<parallelism.after {
            let place = Self.place(subtask, of: parallelism.after)
            let store = try stores.open(place, from: stored.filter { $0.keyGroups.overlaps(place.keyGroups) })
            let own = try StoreModel.all(store.scan(KeyRange()))
            #expect(own.allSatisfy { place.keyGroups.contains(Int($0.key[0]) << 8 | Int($0.key[1])) })
            restored += own
            // It goes on as any other.
            let keys = PackedBytes()
            keys.append(StoreKey.prefix(place.keyGroups.lowerBound) + [9])
            try store.write(keys, keys)
            let values = PackedBytes()
            try store.get(keys, into: values)
            #expect(values.array(0) == keys.array(0))
            store.close()
        }
        #expect(restored == entries)
    }

    @Test("A second set of files names those that have not changed, also behind a restore", arguments: Kind.allCases)
    func increments(kind: Kind) throws {
        let stores = try Self.stores(kind)
        let store = try stores.open(Self.place())
        let keys = PackedBytes()
        let values = PackedBytes()
        for group in 0..<StoreModel.groupCount {
            for number in 0..<2_000 {
                keys.append(StoreKey.prefix(group) + withUnsafeBytes(of: number.bigEndian) { Array($0) })
                values.append(Array(repeating: UInt8(truncatingIfNeeded: number), count: 40))
            }
        }
        try store.write(keys, values)
        let first = try store.files()
        keys.removeAll()
        values.removeAll()
        keys.append(StoreKey.prefix(3) + [1])
        values.append([1])
        try store.write(keys, values)
        let second = try store.files()
        let (before, after) = (try first.list(), try second.list())
        let known = Set(before.filter(\.isShared).map(\.name))
        let new = after.filter { $0.isShared && !known.contains($0.name) }
        #expect(first.storeID == second.storeID)
        #expect(new.count <= 2 && new.reduce(0) { $0 + $1.byteCount } * 4 < after.filter(\.isShared).reduce(0) { $0 + $1.byteCount })
        let held = try HeldStore(second, Self.place())
        let restored = try stores.open(Self.place(), from: [held])
        let third = try restored.files()
        let origins = Set(try third.list().compactMap(\.stored?.object))
        #expect(origins == Set(after.filter(\.isShared).map { held.object($0.name) }))
        #expect(third.storeID != first.storeID)
        for store in [store, restored] { store.close() }
    }

    @Test("A damaged file is refused by its name", arguments: Kind.allCases)
    func damage(kind: Kind) throws {
        let stores = try Self.stores(kind)
        let store = try stores.open(Self.place())
        var model = StoreModel(seed: 5)
        for _ in 0..<5 { try model.write(store) }
        let files = try store.files()
        store.close()
        for file in try files.list() {
            for place in [0, file.byteCount / 2, file.byteCount - 1] {
                let held = try HeldStore(files, Self.place())
                held.flip(file.name, Int(place))
                let error = #expect(throws: MillstreamError.self) { try stores.open(Self.place(), from: [held]) }
                #expect(error?.code == .decode && error?.message.contains(held.object(file.name)) == true)
            }
        }
    }
}
