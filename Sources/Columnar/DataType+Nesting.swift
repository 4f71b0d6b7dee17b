extension DataType {
    /// How deep types may nest. Kernels walk types recursively, so whatever makes a type from data (Arrow, SQL, a descriptor) checks `depth`.
    public static let depthMax = 64

    /// The type of a list's child: the element, or the ROW of key and value of a MAP or MULTISET. Nil for other types.
    public var elementType: DataType? {
        switch kind {
        case .array(let element): element
        case .map(let key, let value): DataType.entry(key: key, value: value)
        case .multiset(let element): DataType.entry(key: element, value: DataType.int.notNull)
        default: nil
        }
    }

    /// The fields of a ROW or of a structured type. Nil for other types.
    public var fields: [Field]? { kind.fields }

    /// The types of a column's children, in order.
    public var childTypes: [DataType] {
        if let elementType { return [elementType] }
        return fields?.map(\.type) ?? []
    }

    /// The ROW that holds one entry of a MAP or MULTISET.
    static func entry(key: DataType, value: DataType) -> DataType {
        DataType(.row([Field("key", key), Field("value", value)]), isNullable: false)
    }

    /// How many levels the type has: 1 for a type without children. Stops counting just above `depthMax`.
    public var depth: Int { depth(budget: DataType.depthMax) }

    private func depth(budget: Int) -> Int {
        guard budget > 0 else { return 1 }
        return 1 + (childTypes.map { $0.depth(budget: budget - 1) }.max() ?? 0)
    }
}

extension DataType.Kind {
    /// The fields of a ROW or of a structured type. Nil for other types.
    public var fields: [Field]? {
        switch self {
        case .row(let fields), .structured(_, let fields): fields
        default: nil
        }
    }
}
