import Columnar
import Expressions
import Plan
import State

/// The values of each slot in the order in which they came, from which the first equal one goes where a row is retracted: behind LISTAGG, ARRAY_AGG, the JSON aggregates,
/// SINGLE_VALUE, and FIRST_VALUE and LAST_VALUE with retractions.
///
/// A retraction without its row waits for it: the two make nothing of each other, in whichever order they come.
final class ListAccumulator: Accumulator {
    enum Rule {
        case first, last, single, array
        case text(separator: [UInt8])
        case jsonArray, jsonObject
    }

    private let rule: Rule
    private let ignoresNulls: Bool
    /// Of the value columns, by which the values of a result are put in order; those that are equal, by arrival.
    private let order: [Plan.SortKey]
    private let argumentTypes: [DataType]
    private let table: ValueTable
    /// Turns the value of a JSON aggregate into JSON.
    private let json: ScalarProgram?

    // By place in the lists.
    private var previous = SlotArray<Int32>(fill: -1)
    private var next = SlotArray<Int32>(fill: -1)
    /// The next place with the same value of the same slot.
    private var nextEqual = SlotArray<Int32>(fill: -1)
    private var valueOf = SlotArray<Int32>(fill: -1)
    private var placeEnd = 0
    private var free: [Int32] = []
    // By slot.
    private var first = WindowSlots<Int32>(empty: -1)
    private var last = WindowSlots<Int32>(empty: -1)
    private var lengths = WindowSlots<Int64>(empty: 0)
    // By value.
    private var firstEqual = SlotArray<Int32>(fill: -1)
    private var lastEqual = SlotArray<Int32>(fill: -1)
    private var emptied: [Int32] = []

    /// So many values are put into results at once, if a single one has not more.
    private static let valueCountMax = 1 << 18

    /// `arguments` are the types of the function's arguments, then of what it is ordered by; `order` are places among all of them.
    init(_ resultType: DataType, _ rule: Rule, arguments: [DataType], order: [Plan.SortKey] = [], ignoresNulls: Bool) throws(MillstreamError) {
        self.rule = rule
        self.ignoresNulls = ignoresNulls
        self.order = order
        var types = arguments
        switch rule {
        case .jsonArray, .jsonObject:
            let place = Self.valuePlace(rule)
            json = try ScalarProgram([.call(.jsonString, [.column(0, arguments[place])], .string)])
            types[place] = .string
        default: json = nil
        }
        argumentTypes = types
        // Numbers of floating point are told apart by their bits: 0.0 and -0.0 come out as they came.
        table = try ValueTable(types.map(Self.stored))
        super.init(resultType)
    }

    private static func valuePlace(_ rule: Rule) -> Int {
        if case .jsonObject = rule { return 1 }
        return 0
    }

    private static func stored(_ type: DataType) -> DataType {
        switch type.kind {
        case .float: .int
        case .double: .bigInt
        default: type.nullable
        }
    }

    // MARK: Rows

    override func reserve(_ slotCount: Int) {
        table.reserve(slotCount)
        first.reserve(slotCount)
        last.reserve(slotCount)
        lengths.reserve(slotCount)
    }

    private func prepared(_ rows: AggregateRows) throws(MillstreamError) -> [Column] {
        var columns = rows.columns.map { $0.count == rows.count ? $0 : $0.slice(0, rows.count) }
        if let json {
            let place = Self.valuePlace(rule)
            let batch = Batch(schema: Schema([Field("value", columns[place].type)]), columns: [columns[place]], count: rows.count)
            columns[place] = try json.columns(of: batch, EvaluationContext())[0]
        }
        return zip(columns, table.types).map { $0.type.layout == $1.layout && $0.type.kind != $1.kind ? $0.retyped($1) : $0 }
    }

    private func take(_ rows: AggregateRows, _ body: (Int) throws(MillstreamError) -> Void) throws(MillstreamError) {
        let columns = try prepared(rows)
        prepare(try table.lookup(columns, rows.slots, rows.count))
        let value = columns[Self.valuePlace(rule)]
        let nulls = ignoresNulls && value.mayHaveNulls ? value : nil
        for row in 0..<rows.count {
            let step = rows.steps?[row] ?? Step.add
            let slot = Int(rows.slots[row])
            let found = Int(table.found[row])
            if step & Step.reset != 0 { removeAll(slot) }
            if nulls?.isNull(row) ?? false || step & (Step.add | Step.retract) == 0 {
                if table.counts[found] == 0 { emptied.append(table.found[row]) }
            } else if step & Step.add != 0 {
                add(found, slot)
            } else {
                retract(found, slot)
            }
            try body(row)
        }
    }

