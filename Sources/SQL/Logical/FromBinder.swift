import Columnar
import Expressions
import Plan

/// What FROM gives: rows, the names of their columns, and what a LATERAL query is correlated by.
struct BoundFrom {
    var relation: Relation
    var scope: TableScope
    /// Conditions over these columns and those of the query around the whole SELECT.
    var correlation: [ScalarExpression] = []
}

/// Binds the tables of FROM.
struct FromBinder {
    let query: QueryBinder
    /// What stands to the left of a LATERAL query or function.
    var left: TableScope?

    init(_ query: QueryBinder, left: TableScope? = nil) {
        self.query = query
        self.left = left
    }

    private var source: SourceText { query.source }

    func bind(_ table: TableSyntax) throws(MillstreamError) -> BoundFrom {
        switch table.kind {
        case .named(let name, let hints, let asOf):
            if let asOf { throw source.error("FOR SYSTEM_TIME AS OF stands on the right of a join", at: asOf.range) }
            return try named(name, hints: hints, alias: table.alias, columns: table.columns)
        case .query(let syntax, let isLateral):
            let bound = try query.nested(syntax.range, outer: isLateral ? left : query.outer).bind(syntax)
            guard bound.correlation.isEmpty else {
                throw source.error("a query in FROM uses a column of a table beside it", at: table.range, hint: "LATERAL before it, behind a join, allows it.")
            }
            return try aliased(bound, table)
        case .join(let left, let right, let kind, let isNatural, let condition): return try JoinBinder(query, left: self.left).bind(left, right, kind, isNatural: isNatural, condition, table.range)
        case .function(let call, let isLateral): return try function(call, isLateral: isLateral, table)
        case .unnest(let collections, let hasOrdinality):
            let row = Relation(.values([[]]), [], [])
            return try unnested(collections, hasOrdinality, row, EmptyScope(), isLeft: false, table).from
        case .matchRecognize:
            throw source.error("MATCH_RECOGNIZE is not built", at: table.range, code: .unsupported)
        }
    }

    // MARK: Named tables

    func named(_ name: QualifiedName, hints: [HintSyntax], alias: Identifier?, columns: [Identifier]) throws(MillstreamError) -> BoundFrom {
        let parts = name.parts.map(\.text)
        var relation: Relation
        var path = parts
        if parts.count == 1, let common = query.common[parts[0]] {
            relation = common.plain
        } else {
            guard let object = try query.names.object(parts) else { throw unknown(name) }
            switch object {
            case .table(let table):
                path = [table.path.catalog, table.path.database, table.path.name]
                relation = try scan(table, hints, name.range)
            case .view(let viewPath, let names, let syntax, let text):
                path = [viewPath.catalog, viewPath.database, viewPath.name]
                relation = try view(viewPath, names, syntax, text, name.range)
            }
        }
        var table = TableScope.Table(alias.map { [$0.text] } ?? path, [])
        relation = try named(relation, columns, alias?.text ?? name.text, name.range)
        table.columns = relation.columns.enumerated().map { ScopeColumn($0.element.name, $0.offset, $0.element.type, timeAttribute: $0.element.time) }
        return BoundFrom(relation: relation, scope: TableScope([table]))
    }

    private func unknown(_ name: QualifiedName) -> MillstreamError {
        let known = query.names.tableNames + query.common.keys.sorted()
        let last = name.parts[name.parts.count - 1].text
        var hint = NearestName.hint(last, among: known)
        if hint == nil { hint = known.isEmpty ? "CREATE TABLE makes one." : "There are: \(known.prefix(12).joined(separator: ", "))\(known.count > 12 ? ", ..." : "")." }
        return source.error("there is no table '\(name.text)'", at: name.range, hint: hint)
    }

