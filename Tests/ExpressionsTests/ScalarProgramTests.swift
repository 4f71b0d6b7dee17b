import Columnar
import Expressions
import Plan
import Synchronization
import TestRows
import Testing

@Suite struct ScalarProgramTests {
    private let a = ScalarExpression.column(0, .int)
    private let b = ScalarExpression.column(1, .int)

    private func int(_ value: Int64) -> ScalarExpression { .constant(.int64(value), DataType.int.notNull) }
    private func call(_ function: ScalarFunction, _ arguments: ScalarExpression..., type: DataType = .int) -> ScalarExpression { .call(function, arguments, type) }
    private func test(_ function: ScalarFunction, _ arguments: ScalarExpression...) -> ScalarExpression { .call(function, arguments, .boolean) }
    private func choose(_ branches: [(ScalarExpression, ScalarExpression)], _ otherwise: ScalarExpression, _ type: DataType = .int) -> ScalarExpression {
        ScalarExpression(.conditional(branches.map { ScalarExpression.Branch(condition: $0.0, result: $0.1) }, otherwise: otherwise), type)
    }

    private func batch(_ a: [Int64?], _ b: [Int64?]) throws -> Batch {
        let schema = Schema([Field("a", .int), Field("b", .int)])
        return try Rows.batch(schema, try [a, b].map { try Rows.column(.int, $0.map { $0.map { .int64($0) } ?? .null }) })
    }

    /// The values, the same for slices and selections of the rows.
    private func compute(_ expression: ScalarExpression, _ batch: Batch, _ context: EvaluationContext = EvaluationContext()) throws -> [Scalar] {
        let program = try ScalarProgram([expression])
        var results: [[Scalar]] = []
        for disguise in try Rows.disguises(batch) {
            let column = try program.columns(of: disguise, context)[0]
            #expect(column.count == disguise.count)
            #expect(column.type == expression.type)
            results.append((0..<column.count).map { column.scalar(at: $0) })
        }
        for other in results.dropFirst() { #expect(other == results[0]) }
        return results[0]
    }

    private func ints(_ values: [Int64?]) -> [Scalar] { values.map { $0.map { .int64($0) } ?? .null } }
    private func bools(_ values: [Bool?]) -> [Scalar] { values.map { $0.map { .boolean($0) } ?? .null } }

    @Test func conditionsGuardWhatComesBehindThem() throws {
        let rows = try batch([0, 2, 5, nil, 20], [0, 0, 0, 0, 0])
        let quotient = call(.divide, int(10), a)
        // a <> 0 AND 10 / a > 1
        #expect(try compute(test(.and, test(.notEqual, a, int(0)), test(.greater, quotient, int(1))), rows) == bools([false, true, true, nil, false]))
        // a = 0 OR 10 / a > 1
        #expect(try compute(test(.or, test(.equal, a, int(0)), test(.greater, quotient, int(1))), rows) == bools([true, true, true, nil, false]))
        // The other way round it fails, with the row.
        let error = #expect(throws: MillstreamError.self) { try compute(test(.and, test(.greater, quotient, int(1)), test(.notEqual, a, int(0))), rows) }
        #expect(error?.code == .arithmetic)
        #expect(error?.recordIndex == 0)
        // Three operands, nested to the right and to the left.
        let isPositive = test(.greater, a, int(0))
        let right = test(.and, isPositive, test(.and, test(.less, a, int(10)), test(.greater, quotient, int(2))))
        let left = test(.and, test(.and, isPositive, test(.less, a, int(10))), test(.greater, quotient, int(2)))
        #expect(try compute(right, rows) == bools([false, true, false, nil, false]))
        #expect(try compute(left, rows) == compute(right, rows))
    }

    @Test func nullLeavesAConditionOpen() throws {
        // NULL AND 10 / 0 > 1: the right side is asked, and fails.
        let rows = try batch([nil], [0])
        #expect(throws: MillstreamError.self) {
            try compute(test(.and, test(.greater, a, int(0)), test(.greater, call(.divide, int(10), b), int(1))), rows)
        }
        #expect(try compute(test(.and, test(.greater, a, int(0)), test(.greater, b, int(1))), rows) == bools([false]))
    }

