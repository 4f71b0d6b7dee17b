import Columnar
import Expressions
import Plan

/// A table while a statement makes or changes it: columns whose expressions are not bound yet. `finish` checks all and binds them.
struct TableDraft {
    struct Column {
        enum Value {
            case physical(DataType)
            case metadata(DataType, key: String?, isVirtual: Bool)
            case computed(Definition)
        }
        var name: String
        var value: Value
        var comment: String?
        /// Where the statement says it; nil of a column that was there before.
        var range: SourceRange?

        var isComputed: Bool { if case .computed = value { true } else { false } }
        var isPhysical: Bool { if case .physical = value { true } else { false } }
        var type: DataType? {
            switch value {
            case .physical(let type), .metadata(let type, _, _): type
            case .computed: nil
            }
        }
    }

    /// An expression with the text that its places mean.
    struct Definition {
        var expression: ExpressionSyntax
        var source: SourceText
    }

    struct Watermark {
        var column: String
        var definition: Definition
        var range: SourceRange?
    }

    struct Key {
        var key: PrimaryKey
        var range: SourceRange?
    }

    var columns: [Column] = []
    var primaryKey: Key?
    var watermark: Watermark?
    var distribution: TableDistribution?
    var partitionKeys: [(name: String, range: SourceRange?)] = []
    var options = NameMap<String>()
    var comment: String?
    var partitions: [[String]] = []

    init() {}

    /// As a table is, to change it.
    init(_ table: CatalogTable) throws(MillstreamError) {
        for column in table.columns { columns.append(try Self.column(column)) }
        primaryKey = table.primaryKey.map { Key(key: $0) }
        watermark = try Self.watermark(table)
        distribution = table.distribution
        partitionKeys = table.partitionKeys.map { ($0, nil) }
        options = table.options
        comment = table.comment
        partitions = table.partitions
    }

    static func column(_ column: TableColumn) throws(MillstreamError) -> Column {
        let value: Column.Value =
            switch column.kind {
            case .physical: .physical(column.type)
            case .metadata(let key, let isVirtual): .metadata(column.type, key: key, isVirtual: isVirtual)
            case .computed(let expression): .computed(try definition(expression))
            }
        return Column(name: column.name, value: value, comment: column.comment)
    }

    static func watermark(_ table: CatalogTable) throws(MillstreamError) -> Watermark? {
        guard let watermark = table.watermark else { return nil }
        return Watermark(column: watermark.column, definition: try definition(watermark.expression))
    }

    private static func definition(_ expression: DefinedExpression) throws(MillstreamError) -> Definition {
        Definition(expression: try Parser.expression(expression.text), source: SourceText(expression.text))
    }

    func index(of name: String) -> Int? { columns.firstIndex { $0.name.isSame(as: name) } }

    // MARK: From syntax

    /// A column as CREATE or ALTER TABLE says it; its PRIMARY KEY becomes the table's.
    mutating func column(_ syntax: ColumnSyntax, _ session: SQLSession, _ source: SourceText) throws(MillstreamError) -> Column {
        guard syntax.name.parts.count == 1 else {
            throw source.error(
                "'\(syntax.name.text)' is a field within a column", at: syntax.name.range,
                hint: "A column is changed as a whole: MODIFY with its ROW type.", code: .unsupported)
        }
        let value: Column.Value =
            switch syntax.kind {
            case .physical(let type): .physical(try session.type(type, source))
            case .metadata(let type, let key, let isVirtual): .metadata(try session.type(type, source), key: key, isVirtual: isVirtual)
            case .computed(let expression): .computed(Definition(expression: expression, source: source))
            }
        if syntax.isUnique { throw Self.uniqueError(syntax.range, source) }
        if syntax.isPrimaryKey {
            guard primaryKey == nil else {
                throw source.error("a table has one PRIMARY KEY", at: syntax.range, hint: "Of several columns: PRIMARY KEY (a, b) NOT ENFORCED.")
            }
            primaryKey = Key(key: PrimaryKey(columns: [syntax.name.text]), range: syntax.range)
        }
        return Column(name: syntax.name.text, value: value, comment: syntax.comment, range: syntax.name.range)
    }

    static func uniqueError(_ range: SourceRange, _ source: SourceText) -> MillstreamError {
        source.error("UNIQUE is not built", at: range, hint: "PRIMARY KEY (…) NOT ENFORCED says that a key is unique.")
    }

    static func key(_ constraint: ConstraintSyntax, _ source: SourceText) throws(MillstreamError) -> Key {
        guard constraint.isPrimaryKey else { throw uniqueError(constraint.range, source) }
        guard constraint.isEnforced == false else {
            throw source.error(
                "a PRIMARY KEY is NOT ENFORCED", at: constraint.range,
                hint: "Nobody checks the data of others: write NOT ENFORCED behind it, and see to it.")
        }
        return Key(key: PrimaryKey(constraint.name?.text, columns: constraint.columns.map(\.text)), range: constraint.range)
    }

    static func distribution(_ syntax: DistributionSyntax, _ source: SourceText, _ range: SourceRange) throws(MillstreamError) -> TableDistribution {
        if let buckets = syntax.buckets, buckets < 1 { throw source.error("a table has at least one bucket", at: range) }
        return TableDistribution(syntax.kind.flatMap(TableDistribution.Kind.init), columns: syntax.columns.map(\.text), bucketCount: syntax.buckets)
    }

