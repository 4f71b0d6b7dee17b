import CMillstream

/// One node of an Arrow schema, read and checked once: the plan by which arrays of that type are imported.
final class ArrowNode: Sendable {
    let format: ArrowFormat
    /// The type of the column that the node becomes.
    let type: DataType
    let name: String
    /// Where the node is, for messages, e.g. `order.items.item`.
    let path: String
    let children: [ArrowNode]
    /// The values that this node's integers refer to.
    let dictionary: ArrowNode?
    /// The places of the children in the order in which they are read: handles first. Once their column is there, an error in another gives their
    /// references back.
    let readingOrder: [Int]

    init(format: ArrowFormat, type: DataType, name: String, path: String, children: [ArrowNode] = [], dictionary: ArrowNode? = nil) {
        self.format = format
        self.type = type
        self.name = name
        self.path = path
        self.children = children
        self.dictionary = dictionary
        let isHandles = { (index: Int) in children[index].format == .handles }
        readingOrder = children.indices.filter(isHandles) + children.indices.filter { !isHandles($0) }
    }

    /// The node under which a column of `type` is exported with views.
    static func exported(_ type: DataType, name: String, path: String) -> ArrowNode {
        func child(_ type: DataType, _ name: String) -> ArrowNode { exported(type, name: name, path: path + "." + name) }
        switch type.layout {
        case .null: return ArrowNode(format: .null, type: type, name: name, path: path)
        case .bits: return ArrowNode(format: .bits, type: type, name: name, path: path)
        case .fixed(let byteWidth): return ArrowNode(format: .fixed(byteWidth: byteWidth), type: type, name: name, path: path)
        case .views: return ArrowNode(format: .views, type: type, name: name, path: path)
        case .handles: return ArrowNode(format: .handles, type: type, name: name, path: path)
        case .row:
            guard let fields = type.fields else { break }
            return ArrowNode(format: .row, type: type, name: name, path: path, children: fields.map { child($0.type, $0.name) })
        case .list:
            guard let elementType = type.elementType else { break }
            if case .array = type.kind {
                return ArrowNode(format: .list(isLarge: false), type: type, name: name, path: path, children: [child(elementType, "item")])
            }
            return ArrowNode(format: .map, type: type, name: name, path: path, children: [child(elementType, "entries")])
        }
        return ArrowNode(format: .null, type: type, name: name, path: path)
    }

    func error(_ what: String, _ code: MillstreamError.Code = .decode) -> MillstreamError { ArrowNode.error(path, what, code) }

    static func error(_ path: String, _ what: String, _ code: MillstreamError.Code = .decode) -> MillstreamError {
        MillstreamError(code, "Arrow import: " + (path.isEmpty ? "" : "field '\(path)': ") + what)
    }
}

/// Reads ArrowSchema structures. They come from C and may be anything: every pointer and count is checked that can be.
struct ArrowSchemaReader {
    /// No schema that anyone wrote has more fields; a cyclic one has.
    static let fieldCountMax = 100_000

    /// Whether integers that call themselves millstream.object are taken for handles.
    let takesHandles: Bool
    private var fieldCount = 0

    init(takesHandles: Bool) { self.takesHandles = takesHandles }

    mutating func node(_ schema: UnsafePointer<ArrowSchema>, parent: String?, depth: Int) throws(MillstreamError) -> ArrowNode {
        // First of all: the texts of a released schema are gone.
        guard schema.pointee.release != nil else { throw ArrowNode.error(parent ?? "", "the schema was released already", .invalidArgument) }
        let name = schema.pointee.name.map { String(cString: $0) } ?? ""
        let path = parent.map { $0.isEmpty ? name : $0 + "." + name } ?? ""
        guard depth <= DataType.depthMax else {
            throw ArrowNode.error(String(path.prefix(200)), "the type nests more than \(DataType.depthMax) levels deep", .limitExceeded)
        }
        fieldCount += 1
        guard fieldCount <= Self.fieldCountMax else { throw ArrowNode.error("", "a type of more than \(Self.fieldCountMax) fields", .limitExceeded) }
        guard let formatPointer = schema.pointee.format else { throw ArrowNode.error(path, "the schema has no format (NULL)") }
        let text = String(cString: formatPointer)
        if let refused = ArrowFormat.refused(text) {
            throw ArrowNode.error(path, "\(refused) (format '\(text)') is not supported", .unsupported)
        }
        guard let (format, kind) = ArrowFormat.parse(text) else {
            throw ArrowNode.error(path, "the format '\(String(text.prefix(60)))' is no format of Arrow's")
        }
        guard let metadata = ArrowMetadata.decode(schema.pointee.metadata, [ArrowMetadata.type, ArrowMetadata.extensionName]) else {
            throw ArrowNode.error(path, "the metadata has lengths out of bounds")
        }
        let isNullable = schema.pointee.flags & Int64(ARROW_FLAG_NULLABLE) != 0
        if let dictionary = schema.pointee.dictionary {
            return try encoded(by: dictionary, format, isNullable, name: name, path: path, depth: depth)
        }
        let children = try children(of: schema, format, path: path, depth: depth)
        return try node(
            format, kind, declared: metadata[0], isObject: metadata[1] == "millstream.object", isNullable, name: name, path: path, children)
    }