    /// A table's rows with its computed columns and its watermark.
    private func scan(_ table: ResolvedTable, _ hints: [HintSyntax], _ range: SourceRange) throws(MillstreamError) -> Relation {
        var options: [(String, String)] = []
        for hint in hints where hint.name.text.uppercased() == "OPTIONS" { for option in hint.options { options.append((option.key, option.value)) } }
        if options.isEmpty, let known = query.shared.tables[table.path.description] { return known }
        var definition = table.table
        for (key, value) in options { definition.options[key] = value }
        let description = try query.names.describe(definition, at: table.path, range, source)
        if !query.options.isStreaming, let mode = description.sourceChangelog, mode != .insertOnly {
            throw source.error(
                "batch mode reads tables of new rows alone, and '\(table.path.name)' gives changes", at: range, hint: "SET 'execution.runtime-mode' = 'streaming' reads it.")
        }
        guard description.roles.contains(.scan) || description.roles.contains(.lookup) else {
            throw source.error("the table '\(table.path.name)' cannot be read: '\(description.connector)' is only written to", at: range)
        }
        let base = definition.baseColumns
        var relation = Relation(.scan(TableScan(table: ResolvedTable(path: table.path, table: definition), description: description)), [], base.map { RelationColumn($0.name, $0.type) })
        if definition.columns.contains(where: \.isComputed) {
            var expressions: [ScalarExpression] = []
            var columns: [RelationColumn] = []
            for (index, column) in definition.columns.enumerated() {
                let time = definition.timeAttribute(of: index)
                if let expression = column.expression {
                    expressions.append(expression.bound)
                } else {
                    guard let position = base.firstIndex(where: { $0.name == column.name }) else { continue }
                    expressions.append(relation.column(position))
                }
                columns.append(RelationColumn(column.name, column.type, time: time == .proctime ? time : nil))
            }
            relation = relation.projected(expressions, columns)
        }
        if let watermark = definition.watermark, query.options.isStreaming, let position = definition.index(of: watermark.column) {
            var columns = relation.columns
            columns[position].time = .rowtime
            relation = Relation(.watermark(column: position, watermark.expression.bound), [relation], columns)
        }
        if options.isEmpty { query.shared.tables[table.path.description] = relation }
        return relation
    }

    private func view(_ path: ObjectPath, _ names: [String], _ syntax: QuerySyntax, _ text: SourceText, _ range: SourceRange) throws(MillstreamError) -> Relation {
        if let known = query.shared.views[path.description] { return known }
        guard !query.shared.open.contains(path.description) else { throw source.error("the view '\(path.name)' uses itself", at: range) }
        query.shared.open.append(path.description)
        defer { query.shared.open.removeLast() }
        var relation = try query.forView(text, range).bind(syntax).plain
        if names.count == relation.columns.count {
            relation = relation.projected(relation.columns.indices.map(relation.column), zip(relation.columns, names).map { RelationColumn($1, $0.type, time: $0.time) })
        }
        query.shared.views[path.description] = relation
        return relation
    }

    // MARK: Aliases

    func aliased(_ bound: BoundQuery, _ table: TableSyntax) throws(MillstreamError) -> BoundFrom {
        let relation = try named(bound.plain, table.columns, table.alias?.text ?? "the query", table.range)
        return BoundFrom(relation: relation, scope: scope(of: relation, table.alias.map { [$0.text] } ?? []))
    }

    func scope(of relation: Relation, _ name: [String], from start: Int = 0) -> TableScope {
        TableScope([
            TableScope.Table(name, relation.columns.enumerated().dropFirst(start).map { ScopeColumn($0.element.name, $0.offset, $0.element.type, timeAttribute: $0.element.time) })
        ])
    }

    private func named(_ relation: Relation, _ names: [Identifier], _ what: String, _ range: SourceRange) throws(MillstreamError) -> Relation {
        if names.isEmpty { return relation }
        guard names.count == relation.columns.count else {
            throw source.error("\(what) has \(relation.columns.count) columns, and \(names.count) names are given", at: range)
        }
        return relation.projected(relation.columns.indices.map(relation.column), zip(relation.columns, names).map { RelationColumn($1.text, $0.type, time: $0.time) })
    }

    // MARK: UNNEST

    /// The elements of collections behind the rows of `relation`, in which the collections are named.
    func unnested(
        _ collections: [ExpressionSyntax], _ hasOrdinality: Bool, _ relation: Relation, _ scope: any BindingScope, isLeft: Bool, _ table: TableSyntax
    ) throws(MillstreamError) -> (from: BoundFrom, start: Int) {
        guard collections.count == 1 else { throw source.error("UNNEST of several collections is not built", at: table.range, code: .unsupported) }
        let collection = try query.scalar(collections[0], scope, nil)
        var fields: [Field]
        switch collection.type.kind {
        case .array(let element), .multiset(let element): fields = element.kind.fields ?? [Field("f0", element)]
            if element.isNullable, element.kind.fields != nil { fields = fields.map { Field($0.name, $0.type.nullable) } }
        case .map(let key, let value): fields = [Field("f0", key), Field("f1", value)]
        default: throw source.error("UNNEST takes an array, a map or a multiset, not a value of type \(collection.type)", at: collections[0].range)
        }
        if hasOrdinality { fields.append(Field("ORDINALITY", DataType.int.notNull)) }
        var columns = fields.map { RelationColumn($0.name, isLeft ? $0.type.nullable : $0.type) }
        if !table.columns.isEmpty {
            guard table.columns.count == columns.count else {
                throw source.error("UNNEST has \(columns.count) columns here, and \(table.columns.count) names are given", at: table.range)
            }
            for (index, name) in table.columns.enumerated() { columns[index].name = name.text }
        } else if columns.count == 1, let alias = table.alias {
            columns[0].name = alias.text
        }
        let unnest = UnnestedColumn(collection: collection.expression, isLeft: isLeft, hasOrdinality: hasOrdinality)
        let result = Relation(.unnest(unnest), [relation], relation.columns + columns)
        return (BoundFrom(relation: result, scope: self.scope(of: result, table.alias.map { [$0.text] } ?? [], from: relation.columns.count)), relation.columns.count)
    }

