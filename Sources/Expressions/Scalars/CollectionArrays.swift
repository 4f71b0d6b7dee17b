import Columnar
import Plan

/// What makes arrays of arrays: ARRAY_APPEND, ARRAY_CONCAT, ARRAY_DISTINCT, ARRAY_EXCEPT, ARRAY_INTERSECT, ARRAY_UNION, ARRAY_PREPEND, ARRAY_REMOVE, ARRAY_REVERSE,
/// ARRAY_SLICE, ARRAY_SORT. Each notes which elements of its arguments the result has, and the columns are then taken from at once.
enum CollectionArrays {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        let type = request.type
        switch request.function {
        case .arrayAppend: return added(type, atEnd: true)
        case .arrayPrepend: return added(type, atEnd: false)
        case .arrayConcat: return concat(type)
        case .arrayDistinct, .arrayUnion: return union(type)
        case .arrayExcept: return compared(type, keepsFound: false)
        case .arrayIntersect: return compared(type, keepsFound: true)
        case .arrayRemove: return removed(type)
        case .arrayReverse: return picked(type, needed: 1) { (arguments, row, places) in places += arguments[0].list(row).reversed().map { Int32(truncatingIfNeeded: $0) } }
        case .arraySlice: return picked(type, needed: 3, slice)
        case .arraySort: return sorted(type)
        default: return nil
        }
    }

    /// Elements of the first argument, for the rows in which none of the first `needed` arguments is NULL.
    private static func picked(
        _ type: DataType, needed: Int, _ body: @escaping ([Operand], Int, inout [Int32]) throws(MillstreamError) -> Void
    ) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if arguments.prefix(needed).contains(where: \.isNullConstant) { return .null(type) }
            let isConstant = arguments.allSatisfy(\.isConstant)
            let count = isConstant ? 1 : count
            var lists = ListAssembly(count: count)
            var places: [Int32] = []
            for row in 0..<count {
                if arguments.prefix(needed).contains(where: { $0.isNull(row) }) {
                    lists.endNull()
                    continue
                }
                try body(arguments, row, &places)
                try lists.end(places.count)
            }
            return Operand(try lists.finish(type, taking: places, from: arguments[0].elements), isConstant: isConstant)
        }
    }

    /// Elements of several columns, for the rows in which none of the arguments named is NULL.
    private static func gathered(
        _ arguments: [Operand], _ sources: [Column], _ needed: [Operand], _ count: Int, _ type: DataType,
        _ body: (Int, inout [RowPlace]) throws(MillstreamError) -> Void
    ) throws(MillstreamError) -> Operand {
        let isConstant = arguments.allSatisfy(\.isConstant)
        let count = isConstant ? 1 : count
        var lists = ListAssembly(count: count)
        var places: [RowPlace] = []
        for row in 0..<count {
            if needed.contains(where: { $0.isNull(row) }) {
                lists.endNull()
                continue
            }
            try body(row, &places)
            try lists.end(places.count)
        }
        return Operand(try lists.finish(type, gathering: places, from: sources), isConstant: isConstant)
    }

    private static func add(_ range: Range<Int>, of source: Int, _ places: inout [RowPlace]) {
        for index in range { places.append(RowPlace(source: Int32(truncatingIfNeeded: source), row: Int32(truncatingIfNeeded: index))) }
    }

    private static func added(_ type: DataType, atEnd: Bool) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            let lists = arguments[0]
            if lists.isNullConstant { return .null(type) }
            return try gathered(arguments, [lists.elements, arguments[1].column], [lists], count, type) { row, places in
                let element = RowPlace(source: 1, row: arguments[1].isConstant ? 0 : Int32(truncatingIfNeeded: row))
                if !atEnd { places.append(element) }
                add(lists.list(row), of: 0, &places)
                if atEnd { places.append(element) }
            }
        }
    }

    private static func concat(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            return try gathered(arguments, arguments.map(\.elements), arguments, count, type) { row, places in
                for (source, argument) in arguments.enumerated() { add(argument.list(row), of: source, &places) }
            }
        }
    }

    /// Each element of all arrays once.
    private static func union(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            let sources = arguments.map(\.elements)
            var set = try ElementSet(arguments, sources)
            return try gathered(arguments, sources, arguments, count, type) { row, places throws(MillstreamError) in
                set.reset(arguments.reduce(0) { $0 + $1.list(row).count })
                for (source, argument) in arguments.enumerated() {
                    for index in argument.list(row) where try set.insert(source, index) { add(index..<(index + 1), of: source, &places) }
                }
            }
        }
    }

    /// Each element of the first array once that is, or is not, in the second.
    private static func compared(_ type: DataType, keepsFound: Bool) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            let sources = arguments.map(\.elements)
            var others = try ElementSet(arguments, sources)
            var seen = try ElementSet(arguments, sources)
            return try gathered(arguments, sources, arguments, count, type) { row, places throws(MillstreamError) in
                others.reset(arguments[1].list(row).count)
                seen.reset(arguments[0].list(row).count)
                for index in arguments[1].list(row) { _ = try others.insert(1, index) }
                for index in arguments[0].list(row) {
                    guard try others.contains(0, index) == keepsFound else { continue }
                    if try seen.insert(0, index) { add(index..<(index + 1), of: 0, &places) }
                }
            }
        }
    }

    private static func removed(_ type: DataType) -> Kernel {
        picked(type, needed: 1) { (arguments, row, places) throws(MillstreamError) in
            let elements = arguments[0].elements
            let value = arguments[1]
            let at = value.isConstant ? 0 : row
            let isTyped = value.column.type.layout == elements.type.layout
            for index in arguments[0].list(row) {
                var isSame = elements.isNull(index)
                if isTyped { isSame = elements.isNaN(index) ? false : try elements.isEqual(at: index, to: value.column, at: at) }
                if !isSame { places.append(Int32(truncatingIfNeeded: index)) }
            }
        }
    }

    /// From the start to the end, both counted from 1, or from -1 backwards; what lies before the first element is the first.
    private static func slice(_ arguments: [Operand], _ row: Int, _ places: inout [Int32]) {
        let range = arguments[0].list(row)
        let count = Int64(range.count)
        func place(_ index: Int64) -> Int64 { max(1, index < 0 ? max(index, -count - 1) + count + 1 : index) }
        let start = place(arguments[1].integer(row))
        let end = arguments.count > 2 ? min(count, place(arguments[2].integer(row))) : count
        guard start <= end else { return }
        for index in Int(start)...Int(end) { places.append(Int32(truncatingIfNeeded: range.lowerBound + index - 1)) }
    }

    /// Ascending or descending; NULLs come where the third argument says, else first where ascending and last where not.
    private static func sorted(_ type: DataType) -> Kernel {
        picked(type, needed: 3) { (arguments, row, places) throws(MillstreamError) in
            func flag(_ index: Int) -> Bool? { arguments.count > index ? arguments[index].column.bit(arguments[index].isConstant ? 0 : row) : nil }
            let isAscending = flag(1) ?? true
            let nullsFirst = flag(2) ?? isAscending
            let elements = arguments[0].elements
            let range = arguments[0].list(row)
            let nulls = range.filter { elements.isNull($0) }.map { Int32(truncatingIfNeeded: $0) }
            if nullsFirst { places += nulls }
            let first = places.count
            for index in range where !elements.isNull(index) { places.append(Int32(truncatingIfNeeded: index)) }
            try sort(&places[first...], elements, isAscending)
            if !nullsFirst { places += nulls }
        }
    }

    private static func sort(_ places: inout ArraySlice<Int32>, _ elements: Column, _ isAscending: Bool) throws(MillstreamError) {
        guard places.count > 1 else { return }
        // Swift's sort takes no typed error: the first one is kept, and the order of the rest does not matter.
        var failure: MillstreamError?
        places.sort { left, right in
            guard failure == nil else { return false }
            do throws(MillstreamError) {
                let order = try elements.compare(at: Int(left), to: elements, at: Int(right), nullsFirst: true)
                return isAscending ? order < 0 : order > 0
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
    }
}
