import Columnar
import Expressions
import Plan

extension SQLSession {
    func alterTable(_ name: QualifiedName, ifExists: Bool, _ change: AlterTableSyntax, _ source: SourceText, _ range: SourceRange)
        throws(MillstreamError) -> ResultTable
    {
        let path = try self.path(name, source)
        if catalogs.temporaryObject(at: path) != nil {
            throw source.error(
                "'\(path)' is temporary; temporary tables are not altered", at: name.range, hint: "DROP TEMPORARY TABLE, and CREATE it again.")
        }
        guard let object = try catalogs.permanentObject(at: path) else {
            if ifExists { return .ok }
            throw try missing("table", name, path, source)
        }
        guard case .table(let table) = object else { throw source.error("'\(path)' is a view", at: name.range, hint: "ALTER VIEW alters it.") }
        let catalog = try catalogs.catalog(path.catalog)
        if case .renameTo(let new) = change {
            try rename(object, path, new, catalog, source)
            return .ok
        }
        var alteration = TableAlteration(table: table, draft: try TableDraft(table), session: self, source: source, range: range)
        try alteration.apply(change)
        let altered = try alteration.draft.finish(self, source, at: range)
        var given: [OptionSyntax] = []
        if case .set(let options) = change { given = options }
        if altered.options != table.options { try checkOptions(altered, path, given, range, source) }
        try placing(range, source) { () throws(MillstreamError) in try catalog.putObject(path.name, in: path.database, .table(altered)) }
        return .ok
    }
}

/// What ALTER TABLE does to a table's parts.
private struct TableAlteration {
    /// As it was.
    let table: CatalogTable
    var draft: TableDraft
    let session: SQLSession
    let source: SourceText
    let range: SourceRange

    mutating func apply(_ change: AlterTableSyntax) throws(MillstreamError) {
        switch change {
        case .renameTo: break
        case .renameColumn(let column, let new): try rename(column, new)
        case .set(let options): for option in options { draft.options[option.key] = option.value }
        case .reset(let keys):
            guard !keys.isEmpty else { throw source.error("RESET names no option", at: range) }
            if keys.contains("connector") { throw source.error("the option 'connector' cannot be reset", at: range, hint: "SET gives another one.") }
            for key in keys { draft.options[key] = nil }
        case .add(let columns, let watermarks, let constraints, let distribution): try add(columns, watermarks, constraints, distribution)
        case .modify(let columns, let watermarks, let constraints, let distribution): try modify(columns, watermarks, constraints, distribution)
        case .dropColumns(let names): try drop(names)
        case .dropPrimaryKey:
            guard draft.primaryKey != nil else { throw source.error("the table has no primary key", at: range) }
            try dropKey()
        case .dropConstraint(let name):
            guard let key = draft.primaryKey?.key else { throw source.error("the table has no primary key", at: name.range) }
            guard key.name.isSame(as: name.text) else {
                throw source.error("the table has no constraint '\(name.text)'", at: name.range, hint: "Its primary key is '\(key.name)'.")
            }
            try dropKey()
        case .dropWatermark:
            guard draft.watermark != nil else { throw source.error("the table has no watermark", at: range) }
            draft.watermark = nil
        case .dropDistribution:
            guard draft.distribution != nil else { throw source.error("the table has no distribution", at: range) }
            draft.distribution = nil
        case .addPartitions(let partitions, let ifNotExists): try addPartitions(partitions, ifNotExists: ifNotExists)
        case .dropPartitions(let partitions, let ifExists): try dropPartitions(partitions, ifExists: ifExists)
        }
    }

    private func index(_ name: QualifiedName) throws(MillstreamError) -> Int {
        guard name.parts.count == 1 else {
            throw source.error(
                "'\(name.text)' is a field within a column", at: name.range, hint: "A column is changed as a whole: MODIFY with its ROW type.",
                code: .unsupported)
        }
        return try index(name.parts[0])
    }

    private func index(_ name: Identifier) throws(MillstreamError) -> Int {
        guard let index = draft.index(of: name.text) else {
            throw source.error(
                "the table has no column '\(name.text)'", at: name.range,
                hint: NearestName.hint(name.text, among: draft.columns.map(\.name))
                    ?? "Its columns: \(draft.columns.map(\.name).joined(separator: ", ")).")
        }
        return index
    }

    // MARK: Columns

    private mutating func place(_ column: TableDraft.Column, _ place: ColumnSyntax.Place?, otherwise index: Int) throws(MillstreamError) {
        switch place {
        case .first: draft.columns.insert(column, at: 0)
        case .after(let name): draft.columns.insert(column, at: try self.index(name) + 1)
        case nil: draft.columns.insert(column, at: index)
        }
    }

