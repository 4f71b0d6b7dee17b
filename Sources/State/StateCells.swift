import Dataflow

/// One state's values, in places of the same kind: for keyed state one per slot of the key table, for operator state one for the subtask.
///
/// A class, so that values change in place. Only the array of its kind is used. Who owns it gives handles back: the cells themselves know no host.
final class StateCells {
    enum Kind { case value, list, map }

    let kind: Kind
    var values = CellChunks<StateValue?>()
    var lists = CellChunks<[StateValue]>()
    var maps = CellChunks<StateMap>()

    init(_ kind: Kind) { self.kind = kind }

    /// Makes places below `end`.
    func reserve(_ end: Int) {
        switch kind {
        case .value: values.reserve(end, empty: nil)
        case .list: lists.reserve(end, empty: [])
        case .map: maps.reserve(end, empty: StateMap())
        }
    }

    /// Whether there is something in a place.
    func isUsed(_ place: Int) -> Bool {
        switch kind {
        case .value: place < values.count && values[place] != nil
        case .list: place < lists.count && !lists[place].isEmpty
        case .map: place < maps.count && maps[place].count > 0
        }
    }

    /// All that is kept, to be given back.
    var contents: [StateValue] { values.all.compactMap { $0 } + lists.all.flatMap { $0 } + maps.all.flatMap(\.contents) }
}
