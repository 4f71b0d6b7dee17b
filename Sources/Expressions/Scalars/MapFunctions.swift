import Columnar
import Plan

/// MAP_KEYS, MAP_VALUES, MAP_ENTRIES, MAP_FROM_ARRAYS, MAP_UNION.
enum MapFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        let type = request.type
        switch request.function {
        // The same lists over a part of their entries: nothing is copied.
        case .mapKeys: return lists(type) { $0.field(0) }
        case .mapValues: return lists(type) { $0.field(1) }
        case .mapEntries: return lists(type) { $0 }
        case .mapFromArrays: return fromArrays(type)
        case .mapUnion: return union(type)
        default: return nil
        }
    }

    private static func lists(_ type: DataType, _ part: @escaping (Column) -> Column) -> Kernel {
        { (arguments, _, _) in
            let map = arguments[0]
            if map.isNullConstant { return .null(type) }
            let column = map.column
            let child = part(column.children[0]).typed(type.elementType ?? .null)
            return Operand(
                Column(type: type, count: column.count, offset: column.offset, validity: column.validity, values: column.values, children: [child]), isConstant: map.isConstant)
        }
    }

    private static func fromArrays(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            let isConstant = arguments.allSatisfy(\.isConstant)
            let count = isConstant ? 1 : count
            let (keyLists, valueLists) = (arguments[0], arguments[1])
            var lists = ListAssembly(count: count)
            var keys: [Int32] = []
            var values: [Int32] = []
            for row in 0..<count {
                if keyLists.isNull(row) || valueLists.isNull(row) {
                    lists.endNull()
                    continue
                }
                let (keyRange, valueRange) = (keyLists.list(row), valueLists.list(row))
                guard keyRange.count == valueRange.count else {
                    throw MillstreamError(
                        .arithmetic,
                        "MAP_FROM_ARRAYS: the length of the array of keys, \(keyRange.count), is not that of the array of values, \(valueRange.count)")
                }
                for index in keyRange { keys.append(Int32(truncatingIfNeeded: index)) }
                for index in valueRange { values.append(Int32(truncatingIfNeeded: index)) }
                try lists.end(keys.count)
            }
            let fields = type.elementType?.fields ?? []
            guard fields.count == 2 else { throw .internal("MAP_FROM_ARRAYS makes a map") }
            let keyColumn = try taking(keyLists.elements, keys, as: fields[0].type)
            let valueColumn = try taking(valueLists.elements, values, as: fields[1].type)
            return Operand(lists.finish(type, child: CollectionConstructors.entries(type, keyColumn, valueColumn)), isConstant: isConstant)
        }
    }

    private static func taking(_ column: Column, _ places: [Int32], as type: DataType) throws(MillstreamError) -> Column {
        let buffer = Buffer.copying(places)
        let taken = try column.taking(buffer.pointer(as: Int32.self), count: places.count)
        withExtendedLifetime(buffer) {}
        return taken.typed(type)
    }

    /// The entries of all maps; of equal keys the last map's. As in Flink, they come from the last map to the first.
    private static func union(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            if arguments.count == 1 { return arguments[0].typed(type) }
            let isConstant = arguments.allSatisfy(\.isConstant)
            let count = isConstant ? 1 : count
            let keys = arguments.map { $0.elements.field(0) }
            var set = try ElementSet(arguments, keys)
            var lists = ListAssembly(count: count)
            var places: [RowPlace] = []
            for row in 0..<count {
                if arguments.contains(where: { $0.isNull(row) }) {
                    lists.endNull()
                    continue
                }
                set.reset(arguments.reduce(0) { $0 + $1.list(row).count })
                for source in arguments.indices.reversed() {
                    for index in arguments[source].list(row) where try set.insert(source, index) {
                        places.append(RowPlace(source: Int32(truncatingIfNeeded: source), row: Int32(truncatingIfNeeded: index)))
                    }
                }
                try lists.end(places.count)
            }
            let fields = type.elementType?.fields ?? []
            guard fields.count == 2 else { throw .internal("MAP_UNION makes a map") }
            let keyColumn = try Column.gathering(places, from: keys, as: fields[0].type)
            let valueColumn = try Column.gathering(places, from: arguments.map { $0.elements.field(1) }, as: fields[1].type)
            return Operand(lists.finish(type, child: CollectionConstructors.entries(type, keyColumn, valueColumn)), isConstant: isConstant)
        }
    }
}