    private mutating func children(
        of schema: UnsafePointer<ArrowSchema>, _ format: ArrowFormat, path: String, depth: Int
    ) throws(MillstreamError) -> [ArrowNode] {
        let count = schema.pointee.n_children
        let expected: Int64? =
            switch format {
            case .row: nil
            case .list, .listView, .fixedList, .map: 1
            default: 0
            }
        guard count >= 0, count <= Int64(Self.fieldCountMax), expected == nil || expected == count else {
            throw ArrowNode.error(path, "the schema has \(count) children" + (expected.map { ", not \($0)" } ?? ""))
        }
        guard count > 0 else { return [] }
        guard let pointers = schema.pointee.children else { throw ArrowNode.error(path, "the schema's children are NULL") }
        var result: [ArrowNode] = []
        for index in 0..<Int(count) {
            guard let child = pointers[index] else { throw ArrowNode.error(path, "the schema's child \(index) is NULL") }
            result.append(try node(child, parent: path, depth: depth + 1))
        }
        return result
    }

    private mutating func encoded(
        by dictionary: UnsafePointer<ArrowSchema>, _ format: ArrowFormat, _ isNullable: Bool, name: String, path: String, depth: Int
    ) throws(MillstreamError) -> ArrowNode {
        switch format {
        case .fixed(1), .fixed(2), .fixed(4), .fixed(8), .unsigned: break
        default: throw ArrowNode.error(path, "a dictionary's indices must be integers")
        }
        let values = try node(dictionary, parent: path, depth: depth + 1)
        let type = DataType(values.type.kind, isNullable: isNullable || values.type.isNullable)
        return ArrowNode(format: format, type: type, name: name, path: path, dictionary: values)
    }

    private func node(
        _ format: ArrowFormat, _ kind: DataType.Kind, declared: String?, isObject: Bool, _ isNullable: Bool, name: String, path: String,
        _ children: [ArrowNode]
    ) throws(MillstreamError) -> ArrowNode {
        var format = format
        var kind = kind
        // A type that does not parse or fit is one that someone else's cast left behind: the format speaks the truth.
        let declaredKind = declared.flatMap { try? DataType.parse($0).kind }
        switch format {
        case .list, .listView, .fixedList: kind = .array(children[0].type)
        case .row:
            kind = .row(children.map { Field($0.name, $0.type) })
            if case .structured(let name, let fields) = declaredKind, fields == kind.fields { kind = .structured(name, fields) }
        case .map:
            let entries = children[0]
            guard entries.format == .row, entries.children.count == 2 else {
                throw ArrowNode.error(path, "a map's child must be a struct of key and value")
            }
            kind = .map(key: entries.children[0].type.notNull, value: entries.children[1].type)
            if case .multiset = declaredKind, entries.children[1].type.kind == .int { kind = .multiset(entries.children[0].type) }
        case .fixed(byteWidth: 8) where isObject && kind == .bigInt:
            guard takesHandles else {
                throw ArrowNode.error(
                    path, "values of a host language (millstream.object) cannot come from another process or a file", .typeMismatch)
            }
            format = .handles
            kind = .object
        default:
            if let declaredKind, fits(declaredKind, format, kind) { kind = declaredKind }
        }
        if case .decimal(let precision, let scale) = kind, scale < 0 || scale > precision {
            throw ArrowNode.error(path, "DECIMAL(\(precision), \(scale)) is not supported; the scale must be from 0 to the precision", .unsupported)
        }
        return ArrowNode(format: format, type: DataType(kind, isNullable: isNullable || kind == .null), name: name, path: path, children: children)
    }

    /// Whether values in `format`, by themselves of type `natural`, may be called `declared`.
    private func fits(_ declared: DataType.Kind, _ format: ArrowFormat, _ natural: DataType.Kind) -> Bool {
        switch format {
        case .unsigned, .half, .decimal, .dayTimeInterval: return false
        default: break
        }
        let (declaredType, naturalType) = (DataType(declared), DataType(natural))
        switch declared {
        case .raw, .variant, .bitmap: return naturalType.layout == .views && !naturalType.isText
        default: break
        }
        if naturalType.layout == .views { return declaredType.layout == .views && declaredType.isText == naturalType.isText }
        return declaredType.arrowFormat(usesViews: true) == naturalType.arrowFormat(usesViews: true) && declared != .object
    }
}
