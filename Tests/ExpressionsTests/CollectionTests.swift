import Columnar
import Expressions
import Plan
import TestRows
import Testing

/// Functions of arrays and maps against plain Swift arrays, over random columns seen in several ways.
@Suite struct CollectionTests {
    private typealias Model = ([Scalar]) -> Scalar

    private static func same(_ left: Scalar, _ right: Scalar) -> Bool {
        if case .double(let a) = left, case .double(let b) = right { return a == b }
        return left == right
    }

    private static func distinct(_ values: [Scalar]) -> [Scalar] {
        var result: [Scalar] = []
        for value in values where !result.contains(where: { same($0, value) }) { result.append(value) }
        return result
    }

    private static func less(_ left: Scalar, _ right: Scalar) -> Bool {
        switch (left, right) {
        case (.int64(let a), .int64(let b)): a < b
        case (.double(let a), .double(let b)): a < b || (!a.isNaN && b.isNaN)
        case (.bytes(let a), .bytes(let b)): a.lexicographicallyPrecedes(b)
        default: false
        }
    }

    private static func list(_ value: Scalar) -> [Scalar]? {
        if case .list(let values) = value { return values }
        return nil
    }

    /// Arguments are: an array, another array, an element, a number.
    private static func models(_ element: DataType) -> [(ScalarFunction, [Int], DataType, Model)] {
        let array = DataType(.array(element))
        func unary(_ body: @escaping ([Scalar]) -> Scalar) -> Model { { list($0[0]).map(body) ?? .null } }
        func binary(_ body: @escaping ([Scalar], [Scalar]) -> Scalar) -> Model { { arguments in
            guard let left = list(arguments[0]), let right = list(arguments[1]) else { return .null }
            return body(left, right)
        } }
        func with(_ body: @escaping ([Scalar], Scalar) -> Scalar) -> Model { { arguments in list(arguments[0]).map { body($0, arguments[1]) } ?? .null } }
        return [
            (.cardinality, [0], .int, unary { .int64(Int64($0.count)) }),
            (.arrayReverse, [0], array, unary { .list($0.reversed()) }),
            (.arrayDistinct, [0], array, unary { .list(distinct($0)) }),
            (.arrayConcat, [0, 1, 0], array, { arguments in
                guard let left = list(arguments[0]), let right = list(arguments[1]), let last = list(arguments[2]) else { return .null }
                return .list(left + right + last)
            }),
            (.arrayUnion, [0, 1], array, binary { .list(distinct($0 + $1)) }),
            (.arrayIntersect, [0, 1], array, binary { left, right in .list(distinct(left).filter { value in right.contains { same($0, value) } }) }),
            (.arrayExcept, [0, 1], array, binary { left, right in .list(distinct(left).filter { value in !right.contains { same($0, value) } }) }),
            (.arrayAppend, [0, 2], array, with { .list($0 + [$1]) }),
            (.arrayPrepend, [0, 2], array, with { .list([$1] + $0) }),
            (.arrayContains, [0, 2], .boolean, with { list, value in .boolean(list.contains { same($0, value) }) }),
            (.arrayRemove, [0, 2], array, with { list, value in .list(list.filter { !same($0, value) }) }),
            (.arrayPosition, [0, 2], .int, with { list, value in value == .null ? .null : .int64(Int64((list.firstIndex { same($0, value) } ?? -1) + 1)) }),
            (.arrayElement, [0, 3], element, { arguments in
                guard let values = list(arguments[0]), case .int64(let index) = arguments[1], index >= 1, index <= values.count else { return .null }
                return values[Int(index) - 1]
            }),
            (.arraySort, [0], array, unary { values in .list(values.filter { $0 == .null } + values.filter { $0 != .null }.sorted(by: less)) }),
            (.arrayMax, [0], element, unary { $0.filter { $0 != .null }.max(by: less) ?? .null }),
            (.arrayMin, [0], element, unary { $0.filter { $0 != .null }.min(by: less) ?? .null }),
            (.arraySlice, [0, 3], array, { arguments in
                guard let values = list(arguments[0]), case .int64(let index) = arguments[1] else { return .null }
                let start = max(1, index < 0 ? Int(index) + values.count + 1 : Int(index))
                return .list(start > values.count ? [] : Array(values[(start - 1)...]))
            }),
        ]
    }

