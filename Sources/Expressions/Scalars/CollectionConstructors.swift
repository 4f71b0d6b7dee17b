import Columnar
import Plan

/// ARRAY[...], MAP[...], MULTISET[...], ROW(...), OBJECT_OF and OBJECT_UPDATE.
enum CollectionConstructors {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        let type = request.type
        switch request.function {
        case .array:
            return { (arguments, count, _) throws(MillstreamError) in Operand(try lists(arguments, count, type)) }
        case .map:
            guard request.arguments.count % 2 == 0, let fields = type.elementType?.fields, fields.count == 2 else { throw .internal("MAP takes keys and values") }
            return { (arguments, count, _) throws(MillstreamError) in
                let width = arguments.count / 2
                let keys = try elements((0..<width).map { arguments[2 * $0] }, count, fields[0].type)
                let values = try elements((0..<width).map { arguments[2 * $0 + 1] }, count, fields[1].type)
                return Operand(try offsets(count, width) { Column(type: type, count: count, values: $0, children: [entries(type, keys, values)]) })
            }
        case .multiset:
            guard let fields = type.elementType?.fields, fields.count == 2 else { throw .internal("MULTISET takes elements") }
            return { (arguments, count, _) throws(MillstreamError) in try multiset(arguments, count, type, fields[0].type) }
        case .row: return try row(request, from: 0, step: 1)
        case .objectOf:
            guard request.arguments.count % 2 == 1 else { throw .internal("OBJECT_OF takes a class, then names and values") }
            return try row(request, from: 2, step: 2)
        case .objectUpdate: return try update(request)
        default: return nil
        }
    }

    private static func lists(_ arguments: [Operand], _ count: Int, _ type: DataType) throws(MillstreamError) -> Column {
        let child = try elements(arguments, count, type.elementType ?? .null)
        return try offsets(count, arguments.count) { Column(type: type, count: count, values: $0, children: [child]) }
    }

    /// The arguments of a row side by side, row after row.
    private static func elements(_ arguments: [Operand], _ count: Int, _ type: DataType) throws(MillstreamError) -> Column {
        let (total, overflow) = count.multipliedReportingOverflow(by: arguments.count)
        guard !overflow, total <= Column.countLimit else {
            throw MillstreamError(.limitExceeded, "the lists of one column hold at most \(Column.countLimit) elements", hint: "Use smaller batches.")
        }
        if arguments.count == 1, !arguments[0].isConstant, arguments[0].column.type.layout == type.layout { return arguments[0].column.typed(type) }
        let places = [RowPlace](unsafeUninitializedCapacity: total) { buffer, filled in
            var index = 0
            for row in 0..<count {
                for (source, argument) in arguments.enumerated() {
                    buffer[index] = RowPlace(source: Int32(truncatingIfNeeded: source), row: argument.isConstant ? 0 : Int32(truncatingIfNeeded: row))
                    index += 1
                }
            }
            filled = total
        }
        return try Column.gathering(places, from: arguments.map(\.column), as: type)
    }

    /// A column whose lists all have `width` elements.
    private static func offsets(_ count: Int, _ width: Int, _ make: (Buffer) -> Column) throws(MillstreamError) -> Column {
        let buffer = Buffer(byteCount: 4 * (count + 1))
        let target = buffer.pointer(as: Int32.self)
        for row in 0...count { target[row] = Int32(truncatingIfNeeded: row &* width) }
        return make(buffer)
    }

    static func entries(_ type: DataType, _ keys: Column, _ values: Column) -> Column {
        Column(type: type.elementType ?? .null, count: keys.count, values: nil, children: [keys, values])
    }

    /// Equal elements become one, which counts them.
    private static func multiset(_ arguments: [Operand], _ count: Int, _ type: DataType, _ element: DataType) throws(MillstreamError) -> Operand {
        let all = try elements(arguments, count, element)
        let width = arguments.count
        var set = try ElementSet([all], [0..<all.count])
        var lists = ListAssembly(count: count)
        var keys: [Int32] = []
        var counts: [Int32] = []
        for row in 0..<count {
            set.reset(width)
            let first = keys.count
            for index in (row * width)..<((row + 1) * width) {
                if try set.insert(0, index) {
                    keys.append(Int32(truncatingIfNeeded: index))
                    counts.append(1)
                } else {
                    var place = first
                    while place < keys.count, try !all.isEqual(at: Int(keys[place]), to: all, at: index) { place += 1 }
                    if place < keys.count { counts[place] &+= 1 }
                }
            }
            try lists.end(keys.count)
        }
        let buffer = Buffer.copying(keys)
        let taken = try all.taking(buffer.pointer(as: Int32.self), count: keys.count)
        withExtendedLifetime(buffer) {}
        let numbers = Column(type: DataType.int.notNull, count: counts.count, values: Buffer.copying(counts))
        return Operand(lists.finish(type, child: entries(type, taken.typed(element), numbers)))
    }

    /// Every `step`th argument from `first` on is a field.
    private static func row(_ request: KernelRequest, from first: Int, step: Int) throws(MillstreamError) -> Kernel {
        let type = request.type
        let fields = type.fields ?? []
        let indices = Array(stride(from: first, to: request.arguments.count, by: step))
        guard indices.count == fields.count else { throw .internal("\(request.function.rawValue) has \(indices.count) values for \(fields.count) fields") }
        return { (arguments, count, _) throws(MillstreamError) in
            var children: [Column] = []
            for (index, field) in zip(indices, fields) { children.append(try arguments[index].dense(count, as: field.type)) }
            return Operand(Column(type: type, count: count, values: nil, children: children))
        }
    }

    /// An object with some fields replaced; NULL where it is.
    private static func update(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        let fields = type.fields ?? []
        if request.arguments.first?.kind == .null { return { (_, _, _) in .null(type) } }
        var replaced = [Int?](repeating: nil, count: fields.count)
        for index in stride(from: 1, to: request.arguments.count - 1, by: 2) {
            let name = request.text(index)
            guard let place = fields.firstIndex(where: { $0.name == name }) else {
                throw MillstreamError(
                    .plan, "OBJECT_UPDATE: the type \(request.arguments[0]) has no field '\(name ?? "NULL")'", hint: "Its fields are \(fields.map(\.name).joined(separator: ", ")).")
            }
            replaced[place] = index + 1
        }
        return { (arguments, count, _) throws(MillstreamError) in
            let object = arguments[0]
            if object.isNullConstant { return .null(type) }
            let dense = try object.dense(count, as: object.type)
            var children: [Column] = []
            for (index, field) in fields.enumerated() {
                if let argument = replaced[index] {
                    children.append(try arguments[argument].dense(count, as: field.type))
                } else {
                    children.append(dense.field(index).typed(field.type))
                }
            }
            let validity = Validity.ofAll([Operand(dense)], count: count)
            return Operand(Column(type: type, count: count, validity: validity, values: nil, children: children))
        }
    }
}