    private mutating func add(
        _ columns: [ColumnSyntax], _ watermarks: [WatermarkSyntax], _ constraints: [ConstraintSyntax], _ distribution: DistributionSyntax?
    ) throws(MillstreamError) {
        for syntax in columns {
            let column = try draft.column(syntax, session, source)
            guard draft.index(of: column.name) == nil else {
                throw source.error("the table has a column '\(column.name)' already", at: syntax.name.range, hint: "MODIFY changes it.")
            }
            try place(column, syntax.place, otherwise: draft.columns.count)
        }
        for constraint in constraints {
            let key = try TableDraft.key(constraint, source)
            if let there = draft.primaryKey {
                throw source.error(
                    "the table has the primary key (\(there.key.columns.joined(separator: ", "))) already", at: constraint.range,
                    hint: "MODIFY changes it, DROP PRIMARY KEY takes it away.")
            }
            draft.primaryKey = key
        }
        if let watermark = watermarks.first {
            if let there = draft.watermark {
                throw source.error(
                    "the table has a watermark for '\(there.column)' already", at: watermark.range,
                    hint: "MODIFY changes it, DROP WATERMARK takes it away.")
            }
            setWatermark(watermark)
        }
        if let distribution {
            guard draft.distribution == nil else {
                throw source.error("the table has a distribution already", at: range, hint: "MODIFY changes it, DROP DISTRIBUTION takes it away.")
            }
            draft.distribution = try TableDraft.distribution(distribution, source, range)
        }
    }

    private mutating func setWatermark(_ watermark: WatermarkSyntax) {
        draft.watermark = TableDraft.Watermark(
            column: watermark.column.text, definition: TableDraft.Definition(expression: watermark.expression, source: source), range: watermark.range
        )
    }

    private mutating func modify(
        _ columns: [ColumnSyntax], _ watermarks: [WatermarkSyntax], _ constraints: [ConstraintSyntax], _ distribution: DistributionSyntax?
    ) throws(MillstreamError) {
        for syntax in columns {
            let index = try index(syntax.name)
            var column = try draft.column(syntax, session, source)
            let old = draft.columns.remove(at: index)
            if column.comment == nil { column.comment = old.comment }
            try place(column, syntax.place, otherwise: index)
        }
        for constraint in constraints {
            let key = try TableDraft.key(constraint, source)
            guard draft.primaryKey != nil else { throw source.error("the table has no primary key", at: constraint.range, hint: "ADD gives it one.") }
            try dropKey()
            draft.primaryKey = key
        }
        if let watermark = watermarks.first {
            guard draft.watermark != nil else { throw source.error("the table has no watermark", at: watermark.range, hint: "ADD gives it one.") }
            setWatermark(watermark)
        }
        if let distribution {
            guard draft.distribution != nil else { throw source.error("the table has no distribution", at: range, hint: "ADD gives it one.") }
            draft.distribution = try TableDraft.distribution(distribution, source, range)
        }
    }

    /// Takes the key away; its columns stay NOT NULL, as they were.
    private mutating func dropKey() throws(MillstreamError) {
        for name in draft.primaryKey?.key.columns ?? [] {
            guard let index = draft.index(of: name), case .physical(let type) = draft.columns[index].value else { continue }
            draft.columns[index].value = .physical(type.notNull)
        }
        draft.primaryKey = nil
    }

    private mutating func rename(_ column: QualifiedName, _ new: Identifier) throws(MillstreamError) {
        let index = try index(column)
        guard draft.index(of: new.text) == nil else { throw source.error("the table has a column '\(new.text)' already", at: new.range) }
        let old = draft.columns[index].name
        try checkUnused(old, column.range, dropped: [])
        draft.columns[index].name = new.text
        // The key goes with its column.
        if var key = draft.primaryKey {
            let isNamedAfterColumns = key.key.name == PrimaryKey(columns: key.key.columns).name
            key.key.columns = key.key.columns.map { $0.isSame(as: old) ? new.text : $0 }
            if isNamedAfterColumns { key.key.name = PrimaryKey(columns: key.key.columns).name }
            draft.primaryKey = key
        }
    }

