import Columnar
import Plan

/// What is known of relations' rows: which changes they come with, and by which columns a row is known.
final class RelationTraits {
    private let isStreaming: Bool
    private var changes: [ObjectIdentifier: ChangelogMode] = [:]
    private var keys: [ObjectIdentifier: [[Int]]] = [:]
    private var kept: [Relation] = []

    init(isStreaming: Bool) { self.isStreaming = isStreaming }

    // MARK: Changes

    /// The kinds of rows that come out.
    func changelog(of relation: Relation) -> ChangelogMode {
        guard isStreaming else { return .insertOnly }
        if let known = changes[ObjectIdentifier(relation)] { return known }
        let mode = findChangelog(relation)
        kept.append(relation)
        changes[ObjectIdentifier(relation)] = mode
        return mode
    }

    func isInsertOnly(_ relation: Relation) -> Bool { changelog(of: relation) == .insertOnly }

    private func findChangelog(_ relation: Relation) -> ChangelogMode {
        switch relation.operation {
        case .scan(let scan):
            let mode = scan.description.sourceChangelog ?? .insertOnly
            // A changelog without -U is made whole before anything else looks at it.
            return mode == .insertOnly ? mode : .all
        case .values: return .insertOnly
        case .calc, .watermark, .expand, .windowTable, .unnest, .over, .replicate: return changelog(of: relation.input)
        case .union: return relation.inputs.reduce(into: ChangelogMode.insertOnly) { $0.formUnion(changelog(of: $1)) }
        // A window comes out once, whatever its rows did before.
        case .windowAggregate: return .insertOnly
        case .aggregate(_, let calls):
            // Rows once seen stay, where nothing is computed of them.
            return calls.isEmpty && isInsertOnly(relation.input) ? .insertOnly : .all
        case .sort: return changelog(of: relation.input)
        case .limit: return isInsertOnly(relation.input) ? .insertOnly : .all
        case .rank(let rank): return RankKind(rank, relation.input, self).isInsertOnly ? .insertOnly : .all
        case .join(let join):
            switch join.time {
            case .interval, .window: return .insertOnly
            case .temporal, .lookup: return changelog(of: relation.inputs[0])
            case .regular:
                let isPlain = isInsertOnly(relation.inputs[0]) && isInsertOnly(relation.inputs[1])
                return isPlain && (join.kind == .inner || join.kind == .semi) ? .insertOnly : .all
            }
        }
    }

    // MARK: Keys

    /// Sets of columns by which a row is known: no two rows at a time have the same values there. The empty set: there is one row at most.
    func uniqueKeys(of relation: Relation) -> [[Int]] {
        if let known = keys[ObjectIdentifier(relation)] { return known }
        let found = findKeys(relation)
        kept.append(relation)
        keys[ObjectIdentifier(relation)] = found
        return found
    }

    private func findKeys(_ relation: Relation) -> [[Int]] {
        switch relation.operation {
        case .scan(let scan):
            guard let primary = scan.table.table.primaryKey else { return [] }
            var positions: [Int] = []
            for name in primary.columns {
                guard let position = relation.columns.firstIndex(where: { $0.name == name }) else { return [] }
                positions.append(position)
            }
            return [positions.sorted()]
        case .values(let rows): return rows.count <= 1 ? [[]] : []
        case .calc(_, let expressions):
            var places: [Int: Int] = [:]
            for (place, expression) in expressions.enumerated() {
                if case .column(let position) = expression.kind, places[position] == nil { places[position] = place }
            }
            return uniqueKeys(of: relation.input).compactMap { key in
                let moved = key.compactMap { places[$0] }
                return moved.count == key.count ? moved.sorted() : nil
            }
        case .watermark, .sort, .limit, .over: return uniqueKeys(of: relation.input)
        case .aggregate(let keys, _): return [Array(0..<keys.count)]
        case .windowAggregate(_, let keys, let calls, let bounds):
            let end = bounds.firstIndex(of: .end) ?? 0
            return [Array(0..<keys.count) + [keys.count + calls.count + end]]
        case .rank(let rank):
            var found = uniqueKeys(of: relation.input)
            if rank.function == .rowNumber, rank.first == rank.last { found.append(rank.partitionBy.sorted()) }
            if rank.function == .rowNumber, rank.hasNumber { found.append((rank.partitionBy + [relation.columns.count - 1]).sorted()) }
            return found
        case .join(let join): return joinKeys(join, relation)
        case .union, .expand, .windowTable, .unnest, .replicate: return []
        }
    }

    private func joinKeys(_ join: RelationalJoin, _ relation: Relation) -> [[Int]] {
        let left = uniqueKeys(of: relation.inputs[0])
        if join.kind == .semi || join.kind == .anti { return left }
        let count = relation.inputs[0].columns.count
        let right = uniqueKeys(of: relation.inputs[1]).map { $0.map { $0 + count } }
        var found: [[Int]] = []
        let isLeftUnique = left.contains { Set($0).isSubset(of: join.leftKeys) }
        let isRightUnique = right.contains { Set($0).isSubset(of: join.rightKeys.map { $0 + count }) }
        if isRightUnique, join.kind == .inner || join.kind == .left { found += left }
        if isLeftUnique, join.kind == .inner || join.kind == .right { found += right }
        for one in left { for other in right { found.append((one + other).sorted()) } }
        return found
    }
}

/// What operator a Top-N is.
enum RankKind {
    /// The first row of each key, in the order of a time attribute.
    case firstRow(timeColumn: Int?)
    /// The last one.
    case lastRow(timeColumn: Int?)
    case topN

    init(_ rank: RankedRows, _ input: Relation, _ traits: RelationTraits) {
        guard rank.function == .rowNumber, rank.first == 1, rank.last == 1, rank.orderBy.count == 1, traits.isInsertOnly(input), !rank.hasNumber,
            !rank.partitionBy.isEmpty, let time = input.columns[rank.orderBy[0].column].time
        else {
            self = .topN
            return
        }
        let column = time == .rowtime ? rank.orderBy[0].column : nil
        self = rank.orderBy[0].isDescending ? .lastRow(timeColumn: column) : .firstRow(timeColumn: column)
    }

    var isInsertOnly: Bool { if case .firstRow = self { true } else { false } }
}
