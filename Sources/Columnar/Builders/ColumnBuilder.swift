/// for the paths that are not hot. One thread at a time uses a builder.
public class ColumnBuilder {
    public let type: DataType
    public var count: Int { 0 }

    init(type: DataType) { self.type = type }

    /// A builder for `type`. Throws `invalidArgument` if the type has OBJECT in it and no host is given, `limitExceeded` beyond `DataType.depthMax`.
    public static func make(for type: DataType, hostObjects: HostObjects? = nil) throws(MillstreamError) -> ColumnBuilder {
        guard type.depth <= DataType.depthMax else {
            throw MillstreamError(.limitExceeded, "a type nests more than \(DataType.depthMax) levels deep")
        }
        switch type.layout {
        case .null: return NullColumnBuilder(type: type)
        case .bits: return BooleanColumnBuilder(type: type)
        case .fixed(let byteWidth): return makeFixed(for: type, byteWidth: byteWidth)
        case .views: return ViewColumnBuilder(type: type)
        case .handles:
            guard let hostObjects else {
                throw MillstreamError(.invalidArgument, "a column of type OBJECT needs a host language that registered its values")
            }
            return HandleColumnBuilder(type: type, objects: hostObjects)
        case .row:
            var fields: [ColumnBuilder] = []
            for child in type.childTypes { fields.append(try make(for: child, hostObjects: hostObjects)) }
            return RowBuilder(type: type, fields: fields)
        case .list:
            guard let elementType = type.elementType else { throw .internal("\(type) has no element type") }
            let elements = try make(for: elementType, hostObjects: hostObjects)
            if let entries = elements as? RowBuilder, case .array = type.kind {
                return ListBuilder(type: type, elements: entries)
            }
            if let entries = elements as? RowBuilder { return MapBuilder(type: type, entries: entries) }
            return ListBuilder(type: type, elements: elements)
        }
    }

    private static func makeFixed(for type: DataType, byteWidth: Int) -> ColumnBuilder {
        switch type.kind {
        case .float: return FixedColumnBuilder<Float>(type: type)
        case .double: return FixedColumnBuilder<Double>(type: type)
        default: break
        }
        switch byteWidth {
        case 1: return FixedColumnBuilder<Int8>(type: type)
        case 2: return FixedColumnBuilder<Int16>(type: type)
        case 4: return FixedColumnBuilder<Int32>(type: type)
        case 8: return FixedColumnBuilder<Int64>(type: type)
        default: return FixedColumnBuilder<Int128>(type: type)
        }
    }

    /// Appends a null.
    public func appendNull() throws(MillstreamError) { throw .internal("ColumnBuilder is abstract") }

    /// Appends `length` values of a column from `start` on, nulls included. Throws `typeMismatch` if its layout is another.
    public final func append(from column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        guard column.type.kind != .null else {
            for _ in 0..<length { try appendNull() }
            return
        }
        guard column.type.layout == type.layout else {
            throw MillstreamError(.typeMismatch, "a value of type \(column.type) cannot go into a column of type \(type)")
        }
        try appendRun(column, start, length)
    }

    /// Appends one value of a column, null or not.
    public final func append(from column: Column, at index: Int) throws(MillstreamError) { try append(from: column, index, 1) }

    /// Appends a boxed value. Throws `typeMismatch` if it is not of this type, or out of its range.
    public final func append(_ scalar: Scalar) throws(MillstreamError) {
        if scalar == .null { try appendNull() } else { try appendScalar(scalar) }
    }

    /// The column; the builder is empty again.
    public func finish() -> Column { Column(type: type, count: 0, values: nil) }

    func appendRun(_ column: Column, _ start: Int, _ length: Int) throws(MillstreamError) {
        throw .internal("ColumnBuilder is abstract")
    }

    func appendScalar(_ scalar: Scalar) throws(MillstreamError) { throw mismatch(scalar) }

    final func mismatch(_ scalar: Scalar) -> MillstreamError {
        MillstreamError(.typeMismatch, "the value \(scalar) is not of type \(type)")
    }
}