    @Test func caseComputesARowsOwnBranchAlone() throws {
        let rows = try batch([0, 1, 2, nil, 5], [7, 0, 0, 0, 1])
        let byA = call(.divide, int(100), a)
        let byB = call(.divide, int(100), b)
        let expression = choose([(test(.greater, b, int(0)), byB), (test(.greater, a, int(1)), byA)], call(.minus, int(0), int(1)))
        #expect(try compute(expression, rows) == ints([14, -1, 50, -1, 100]))
        // CASE within CASE, and a shared part in condition and result.
        let inner = choose([(test(.equal, a, int(2)), byA)], choose([(test(.isNull, a), int(-7))], int(3)))
        #expect(try compute(choose([(test(.equal, b, int(0)), inner)], byB), rows) == ints([14, 3, 50, -7, 100]))
        let shared = choose([(test(.isNull, a), int(0)), (test(.equal, a, int(0)), int(0)), (test(.greater, byA, int(40)), byA)], call(.negate, byA))
        #expect(try compute(shared, rows) == ints([0, 100, 50, 0, -20]))
    }

    @Test func caseWithConstantConditions() throws {
        let rows = try batch([1, 2], [0, 0])
        let yes = ScalarExpression.constant(.boolean(true), DataType.boolean.notNull)
        let no = ScalarExpression.constant(.boolean(false), DataType.boolean.notNull)
        let fails = call(.divide, int(1), int(0))
        #expect(try compute(choose([(no, fails), (yes, a)], fails), rows) == ints([1, 2]))
        #expect(try compute(choose([(.null(.boolean), fails)], a), rows) == ints([1, 2]))
        #expect(try compute(choose([(test(.equal, a, int(1)), int(10)), (yes, b)], fails), rows) == ints([10, 0]))
        #expect(try compute(choose([(test(.equal, a, int(1)), .null(.int)), (test(.equal, a, int(2)), int(4))], fails), rows) == ints([nil, 4]))
        #expect(throws: MillstreamError.self) { try compute(choose([(test(.equal, a, int(1)), int(10))], fails), rows) }
    }

    @Test func coalesceStopsAtTheFirstValue() throws {
        let rows = try batch([1, nil, nil, 4], [0, 5, nil, 0])
        let byB = call(.divide, int(100), b)
        #expect(try compute(call(.coalesce, a, byB), try batch([1, nil, nil], [0, 5, nil])) == ints([1, 20, nil]))
        #expect(try compute(call(.coalesce, a, b, int(9)), rows) == ints([1, 5, 9, 4]))
        #expect(try compute(call(.coalesce, .null(.int), a, .null(.int)), rows) == ints([1, nil, nil, 4]))
        #expect(try compute(call(.coalesce, int(3), byB), rows) == ints([3, 3, 3, 3]))
        #expect(throws: MillstreamError.self) { try compute(call(.coalesce, a, byB), try batch([nil, 1], [0, 1])) }
    }

    @Test func inStopsAtTheFirstMatch() throws {
        let rows = try batch([1, 2, nil], [0, 0, 0])
        let fails = call(.divide, int(1), b)
        #expect(try compute(test(.in, a, int(1), call(.divide, int(4), a)), rows) == bools([true, true, nil]))
        #expect(try compute(test(.in, a, int(1), int(2), fails), try batch([1, 2], [0, 0])) == bools([true, true]))
        #expect(throws: MillstreamError.self) { try compute(test(.in, a, int(1), fails), rows) }
        #expect(try compute(test(.in, a, int(2), .null(.int)), rows) == bools([nil, true, nil]))
    }

    @Test func noRowsRaiseNoError() throws {
        let fails = call(.divide, int(1), int(0))
        #expect(try compute(fails, try batch([], [])) == [])
        #expect(try compute(call(.plus, a, fails), try batch([], [])) == [])
        let program = try ScalarProgram([test(.equal, fails, int(1))])
        #expect(try program.rows(of: try batch([], []), EvaluationContext()) == nil)
        #expect(throws: MillstreamError.self) { try compute(fails, try batch([1], [1])) }
    }

