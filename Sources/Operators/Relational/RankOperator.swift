import Columnar
import Dataflow
import Plan
import State

/// Top-N: the rows of each partition whose rank is in a range, as a changelog; in BATCH mode as rows at the end.
///
/// The rows of a partition are in a tree by their order. Of a stream of inserts only those are kept that can come out; of one with changes all.
///
/// As in Flink a row that displaces another gives -D of that and +I of its own, where the rank is not in the result; with the rank, or with a first rank
/// above 1, each rank whose row has changed gives -U and +U. Top-1 of inserts gives these too.
final class RankOperator: Operator, StateDeclaring {
    private static let chunkRowCount = 4096
    private static let part = "rank/rows"

    private let description: RankDescription
    private let schema: Schema
    private let input: Schema
    private let isBatch: Bool
    private let keys: TableKeys
    private let encoder: RankKeyEncoder
    private let slots: RowSlots
    private let trees = RankTrees()
    private var index = RowIndex()
    /// Of each kept row.
    private var partitions = SlotArray<Int32>(fill: -1)
    /// The columns that tell one row from another; nil: all.
    private let identity: [Int]?
    private let isAppendOnly: Bool
    private let showsRanks: Bool
    private let start: Int
    private let end: Int
    private var ages: RowAges
    private let forgets: Bool
    private var context: OperatorContext?
    private var result = RankResult()
    private var work: Work?
    /// In BATCH mode: the partitions that are still to come out, and the next place in the first of them.
    private var final: (partitions: [Int32], next: Int, place: Int)?

    private struct Work {
        let columns: [Column]
        let partitions: [Int32]
        let kinds: [Int8]
        let sortKeys: RankKeyBytes
        let slots: [Int32]
        let hashes: [UInt64]
        let comparer: RowComparer?
        var next = 0
    }

    init(_ description: RankDescription, input: Schema, output: Schema, isBatch: Bool, hostObjects: HostObjects?) throws(MillstreamError) {
        guard description.start >= 1, description.end ?? .max >= 0 else { throw MillstreamError(.plan, "ranks begin with 1") }
        guard output.fields.count == input.fields.count + (description.outputsRank ? 1 : 0) else {
            throw .internal("a rank of \(input.fields.count) columns gives \(output.fields.count)")
        }
        self.description = description
        self.input = input
        self.isBatch = isBatch
        schema = output
        keys = try TableKeys(inputs: [input], positions: [description.partition], hostObjects: hostObjects)
        encoder = try RankKeyEncoder(description.order, input)
        slots = RowSlots(types: input.types, hostObjects: hostObjects)
        isAppendOnly = isBatch || description.input == .appendOnly
        if !isBatch, case .upsert(let key) = description.input {
            for column in key where column < 0 || column >= input.fields.count {
                throw MillstreamError(.plan, "a unique key names column \(column); the stream has \(input.fields.count)")
            }
            identity = Array(Set(key + description.partition)).sorted()
        } else {
            identity = nil
        }
        start = Int(clamping: description.start)
        end = Int(clamping: description.end ?? .max)
        showsRanks = description.outputsRank || start > 1 || (end == 1 && description.input != .retract)
        forgets = (description.timeToLive ?? 0) > 0 && !isBatch
        ages = RowAges(timeToLive: description.timeToLive ?? 0)
    }

    func open(_ context: OperatorContext) { self.context = context }

