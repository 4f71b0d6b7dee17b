import Columnar
import Dataflow

/// The operator state of one subtask: lists, union lists and broadcast maps, by name in the order of their declaration.
///
/// All of it is in this one object, with what a checkpoint needs to know: how a state is dealt out to the subtasks of a restored job, and its entries
/// in order. Functions reach it through `KeyedState`, which numbers all states of an operator. One thread at a time.
public final class OperatorState {
    public typealias Kind = OperatorStateKind

    public struct Entry {
        public let name: String
        public let kind: Kind
        let types: StateTypes
        let cells: StateCells
    }

    /// What was restored of a state that has not been declared yet.
    private struct Restored {
        let name: String
        let kind: Kind
        let batches: [Batch]
    }

    typealias Put = (inout StateMap, StateValue, StateValue) throws(MillstreamError) -> Void

    public private(set) var entries: [Entry] = []
    private var unclaimed: [Restored] = []

    public init() {}

    /// Adds an empty state.
    func add(_ name: String, _ kind: Kind, _ types: StateTypes) -> StateCells {
        let cells = StateCells(kind == .broadcast ? .map : .list)
        cells.reserve(1)
        entries.append(Entry(name: name, kind: kind, types: types, cells: cells))
        return cells
    }

    /// The elements of a list or union list; empty for a broadcast state. Handles are lent.
    public func elements(_ index: Int) -> [StateValue] { entries[index].kind == .broadcast ? [] : entries[index].cells.lists[0] }

    /// The entries of a broadcast state in the order in which their keys were first put; empty for a list. Handles are lent.
    public func pairs(_ index: Int) -> [(key: StateValue, value: StateValue)] {
        guard entries[index].kind == .broadcast else { return [] }
        let cells = entries[index].cells
        return (0..<cells.maps[0].count).compactMap { cells.maps[0].entry($0) }
    }

    // MARK: Checkpoints

    private static func part(_ kind: Kind) -> String {
        switch kind {
        case .list: "operator/list/"
        case .unionList: "operator/union/"
        case .broadcast: "operator/broadcast/"
        }
    }

    /// Writes each state that is not empty: `element`, or `map_key` and `map_value`. What was restored and never asked for is written again.
    func snapshot(hostObjects: HostObjects?, into writer: any StateWriter) throws(MillstreamError) {
        for (index, entry) in entries.enumerated() {
            let columns: [Column], names: [String]
            if entry.kind == .broadcast {
                let pairs = pairs(index)
                names = ["map_key", "map_value"]
                columns = [
                    try StateColumns.column(pairs.count, type: entry.types.key ?? .object, state: entry.name, hostObjects: hostObjects) { pairs[$0].key },
                    try StateColumns.column(pairs.count, type: entry.types.value, state: entry.name, hostObjects: hostObjects) { pairs[$0].value },
                ]
            } else {
                let elements = elements(index)
                names = ["element"]
                columns = [
                    try StateColumns.column(elements.count, type: entry.types.value, state: entry.name, hostObjects: hostObjects) { elements[$0] }
                ]
            }
            guard let count = columns.first?.count, count > 0 else { continue }
            let schema = Schema(zip(names, columns).map { Field($0, $1.type) })
            try writer.write(Self.part(entry.kind) + entry.name, keyGroup: nil, batch: Batch(schema: schema, columns: columns, count: count))
        }
        for state in unclaimed {
            for batch in state.batches { try writer.write(Self.part(state.kind) + state.name, keyGroup: nil, batch: batch) }
        }
    }

    /// Takes what falls to one subtask: of a union list all elements, of a broadcast state one former subtask's entries, of a list its share. `put` puts
    /// an entry into a map.
    func restore(from reader: any StateReader, subtask: SubtaskIndex, parallelism: Int, put: Put) throws(MillstreamError) {
        // Where the shares of a list begin: behind the subtasks that the list before gave one element more, as in Flink.
        var first = 0
        for part in reader.names {
            guard let kind = [Kind.list, .unionList, .broadcast].first(where: { part.hasPrefix(Self.part($0)) }) else { continue }
            var blocks = try reader.unkeyedBatches(part)
            switch kind {
            case .unionList: break
            case .broadcast:
                // The same in all of them, unless the job was restored from one in which it was not.
                let owner = blocks.contains { $0.subtask == subtask } ? subtask : blocks.first?.subtask
                blocks = blocks.filter { $0.subtask == owner }
            case .list:
                if reader.formerParallelism == parallelism {
                    blocks = blocks.filter { $0.subtask == subtask }
                } else {
                    let total = blocks.reduce(0) { $0 + $1.batch.count }
                    let share = Self.share(of: total, subtask: subtask.value, parallelism: parallelism, first: first)
                    first = (first + total % parallelism) % parallelism
                    var start = 0
                    blocks = blocks.compactMap { (block) -> (subtask: SubtaskIndex, batch: Batch)? in
                        let own = share.clamped(to: start..<start + block.batch.count)
                        defer { start += block.batch.count }
                        return own.isEmpty ? nil : (block.subtask, block.batch.slice(own.lowerBound - start, own.count))
                    }
                }
            }
            unclaimed.append(Restored(name: String(part.dropFirst(Self.part(kind).utf8.count)), kind: kind, batches: blocks.map(\.batch)))
        }
        for index in entries.indices { try claim(index, put: put) }
    }

    /// The elements of a list that a subtask gets: neighbours, the same number for all, and one more for the first ones from `first` on.
    static func share(of total: Int, subtask: Int, parallelism: Int, first: Int) -> Range<Int> {
        let place = (subtask - first % parallelism + parallelism) % parallelism
        let (part, rest) = total.quotientAndRemainder(dividingBy: parallelism)
        let start = place * part + min(place, rest)
        return start..<start + part + (place < rest ? 1 : 0)
    }

    /// Fills a state that was just added with what was restored of it. Throws `invalidState` if it was of another kind.
    func claim(_ index: Int, put: Put) throws(MillstreamError) {
        let entry = entries[index]
        guard let place = unclaimed.firstIndex(where: { $0.name == entry.name }) else { return }
        let restored = unclaimed.remove(at: place)
        guard restored.kind == entry.kind else {
            throw MillstreamError(
                .invalidState, "operator state '\(entry.name)' is a \(restored.kind) in the checkpoint, and a \(entry.kind) in the job",
                hint: "Give the state its former kind, or another name.")
        }
        for batch in restored.batches {
            guard batch.columns.count == (entry.kind == .broadcast ? 2 : 1) else {
                throw MillstreamError(.decode, "operator state '\(entry.name)' has \(batch.columns.count) columns in the checkpoint", domain: .external)
            }
            if entry.kind == .broadcast {
                let keys = try StateColumns.values(batch.columns[0], declared: entry.types.key ?? .object, state: entry.name)
                let values = try StateColumns.values(batch.columns[1], declared: entry.types.value, state: entry.name)
                for (key, value) in zip(keys, values) { try put(&entry.cells.maps[0], key, value) }
            } else {
                entry.cells.lists[0] += try StateColumns.values(batch.columns[0], declared: entry.types.value, state: entry.name)
            }
        }
    }
}
