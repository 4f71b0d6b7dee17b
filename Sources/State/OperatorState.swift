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
        let cells: StateCells
    }

    public private(set) var entries: [Entry] = []

    public init() {}

    /// Adds an empty state.
    func add(_ name: String, _ kind: Kind) -> StateCells {
        let cells = StateCells(kind == .broadcast ? .map : .list)
        cells.reserve(1)
        entries.append(Entry(name: name, kind: kind, cells: cells))
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
}