    // MARK: Functions

    private func function(_ call: CallSyntax, isLateral: Bool, _ table: TableSyntax) throws(MillstreamError) -> BoundFrom {
        switch call.name.text.uppercased() {
        case "TUMBLE", "HOP", "CUMULATE", "SESSION": return try windowFunction(call, table)
        default:
            throw source.error(
                "there is no table function '\(call.name.text)'", at: call.name.range, hint: "TUMBLE, HOP, CUMULATE and SESSION are there.", code: .unsupported)
        }
    }

    private static let parameters: [String: [String]] = [
        "TUMBLE": ["DATA", "TIMECOL", "SIZE", "OFFSET"], "HOP": ["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
        "CUMULATE": ["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"], "SESSION": ["DATA", "TIMECOL", "GAP"],
    ]

    private func windowFunction(_ call: CallSyntax, _ table: TableSyntax) throws(MillstreamError) -> BoundFrom {
        let name = call.name.text.uppercased()
        let parameters = Self.parameters[name] ?? []
        let required = name == "SESSION" ? parameters.count : parameters.count - 1
        var given: [String: ArgumentSyntax] = [:]
        for (index, argument) in call.arguments.enumerated() {
            let parameter = argument.name?.text.uppercased() ?? (index < parameters.count ? parameters[index] : "")
            guard parameters.contains(parameter), given[parameter] == nil else {
                throw source.error("\(name) takes \(parameters.joined(separator: ", "))", at: argument.name?.range ?? call.name.range)
            }
            given[parameter] = argument
        }
        for parameter in parameters.prefix(required) where given[parameter] == nil {
            throw source.error("\(name) needs \(parameter)", at: call.name.range, hint: "It takes \(parameters.joined(separator: ", ")).")
        }
        guard case .table(let tableArgument)? = given["DATA"]?.value else { throw source.error("the first argument of \(name) is a TABLE", at: call.name.range) }
        let input = try FromBinder(query).bind(tableArgument.table)
        guard case .descriptor(let timeColumns)? = given["TIMECOL"]?.value, timeColumns.count == 1 else {
            throw source.error("\(name) needs DESCRIPTOR(column) with the time attribute", at: call.name.range)
        }
        let scope = input.scope
        let time = try query.scalar(ExpressionSyntax(.name(QualifiedName(timeColumns)), timeColumns[0].range), scope, nil)
        guard case .column(let position) = time.expression.kind, let attribute = time.timeAttribute ?? query.batchTime(time.type) else {
            throw source.error(
                "\(name) needs a time attribute: '\(timeColumns[0].text)' is a \(time.type)", at: timeColumns[0].range, hint: "WATERMARK FOR makes a column one, PROCTIME() is one.")
        }
        func duration(_ parameter: String) throws(MillstreamError) -> Int64 {
            guard case .expression(let value)? = given[parameter]?.value else { throw source.error("\(parameter) of \(name) is an interval", at: call.name.range) }
            return try query.milliseconds(value, EmptyScope())
        }
        let shape: WindowTable.Shape
        switch name {
        case "TUMBLE": shape = .tumble(size: try duration("SIZE"))
        case "HOP": shape = .hop(slide: try duration("SLIDE"), size: try duration("SIZE"))
        case "CUMULATE": shape = .cumulate(step: try duration("STEP"), size: try duration("SIZE"))
        default:
            var keys: [Int] = []
            for key in tableArgument.partitionBy {
                guard case .column(let position) = try query.scalar(key, scope, nil).expression.kind else { throw source.error("PARTITION BY takes columns", at: key.range) }
                keys.append(position)
            }
            shape = .session(gap: try duration("GAP"), partitionBy: keys)
        }
        let offset = given["OFFSET"] == nil ? 0 : try duration("OFFSET")
        let window = WindowTable(shape, offset: offset, timeColumn: position, isProcessingTime: attribute == .proctime, timeZone: query.options.timeZone)
        try query.check(window, table.range)
        // The time keeps being one in `window_time` alone.
        var result = input.relation.windowed(window, isStreaming: query.options.isStreaming)
        if !table.columns.isEmpty { result = try named(result, table.columns, name, table.range) }
        return BoundFrom(relation: result, scope: self.scope(of: result, table.alias.map { [$0.text] } ?? []))
    }
}