    @Test func rowsWhereAConditionIsTrue() throws {
        let rows = try batch([1, nil, 3, 4], [0, 0, 0, 0])
        func selected(_ condition: ScalarExpression) throws -> [Int]? {
            let selection = try ScalarProgram([condition]).rows(of: rows, EvaluationContext())
            return selection.map { selection in (0..<selection.count).map { selection[$0] } }
        }
        #expect(try selected(test(.greater, a, int(2))) == [2, 3])
        #expect(try selected(test(.isNotNull, int(1))) == nil)
        #expect(try selected(test(.equal, b, int(0))) == nil)
        #expect(try selected(.null(.boolean)) == [])
        #expect(try selected(.constant(.boolean(false), .boolean)) == [])
    }

    @Test func zerosOfBothSignsAreTwoConstants() throws {
        let zero = ScalarExpression.constant(.double(0), .double)
        let negative = ScalarExpression.constant(.double(-0.0), .double)
        let program = try ScalarProgram([zero, negative])
        let columns = try program.columns(of: try batch([1], [1]), EvaluationContext())
        // By scalars: a pointer into a column that nobody uses any more points nowhere.
        func sign(_ column: Column) -> FloatingPointSign? {
            if case .double(let value) = column.scalar(at: 0) { return value.sign }
            return nil
        }
        #expect(sign(columns[0]) == .plus)
        #expect(sign(columns[1]) == .minus)
    }

    @Test func chanceIsDrawnAnewForEachCallAndRow() throws {
        let counter = Mutex<UInt64>(0)
        let context = EvaluationContext(random: {
            counter.withLock { count in
                count += 1
                return count << 40
            }
        })
        let rand = ScalarExpression.call(.rand, [], DataType.double.notNull)
        let program = try ScalarProgram([rand, rand, .call(.equal, [rand, rand], .boolean)])
        let columns = try program.columns(of: try batch([1, 2, 3], [1, 1, 1]), context)
        var seen: Set<Scalar> = []
        for column in columns[0...1] { for row in 0..<3 { seen.insert(column.scalar(at: row)) } }
        #expect(seen.count == 6)
        #expect((0..<3).map { columns[2].scalar(at: $0) } == bools([false, false, false]))
        #expect(counter.withLock { $0 } == 12)
        // A seed decides, in each row.
        let seeded = try compute(.call(.rand, [int(42)], .double), try batch([1, 2], [1, 1]))
        #expect(seeded == [.double(0.7275636800328681), .double(0.7275636800328681)])
        #expect(try compute(.call(.randInteger, [int(7), int(10)], .int), try batch([1], [1])) == ints([6]))
        #expect(throws: MillstreamError.self) { try compute(.call(.randInteger, [int(0)], .int), try batch([1], [1])) }
    }

    @Test func longChainsAndDeepTreesAreBounded() throws {
        let rows = try batch([1, 2], [1, 1])
        // 5,000 conditions in a row are one level.
        var chain = test(.equal, a, int(-1))
        for value in 0..<5_000 { chain = test(.or, chain, test(.equal, a, int(Int64(value) + 2))) }
        #expect(try compute(chain, rows) == bools([false, true]))
        var sum = a
        for _ in 0..<500 { sum = call(.plus, sum, int(1)) }
        #expect(try compute(sum, rows) == ints([501, 502]))
        for _ in 0..<20 { sum = call(.plus, sum, int(1)) }
        let error = #expect(throws: MillstreamError.self) { try ScalarProgram([sum]) }
        #expect(error?.code == .limitExceeded)
        // A CASE of 300 branches.
        let many = choose((0..<300).map { (test(.equal, a, int(Int64($0))), call(.times, a, int(Int64($0)))) }, int(-1))
        #expect(try compute(many, try batch([0, 1, 17, 299, 300, nil], [0, 0, 0, 0, 0, 0])) == ints([0, 1, 289, 299 * 299, -1, -1]))
    }

    @Test func fieldsOfNullRowsAreNull() throws {
        let type = DataType(.row([Field("x", .int), Field("y", .string)]))
        let schema = Schema([Field("r", type)])
        let rows = try Rows.batch(schema, [try Rows.column(type, [.row([.int64(1), .string("a")]), .null, .row([.null, .string("b")])])])
        let row = ScalarExpression.column(0, type)
        #expect(try compute(ScalarExpression(.field(row, 0), .int), rows) == ints([1, nil, nil]))
        #expect(try compute(ScalarExpression(.field(row, 1), .string), rows) == [.string("a"), .null, .string("b")])
        #expect(try compute(ScalarExpression(.field(.null(type), 1), .string), rows) == [.null, .null, .null])
    }
}
