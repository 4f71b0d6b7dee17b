extension DataType {
    /// The type that takes the values of both, nullable wherever one of them is, at every level. Nil where they differ in more than nullability.
    public func widened(by other: DataType) -> DataType? {
        if self == other { return self }
        let isNullable = isNullable || other.isNullable
        switch (kind, other.kind) {
        case (.array(let element), .array(let otherElement)):
            return element.widened(by: otherElement).map { DataType(.array($0), isNullable: isNullable) }
        case (.map(let key, let value), .map(let otherKey, let otherValue)):
            guard let key = key.widened(by: otherKey), let value = value.widened(by: otherValue) else { return nil }
            return DataType(.map(key: key, value: value), isNullable: isNullable)
        case (.multiset(let element), .multiset(let otherElement)):
            return element.widened(by: otherElement).map { DataType(.multiset($0), isNullable: isNullable) }
        case (.row(let fields), .row(let otherFields)):
            return DataType.widened(fields, by: otherFields).map { DataType(.row($0), isNullable: isNullable) }
        case (.structured(let name, let fields), .structured(let otherName, let otherFields)) where name == otherName:
            return DataType.widened(fields, by: otherFields).map { DataType(.structured(name, $0), isNullable: isNullable) }
        default:
            return kind == other.kind ? DataType(kind, isNullable: isNullable) : nil
        }
    }

    private static func widened(_ fields: [Field], by others: [Field]) -> [Field]? {
        guard fields.count == others.count else { return nil }
        var widened: [Field] = []
        for (field, other) in zip(fields, others) {
            guard field.name == other.name, let type = field.type.widened(by: other.type) else { return nil }
            widened.append(Field(field.name, type))
        }
        return widened
    }
}

extension Schema {
    /// This schema with types that take the values of both. Nil where the types differ in more than nullability; names and shapes do not count.
    public func widened(by other: Schema) -> Schema? {
        guard fields.count == other.fields.count else { return nil }
        var widened = self
        for (index, field) in other.fields.enumerated() {
            guard let type = fields[index].type.widened(by: field.type) else { return nil }
            widened.fields[index].type = type
        }
        return widened
    }
}

extension Column {
    /// The type of the values of all columns together: the first one's, nullable wherever one of theirs is. Columns of one layout; at least one.
    static func widestType(_ columns: [Column]) -> DataType {
        var type = columns[0].type
        for column in columns where column.type != type {
            type = type.widened(by: column.type) ?? DataType(type.kind, isNullable: type.isNullable || column.type.isNullable)
        }
        return type
    }

    /// The same memory under a type that differs in nullability alone; the column itself where its type is that one. Throws `typeMismatch` for another layout.
    public func conforming(to type: DataType) throws(MillstreamError) -> Column {
        if self.type == type { return self }
        let childTypes = type.childTypes
        guard type.layout == self.type.layout, childTypes.count == children.count else {
            throw MillstreamError(.typeMismatch, "a column of type \(self.type) is no column of type \(type)")
        }
        var children: [Column] = []
        for (child, type) in zip(self.children, childTypes) { children.append(try child.conforming(to: type)) }
        return Column(
            type: type, count: count, offset: offset, validity: validity, values: values, dataBuffers: dataBuffers, children: children,
            hostObjects: hostObjects)
    }
}

extension Batch {
    /// The same rows under a schema whose types differ in nullability alone; columns behind the schema's stay as they are. Copies no values.
    public func conforming(to schema: Schema) throws(MillstreamError) -> Batch {
        var copy = self
        copy.schema = schema
        for (index, field) in schema.fields.enumerated() where index < columns.count { copy.columns[index] = try columns[index].conforming(to: field.type) }
        return copy
    }
}