    private func prepare(_ values: [Int32]) {
        guard !values.isEmpty else { return }
        firstEqual.reserve(table.end)
        lastEqual.reserve(table.end)
        for value in values {
            firstEqual[Int(value)] = -1
            lastEqual[Int(value)] = -1
        }
    }

    private func add(_ value: Int, _ slot: Int) {
        table.counts[value] &+= 1
        guard table.counts[value] > 0 else {
            if table.counts[value] == 0 { emptied.append(Int32(truncatingIfNeeded: value)) }
            return
        }
        let place: Int32
        if let freed = free.popLast() {
            place = freed
        } else {
            place = Int32(truncatingIfNeeded: placeEnd)
            placeEnd += 1
            previous.reserve(placeEnd)
            next.reserve(placeEnd)
            nextEqual.reserve(placeEnd)
            valueOf.reserve(placeEnd)
        }
        let tail = last.base[slot]
        previous[Int(place)] = tail
        next[Int(place)] = -1
        nextEqual[Int(place)] = -1
        valueOf[Int(place)] = Int32(truncatingIfNeeded: value)
        if tail < 0 { first.base[slot] = place } else { next[Int(tail)] = place }
        last.base[slot] = place
        lengths.base[slot] &+= 1
        if lastEqual[value] < 0 { firstEqual[value] = place } else { nextEqual[Int(lastEqual[value])] = place }
        lastEqual[value] = place
    }

    private func retract(_ value: Int, _ slot: Int) {
        table.counts[value] &-= 1
        if table.counts[value] == 0 { emptied.append(Int32(truncatingIfNeeded: value)) }
        guard table.counts[value] >= 0 else { return }
        let place = firstEqual[value]
        firstEqual[value] = nextEqual[Int(place)]
        if firstEqual[value] < 0 { lastEqual[value] = -1 }
        let (before, behind) = (previous[Int(place)], next[Int(place)])
        if before < 0 { first.base[slot] = behind } else { next[Int(before)] = behind }
        if behind < 0 { last.base[slot] = before } else { previous[Int(behind)] = before }
        lengths.base[slot] &-= 1
        free.append(place)
    }

    /// Empties a slot; its values stay in the table until the end of the batch.
    private func removeAll(_ slot: Int) {
        var place = first.base[slot]
        while place >= 0 {
            free.append(place)
            place = next[Int(place)]
        }
        first.base[slot] = -1
        last.base[slot] = -1
        lengths.base[slot] = 0
        table.forEach(of: slot) { value in
            table.counts[value] = 0
            firstEqual[value] = -1
            lastEqual[value] = -1
            emptied.append(Int32(truncatingIfNeeded: value))
        }
    }

    private func settle() {
        var gone: [Int32] = []
        for value in emptied where table.counts[Int(value)] == 0 && table.isLive(Int(value)) {
            table.counts[Int(value)] = .min
            gone.append(value)
        }
        emptied.removeAll(keepingCapacity: true)
        table.erase(gone)
    }

    override func update(_ rows: AggregateRows) throws(MillstreamError) {
        try take(rows) { _ in }
        settle()
    }

    override func clear(_ slots: UnsafePointer<Int32>, count: Int) {
        for row in 0..<count where Int(slots[row]) < first.count { removeAll(Int(slots[row])) }
        settle()
    }

    // MARK: Results

    /// The values of results that are still to be made, one after the other, and where each result ends.
    private struct Pending {
        var values: [Int32] = []
        var ends: [Int32] = []
        var made: [Column] = []
    }

    override func run(_ rows: AggregateRows) throws(MillstreamError) -> Column {
        var pending = Pending()
        try take(rows) { (row) throws(MillstreamError) in try note(Int(rows.slots[row]), &pending) }
        let result = try finish(&pending)
        settle()
        return result
    }

    override func results(_ slots: UnsafePointer<Int32>, count: Int) throws(MillstreamError) -> Column {
        var pending = Pending()
        for row in 0..<count { try note(Int(slots[row]), &pending) }
        return try finish(&pending)
    }