    @Test func asPlainArrays() throws {
        var generator = SeededGenerator(77)
        for (round, element) in [DataType.int, .bigInt, .double, .string, DataType(.decimal(precision: 20, scale: 2)), DataType(.array(.int))].enumerated() {
            func value() -> Scalar {
                if Int.random(in: 0..<6, using: &generator) == 0 { return .null }
                let number = Int64.random(in: -3...4, using: &generator)
                switch element.kind {
                case .double: return .double(Double(number) / 2)
                case .varChar: return .string(number < 0 ? "a longer text of number \(number)" : "t\(number)")
                case .decimal: return .decimal(Int128(number))
                case .array: return .list((0..<(number & 1)).map { _ in .int64(number) })
                default: return .int64(number)
                }
            }
            func array(_ limit: Int) -> Scalar { Int.random(in: 0..<8, using: &generator) == 0 ? .null : .list((0..<Int.random(in: 0...limit, using: &generator)).map { _ in value() }) }
            let arrayType = DataType(.array(element))
            let rows = (0..<60).map { row in [array(row == 30 ? 70 : 6), array(5), value(), Int.random(in: 0..<9, using: &generator) == 0 ? .null : .int64(Int64.random(in: -7...7, using: &generator))] }
            let types = [arrayType, arrayType, element, DataType.int]
            let schema = Schema(types.enumerated().map { Field("c\($0.offset)", $0.element) })
            let batch = try Rows.batch(schema, (0..<4).map { column in try Rows.column(types[column], rows.map { $0[column] }) })
            var models = Self.models(element)
            if round >= 4 { models.removeAll { [.arraySort, .arrayMax, .arrayMin].contains($0.0) } }
            let program = try ScalarProgram(models.map { .call($0.0, $0.1.map { .column($0, types[$0]) }, $0.2) })
            for disguise in try Rows.disguises(batch) {
                let columns = try program.columns(of: disguise, EvaluationContext())
                for (index, model) in models.enumerated() {
                    for (row, values) in rows.enumerated() {
                        let wanted = model.3(model.1.map { values[$0] })
                        let found = columns[index].scalar(at: row)
                        if found != wanted { Issue.record("\(model.0) of \(element) \(model.1.map { values[$0] }): \(found), not \(wanted)") }
                    }
                }
            }
            // Constants among columns, and constants alone.
            for model in models {
                for row in 0..<12 {
                    let alone = try TimeCalls.value(model.0, model.1.map { .constant(rows[row][$0], types[$0]) }, model.2)
                    #expect(alone == model.3(model.1.map { rows[row][$0] }), "\(model.0) of \(element) constants")
                    let mixed = ScalarExpression.call(model.0, model.1.enumerated().map { $0.offset == 0 ? .column($0.element, types[$0.element]) : .constant(rows[row][$0.element], types[$0.element]) }, model.2)
                    let column = try ScalarProgram([mixed]).columns(of: batch, EvaluationContext())[0]
                    for other in 0..<12 {
                        #expect(column.scalar(at: other) == model.3(model.1.enumerated().map { $0.offset == 0 ? rows[other][$0.element] : rows[row][$0.element] }), "\(model.0) with constants")
                    }
                }
            }
        }
    }

