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

    /// Empties a place; `body` gets what was in it.
    func take(_ place: Int, _ body: (StateValue) -> Void) {
        switch kind {
        case .value:
            if let value = values[place] { body(value) }
            values[place] = nil
        case .list:
            for value in lists[place] { body(value) }
            lists[place] = []
        case .map:
            for value in maps[place].contents { body(value) }
            maps[place] = StateMap()
        }
    }

    /// Roughly how many bytes a place takes.
    func byteCount(_ place: Int) -> Int {
        switch kind {
        case .value: return Self.cellByteCount + (place < values.count ? values[place].map(Self.byteCount) ?? 0 : 0)
        case .list:
            let list = place < lists.count ? lists[place] : []
            return Self.cellByteCount + list.reduce(list.isEmpty ? 0 : Self.objectByteCount) { $0 + Self.cellByteCount + Self.byteCount($1) }
        case .map:
            guard place < maps.count, maps[place].count > 0 else { return 2 * Self.cellByteCount }
            // Hashes, keys, values, and an index of up to 16 bytes an entry.
            var total = 4 * Self.objectByteCount + maps[place].count * (2 * Self.cellByteCount + 24)
            maps[place].forEach { key, value in total += Self.byteCount(key) + Self.byteCount(value) }
            return total
        }
    }

    /// A value in an array, with room for growth.
    private static let cellByteCount = 24
    /// What an array or a value of a host is taken to need beside its content.
    private static let objectByteCount = 64

    private static func byteCount(_ value: StateValue) -> Int {
        switch value {
        case .bool, .int64, .double: 0
        case .bytes(let bytes): bytes.count + 48
        case .object: objectByteCount
        }
    }

    /// All that is kept, to be given back.
    var contents: [StateValue] { values.all.compactMap { $0 } + lists.all.flatMap { $0 } + maps.all.flatMap(\.contents) }
}