    func process(_ batch: Batch, input: Int, output: any Output) throws(MillstreamError) -> Progress {
        if batch.isEmpty { return .done }
        slots.settle()
        let batch = try batch.compacted()
        let columns = batch.fields
        let found = try keys.slots(batch)
        if forgets { try expire(context?.clock.now().milliseconds ?? 0, found) }
        let kinds = isAppendOnly ? [Int8](repeating: 0, count: batch.count) : batch.kinds()
        let sortKeys = encoder.encode(columns, count: batch.count)
        var coming: [Int32] = []
        var looksUp = identity != nil
        for row in found.indices {
            if RowKind.isRetraction(kinds[row]) {
                looksUp = true
            } else if !isAppendOnly || mayCount(found[row], sortKeys, row) {
                coming.append(Int32(truncatingIfNeeded: row))
            }
        }
        let given = try slots.add(columns, rows: coming.count == batch.count ? nil : coming, count: batch.count)
        var rowSlots = [Int32](repeating: 0, count: batch.count)
        for (place, row) in coming.enumerated() { rowSlots[Int(row)] = given[place] }
        if looksUp { try turnOnIndex() }
        var hashes: [UInt64] = []
        if index.isOn { hashes = try Self.hashes(identity.map { $0.map { columns[$0] } } ?? columns, batch.count) }
        work = Work(
            columns: columns, partitions: found, kinds: kinds, sortKeys: sortKeys, slots: rowSlots, hashes: hashes,
            comparer: looksUp ? try RowComparer(slots.store, columns, on: identity) : nil)
        return try resume(output: output)
    }

    func resume(output: any Output) throws(MillstreamError) -> Progress {
        if final != nil { return try finish(output) }
        while let current = work {
            var row = current.next
            while row < current.kinds.count, result.count < Self.chunkRowCount {
                try take(row, current)
                row += 1
            }
            work?.next = row
            guard try result.emit(slots, schema, outputsRank: description.outputsRank, output) else { return .more }
            if row == current.kinds.count {
                erase(current)
                work = nil
            } else if output.isFull {
                return .more
            }
        }
        return .done
    }

    private func erase(_ work: Work) {
        if forgets { for partition in work.partitions where trees.count(partition) == 0 && ages.holds(partition) { ages.remove(partition) } }
        keys.erase(work.partitions) { trees.count($0) > 0 }
    }

    /// Whether a row of a stream of inserts may come out: not where there are enough before it already.
    private func mayCount(_ partition: Int32, _ sortKeys: RankKeyBytes, _ row: Int) -> Bool {
        guard trees.count(partition) >= end else { return true }
        if end == 0 { return false }
        let worst = trees.row(end - 1, in: partition)
        let key = RankKey(sortKeys, row)
        defer { key.free() }
        let order = key.compare(trees.key(worst))
        return description.function == .rowNumber ? order < 0 : order <= 0 || description.function == .denseRank
    }

    private static func hashes(_ columns: [Column], _ count: Int) throws(MillstreamError) -> [UInt64] {
        var hashes = [UInt64](repeating: 0, count: count)
        try hashes.withUnsafeMutableBufferPointer { (target) throws(MillstreamError) in
            if let base = target.baseAddress, count > 0 { try Columnar.hash(columns: columns, count: count, selection: nil, into: base) }
        }
        return hashes
    }

    private func turnOnIndex() throws(MillstreamError) {
        guard !index.isOn else { return }
        index.turnOn()
        var live: [Int32] = []
        for partition in keys.table.liveSlots() { live += trees.rows(from: 0, count: .max, in: partition) }
        // Oldest first: the chains of equal rows have that order.
        live.sort { trees.sequence($0) < trees.sequence($1) }
        for start in stride(from: 0, to: live.count, by: Self.chunkRowCount) {
            let part = Array(live[start..<min(start + Self.chunkRowCount, live.count)])
            let columns = try slots.gather(part)
            let hashes = try Self.hashes(identity.map { $0.map { columns[$0] } } ?? columns, part.count)
            for (place, slot) in part.enumerated() { index.insert(slot, hashes[place]) }
        }
    }

    // MARK: Rows