    // MARK: To a table

    /// Checks all of it and binds its expressions. `place`: where an error is that belongs to no part of the statement.
    func finish(_ session: SQLSession, _ source: SourceText, at place: SourceRange) throws(MillstreamError) -> CatalogTable {
        try checkNames(source, place)
        var table = CatalogTable(columns: [], options: options, comment: comment)
        table.partitions = partitions
        let notNull = try keyColumns(source, place)
        var base: [TableColumn] = []
        for column in columns {
            guard let type = column.type else { continue }
            var kind = TableColumn.Kind.physical
            if case .metadata(_, let key, let isVirtual) = column.value { kind = .metadata(key: key, isVirtual: isVirtual) }
            base.append(
                TableColumn(column.name, notNull.contains { $0.isSame(as: column.name) } ? type.notNull : type, kind, comment: column.comment))
        }
        let scope = base.map { ResultColumn($0.name, $0.type) }
        var next = 0
        for column in columns {
            if case .computed(let definition) = column.value {
                let bound = try session.bind(definition.expression, definition.source, over: scope)
                let text = SQLText.expression(definition.expression, session.isUserFunction)
                table.columns.append(
                    TableColumn(column.name, bound.type, .computed(DefinedExpression(text: text, bound: bound)), comment: column.comment))
            } else {
                table.columns.append(base[next])
                next += 1
            }
        }
        table.primaryKey = primaryKey?.key
        table.watermark = try boundWatermark(table.columns, session, source, place)
        for (name, range) in partitionKeys where index(of: name) == nil {
            throw source.error("there is no column '\(name)' to divide the table by", at: range ?? place, hint: columnHint(name))
        }
        for (position, (name, range)) in partitionKeys.enumerated() {
            if partitionKeys[..<position].contains(where: { $0.name.isSame(as: name) }) {
                throw source.error("the table is divided by '\(name)' twice", at: range ?? place)
            }
        }
        table.partitionKeys = partitionKeys.map(\.name)
        if let distribution {
            for name in distribution.columns {
                guard let index = index(of: name), columns[index].isPhysical else {
                    throw source.error("there is no physical column '\(name)' to distribute the table by", at: place, hint: columnHint(name))
                }
            }
            table.distribution = distribution
        }
        return table
    }

    private func columnHint(_ name: String) -> String {
        let names = columns.map(\.name)
        return NearestName.hint(name, among: names) ?? "Columns: \(names.joined(separator: ", "))."
    }

    private func checkNames(_ source: SourceText, _ place: SourceRange) throws(MillstreamError) {
        for (position, column) in columns.enumerated() {
            if columns[..<position].contains(where: { $0.name.isSame(as: column.name) }) {
                throw source.error("the column '\(column.name)' is there twice", at: column.range ?? place)
            }
        }
    }

    /// The columns of the primary key, which take no NULL.
    private func keyColumns(_ source: SourceText, _ place: SourceRange) throws(MillstreamError) -> [String] {
        guard let primaryKey else { return [] }
        let range = primaryKey.range ?? place
        for (position, name) in primaryKey.key.columns.enumerated() {
            guard let index = index(of: name) else {
                throw source.error("there is no column '\(name)' for the primary key", at: range, hint: columnHint(name))
            }
            guard columns[index].isPhysical else {
                throw source.error(
                    "the column '\(name)' of the primary key is not physical", at: range, hint: "Computed and metadata columns cannot be in a key.")
            }
            if primaryKey.key.columns[..<position].contains(where: { $0.isSame(as: name) }) {
                throw source.error("the primary key has '\(name)' twice", at: range)
            }
        }
        return primaryKey.key.columns
    }

    private func boundWatermark(_ columns: [TableColumn], _ session: SQLSession, _ source: SourceText, _ place: SourceRange) throws(MillstreamError)
        -> WatermarkDefinition?
    {
        guard let watermark else { return nil }
        let range = watermark.range ?? place
        guard let column = columns.first(where: { $0.name.isSame(as: watermark.column) }) else {
            throw source.error("there is no column '\(watermark.column)' for a watermark to follow", at: range, hint: columnHint(watermark.column))
        }
        guard Self.isEventTime(column.type) else {
            throw source.error(
                "a watermark follows a TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p up to 3; '\(column.name)' is \(column.type.nullable)", at: range,
                hint: "CAST or TO_TIMESTAMP in a computed column makes one.")
        }
        let bound = try session.bind(
            watermark.definition.expression, watermark.definition.source, over: columns.map { ResultColumn($0.name, $0.type) })
        guard Self.isEventTime(bound.type) else {
            throw source.error("a watermark is a TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p up to 3; this is \(bound.type.nullable)", at: range)
        }
        guard Self.isInstant(bound.type) == Self.isInstant(column.type) else {
            throw source.error("the watermark is \(bound.type.nullable), and the column it follows \(column.type.nullable)", at: range)
        }
        let text = SQLText.expression(watermark.definition.expression, session.isUserFunction)
        return WatermarkDefinition(column: column.name, expression: DefinedExpression(text: text, bound: bound))
    }

    private static func isEventTime(_ type: DataType) -> Bool {
        switch type.kind {
        case .timestamp(let precision), .timestampLTZ(let precision): precision <= 3
        default: false
        }
    }

    private static func isInstant(_ type: DataType) -> Bool { if case .timestampLTZ = type.kind { true } else { false } }
}
