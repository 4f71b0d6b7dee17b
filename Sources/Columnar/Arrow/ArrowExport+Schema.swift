import CMillstream

#if canImport(Glibc)
    import Glibc
#endif

extension Schema {
    /// Writes the schema to `target` as a struct type, which the consumer releases.
    ///
    /// Where Arrow's type says less than ours (CHAR(3), TIMESTAMP(4), RAW), the field's metadata holds the exact type, so that an import gives the
    /// same schema again.
    public func exportArrow(into target: UnsafeMutablePointer<ArrowSchema>, options: ArrowExportOptions = ArrowExportOptions()) {
        var all = fields
        if options.includesRowKinds { all.append(Field(ArrowExportOptions.rowKindName, DataType.tinyInt.notNull)) }
        if options.includesTimestamps { all.append(Field(ArrowExportOptions.timestampName, .bigInt)) }
        fillSchema(
            target, format: "+s", name: "", flags: 0, metadata: shape == .row ? [] : [(ArrowMetadata.shape, shape.arrowName)],
            children: all, usesViews: options.usesViews)
    }
}

extension Schema.Shape {
    var arrowName: String {
        switch self {
        case .scalar: "scalar"
        case .tuple: "tuple"
        case .row: "row"
        }
    }
}

extension DataType {
    /// Writes the type to `target` as a field called `name`, which the consumer releases.
    public func exportArrow(
        into target: UnsafeMutablePointer<ArrowSchema>, name: String = "", options: ArrowExportOptions = ArrowExportOptions()
    ) {
        fillField(target, Field(name, self), usesViews: options.usesViews)
    }

    /// The name of our extension type, for types that Arrow has no own for.
    fileprivate var arrowExtensionName: String? {
        switch kind {
        case .raw: "millstream.raw"
        case .variant: "millstream.variant"
        case .bitmap: "millstream.bitmap"
        case .structured: "millstream.structured"
        case .object: "millstream.object"
        case .multiset: "millstream.multiset"
        default: nil
        }
    }

    /// Whether an import of the format alone gives this type; children speak for themselves.
    fileprivate var isArrowNatural: Bool {
        switch kind {
        case .array, .map, .row: true
        case .object, .multiset, .structured: false
        default: ArrowFormat.parse(arrowFormat(usesViews: true))?.kind == kind
        }
    }

    /// The children's names and types as Arrow has them.
    fileprivate var arrowChildren: [Field] {
        switch kind {
        case .array(let element): [Field("item", element)]
        case .map, .multiset: elementType.map { [Field("entries", $0)] } ?? []
        default: fields ?? []
        }
    }
}

private func fillField(_ target: UnsafeMutablePointer<ArrowSchema>, _ field: Field, usesViews: Bool) {
    var metadata: [(key: String, value: String)] = []
    if let name = field.type.arrowExtensionName { metadata.append((ArrowMetadata.extensionName, name)) }
    if !field.type.isArrowNatural { metadata.append((ArrowMetadata.type, field.type.description)) }
    fillSchema(
        target, format: field.type.arrowFormat(usesViews: usesViews), name: field.name,
        flags: field.type.isNullable ? Int64(ARROW_FLAG_NULLABLE) : 0, metadata: metadata, children: field.type.arrowChildren,
        usesViews: usesViews)
}

private func fillSchema(
    _ target: UnsafeMutablePointer<ArrowSchema>, format: String, name: String, flags: Int64, metadata: [(key: String, value: String)],
    children: [Field], usesViews: Bool
) {
    let childPointers = children.isEmpty ? nil : UnsafeMutablePointer<UnsafeMutablePointer<ArrowSchema>?>.allocate(capacity: children.count)
    for (index, child) in children.enumerated() {
        let pointer = UnsafeMutablePointer<ArrowSchema>.allocate(capacity: 1)
        fillField(pointer, child, usesViews: usesViews)
        childPointers?[index] = pointer
    }
    let encoded = ArrowMetadata.encode(metadata)
    let metadataCopy = metadata.isEmpty ? nil : UnsafeMutablePointer<CChar>.allocate(capacity: encoded.count)
    metadataCopy?.initialize(from: encoded, count: encoded.count)
    target.initialize(
        to: ArrowSchema(
            format: UnsafePointer(strdup(format)), name: UnsafePointer(strdup(name)), metadata: metadataCopy.map { UnsafePointer($0) }, flags: flags,
            n_children: Int64(children.count), children: childPointers, dictionary: nil, release: { releaseExportedSchema($0) },
            private_data: metadataCopy.map { UnsafeMutableRawPointer($0) }))
}

private func releaseExportedSchema(_ schema: UnsafeMutablePointer<ArrowSchema>?) {
    guard let schema, schema.pointee.release != nil else { return }
    if let children = schema.pointee.children {
        for index in 0..<Int(schema.pointee.n_children) {
            guard let child = children[index] else { continue }
            if let release = child.pointee.release { release(child) }
            child.deallocate()
        }
        children.deallocate()
    }
    free(UnsafeMutableRawPointer(mutating: schema.pointee.format))
    free(UnsafeMutableRawPointer(mutating: schema.pointee.name))
    if let metadata = schema.pointee.private_data { metadata.assumingMemoryBound(to: CChar.self).deallocate() }
    schema.pointee.release = nil
    schema.pointee.private_data = nil
}
