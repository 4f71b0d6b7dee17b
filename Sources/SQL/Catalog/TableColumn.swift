import Columnar
import Plan

/// An expression that a table's definition holds: of a computed column, or of a watermark.
public struct DefinedExpression: Hashable, Sendable {
    /// In SQL, with every name in backticks; the parser reads it back.
    public var text: String
    /// Over `CatalogTable.baseColumns` in a computed column, over all `CatalogTable.columns` in a watermark.
    public var bound: ScalarExpression

    public init(text: String, bound: ScalarExpression) {
        self.text = text
        self.bound = bound
    }

    public var type: DataType { bound.type }
}

/// A column of a table.
public struct TableColumn: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// In the connector's rows.
        case physical
        /// Beside the row, given by the connector under `key` (the column's name where nil). A virtual one is read and never written.
        case metadata(key: String?, isVirtual: Bool)
        /// Made from the physical and metadata columns; never written.
        case computed(DefinedExpression)
    }

    public var name: String
    public var type: DataType
    public var kind: Kind
    public var comment: String?

    public init(_ name: String, _ type: DataType, _ kind: Kind = .physical, comment: String? = nil) {
        self.name = name
        self.type = type
        self.kind = kind
        self.comment = comment
    }

    public var isPhysical: Bool { kind == .physical }
    public var isComputed: Bool { expression != nil }
    /// Whether INSERT writes it.
    public var isPersisted: Bool {
        switch kind {
        case .physical: true
        case .metadata(_, let isVirtual): !isVirtual
        case .computed: false
        }
    }
    /// The key by which the connector knows a metadata column.
    public var metadataKey: String? {
        if case .metadata(let key, _) = kind { return key ?? name }
        return nil
    }
    public var expression: DefinedExpression? {
        if case .computed(let expression) = kind { return expression }
        return nil
    }
    public var field: Field { Field(name, type) }
}

/// A column of a view or of a query's result.
public struct ResultColumn: Hashable, Sendable {
    public var name: String
    public var type: DataType
    public var timeAttribute: TimeAttribute?
    public var comment: String?

    public init(_ name: String, _ type: DataType, timeAttribute: TimeAttribute? = nil, comment: String? = nil) {
        self.name = name
        self.type = type
        self.timeAttribute = timeAttribute
        self.comment = comment
    }

    public var field: Field { Field(name, type) }
}
