/// How a type may change between a checkpoint and the job that goes on from it: only so that every value that can be there has a value of the new type, the
/// same one. A pure function of two types; `SchemaEvolution` does it for rows.
public enum TypeEvolution {
    /// Why values of `saved` are not all values of `wanted`; nil where they are.
    public static func refusal(from saved: DataType, to wanted: DataType) -> String? {
        if saved.isNullable, !wanted.isNullable, saved.kind != .null { return "it may be null in the checkpoint, and not in the job" }
        return refusal(saved.kind, wanted.kind)
    }

    private static func refusal(_ saved: DataType.Kind, _ wanted: DataType.Kind) -> String? {
        if saved == wanted { return nil }
        switch (saved, wanted) {
        case (.char(let length), .varChar(let limit)), (.varChar(let length), .varChar(let limit)), (.binary(let length), .varBinary(let limit)),
            (.varBinary(let length), .varBinary(let limit)):
            return length <= limit ? nil : "it would become shorter"
        case (.decimal(let precision, let scale), .decimal(let newPrecision, let newScale)):
            return newScale >= scale && newPrecision - newScale >= precision - scale ? nil : "it would lose digits"
        case (.timestamp(let precision), .timestamp(let wider)), (.timestampLTZ(let precision), .timestampLTZ(let wider)):
            if wider < precision { return "it would lose digits" }
            return TimeUnit(precision: precision) == TimeUnit(precision: wider) ? nil : "its unit would change"
        case (.array(let element), .array(let other)), (.multiset(let element), .multiset(let other)): return refusal(from: element, to: other)
        case (.map(let key, let value), .map(let newKey, let newValue)):
            if key.nullable != newKey.nullable { return "the type of a map's keys cannot change" }
            return refusal(from: key, to: newKey) ?? refusal(from: value, to: newValue)
        case (.row(let fields), .row(let wanted)):
            do throws(MillstreamError) {
                _ = try SchemaEvolution(from: fields, to: wanted)
                return nil
            } catch { return error.message }
        default: break
        }
        if let rank = integerRank(saved) {
            if let wider = integerRank(wanted) { return rank < wider ? nil : "it would become narrower" }
            switch wanted {
            case .float where rank <= 1: return nil
            case .double where rank <= 2: return nil
            case .decimal(let precision, let scale): return precision - scale >= digits[rank] ? nil : "it would lose digits"
            case .float, .double: return "not every number of the one is a number of the other"
            default: break
            }
        }
        if case .float = saved, case .double = wanted { return nil }
        if case .double = saved, case .float = wanted { return "it would become narrower" }
        return "the one is not the other"
    }

    private static func integerRank(_ kind: DataType.Kind) -> Int? {
        switch kind {
        case .tinyInt: 0
        case .smallInt: 1
        case .int: 2
        case .bigInt: 3
        default: nil
        }
    }

    /// The digits of the largest number, by rank.
    private static let digits = [3, 5, 10, 19]

    /// The column's values as values of another type, for which `refusal` is nil. Throws `decode` for a null where none can be.
    public static func convert(_ column: Column, to wanted: DataType) throws(MillstreamError) -> Column {
        if !wanted.isNullable, column.nullCount > 0 {
            throw MillstreamError(.decode, "there is a null in the checkpoint where a value of \(wanted) must be", domain: .external)
        }
        if column.type.kind == wanted.kind { return column.type == wanted ? column : column.retyped(wanted) }
        let source = column.offset == 0 ? column : try column.taking(Selection((0..<column.count).map { Int32(truncatingIfNeeded: $0) }))
        switch (source.type.kind, wanted.kind) {
        case (.char, _), (.varChar, _), (.binary, _), (.varBinary, _), (.timestamp, _), (.timestampLTZ, _): return source.retyped(wanted)
        case (.tinyInt, _): return try widen(source, Int8.self, wanted)
        case (.smallInt, _): return try widen(source, Int16.self, wanted)
        case (.int, _): return try widen(source, Int32.self, wanted)
        case (.bigInt, _): return try widen(source, Int64.self, wanted)
        case (.float, _): return map(source, Float.self, wanted) { Double($0) }
        case (.decimal(_, let scale), .decimal(_, let newScale)):
            let factor = power(newScale - scale)
            return factor == 1 ? source.retyped(wanted) : map(source, Int128.self, wanted) { $0 &* factor }
        case (.array, .array(let element)), (.multiset, .multiset(let element)):
            return rebuilt(source, wanted, [try convertEntries(source, [element])])
        case (.map, .map(let key, let value)): return rebuilt(source, wanted, [try convertEntries(source, [key, value])])
        case (.row(let fields), .row(let other)):
            let evolution = try SchemaEvolution(from: fields, to: other)
            var children: [Column] = []
            for index in source.children.indices { children.append(source.field(index)) }
            return rebuilt(source, wanted, try evolution.apply(children, count: source.count))
        default: throw .internal("no conversion from \(column.type) to \(wanted)")
        }
    }

    /// The elements of lists: a column of values, or of rows of key and value (and of what a MULTISET has).
    private static func convertEntries(_ lists: Column, _ types: [DataType]) throws(MillstreamError) -> Column {
        let elements = lists.children[0]
        guard case .row(let fields) = elements.type.kind, lists.type.elementType != types.first else {
            return try convert(elements, to: types[0])
        }
        if case .array = lists.type.kind { return try convert(elements, to: types[0]) }
        var wanted = fields
        for (index, type) in types.enumerated() where index < wanted.count { wanted[index].type = type }
        return try convert(elements, to: DataType(.row(wanted), isNullable: elements.type.isNullable))
    }

    private static func rebuilt(_ source: Column, _ type: DataType, _ children: [Column]) -> Column {
        Column(type: type, count: source.count, validity: source.validity, values: source.values, children: children)
    }

    private static func widen<Number: FixedWidthInteger & BitwiseCopyable>(
        _ source: Column, _ number: Number.Type, _ wanted: DataType
    ) throws(MillstreamError) -> Column {
        switch wanted.kind {
        case .smallInt: return map(source, number, wanted) { Int16(truncatingIfNeeded: $0) }
        case .int: return map(source, number, wanted) { Int32(truncatingIfNeeded: $0) }
        case .bigInt: return map(source, number, wanted) { Int64(truncatingIfNeeded: $0) }
        case .float: return map(source, number, wanted) { Float($0) }
        case .double: return map(source, number, wanted) { Double($0) }
        case .decimal(_, let scale):
            let factor = power(scale)
            return map(source, number, wanted) { Int128(truncatingIfNeeded: $0) &* factor }
        default: throw .internal("no conversion from \(source.type) to \(wanted)")
        }
    }

    private static func map<From: BitwiseCopyable, To: BitwiseCopyable>(
        _ source: Column, _ from: From.Type, _ type: DataType, _ body: (From) -> To
    ) -> Column {
        let buffer = Buffer(byteCount: MemoryLayout<To>.stride * source.count)
        let (values, target) = (source.pointer(as: From.self), buffer.pointer(as: To.self))
        for row in 0..<source.count { target[row] = body(values[row]) }
        withExtendedLifetime(source) {}
        return Column(type: type, count: source.count, validity: source.validity, values: buffer)
    }

    private static func power(_ exponent: Int) -> Int128 { (0..<max(0, exponent)).reduce(Int128(1)) { product, _ in product &* 10 } }
}