    private func take(_ row: Int, _ work: Work) throws(MillstreamError) {
        let partition = work.partitions[row]
        let isRetraction = RowKind.isRetraction(work.kinds[row])
        var old: Int32 = -1
        if isRetraction || identity != nil, let comparer = work.comparer {
            old = try index.oldest(work.hashes[row]) { (slot) throws(MillstreamError) in
                guard partitions[Int(slot)] == partition else { return false }
                return try comparer.isEqual(row: row, slot: Int(slot))
            }
        }
        var new: Int32 = -1
        if !isRetraction {
            // It could not come out when the batch came; it has not become better.
            guard work.slots[row] > 0 else { return }
            if isAppendOnly, !mayCount(partition, work.sortKeys, row) { return slots.release(work.slots[row]) }
            new = work.slots[row]
        }
        if old < 0, new < 0 { return }
        if isBatch {
            change(old, new, partition, row, work)
        } else if description.function != .rowNumber {
            let before = ranked(partition)
            change(old, new, partition, row, work)
            differ(before, ranked(partition))
        } else {
            number(old, new, partition, row, work)
        }
        prune(partition)
    }

    /// Takes one row out of the tree, and puts the other in. Returns their places, from 0: of the old one before the change, of the new one behind it.
    @discardableResult
    private func change(_ old: Int32, _ new: Int32, _ partition: Int32, _ row: Int, _ work: Work) -> (old: Int, new: Int) {
        var places = (old: Int.max, new: Int.max)
        var sequence: Int64?
        var key: RankKey?
        if new >= 0 { key = RankKey(work.sortKeys, row) }
        if old >= 0 {
            places.old = trees.place(old, in: partition)
            // A row that changes without losing its place keeps its age.
            if let key, key.compare(trees.key(old)) == 0 { sequence = trees.sequence(old) }
            drop(old, partition)
        }
        if new >= 0, let key {
            places.new = trees.insert(new, key, in: partition, sequence: sequence)
            partitions.reserve(Int(new) + 1)
            partitions[Int(new)] = partition
            if index.isOn { index.insert(new, work.hashes[row]) }
        }
        return places
    }

    private func drop(_ slot: Int32, _ partition: Int32) {
        trees.remove(slot, in: partition)
        if index.isOn { index.remove(slot) }
        partitions[Int(slot)] = -1
        slots.release(slot)
    }

    /// ROW_NUMBER.
    private func number(_ old: Int32, _ new: Int32, _ partition: Int32, _ row: Int, _ work: Work) {
        if showsRanks {
            // The ranks whose rows change: from the first of both places to the other, or to the end.
            let oldPlace = old >= 0 ? trees.place(old, in: partition) : Int.max
            var first = oldPlace
            if new >= 0 {
                let key = RankKey(work.sortKeys, row)
                first = min(first, rowsBefore(key, partition))
                key.free()
            }
            guard first < end else {
                change(old, new, partition, row, work)
                return
            }
            let before = trees.rows(from: first, count: end - first, in: partition)
            let places = change(old, new, partition, row, work)
            let last = old >= 0 && new >= 0 ? min(max(places.old, places.new) + 1, end) : end
            let after = trees.rows(from: first, count: last - first, in: partition)
            for place in 0..<max(min(before.count, last - first), after.count) {
                update(
                    place < before.count ? before[place] : -1, place < after.count ? after[place] : -1, first + place + 1)
            }
            return
        }
        let places = change(old, new, partition, row, work)
        let countAfter = trees.count(partition)
        let (wasIn, isIn) = (places.old < end, places.new < end)
        switch (wasIn, isIn) {
        case (true, true): update(old, new, 0)
        case (true, false):
            result.add(old, .delete)
            if countAfter >= end { result.add(trees.row(end - 1, in: partition), .insert) }
        case (false, true):
            if countAfter > end { result.add(trees.row(end, in: partition), .delete) }
            result.add(new, .insert)
        case (false, false): break
        }
    }