    private mutating func drop(_ names: [QualifiedName]) throws(MillstreamError) {
        var dropped: [String] = []
        for name in names {
            let index = try index(name)
            let column = draft.columns[index].name
            if dropped.contains(where: { $0.isSame(as: column) }) { throw source.error("'\(column)' is named twice", at: name.range) }
            dropped.append(column)
        }
        for (name, column) in zip(names, dropped) {
            if let key = draft.primaryKey?.key, key.columns.contains(where: { $0.isSame(as: column) }) {
                throw source.error("the column '\(column)' is in the primary key", at: name.range, hint: "DROP PRIMARY KEY first.")
            }
            try checkUnused(column, name.range, dropped: dropped)
        }
        guard dropped.count < draft.columns.count else {
            throw source.error("a table has at least one column", at: range, hint: "DROP TABLE takes the table away.")
        }
        draft.columns.removeAll { column in dropped.contains { $0.isSame(as: column.name) } }
    }

    /// Refuses a change to a column that others are made from, unless those go as well.
    private func checkUnused(_ name: String, _ place: SourceRange, dropped: [String]) throws(MillstreamError) {
        let base = table.baseColumns
        for column in table.columns where !dropped.contains(where: { $0.isSame(as: column.name) }) {
            guard let expression = column.expression else { continue }
            if expression.bound.columns.contains(where: { $0 < base.count && base[$0].name.isSame(as: name) }) {
                throw source.error(
                    "the computed column '\(column.name)' is made from '\(name)'", at: place,
                    hint: "It is AS \(expression.text); drop or modify it first.")
            }
        }
        if let watermark = draft.watermark, let bound = table.watermark {
            let isUsed = bound.expression.bound.columns.contains { $0 < table.columns.count && table.columns[$0].name.isSame(as: name) }
            if watermark.column.isSame(as: name) || isUsed {
                throw source.error("the watermark is made from '\(name)'", at: place, hint: "DROP WATERMARK first.")
            }
        }
        if draft.partitionKeys.contains(where: { $0.name.isSame(as: name) }) {
            throw source.error("the table is partitioned by '\(name)'", at: place)
        }
        if let distribution = draft.distribution, distribution.columns.contains(where: { $0.isSame(as: name) }) {
            throw source.error("the table is distributed by '\(name)'", at: place, hint: "DROP DISTRIBUTION first.")
        }
    }

    // MARK: Partitions

    private func values(_ partition: [AssignmentSyntax]) throws(MillstreamError) -> [String] {
        let keys = table.partitionKeys
        guard !keys.isEmpty else { throw source.error("the table is not partitioned", at: partition.first?.column.range ?? range) }
        for assignment in partition where !keys.contains(where: { $0.isSame(as: assignment.column.text) }) {
            throw source.error(
                "the table is not partitioned by '\(assignment.column.text)'", at: assignment.column.range,
                hint: NearestName.hint(assignment.column.text, among: keys) ?? "It is by \(keys.joined(separator: ", ")).")
        }
        var values: [String] = []
        for key in keys {
            guard let assignment = partition.first(where: { $0.column.text.isSame(as: key) }) else {
                throw source.error("the partition has no value for '\(key)'", at: partition.first?.column.range ?? range)
            }
            values.append(try PartitionValue.text(assignment, source))
        }
        return values
    }

    private mutating func addPartitions(_ partitions: [[AssignmentSyntax]], ifNotExists: Bool) throws(MillstreamError) {
        for partition in partitions {
            let values = try values(partition)
            if draft.partitions.contains(values) {
                if ifNotExists { continue }
                throw source.error(
                    "the partition is there already", at: partition.first?.column.range ?? range,
                    hint: "ADD IF NOT EXISTS PARTITION leaves it as it is.")
            }
            draft.partitions.append(values)
        }
    }

    private mutating func dropPartitions(_ partitions: [[AssignmentSyntax]], ifExists: Bool) throws(MillstreamError) {
        for partition in partitions {
            let values = try values(partition)
            guard let index = draft.partitions.firstIndex(of: values) else {
                if ifExists { continue }
                throw source.error("there is no such partition", at: partition.first?.column.range ?? range)
            }
            draft.partitions.remove(at: index)
        }
    }
}

/// The value of a column in PARTITION (…).
enum PartitionValue {
    static func text(_ assignment: AssignmentSyntax, _ source: SourceText) throws(MillstreamError) -> String {
        switch assignment.value.kind {
        case .literal(.string(let text, _)), .literal(.number(let text)), .literal(.approximate(let text)), .literal(.date(let text)),
            .literal(.time(let text)),
            .literal(.timestamp(let text)):
            return text
        case .literal(.true): return "true"
        case .literal(.false): return "false"
        case .unary(.minus, let inner):
            if case .literal(.number(let text)) = inner.kind { return "-" + text }
        default: break
        }
        throw source.error("a partition's value is a constant", at: assignment.value.range)
    }
}
