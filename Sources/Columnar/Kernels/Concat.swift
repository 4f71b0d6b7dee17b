#if canImport(Glibc)
    import Glibc
#endif

extension Column {
    /// The values of several columns of one type, one after the other; nullable if one of them is. Handles are borrowed; text and bytes are shared unless the columns use
    /// little of large buffers. Throws `invalidArgument` for no columns, `typeMismatch` for different layouts, `limitExceeded` for too many values.
    public static func concat(_ columns: [Column]) throws(MillstreamError) -> Column {
        guard let first = columns.first else { throw MillstreamError(.invalidArgument, "concat of no columns") }
        if columns.count == 1 { return first }
        var total = 0
        for column in columns {
            guard column.type.layout == first.type.layout, column.children.count == first.children.count else {
                throw MillstreamError(.typeMismatch, "a column of type \(column.type) cannot follow one of type \(first.type)")
            }
            total += column.count
        }
        guard total <= Column.countLimit else {
            throw MillstreamError(.limitExceeded, "a column holds at most \(Column.countLimit) values", hint: "Use smaller batches.")
        }
        let validity = concatValidity(columns, total)
        let type = widestType(columns)
        switch type.layout {
        case .null: return Column(type: type, count: total, values: nil)
        case .bits: return Column(type: type, count: total, validity: validity, values: concatBits(columns, total))
        case .fixed(let byteWidth):
            return Column(type: type, count: total, validity: validity, values: concatFixed(columns, total, byteWidth))
        case .views: return try concatViews(columns, type, total, validity)
        case .handles:
            let values = concatFixed(columns, total, 8, keeping: Keepers.merging(columns))
            return Column(type: type, count: total, validity: validity, values: values, hostObjects: first.hostObjects)
        case .list: return try concatLists(columns, type, total, validity)
        case .row:
            var fields: [Column] = []
            for index in first.children.indices { fields.append(try concat(columns.map { $0.field(index) })) }
            return Column(type: type, count: total, validity: validity, values: nil, children: fields)
        }
    }

    private static func concatValidity(_ columns: [Column], _ total: Int) -> Buffer? {
        guard columns.contains(where: { $0.validity != nil }) else { return nil }
        let result = Buffer(byteCount: Bits.byteCount(total))
        var place = 0
        for column in columns {
            if let validity = column.validity {
                Bits.copy(from: validity.base, column.offset, to: result.base, place, count: column.count)
            } else {
                Bits.fill(result.base, offset: place, count: column.count, true)
            }
            place += column.count
        }
        return result
    }

    private static func concatBits(_ columns: [Column], _ total: Int) -> Buffer {
        let result = Buffer(byteCount: Bits.byteCount(total))
        var place = 0
        for column in columns {
            if let values = column.values { Bits.copy(from: values.base, column.offset, to: result.base, place, count: column.count) }
            place += column.count
        }
        return result
    }

    private static func concatFixed(_ columns: [Column], _ total: Int, _ byteWidth: Int, keeping keeper: AnyObject? = nil) -> Buffer {
        let result = Buffer(byteCount: byteWidth * total, keeping: keeper)
        var place = 0
        for column in columns where column.count > 0 {
            if let values = column.values { memcpy(result.base + place, values.base + byteWidth * column.offset, byteWidth * column.count) }
            place += byteWidth * column.count
        }
        return result
    }

    private static func concatLists(
        _ columns: [Column], _ type: DataType, _ total: Int, _ validity: Buffer?
    ) throws(MillstreamError) -> Column {
        let offsets = Buffer(byteCount: 4 * (total + 1))
        let target = offsets.pointer(as: Int32.self)
        target[0] = 0
        var place = 0
        var elements = 0
        var children: [Column] = []
        for column in columns where column.count > 0 {
            let source = column.pointer(as: Int32.self)
            let first = Int(source[0])
            let length = Int(source[column.count]) - first
            guard elements + length <= Column.countLimit else { throw MillstreamError.tooManyElements }
            let shift = Int32(truncatingIfNeeded: elements - first)
            for index in 0..<column.count { target[place + index + 1] = source[index + 1] &+ shift }
            children.append(column.children[0].slice(first, length))
            place += column.count
            elements += length
        }
        let child = children.isEmpty ? columns[0].children[0].slice(0, 0) : try concat(children)
        return Column(type: type, count: total, validity: validity, values: offsets, children: [child])
    }
}

/// Several objects kept alive as one: the owners of a concatenated column's handles.
final class Keepers {
    private let objects: [AnyObject]

    private init(_ objects: [AnyObject]) { self.objects = objects }

    /// What keeps the handles of all columns alive; each object once, and no chain of keepers.
    static func merging(_ columns: [Column]) -> AnyObject? {
        var seen: Set<ObjectIdentifier> = []
        var objects: [AnyObject] = []
        for column in columns {
            guard column.count > 0, let keeper = column.values?.keeper else { continue }
            let parts = (keeper as? Keepers)?.objects ?? [keeper]
            for part in parts where seen.insert(ObjectIdentifier(part)).inserted { objects.append(part) }
        }
        return objects.count <= 1 ? objects.first : Keepers(objects)
    }
}
