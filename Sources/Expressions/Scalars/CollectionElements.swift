import Columnar
import Plan

/// What takes something out of arrays and maps, or counts it: element access, ELEMENT, CARDINALITY, ARRAY_CONTAINS, ARRAY_POSITION, ARRAY_MAX, ARRAY_MIN, ARRAY_JOIN.
enum CollectionElements {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        let type = request.type
        switch request.function {
        case .arrayElement: return element(type)
        case .mapElement: return mapElement(type)
        case .element: return single(type)
        case .cardinality:
            return { (arguments, count, _) in
                perList(arguments[0], count, type) { Int64($0.count) }
            }
        case .isEmpty: return test(type) { (_, range) in range.isEmpty }
        case .isASet:
            return test(type) { (column, range) in
                let counts = column.children[0].field(1)
                let numbers = counts.pointer(as: Int32.self)
                return range.allSatisfy { numbers[$0] == 1 }
            }
        case .arrayContains:
            return { (arguments, count, _) throws(MillstreamError) in
                guard let found = try firstMatches(arguments[0], arguments[0].column.children.first, arguments[1], count) else { return .null(type) }
                return booleans(arguments, [0], count, type) { found[$0] >= 0 }
            }
        case .memberOf:
            return { (arguments, count, _) throws(MillstreamError) in
                let keys = arguments[1].isNullConstant ? nil : arguments[1].elements.field(0)
                guard let found = try firstMatches(arguments[1], keys, arguments[0], count) else { return .null(type) }
                return booleans(arguments, [0, 1], count, type) { found[$0] >= 0 }
            }
        case .submultisetOf: return submultiset(type)
        case .arrayPosition:
            return { (arguments, count, _) throws(MillstreamError) in
                if arguments[1].isNullConstant { return .null(type) }
                guard let found = try firstMatches(arguments[0], arguments[0].column.children.first, arguments[1], count) else { return .null(type) }
                return try TimeParsing.map(arguments, count, type) { found[$0] < 0 ? 0 : Int64(Int(found[$0]) - arguments[0].list($0).lowerBound + 1) }
            }
        case .arrayMax: return extreme(type, isMax: true)
        case .arrayMin: return extreme(type, isMax: false)
        case .arrayJoin: return join(type)
        default: return nil
        }
    }

    // MARK: Access

    /// Counts from 1; NULL outside.
    private static func element(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            let lists = arguments[0]
            if lists.isNullConstant || arguments[1].isNullConstant { return .null(type) }
            var places = [Int32](repeating: -1, count: count)
            for row in 0..<count where !lists.isNull(row) && !arguments[1].isNull(row) {
                let range = lists.list(row)
                let index = arguments[1].integer(row)
                if index >= 1, index <= Int64(range.count) { places[row] = Int32(truncatingIfNeeded: range.lowerBound + Int(index) - 1) }
            }
            return Operand(try lists.elements.taking(places: places, as: type))
        }
    }

    private static func mapElement(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            let maps = arguments[0]
            if maps.isNullConstant || arguments[1].isNullConstant { return .null(type) }
            guard var found = try firstMatches(maps, maps.elements.field(0), arguments[1], count) else { return .null(type) }
            for row in 0..<count where arguments[1].isNull(row) { found[row] = -1 }
            return Operand(try maps.elements.field(1).taking(places: found, as: type))
        }
    }

    /// The only element; NULL of an empty collection.
    private static func single(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            let lists = arguments[0]
            if lists.isNullConstant { return .null(type) }
            var places = [Int32](repeating: -1, count: count)
            for row in 0..<count where !lists.isNull(row) {
                let range = lists.list(row)
                guard range.count <= 1 else { throw MillstreamError(.arithmetic, "ELEMENT: the collection has more than one element", hint: "a[1] is the first of an array.") }
                if !range.isEmpty { places[row] = Int32(truncatingIfNeeded: range.lowerBound) }
            }
            let isArray = if case .array = lists.column.type.kind { true } else { false }
            return Operand(try (isArray ? lists.elements : lists.elements.field(0)).taking(places: places, as: type))
        }
    }

    // MARK: Numbers and truth of each list

    private static func perList(_ lists: Operand, _ count: Int, _ type: DataType, _ body: (Range<Int>) -> Int64) -> Operand {
        if lists.isNullConstant { return .null(type) }
        let count = lists.isConstant ? 1 : count
        let validity = Validity.ofAll([Operand(lists.column)], count: count)
        let isWide = type.layout == .fixed(byteWidth: 8)
        let values = Buffer.zeroed(byteCount: 8 * count)
        for row in 0..<count where !lists.isNull(row) {
            let number = body(lists.list(row))
            if isWide { values.pointer(as: Int64.self)[row] = number } else { values.pointer(as: Int32.self)[row] = Int32(truncatingIfNeeded: number) }
        }
        return Operand(Column(type: type, count: count, validity: validity, values: values), isConstant: lists.isConstant)
    }

    private static func test(_ type: DataType, _ body: @escaping (Column, Range<Int>) -> Bool) -> Kernel {
        { (arguments, count, _) in
            if arguments[0].isNullConstant { return .null(type) }
            return booleans(arguments, [0], count, type) { body(arguments[0].column, arguments[0].list($0)) }
        }
    }

    /// A truth value for each row in which none of the arguments named is NULL.
    private static func booleans(_ arguments: [Operand], _ needed: [Int], _ count: Int, _ type: DataType, _ body: (Int) -> Bool) -> Operand {
        let values = Buffer.zeroed(byteCount: Validity.wordByteCount(count))
        let validity = Buffer.zeroed(byteCount: Validity.wordByteCount(count))
        var hasNulls = false
        for row in 0..<count {
            if needed.contains(where: { arguments[$0].isNull(row) }) {
                hasNulls = true
                continue
            }
            Bits.set(validity.base, row)
            if body(row) { Bits.set(values.base, row) }
        }
        return Operand(Column(type: type, count: count, validity: hasNulls ? validity : nil, values: values))
    }

    /// For each row the place of the first element that equals the row's value, NULL being equal to NULL; -1 where none does. Nil where all lists are NULL.
    ///
    /// All elements of all rows are compared in one go, column at a time.
    private static func firstMatches(_ lists: Operand, _ elements: Column?, _ value: Operand, _ count: Int) throws(MillstreamError) -> [Int32]? {
        guard !lists.isNullConstant, let elements else { return nil }
        var found = [Int32](repeating: -1, count: count)
        var left: [Int32] = []
        var right: [Int32] = []
        for row in 0..<count where !lists.isNull(row) {
            for index in lists.list(row) {
                left.append(Int32(truncatingIfNeeded: index))
                right.append(value.isConstant ? 0 : Int32(truncatingIfNeeded: row))
            }
        }
        // A NULL without a type is looked for as one of the elements' type.
        let values = value.column.type.layout == elements.type.layout ? value.column : try Column.nulls(type: elements.type, count: max(1, value.column.count))
        let flags = Buffer(byteCount: max(1, left.count))
        try equalRows([elements], left, [values], right, count: left.count, into: flags.pointer(as: Bool.self))
        let isSame = flags.pointer(as: Bool.self)
        var place = 0
        for row in 0..<count where !lists.isNull(row) {
            let range = lists.list(row)
            for index in range {
                if isSame[place], found[row] < 0, !elements.isNaN(index) { found[row] = Int32(truncatingIfNeeded: index) }
                place += 1
            }
        }
        return found
    }

    /// Whether each element of the first is in the second at least as often.
    private static func submultiset(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            let (inner, outer) = (arguments[0], arguments[1])
            if inner.isNullConstant || outer.isNullConstant { return .null(type) }
            let (keys, others) = (inner.elements.field(0), outer.elements.field(0))
            let (counts, otherCounts) = (inner.elements.field(1), outer.elements.field(1))
            var isWithin = [Bool](repeating: true, count: count)
            for row in 0..<count where !inner.isNull(row) && !outer.isNull(row) {
                for index in inner.list(row) {
                    var number: Int32 = 0
                    for other in outer.list(row) where try keys.isEqual(at: index, to: others, at: other) { number = otherCounts.pointer(as: Int32.self)[other] }
                    if number < counts.pointer(as: Int32.self)[index] { isWithin[row] = false }
                }
            }
            return booleans(arguments, [0, 1], count, type) { isWithin[$0] }
        }
    }

    // MARK: Extremes

    /// The greatest or least element that is not NULL. NaN is neither greater nor less: it stays if it is the first.
    private static func extreme(_ type: DataType, isMax: Bool) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            let lists = arguments[0]
            if lists.isNullConstant { return .null(type) }
            let count = lists.isConstant ? 1 : count
            let elements = lists.elements
            var places = [Int32](repeating: -1, count: count)
            for row in 0..<count where !lists.isNull(row) {
                var best = -1
                for index in lists.list(row) where !elements.isNull(index) {
                    if best < 0 {
                        best = index
                        continue
                    }
                    if elements.isNaN(best) || elements.isNaN(index) { continue }
                    let order = try elements.compare(at: index, to: elements, at: best, nullsFirst: true)
                    if isMax ? order > 0 : order < 0 { best = index }
                }
                places[row] = Int32(truncatingIfNeeded: best)
            }
            return Operand(try elements.taking(places: places, as: type), isConstant: lists.isConstant)
        }
    }

    // MARK: ARRAY_JOIN

    private static func join(_ type: DataType) -> Kernel {
        { (arguments, count, _) throws(MillstreamError) in
            if arguments.contains(where: \.isNullConstant) { return .null(type) }
            let isConstant = arguments.allSatisfy(\.isConstant)
            let count = isConstant ? 1 : count
            let lists = arguments[0]
            let elements = lists.elements
            var builder = ViewBuilder()
            var text: [UInt8] = []
            for row in 0..<count {
                if arguments.contains(where: { $0.isNull(row) }) {
                    try builder.appendNull()
                    continue
                }
                text.removeAll(keepingCapacity: true)
                var isFirst = true
                for index in lists.list(row) {
                    let isNull = elements.isNull(index)
                    if isNull, arguments.count < 3 { continue }
                    if !isFirst { text += arguments[1].bytes(row) }
                    text += isNull ? arguments[2].bytes(row) : elements.bytes(index)
                    isFirst = false
                }
                var failure: MillstreamError?
                text.withUnsafeBytes { bytes in
                    do throws(MillstreamError) { try builder.append(bytes) } catch { failure = error }
                }
                if let failure { throw failure }
            }
            return Operand(builder.finish(type: type), isConstant: isConstant)
        }
    }
}