    @Test func mapsAndRows() throws {
        let map = DataType(.map(key: .string, value: .int))
        func entries(_ pairs: [(String, Int64?)]) -> Scalar { .map(keys: pairs.map { .string($0.0) }, values: pairs.map { $0.1.map { .int64($0) } ?? .null }) }
        let maps: [Scalar] = [entries([("a", 1), ("b", nil)]), .null, entries([]), entries([("b", 5), ("c", 7), ("a", 9)])]
        let others: [Scalar] = [entries([("b", 3), ("c", 4)]), entries([("x", 0)]), entries([("y", 1)]), .null]
        let keys: [Scalar] = [.string("a"), .string("a"), .null, .string("c")]
        let batch = try Rows.batch(
            Schema([Field("m", map), Field("n", map), Field("k", .string)]), [try Rows.column(map, maps), try Rows.column(map, others), try Rows.column(.string, keys)])
        let (m, n, k) = (ScalarExpression.column(0, map), ScalarExpression.column(1, map), ScalarExpression.column(2, .string))
        let row = DataType(.row([Field("x", .string), Field("y", .int)]))
        let program = try ScalarProgram([
            .call(.mapElement, [m, k], .int), .call(.mapKeys, [m], DataType(.array(.string))), .call(.mapValues, [m], DataType(.array(.int))),
            .call(.mapUnion, [m, n], map), .call(.mapFromArrays, [.call(.mapKeys, [m], DataType(.array(.string))), .call(.mapValues, [m], DataType(.array(.int)))], map),
            .call(.cardinality, [m], .int), .call(.row, [k, .constant(.int64(4), .int)], row), ScalarExpression(.field(.call(.row, [k, .constant(.int64(4), .int)], row), 0), .string),
            .call(.map, [k, .constant(.int64(1), .int), .constant(.string("z"), .string), .call(.mapElement, [m, k], .int)], map),
            .call(.array, [k, .constant(.string("q"), .string), k], DataType(.array(.string))), .call(.mapEntries, [m], DataType(.array(row))),
            .call(.mapElement, [.constant(entries([("a", 1), ("c", 2)]), map), k], .int),
        ])
        for disguise in try Rows.disguises(batch) {
            let columns = try program.columns(of: disguise, EvaluationContext())
            func values(_ index: Int) -> [Scalar] { (0..<4).map { columns[index].scalar(at: $0) } }
            #expect(values(0) == [.int64(1), .null, .null, .int64(7)])
            #expect(values(1) == [.list([.string("a"), .string("b")]), .null, .list([]), .list([.string("b"), .string("c"), .string("a")])])
            #expect(values(2) == [.list([.int64(1), .null]), .null, .list([]), .list([.int64(5), .int64(7), .int64(9)])])
            #expect(values(3) == [entries([("b", 3), ("c", 4), ("a", 1)]), .null, entries([("y", 1)]), .null])
            #expect(values(4) == maps)
            #expect(values(5) == [.int64(2), .null, .int64(0), .int64(3)])
            #expect(values(6) == keys.map { .row([$0, .int64(4)]) })
            #expect(values(7) == keys)
            #expect(values(8) == zip(keys, values(0)).map { .map(keys: [$0, .string("z")], values: [.int64(1), $1]) })
            #expect(values(9) == keys.map { .list([$0, .string("q"), $0]) })
            #expect(values(10)[0] == .list([.row([.string("a"), .int64(1)]), .row([.string("b"), .null])]))
            #expect(values(11) == [.int64(1), .int64(1), .null, .int64(2)])
        }
        #expect(throws: MillstreamError.self) {
            _ = try TimeCalls.value(.mapFromArrays, [.constant(.list([.int64(1)]), DataType(.array(.int))), .constant(.list([]), DataType(.array(.int)))], DataType(.map(key: .int, value: .int)))
        }
        #expect(throws: MillstreamError.self) { _ = try TimeCalls.value(.element, [.constant(.list([.int64(1), .int64(2)]), DataType(.array(.int)))], .int) }
    }

    @Test func multisetsAndObjects() throws {
        let bag = DataType(.multiset(.int))
        let made = ScalarExpression.call(.multiset, [.constant(.int64(1), .int), .constant(.int64(2), .int), .constant(.int64(1), .int)], bag)
        #expect(try ScalarProgram.constant(made, EvaluationContext()) == .map(keys: [.int64(1), .int64(2)], values: [.int64(2), .int64(1)]))
        let single = ScalarExpression.call(.multiset, [.constant(.int64(1), .int)], bag)
        #expect(try TimeCalls.value(.submultisetOf, [single, made], .boolean) == .boolean(true))
        #expect(try TimeCalls.value(.submultisetOf, [made, single], .boolean) == .boolean(false))
        #expect(try TimeCalls.value(.memberOf, [.constant(.int64(2), .int), made], .boolean) == .boolean(true))
        #expect(try TimeCalls.value(.isASet, [made], .boolean) == .boolean(false))
        #expect(try TimeCalls.value(.isASet, [single], .boolean) == .boolean(true))
        #expect(try TimeCalls.value(.isEmpty, [single], .boolean) == .boolean(false))
        let user = DataType(.structured("User", [Field("name", .string), Field("age", .int)]))
        let object = ScalarExpression.call(.objectOf, [TimeCalls.text("User"), TimeCalls.text("name"), TimeCalls.text("Bob"), TimeCalls.text("age"), .constant(.int64(42), .int)], user)
        #expect(try ScalarProgram.constant(object, EvaluationContext()) == .row([.string("Bob"), .int64(42)]))
        #expect(try TimeCalls.value(.objectUpdate, [object, TimeCalls.text("age"), .constant(.int64(43), .int)], user) == .row([.string("Bob"), .int64(43)]))
        #expect(throws: MillstreamError.self) { _ = try TimeCalls.value(.objectUpdate, [object, TimeCalls.text("x"), .constant(.int64(43), .int)], user) }
        #expect(try TimeCalls.value(.typeOf, [.constant(.null, DataType(.array(.string)))], .string) == .string("ARRAY<STRING>"))
        #expect(try TimeCalls.value(.currentDatabase, [], .string, EvaluationContext(database: "db")) == .string("db"))
    }
}
