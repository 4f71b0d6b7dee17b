import Columnar
import Dataflow

/// The states and timers of a process function's keys as they were at a barrier; none of the values is a host's.
final class FrozenStates: DeferredParts, @unchecked Sendable {
    struct State {
        let part: String
        /// Its name, for messages.
        let state: String
        let kind: StateCells.Kind
        let types: StateTypes
        let fields: [String]
        /// Shared with the state until it changes them.
        let values: CellChunks<StateValue?>
        let lists: CellChunks<[StateValue]>
        let maps: CellChunks<StateMap>

        init(_ part: String, state: String, _ cells: StateCells, _ types: StateTypes, _ fields: [String]) {
            self.part = part
            self.state = state
            self.types = types
            self.fields = fields
            kind = cells.kind
            values = cells.values
            lists = cells.lists
            maps = cells.maps
        }
    }

    private let table: FrozenTable
    private let states: [State]
    private let timers: [(name: String, timers: [TimerService.Timer])]
    /// The numbers of the timers by the pieces of their slots; made with the first piece.
    private var timersByPiece: [[[Int32]]] = []
    private var pieceNumber = 0
    private var hasPiece = false
    /// Keys of a block.
    private static let blockKeyCount = 1 << 16
    /// What a value of a state is taken to need.
    private static let valueByteCount = 32

    init(_ table: FrozenTable, _ states: [State], timers: [(name: String, timers: [TimerService.Timer])]) {
        self.table = table
        self.states = states
        self.timers = timers.filter { !$0.timers.isEmpty }
        table.divide(rowByteCount: Self.valueByteCount * states.count)
    }

    func write(byteCount: Int, to writer: any StateWriter) throws(MillstreamError) -> Bool {
        if !hasPiece {
            guard table.next() else { return false }
            hasPiece = true
        }
        if table.advance(byteCount: byteCount) { return true }
        hasPiece = false
        let slots = table.slots()
        for state in states {
            for (group, places) in table.groups {
                var start = places.lowerBound
                while start < places.upperBound {
                    let block = start..<min(places.upperBound, start + Self.blockKeyCount)
                    try write(state, group, block, slots, writer)
                    start = block.upperBound
                }
            }
        }
        if timersByPiece.isEmpty { timersByPiece = timers.map { byPiece($0.timers) } }
        for (place, entry) in timers.enumerated() { try write(entry.name, entry.timers, timersByPiece[place][pieceNumber], writer) }
        pieceNumber += 1
        return true
    }

    private func byPiece(_ timers: [TimerService.Timer]) -> [[Int32]] {
        var result = [[Int32]](repeating: [], count: table.pieceCount)
        for (number, timer) in timers.enumerated() { result[table.pieceNumber(of: Int(timer.slot))].append(Int32(truncatingIfNeeded: number)) }
        return result
    }

    private func write(_ state: State, _ group: KeyGroup, _ block: Range<Int>, _ slots: [Int32], _ writer: any StateWriter) throws(MillstreamError) {
        /// For each row its key's number in the block.
        var rows: [Int32] = []
        var columns: [Column] = []
        switch state.kind {
        case .value:
            var values: [StateValue] = []
            for place in block {
                let slot = Int(slots[place])
                guard slot < state.values.count, let value = state.values[slot] else { continue }
                rows.append(Int32(truncatingIfNeeded: place - block.lowerBound))
                values.append(value)
            }
            columns = [try column(values, state.types.value, state)]
        case .list:
            var elements: [StateValue] = []
            for place in block where Int(slots[place]) < state.lists.count {
                let list = state.lists[Int(slots[place])]
                rows.append(contentsOf: repeatElement(Int32(truncatingIfNeeded: place - block.lowerBound), count: list.count))
                elements += list
            }
            columns = [try column(elements, state.types.value, state)]
        case .map:
            var keys: [StateValue] = [], values: [StateValue] = []
            for place in block where Int(slots[place]) < state.maps.count {
                state.maps[Int(slots[place])].forEach { key, value in
                    rows.append(Int32(truncatingIfNeeded: place - block.lowerBound))
                    keys.append(key)
                    values.append(value)
                }
            }
            columns = [try column(keys, state.types.key ?? .object, state), try column(values, state.types.value, state)]
        }
        let fields = zip(state.fields, columns).map { Field($0, $1.type) }
        try write(state.part, group, block, rows, fields, columns, writer)
    }

    private func column(_ values: [StateValue], _ type: DataType, _ state: State) throws(MillstreamError) -> Column {
        try StateColumns.column(values.count, type: type, state: state.state, hostObjects: nil) { values[$0] }
    }

    /// Rows of some keys of a group: `rows` are the numbers of their keys among `places`.
    private func write(
        _ part: String, _ group: KeyGroup, _ places: Range<Int>, _ rows: [Int32], _ fields: [Field], _ columns: [Column], _ writer: any StateWriter
    ) throws(MillstreamError) {
        guard !rows.isEmpty else { return }
        let all = try table.columns(places)
        var keys: [Column] = []
        let isEach = rows.count == places.count && rows.indices.allSatisfy { Int(rows[$0]) == $0 }
        let selection = Selection(rows)
        for key in all { keys.append(isEach ? key : try key.taking(selection)) }
        let keyFields = keys.enumerated().map { Field("key\($0.offset)", $0.element.type) }
        try writer.write(part, keyGroup: group, batch: Batch(schema: Schema(keyFields + fields), columns: keys + columns, count: rows.count))
    }

    /// Those of the timers with some numbers, whose keys are in the piece.
    private func write(_ name: String, _ timers: [TimerService.Timer], _ numbers: [Int32], _ writer: any StateWriter) throws(MillstreamError) {
        guard let places = table.places, !numbers.isEmpty else { return }
        let first = table.piece.lowerBound
        var byGroup = [[Int]](repeating: [], count: table.groups.count)
        for number in numbers {
            if let group = table.groupIndex(of: Int(places[Int(timers[Int(number)].slot) - first])) { byGroup[group].append(Int(number)) }
        }
        let type = DataType.bigInt.notNull
        for (index, own) in byGroup.enumerated() where !own.isEmpty {
            let (group, range) = table.groups[index]
            let rows = own.map { places[Int(timers[$0].slot) - first] - Int32(truncatingIfNeeded: range.lowerBound) }
            let columns = [own.map { timers[$0].time }, own.map { timers[$0].number }].map { Column(type: type, count: own.count, values: Buffer.copying($0)) }
            try write(name, group, range, rows, [Field("time", type), Field("number", type)], columns, writer)
        }
    }
}
