import Columnar
import Plan

extension StatementPlanner {
    /// The plan of a statement as text: one column, one row.
    public func explain(_ explain: ExplainSyntax, in source: SourceText) throws(MillstreamError) -> ResultTable {
        let details = Set(explain.details.map { $0.uppercased() })
        var parts: [String] = []
        switch explain.statement.kind {
        case .query(let query): parts.append(text(of: try optimized(query, source), details))
        case .insert(let insert):
            let target = try sessionTarget(insert, source)
            parts.append("Sink(table=[\(target.path)])\n" + indented(text(of: try optimized(InsertRequest(target: target, insert: insert, source: source)), details)))
        default: throw source.error("EXPLAIN takes a query or an INSERT", at: explain.statement.range)
        }
        return ResultTable(.successWithContent, [Field("result", .string)], [[.string("== Optimized Plan ==\n" + parts.joined(separator: "\n"))]])
    }

    private func indented(_ text: String) -> String { text.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n") + "\n" }

    private func text(of relation: Relation, _ details: Set<String>) -> String {
        let traits = RelationTraits(isStreaming: isStreamingSession)
        var shown: [ObjectIdentifier: Int] = [:]
        func lines(_ relation: Relation, _ depth: Int) -> [String] {
            let lead = String(repeating: "  ", count: depth)
            if let number = shown[ObjectIdentifier(relation)] { return ["\(lead)Reused(reference_id=[\(number)])"] }
            shown[ObjectIdentifier(relation)] = shown.count + 1
            var line = "\(lead)\(relation.summary)"
            if details.contains("CHANGELOG_MODE") { line += ", changelogMode=[\(traits.changelog(of: relation).text)]" }
            return [line] + relation.inputs.flatMap { lines($0, depth + 1) }
        }
        return lines(relation, 0).joined(separator: "\n") + "\n"
    }
}

extension ChangelogMode {
    /// As Flink's EXPLAIN has it: `I,UB,UA,D`.
    var text: String {
        var kinds: [String] = []
        if contains(.insert) { kinds.append("I") }
        if contains(.updateBefore) { kinds.append("UB") }
        if contains(.updateAfter) { kinds.append("UA") }
        if contains(.delete) { kinds.append("D") }
        return kinds.joined(separator: ",")
    }
}

extension Relation {
    /// What the operator is and does, in one line.
    var summary: String {
        func names(_ positions: [Int], _ columns: [RelationColumn]) -> String { positions.map { columns[$0].name }.joined(separator: ", ") }
        func order(_ keys: [SortKey], _ columns: [RelationColumn]) -> String {
            keys.map { "\(columns[$0.column].name) \($0.isDescending ? "DESC" : "ASC")" }.joined(separator: ", ")
        }
        let fields = "fields=[\(columns.map(\.name).joined(separator: ", "))]"
        switch operation {
        case .scan(let scan): return "TableSourceScan(table=[\(scan.table.path)], \(fields))"
        case .values(let rows): return "Values(rows=[\(rows.count)], \(fields))"
        case .calc(let condition, _): return "Calc(\(condition == nil ? "" : "where=[\(condition.map { $0.columns.map { input.columns[$0].name }.joined(separator: ", ") } ?? "")], ")\(fields))"
        case .watermark(let column, _): return "WatermarkAssigner(rowtime=[\(columns[column].name)])"
        case .expand(let sets, _): return "Expand(sets=[\(sets.count)])"
        case .aggregate(let keys, let calls):
            return "GroupAggregate(groupBy=[\(names(keys, input.columns))], calls=[\(calls.map(\.function.text).joined(separator: ", "))], \(fields))"
        case .windowTable(let window): return "WindowTableFunction(window=[\(window.text)])"
        case .windowAggregate(let window, let keys, let calls, _):
            return "WindowAggregate(groupBy=[\(names(keys, input.columns))], window=[\(window.text)], calls=[\(calls.map(\.function.text).joined(separator: ", "))], \(fields))"
        case .over(let groups):
            return "OverAggregate(\(groups.map { "partitionBy=[\(names($0.partitionBy, input.columns))], orderBy=[\(order($0.orderBy, input.columns))], calls=[\($0.calls.map(\.function.text).joined(separator: ", "))]" }.joined(separator: "; ")))"
        case .join(let join):
            let keys = zip(join.leftKeys, join.rightKeys).map { "\(inputs[0].columns[$0].name) = \(inputs[1].columns[$1].name)" }.joined(separator: " AND ")
            return "\(join.timeName)Join(joinType=[\(join.kind)], where=[\(keys)\(join.residual == nil ? "" : keys.isEmpty ? "condition" : " AND condition")], \(fields))"
        case .union: return "Union(all=[true], \(fields))"
        case .replicate: return "ReplicateRows(\(fields))"
        case .sort(let keys): return "Sort(orderBy=[\(order(keys, columns))])"
        case .limit(let offset, let fetch): return "Limit(offset=[\(offset)], fetch=[\(fetch.map(String.init) ?? "all")])"
        case .rank(let rank):
            return "Rank(rankType=[\(rank.function.rawValue)], rankRange=[rankStart=\(rank.first), rankEnd=\(rank.last)], partitionBy=[\(names(rank.partitionBy, input.columns))], orderBy=[\(order(rank.orderBy, input.columns))], \(fields))"
        case .unnest(let unnest): return "Correlate(joinType=[\(unnest.isLeft ? "LEFT" : "INNER")], UNNEST, \(fields))"
        }
    }
}

extension RelationalJoin {
    fileprivate var timeName: String {
        switch time {
        case .regular: ""
        case .interval: "Interval"
        case .temporal: "Temporal"
        case .lookup: "Lookup"
        case .window: "Window"
        }
    }
}

extension AggregateFunction {
    var text: String {
        switch self {
        case .builtIn(let function): function.rawValue
        case .user(let binding): "user function \(binding.value)"
        }
    }
}

extension WindowTable {
    var text: String {
        switch shape {
        case .tumble(let size): "TUMBLE(size=[\(size) ms])"
        case .hop(let slide, let size): "HOP(slide=[\(slide) ms], size=[\(size) ms])"
        case .cumulate(let step, let size): "CUMULATE(step=[\(step) ms], size=[\(size) ms])"
        case .session(let gap, _): "SESSION(gap=[\(gap) ms])"
        case .attached: "ATTACHED"
        }
    }
}
