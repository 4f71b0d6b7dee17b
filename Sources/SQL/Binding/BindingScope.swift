import Columnar
import Plan

/// What a name stands for: usually a column, maybe of an outer query.
public struct ResolvedName: Sendable {
    public var value: BoundScalar
    /// How many parts of the name are its own; those behind are fields of a ROW within it.
    public var partCount: Int

    public init(_ value: BoundScalar, partCount: Int) {
        self.value = value
        self.partCount = partCount
    }
}

/// The names that an expression can use.
public protocol BindingScope {
    /// What the name begins with; nil if nothing here has such a name. Throws where several things have it.
    func resolve(_ name: QualifiedName, _ source: SourceText) throws(MillstreamError) -> ResolvedName?
    /// All names, for a proposal where one is wrong.
    var names: [String] { get }
}

/// Asked for each node before the binder looks at it, from the outside in. The logical planner takes aggregate calls, OVER calls, subqueries and what equals a key of
/// GROUP BY out of an expression by it, and gives the column that will hold the value.
public protocol BindingHook: AnyObject {
    /// nil: the binder goes on as usual.
    func replace(_ expression: ExpressionSyntax, in binder: ScalarBinder) throws(MillstreamError) -> BoundScalar?
}

/// A column of a table in FROM.
public struct ScopeColumn: Sendable {
    public var name: String
    /// By position in the row that expressions are computed over.
    public var position: Int
    public var type: DataType
    public var timeAttribute: TimeAttribute?
    /// Whether the name alone does not mean it: of two columns that USING made one, the right one.
    public var isHidden: Bool

    public init(_ name: String, _ position: Int, _ type: DataType, timeAttribute: TimeAttribute? = nil, isHidden: Bool = false) {
        self.name = name
        self.position = position
        self.type = type
        self.timeAttribute = timeAttribute
        self.isHidden = isHidden
    }

    public var value: BoundScalar { BoundScalar(.column(position, type), timeAttribute: timeAttribute) }
}

/// The tables of a FROM clause with their columns: the scope of most expressions.
public struct TableScope: BindingScope, Sendable {
    public struct Table: Sendable {
        /// The alias, or the table's name with its database and catalog before it. Empty for a subquery without a name.
        public var name: [String]
        public var columns: [ScopeColumn]

        public init(_ name: [String], _ columns: [ScopeColumn]) {
            self.name = name
            self.columns = columns
        }
    }

    public var tables: [Table]

    public init(_ tables: [Table] = []) { self.tables = tables }

    public var names: [String] {
        var names: [String] = []
        for table in tables {
            for column in table.columns where !column.isHidden { names.append(column.name) }
            if let name = table.name.last { names.append(contentsOf: table.columns.map { "\(name).\($0.name)" }) }
        }
        return names
    }

    /// A table's name before a column's comes first (`t.a`), as far as it goes; else the first part is a column and the rest are fields.
    public func resolve(_ name: QualifiedName, _ source: SourceText) throws(MillstreamError) -> ResolvedName? {
        let parts = name.parts.map(\.text)
        for count in stride(from: min(parts.count - 1, 3), to: 0, by: -1) {
            let prefix = Array(parts[..<count])
            let found = tables.filter { $0.name.count >= count && Array($0.name.suffix(count)) == prefix }
            let columns = found.flatMap(\.columns).filter { $0.name == parts[count] }
            if let column = try only(columns, parts[...count].joined(separator: "."), name.parts[count].range, source) {
                return ResolvedName(column.value, partCount: count + 1)
            }
        }
        let columns = tables.flatMap(\.columns).filter { $0.name == parts[0] && !$0.isHidden }
        return try only(columns, parts[0], name.parts[0].range, source).map { ResolvedName($0.value, partCount: 1) }
    }

    private func only(_ columns: [ScopeColumn], _ name: String, _ range: SourceRange, _ source: SourceText) throws(MillstreamError) -> ScopeColumn? {
        guard columns.count > 1 else { return columns.first }
        let owners = tables.filter { $0.columns.contains { $0.name == columns[0].name && !$0.isHidden } }.compactMap(\.name.last)
        throw source.error(
            "the column '\(name)' is ambiguous: \(columns.count) columns have this name", at: range,
            hint: owners.isEmpty
                ? "Give the tables aliases." : "Say which: " + owners.map { "\($0).\(columns[0].name)" }.joined(separator: " or ") + ".")
    }
}