    private func note(_ slot: Int, _ pending: inout Pending) throws(MillstreamError) {
        switch rule {
        case .first:
            if first.base[slot] >= 0 { pending.values.append(valueOf[Int(first.base[slot])]) }
        case .last:
            if last.base[slot] >= 0 { pending.values.append(valueOf[Int(last.base[slot])]) }
        case .single:
            guard lengths.base[slot] <= 1 else {
                throw MillstreamError(
                    .invalidArgument, "a subquery that stands for one value gave more than one row",
                    hint: "Let it give at most one row, by LIMIT 1 or an aggregate.")
            }
            if last.base[slot] >= 0 { pending.values.append(valueOf[Int(last.base[slot])]) }
        default:
            let start = pending.values.count
            var place = first.base[slot]
            while place >= 0 {
                pending.values.append(valueOf[Int(place)])
                place = next[Int(place)]
            }
            if !order.isEmpty, pending.values.count - start > 1 { try sort(&pending.values, from: start) }
        }
        pending.ends.append(Int32(truncatingIfNeeded: pending.values.count))
        if pending.values.count >= Self.valueCountMax { try flush(&pending) }
    }

    private func sort(_ values: inout [Int32], from start: Int) throws(MillstreamError) {
        let own = Array(values[start...])
        let columns = try columns(own)
        let keys = order.map { Columnar.SortKey(columns[$0.column], isDescending: $0.isDescending, nullsFirst: $0.nullsFirst) }
        let sorted = try Selection.sorted(by: keys, count: own.count)
        for place in own.indices { values[start + place] = own[sorted[place]] }
    }

    /// The columns of values in the types in which they came.
    private func columns(_ values: [Int32]) throws(MillstreamError) -> [Column] {
        zip(try table.columns(values), argumentTypes).map { $0.type.kind == $1.kind ? $0 : $0.retyped($1.nullable) }
    }

    private func flush(_ pending: inout Pending) throws(MillstreamError) {
        guard !pending.ends.isEmpty else { return }
        pending.made.append(try made(pending.values, pending.ends))
        pending.values.removeAll(keepingCapacity: true)
        pending.ends.removeAll(keepingCapacity: true)
    }

    private func finish(_ pending: inout Pending) throws(MillstreamError) -> Column {
        try flush(&pending)
        if pending.made.isEmpty { return try made([], []) }
        return pending.made.count == 1 ? pending.made[0] : try Column.concat(pending.made)
    }

    private func made(_ values: [Int32], _ ends: [Int32]) throws(MillstreamError) -> Column {
        let columns = try columns(values)
        switch rule {
        case .first, .last, .single:
            var start: Int32 = 0
            let rows = ends.map { end -> Int32 in
                defer { start = end }
                return end > start ? start : -1
            }
            return typed(try columns[0].taking(rows, nullsForNegative: true))
        case .array: return try arrays(columns[0], ends)
        case .text(let separator):
            return try texts(ends) { (target, range) throws(MillstreamError) in
                // Where nothing came there is nothing; a result that cannot be null is empty.
                if range.isEmpty { return !resultType.isNullable }
                for place in range {
                    if place > range.lowerBound { target.append(contentsOf: separator) }
                    target.append(contentsOf: columns[0].bytes(place))
                }
                return true
            }
        case .jsonArray:
            return try texts(ends) { (target, range) throws(MillstreamError) in
                target.append(UInt8(ascii: "["))
                for place in range {
                    if place > range.lowerBound { target.append(UInt8(ascii: ",")) }
                    target.appendJSON(columns[0], place)
                }
                target.append(UInt8(ascii: "]"))
                return true
            }
        case .jsonObject:
            return try texts(ends) { (target, range) throws(MillstreamError) in
                try requireDistinct(columns[0], range)
                target.append(UInt8(ascii: "{"))
                for place in range {
                    if place > range.lowerBound { target.append(UInt8(ascii: ",")) }
                    target.appendJSONText(columns[0].bytes(place))
                    target.append(UInt8(ascii: ":"))
                    target.appendJSON(columns[1], place)
                }
                target.append(UInt8(ascii: "}"))
                return true
            }
        }
    }

    private func requireDistinct(_ keys: Column, _ range: Range<Int>) throws(MillstreamError) {
        var seen: Set<[UInt8]> = []
        for place in range {
            if keys.isNull(place) { throw MillstreamError(.invalidArgument, "a key of JSON_OBJECTAGG is NULL") }
            let key = Array(keys.bytes(place))
            guard seen.insert(key).inserted else {
                throw MillstreamError(
                    .invalidArgument, "the key '\(String(decoding: key, as: UTF8.self))' of JSON_OBJECTAGG is there already",
                    hint: "Each key may come once in a group: make the keys distinct, or aggregate the values by key first.")
            }
        }
    }

