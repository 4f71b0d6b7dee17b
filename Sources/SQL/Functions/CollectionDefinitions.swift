import Columnar
import Plan

/// Functions of arrays, maps and bitmaps.
enum CollectionDefinitions {
    static let all: [FunctionDefinition] =
        arrays + maps + bitmaps + [
            FunctionDefinition("CARDINALITY", function: .cardinality, [FunctionSignature(.oneOf([.array, .map, .multiset]))], returns: .fixed(.int)),
            FunctionDefinition("ELEMENT", signatures: [FunctionSignature(.oneOf([.array, .multiset]))]) { (call) throws(MillstreamError) in
                let type = call.arguments[0].type
                guard let element = type.element else { throw call.mismatch() }
                return call.result(.element, element.nullable(element.isNullable || type.isNullable))
            },
        ]

    private static let arrays: [FunctionDefinition] = [
        withElement("ARRAY_APPEND", .arrayAppend), withElement("ARRAY_PREPEND", .arrayPrepend),
        search("ARRAY_CONTAINS", .arrayContains) { (type, _) in DataType(.boolean, isNullable: type.isNullable) },
        search("ARRAY_POSITION", .arrayPosition) { (type, element) in DataType(.int, isNullable: type.isNullable || element.isNullable) },
        search("ARRAY_REMOVE", .arrayRemove) { (type, _) in type },
        FunctionDefinition("ARRAY_CONCAT", signatures: [FunctionSignature(.array, isVariadic: true)], takesNull: true) {
            (call) throws(MillstreamError) in try common(.arrayConcat, call)
        },
        pair("ARRAY_EXCEPT", .arrayExcept), pair("ARRAY_INTERSECT", .arrayIntersect), pair("ARRAY_UNION", .arrayUnion),
        FunctionDefinition("ARRAY_DISTINCT", function: .arrayDistinct, [FunctionSignature(.array)], returns: .argument(0)),
        FunctionDefinition("ARRAY_REVERSE", function: .arrayReverse, [FunctionSignature(.array)], returns: .argument(0)),
        FunctionDefinition(
            "ARRAY_SLICE", function: .arraySlice, [FunctionSignature(.array, .int, .int, optional: 1)], returns: .argument(0), takesNull: true),
        FunctionDefinition("ARRAY_SORT", signatures: [FunctionSignature(.array, .boolean, .boolean, optional: 2)], takesNull: true) {
            (call) throws(MillstreamError) in
            let type = call.arguments[0].type
            try ordered(type, call)
            return call.result(.arraySort, type.nullable(call.anyNullable))
        },
        extreme("ARRAY_MAX", .arrayMax), extreme("ARRAY_MIN", .arrayMin),
        FunctionDefinition("ARRAY_JOIN", signatures: [FunctionSignature(.array, .text, .text, optional: 1)], takesNull: true) {
            (call) throws(MillstreamError) in
            guard call.arguments[0].type.element?.isText ?? false else {
                throw call.mismatch("ARRAY_JOIN takes an array of texts, this is \(call.arguments[0].type.kind)")
            }
            return call.result(.arrayJoin, DataType.string.nullable(call.anyNullable))
        },
    ]

    /// An array and a value that is put into it: the value becomes an element as the others are.
    private static func withElement(_ name: String, _ function: ScalarFunction) -> FunctionDefinition {
        FunctionDefinition(name, signatures: [FunctionSignature(.array, .any)], takesNull: true) { (call) throws(MillstreamError) in
            let (array, value) = (call.arguments[0], call.arguments[1])
            guard let element = array.type.element, Conversions.isImplicit(from: value.type, to: element) else { throw call.mismatch() }
            var made = call
            made.arguments[1] = ScalarBinder.cast(value, to: element)
            let inner = element.nullable(element.isNullable || value.type.isNullable)
            return made.result(function, DataType(.array(inner), isNullable: call.anyNullable))
        }
    }

    /// An array and a value that is looked for in it.
    private static func search(_ name: String, _ function: ScalarFunction, _ result: @escaping @Sendable (DataType, DataType) -> DataType)
        -> FunctionDefinition
    {
        FunctionDefinition(name, signatures: [FunctionSignature(.array, .any)], takesNull: true) { (call) throws(MillstreamError) in
            let (array, value) = (call.arguments[0], call.arguments[1])
            guard let element = array.type.element, Conversions.isImplicit(from: value.type, to: element) else { throw call.mismatch() }
            var made = call
            // A text is compared as it is: cut to the elements' length it could be found where it is not.
            if !(value.type.isText || value.type.isBytes) { made.arguments[1] = ScalarBinder.cast(value, to: element) }
            return made.result(function, result(array.type, value.type))
        }
    }