    private func rowsBefore(_ key: RankKey, _ partition: Int32) -> Int {
        var (low, high) = (0, trees.count(partition))
        while low < high {
            let middle = (low + high) / 2
            if trees.key(trees.row(middle, in: partition)).compare(key) <= 0 { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Another row has a rank now, or none has it (-1).
    private func update(_ old: Int32, _ new: Int32, _ rank: Int) {
        if old == new || rank > 0 && rank < start { return }
        let rank = Int64(rank)
        if old < 0 {
            result.add(new, .insert, rank)
        } else if new < 0 {
            result.add(old, .delete, rank)
        } else {
            if description.generatesUpdateBefore { result.add(old, .updateBefore, rank) }
            result.add(new, .updateAfter, rank)
        }
    }

    // MARK: RANK and DENSE_RANK

    /// The rows that have a rank up to the last one that counts, in order.
    private func ranked(_ partition: Int32) -> [(slot: Int32, rank: Int)] {
        var found: [(slot: Int32, rank: Int)] = []
        var rank = 0
        var place = 0
        var last: Int32 = -1
        while true {
            let rows = trees.rows(from: place, count: 64, in: partition)
            if rows.isEmpty { return found }
            for row in rows {
                if last < 0 || trees.key(last).compare(trees.key(row)) != 0 { rank = description.function == .rank ? place + 1 : rank + 1 }
                if rank > end { return found }
                found.append((row, rank))
                last = row
                place += 1
            }
        }
    }

    /// First what is gone, then what has another rank, then what is new.
    private func differ(_ before: [(slot: Int32, rank: Int)], _ after: [(slot: Int32, rank: Int)]) {
        // Both are in order, and differ by one row that has gone and one that has come, and at their ends.
        let old = before.filter { $0.rank >= start }
        let new = after.filter { $0.rank >= start }
        var ranks: [Int32: Int] = [:]
        for row in new { ranks[row.slot] = row.rank }
        var known: Set<Int32> = []
        var changed: [(slot: Int32, old: Int, new: Int)] = []
        for row in old {
            if let rank = ranks[row.slot] {
                known.insert(row.slot)
                if rank != row.rank { changed.append((row.slot, row.rank, rank)) }
            } else {
                result.add(row.slot, .delete, Int64(row.rank))
            }
        }
        if description.outputsRank {
            for row in changed {
                if description.generatesUpdateBefore { result.add(row.slot, .updateBefore, Int64(row.old)) }
                result.add(row.slot, .updateAfter, Int64(row.new))
            }
        }
        for row in new where !known.contains(row.slot) { result.add(row.slot, .insert, Int64(row.rank)) }
    }

    /// Rows of a stream of inserts that cannot come out any more go.
    private func prune(_ partition: Int32) {
        guard isAppendOnly else { return }
        if description.function == .rowNumber {
            while trees.count(partition) > end { drop(trees.row(trees.count(partition) - 1, in: partition), partition) }
        } else {
            let kept = ranked(partition).count
            while trees.count(partition) > kept { drop(trees.row(trees.count(partition) - 1, in: partition), partition) }
        }
    }

    /// Partitions that have not changed for their time to live are forgotten.
    private func expire(_ time: Int64, _ touched: [Int32]) throws(MillstreamError) {
        let now = ages.now(time)
        var forgotten: [Int32] = []
        while let partition = ages.due(now) {
            forgotten.append(partition)
            for row in trees.rows(from: 0, count: .max, in: partition) { drop(row, partition) }
            ages.remove(partition)
        }
        for partition in touched { if ages.holds(partition) { ages.touch(partition, at: now) } else { ages.add(partition, at: now) } }
        keys.erase(forgotten) { ages.holds($0) }
        slots.settle()
    }

    // MARK: The end of BATCH mode

    func onWatermark(_ watermark: EventTime, output: any Output) throws(MillstreamError) -> Progress {
        guard isBatch, watermark == .max, final == nil else { return .done }
        final = (keys.table.liveSlots(), 0, 0)
        return try finish(output)
    }

    private func finish(_ output: any Output) throws(MillstreamError) -> Progress {
        guard try result.emit(slots, schema, outputsRank: description.outputsRank, output) else { return .more }
        while let (partitions, next, place) = final, next < partitions.count {
            let partition = partitions[next]
            if description.function == .rowNumber {
                let first = max(place, start - 1)
                let rows = trees.rows(from: first, count: min(Self.chunkRowCount, max(0, end - first)), in: partition)
                for (offset, row) in rows.enumerated() { result.add(row, .insert, Int64(first + offset + 1)) }
                final = rows.count < Self.chunkRowCount ? (partitions, next + 1, 0) : (partitions, next, first + rows.count)
            } else {
                for row in ranked(partition) where row.rank >= start { result.add(row.slot, .insert, Int64(row.rank)) }
                final = (partitions, next + 1, 0)
            }
            guard result.count >= Self.chunkRowCount || next + 1 == partitions.count else { continue }
            guard try result.emit(slots, schema, outputsRank: description.outputsRank, output) else { return .more }
            if output.isFull { return .more }
        }
        return .done
    }

    // MARK: Checkpoints

    private var stateFields: [Field] {
        input.fields.map { Field("record.\($0.name)", $0.type.nullable) } + (forgets ? [Field("last_access", DataType.bigInt.notNull)] : [])
    }

    func declaredParts() -> [DeclaredPart] { [DeclaredPart(Self.part, stateFields)] }

    func snapshot(_ checkpoint: CheckpointBarrier, into writer: any StateWriter) throws(MillstreamError) {
        if isBatch { throw .noCheckpointInBatchMode }
        guard let context else { return }
        var rows: [Int32] = []
        var owners: [Int32] = []
        for partition in keys.table.liveSlots() {
            let own = trees.rows(from: 0, count: .max, in: partition)
            rows += own
            owners += repeatElement(partition, count: own.count)
        }
        guard !rows.isEmpty else { return }
        var columns = try slots.gather(rows)
        if forgets { columns.append(.int64s(owners.map { ages.time($0) })) }
        var part = KeyedPart(Self.part, fields: stateFields)
        try part.add(owners, of: keys.table, columns)
        try part.write(maxParallelism: context.maxParallelism, to: writer)
    }

    func restore(from reader: any StateReader) throws(MillstreamError) {
        var aged: [(partition: Int32, time: Int64)] = []
        try RestoredPart.forEachBlock(reader, Self.part, keyTypes: keys.table.types, fields: stateFields) { (part) throws(MillstreamError) in
            let owners = try part.slots(in: keys.table)
            let columns = Array(part.columns.prefix(input.fields.count))
            let given = try slots.add(columns, count: part.count)
            let sortKeys = encoder.encode(columns, count: part.count)
            let times = forgets ? part.int64s(input.fields.count) : []
            for row in 0..<part.count {
                // Rows of a partition come in their order: that of equal ones stays.
                trees.insert(given[row], RankKey(sortKeys, row), in: owners[row])
                partitions.reserve(Int(given[row]) + 1)
                partitions[Int(given[row])] = owners[row]
                if forgets { aged.append((owners[row], times[row])) }
            }
        }
        for (partition, time) in aged.sorted(by: { $0.time < $1.time }) where !ages.holds(partition) { ages.add(partition, at: time) }
    }
}

/// Kept rows that come out, each with its kind and rank.
struct RankResult {
    private static let chunkRowCount = 4096

    private var slots: [Int32] = []
    private var kinds: [Int8] = []
    private var ranks: [Int64] = []
    private var emitted = 0

    var count: Int { slots.count }

    mutating func add(_ slot: Int32, _ kind: RowKind, _ rank: Int64 = 0) {
        slots.append(slot)
        kinds.append(kind.rawValue)
        ranks.append(rank)
    }

    /// Emits; false while something is left because the output is full.
    mutating func emit(_ rows: RowSlots, _ schema: Schema, outputsRank: Bool, _ output: any Output) throws(MillstreamError) -> Bool {
        while emitted < slots.count {
            let range = emitted..<min(emitted + Self.chunkRowCount, slots.count)
            emitted = range.upperBound
            var columns = try rows.gather(Array(slots[range]))
            if outputsRank { columns.append(.int64s(Array(ranks[range]))) }
            try output.emit(try .result(schema, columns, count: range.count, rowKinds: .rowKinds(kinds[range])))
            if output.isFull, emitted < slots.count { return false }
        }
        slots.removeAll(keepingCapacity: true)
        kinds.removeAll(keepingCapacity: true)
        ranks.removeAll(keepingCapacity: true)
        emitted = 0
        return true
    }
}
