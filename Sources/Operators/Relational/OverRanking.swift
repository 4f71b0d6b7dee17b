import Columnar
import Plan

/// The functions of OVER that are no aggregates, over all rows of a partition: ranks, and other rows' values.
enum OverRanking {
    /// The results in the order of the rows; nil for an aggregate function.
    static func column(_ call: AggregateExpression, _ order: OverOrder, _ columns: [Column], count: Int) throws(MillstreamError) -> Column? {
        guard case .builtIn(let function) = call.function else { return nil }
        switch function {
        case .rowNumber: return try integers(call, order, count) { place, partition, _, _ in place - partition.lowerBound + 1 }
        case .rank: return try integers(call, order, count) { _, partition, peers, _ in peers.lowerBound - partition.lowerBound + 1 }
        case .denseRank: return try integers(call, order, count) { _, _, _, number in number }
        case .percentRank:
            return doubles(call, order, count) { _, partition, peers in
                partition.count <= 1 ? 0 : Double(peers.lowerBound - partition.lowerBound) / Double(partition.count - 1)
            }
        case .cumeDist:
            return doubles(call, order, count) { _, partition, peers in Double(peers.upperBound - partition.lowerBound) / Double(partition.count) }
        case .ntile:
            guard case .int64(let buckets)? = call.constants.first, buckets > 0 else {
                throw MillstreamError(.plan, "NTILE needs a number of buckets that is more than 0")
            }
            return try integers(call, order, count) { place, partition, _, _ in
                // The first buckets have one row more where the rows do not divide.
                let size = partition.count / Int(clamping: buckets), larger = partition.count % Int(clamping: buckets)
                let row = place - partition.lowerBound
                return row < larger * (size + 1) ? row / (size + 1) + 1 : larger + (row - larger * (size + 1)) / max(1, size) + 1
            }
        case .lag, .lead: return try neighbours(call, order, columns, isAhead: function == .lead, count: count)
        default: return nil
        }
    }

    private static func integers(
        _ call: AggregateExpression, _ order: OverOrder, _ count: Int,
        _ body: (_ place: Int, _ partition: Range<Int>, _ peers: Range<Int>, _ number: Int) -> Int
    ) throws(MillstreamError) -> Column {
        var values = [Int64?](repeating: 0, count: count)
        forEach(order) { place, partition, peers, number in values[place] = Int64(body(place, partition, peers, number)) }
        return try Column.integers(values, type: call.type)
    }

    private static func doubles(
        _ call: AggregateExpression, _ order: OverOrder, _ count: Int, _ body: (_ place: Int, _ partition: Range<Int>, _ peers: Range<Int>) -> Double
    ) -> Column {
        var values = [Double](repeating: 0, count: count)
        forEach(order) { place, partition, peers, _ in values[place] = body(place, partition, peers) }
        return Column(type: call.type, count: count, values: Buffer.copying(values))
    }

    /// `number`: the how manyth peers of their partition they are.
    private static func forEach(_ order: OverOrder, _ body: (_ place: Int, _ partition: Range<Int>, _ peers: Range<Int>, _ number: Int) -> Void) {
        var peer = 0
        for partition in order.partitions {
            var number = 0
            while peer < order.peers.count, order.peers[peer].lowerBound < partition.upperBound {
                number += 1
                for place in order.peers[peer] { body(place, partition, order.peers[peer], number) }
                peer += 1
            }
        }
    }

    private static func neighbours(
        _ call: AggregateExpression, _ order: OverOrder, _ columns: [Column], isAhead: Bool, count: Int
    ) throws(MillstreamError) -> Column {
        let distance = try call.neighbourDistance()
        let values = try columns[call.arguments[0]].taking(order.rows)
        var candidates = values.retyped(values.type.nullable)
        // The defaults stand behind the values: one of its own for each row.
        let hasDefault = call.arguments.count > 1
        if hasDefault {
            let defaults = try columns[call.arguments[1]].taking(order.rows)
            candidates = try Column.concat([candidates, defaults.retyped(candidates.type.nullable)])
        }
        var rows = [Int32](repeating: -1, count: count)
        for partition in order.partitions {
            // With IGNORE NULLS, the places of the values that are there.
            let known = call.ignoresNulls ? partition.filter { !values.isNull($0) } : []
            var next = 0
            for place in partition {
                var found: Int?
                if call.ignoresNulls {
                    while next < known.count, known[next] < place { next += 1 }
                    let isKnown = next < known.count && known[next] == place
                    let target = distance == 0 ? (isKnown ? next : -1) : isAhead ? next + (isKnown ? distance : distance - 1) : next - distance
                    if target >= 0, target < known.count { found = known[target] }
                } else {
                    let (target, overflows) = isAhead ? place.addingReportingOverflow(distance) : place.subtractingReportingOverflow(distance)
                    if !overflows, partition.contains(target) { found = target }
                }
                rows[place] = found.map { Int32(truncatingIfNeeded: $0) } ?? (hasDefault ? Int32(truncatingIfNeeded: count + place) : -1)
            }
        }
        return try candidates.taking(rows, nullsForNegative: true).fitted(to: call.type)
    }
}

extension AggregateExpression {
    /// Throws `plan` for LAG and LEAD of columns that are not there, or with a default of another type than the value's.
    func checkNeighbours(_ input: [DataType]) throws(MillstreamError) {
        guard function == .builtIn(.lag) || function == .builtIn(.lead) else { return }
        _ = try neighbourDistance()
        for position in arguments where position < 0 || position >= input.count {
            throw MillstreamError(.plan, "\(name) reads column \(position); the rows have \(input.count) columns")
        }
        guard arguments.count > 1, input[arguments[0]].layout != input[arguments[1]].layout else { return }
        throw MillstreamError(.plan, "the default of \(name) is of type \(input[arguments[1]]), and its value of type \(input[arguments[0]])")
    }

    /// How many rows LAG and LEAD look back or ahead: 1 where nothing is said.
    func neighbourDistance() throws(MillstreamError) -> Int {
        guard !arguments.isEmpty else { throw MillstreamError(.plan, "\(name) needs a value") }
        switch constants.first {
        case nil: return 1
        case .int64(let rows)?:
            guard rows >= 0 else { throw MillstreamError(.plan, "the offset of \(name) is \(rows); it must not be negative") }
            return Int(clamping: min(rows, Int64(Int32.max)))
        case let other?: throw MillstreamError(.plan, "the offset of \(name) is \(other); it must be a whole number")
        }
    }
}