    private func arrays(_ elements: Column, _ ends: [Int32]) throws(MillstreamError) -> Column {
        guard let elementType = resultType.elementType else { throw .internal("an array of \(resultType) has no elements") }
        let offsets = [0] + ends
        // An array of no values is null.
        var validity: Buffer?
        if ends.indices.contains(where: { offsets[$0] == offsets[$0 + 1] }) {
            let bits = Buffer.zeroed(byteCount: Bits.byteCount(ends.count))
            for row in ends.indices where offsets[row] < offsets[row + 1] { Bits.set(bits.base, row) }
            validity = bits
        }
        return Column(
            type: validity == nil ? resultType : resultType.nullable, count: ends.count, validity: validity, values: Buffer.copying(offsets),
            children: [elements.fitted(to: elementType)])
    }

    private func texts(
        _ ends: [Int32], _ body: (inout [UInt8], Range<Int>) throws(MillstreamError) -> Bool
    ) throws(MillstreamError) -> Column {
        var builder = ViewBuilder()
        var bytes: [UInt8] = []
        var start = 0
        var hasNulls = false
        for end in ends {
            bytes.removeAll(keepingCapacity: true)
            let isThere = try body(&bytes, start..<Int(end))
            start = Int(end)
            hasNulls = hasNulls || !isThere
            if isThere {
                try bytes.withBytes { (raw) throws(MillstreamError) in try builder.append(raw) }
            } else {
                try builder.appendNull()
            }
        }
        return builder.finish(type: hasNulls ? resultType.nullable : resultType)
    }

    // MARK: Values

    override var valueFields: [Field] { argumentTypes.enumerated().map { Field("value\($0.offset)", $0.element.nullable) } + [valueCountField] }

    override func values(of slots: [Int32]) throws(MillstreamError) -> (parents: [Int32], columns: [Column]) {
        var parents: [Int32] = [], values: [Int32] = [], counts: [Int64] = []
        for (number, slot) in slots.enumerated() where Int(slot) < first.count {
            var place = first.base[Int(slot)]
            while place >= 0 {
                parents.append(Int32(truncatingIfNeeded: number))
                values.append(valueOf[Int(place)])
                counts.append(1)
                place = next[Int(place)]
            }
            table.forEach(of: Int(slot)) { value in
                guard table.counts[value] < 0 else { return }
                parents.append(Int32(truncatingIfNeeded: number))
                values.append(Int32(truncatingIfNeeded: value))
                counts.append(table.counts[value])
            }
        }
        return (parents, try columns(values) + [.int64s(counts)])
    }

    override func restoreValues(_ columns: [Column], slots: [Int32]) throws(MillstreamError) {
        let own = zip(columns.dropLast(), table.types).map { $0.type.kind == $1.kind ? $0 : $0.retyped($1) }
        let counts = columns[columns.count - 1].pointer(as: Int64.self)
        try slots.withUnsafeBufferPointer { (list) throws(MillstreamError) in
            guard let base = list.baseAddress else { return }
            prepare(try table.lookup(own, base, list.count))
            for row in 0..<list.count {
                let (value, slot) = (Int(table.found[row]), Int(slots[row]))
                if counts[row] > 0 { for _ in 0..<counts[row] { add(value, slot) } } else { for _ in 0..<(0 &- counts[row]) { retract(value, slot) } }
            }
        }
        settle()
    }

    override func merge(_ from: UnsafePointer<Int32>, into: UnsafePointer<Int32>, count: Int) throws(MillstreamError) {
        let (parents, columns) = try values(of: Array(UnsafeBufferPointer(start: from, count: count)))
        try restoreValues(columns, slots: parents.map { into[Int($0)] })
    }
}

extension [UInt8] {
    /// A text that is JSON already; `null` for NULL.
    fileprivate mutating func appendJSON(_ column: Column, _ row: Int) {
        if column.isNull(row) { append(contentsOf: "null".utf8) } else { append(contentsOf: column.bytes(row)) }
    }

    /// A text as a string of JSON, with the escapes that Jackson makes.
    fileprivate mutating func appendJSONText(_ bytes: UnsafeRawBufferPointer) {
        let digits = Array("0123456789ABCDEF".utf8)
        append(UInt8(ascii: "\""))
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 8: append(contentsOf: "\\b".utf8)
            case 9: append(contentsOf: "\\t".utf8)
            case 10: append(contentsOf: "\\n".utf8)
            case 12: append(contentsOf: "\\f".utf8)
            case 13: append(contentsOf: "\\r".utf8)
            case ..<32: append(contentsOf: Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]])
            default: append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }
}