    /// Several arrays or maps, which become one type.
    private static func common(_ function: ScalarFunction, _ call: FunctionCall) throws(MillstreamError) -> BoundScalar {
        guard let type = CommonTypes.common(call.arguments.map(\.type)), type.kind != .null else {
            throw call.mismatch(
                "the arguments of \(call.name) have no type in common: \(call.arguments.map(\.type.kind.description).joined(separator: ", "))")
        }
        var made = call
        made.arguments = call.arguments.map { ScalarBinder.cast($0, to: type) }
        return made.result(function, type)
    }

    private static func pair(_ name: String, _ function: ScalarFunction) -> FunctionDefinition {
        FunctionDefinition(name, signatures: [FunctionSignature(.array, .array)], takesNull: true) { (call) throws(MillstreamError) in
            try common(function, call)
        }
    }

    private static func ordered(_ type: DataType, _ call: FunctionCall) throws(MillstreamError) {
        guard let element = type.element, element.isOrdered, element.kind != .boolean else {
            throw call.error("\(call.name) takes elements that have an order, \(type.element?.kind.description ?? "this") has none", argument: 0)
        }
    }

    private static func extreme(_ name: String, _ function: ScalarFunction) -> FunctionDefinition {
        FunctionDefinition(name, signatures: [FunctionSignature(.array)]) { (call) throws(MillstreamError) in
            try ordered(call.arguments[0].type, call)
            return call.result(function, (call.arguments[0].type.element ?? .null).nullable)
        }
    }

    // MARK: Maps

    private static let maps: [FunctionDefinition] = [
        parts("MAP_KEYS", .mapKeys) { (key, _) in key }, parts("MAP_VALUES", .mapValues) { (_, value) in value },
        parts("MAP_ENTRIES", .mapEntries) { (key, value) in DataType(.row([Field("key", key), Field("value", value)])) },
        FunctionDefinition("MAP_FROM_ARRAYS", signatures: [FunctionSignature(.array, .array)]) { (call) throws(MillstreamError) in
            guard let key = call.arguments[0].type.element, let value = call.arguments[1].type.element else { throw call.mismatch() }
            return call.result(.mapFromArrays, DataType(.map(key: key, value: value), isNullable: call.anyNullable))
        },
        FunctionDefinition("MAP_UNION", signatures: [FunctionSignature(.map, isVariadic: true)], takesNull: true) { (call) throws(MillstreamError) in
            try common(.mapUnion, call)
        },
    ]

    private static func parts(_ name: String, _ function: ScalarFunction, _ element: @escaping @Sendable (DataType, DataType) -> DataType)
        -> FunctionDefinition
    {
        FunctionDefinition(name, signatures: [FunctionSignature(.map)]) { (call) throws(MillstreamError) in
            guard case .map(let key, let value) = call.arguments[0].type.kind else { throw call.mismatch() }
            return call.result(function, DataType(.array(element(key, value)), isNullable: call.anyNullable))
        }
    }

    // MARK: Bitmaps

    private static let bitmap = DataType(.bitmap)
    private static let bitmaps: [FunctionDefinition] = [
        FunctionDefinition(
            "BITMAP_BUILD", function: .bitmapBuild, [FunctionSignature(.exactly(DataType(.array(.int))))], returns: .fixed(bitmap), takesNull: true),
        FunctionDefinition("BITMAP_AND", function: .bitmapAnd, [FunctionSignature(.bitmap, .bitmap)], returns: .fixed(bitmap), takesNull: true),
        FunctionDefinition("BITMAP_ANDNOT", function: .bitmapAndNot, [FunctionSignature(.bitmap, .bitmap)], returns: .fixed(bitmap), takesNull: true),
        FunctionDefinition("BITMAP_OR", function: .bitmapOr, [FunctionSignature(.bitmap, .bitmap)], returns: .fixed(bitmap), takesNull: true),
        FunctionDefinition("BITMAP_XOR", function: .bitmapXor, [FunctionSignature(.bitmap, .bitmap)], returns: .fixed(bitmap), takesNull: true),
        FunctionDefinition(
            "BITMAP_CARDINALITY", function: .bitmapCardinality, [FunctionSignature(.bitmap)], returns: .fixed(.bigInt), takesNull: true),
        FunctionDefinition("BITMAP_FROM_BYTES", function: .bitmapFromBytes, [FunctionSignature(.bytes)], returns: .fixed(bitmap), takesNull: true),
        FunctionDefinition(
            "BITMAP_TO_ARRAY", function: .bitmapToArray, [FunctionSignature(.bitmap)], returns: .fixed(DataType(.array(.int))), takesNull: true),
        FunctionDefinition("BITMAP_TO_BYTES", function: .bitmapToBytes, [FunctionSignature(.bitmap)], returns: .fixed(.bytes), takesNull: true),
        FunctionDefinition("BITMAP_TO_STRING", function: .bitmapToString, [FunctionSignature(.bitmap)], returns: .fixed(.string), takesNull: true),
    ]
}
