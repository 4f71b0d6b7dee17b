import Columnar
import Dataflow
import Plan
import TestRows

/// Aggregates as one would compute them by hand, anew from all the values that there are: slow, and without columns.
struct AggregateModel {
    let call: AggregateExpression
    let input: [DataType]
    /// The arguments of the rows that are there, in their order, each with the values that it is ordered by.
    private var values: [[Scalar]] = []

    init(_ call: AggregateExpression, input: [DataType]) {
        self.call = call
        self.input = input
    }

    private func counts(_ row: [Scalar]) -> Bool { call.filter.map { row[$0] == .boolean(true) } ?? true }
    private func arguments(_ row: [Scalar]) -> [Scalar] { (call.arguments + call.order.map(\.column)).map { row[$0] } }

    /// Of distinct values: how many rows have each of `values`.
    private var rowCounts: [Int] = []

    mutating func add(_ row: [Scalar]) {
        guard counts(row) else { return }
        let made = arguments(row)
        if call.isDistinct, let place = place(of: made) {
            rowCounts[place] += 1
        } else {
            values.append(made)
            rowCounts.append(1)
        }
    }

    private func place(of arguments: [Scalar]) -> Int? {
        let text = arguments.map { "\($0)" }
        return values.firstIndex { $0.map { "\($0)" } == text }
    }

    mutating func retract(_ row: [Scalar]) {
        guard counts(row) else { return }
        guard let place = place(of: arguments(row)) else { return }
        rowCounts[place] -= 1
        if rowCounts[place] == 0 {
            values.remove(at: place)
            rowCounts.remove(at: place)
        }
    }

    var result: Scalar {
        guard case .builtIn(let function) = call.function else { return .null }
        let rows = values
        if function == .countAll { return .int64(Int64(rows.count)) }
        if function == .count { return .int64(Int64(rows.filter { !$0.contains(.null) }.count)) }
        let all = rows.map { $0[0] }
        let known = all.filter { $0 != .null }
        let numbers = known.map { number($0) }
        let isFloating = if case .double(_)? = known.first { true } else { false }
        switch function {
        case .sum, .sum0:
            if known.isEmpty { return function == .sum ? .null : zero }
            if isFloating { return .double(sum(numbers)) }
            return whole(known.reduce(0) { $0 &+ integer($1) })
        case .average:
            if known.isEmpty { return .null }
            if isFloating { return .double(sum(numbers) / Double(numbers.count)) }
            let total = known.reduce(0 as Int128) { $0 &+ integer($1) }
            guard case .decimal(_, let scale) = call.type.kind, case .decimal(_, let inputScale) = input[call.arguments[0]].kind else {
                return .int64(Int64(truncatingIfNeeded: total / Int128(known.count)))
            }
            var scaled = total
            for _ in inputScale..<scale { scaled *= 10 }
            let (quotient, rest) = scaled.magnitude.quotientAndRemainder(dividingBy: UInt128(known.count))
            let rounded = Int128(2 * rest >= UInt128(known.count) ? quotient + 1 : quotient)
            return .decimal(scaled < 0 ? -rounded : rounded)
        case .varPop, .varSamp, .stddevPop, .stddevSamp: return variance(function, numbers)
        case .min: return known.min { isBefore($0, $1) } ?? .null
        case .max: return known.max { isBefore($0, $1) } ?? .null
        case .firstValue: return known.first ?? .null
        case .lastValue: return known.last ?? .null
        case .arrayAgg:
            let taken = sorted(rows).map { $0[0] }.filter { !call.ignoresNulls || $0 != .null }
            return taken.isEmpty ? .null : .list(taken)
        case .listAgg:
            let texts = sorted(rows).map { $0[0] }.compactMap { value -> String? in
                if case .bytes(let bytes) = value { return String(decoding: bytes, as: UTF8.self) }
                return nil
            }
            return texts.isEmpty ? .null : .string(texts.joined(separator: "|"))
        case .collect:
            var counted: [(key: Scalar, count: Int64)] = []
            for value in known {
                if let place = counted.firstIndex(where: { $0.key == value }) { counted[place].count += 1 } else { counted.append((value, 1)) }
            }
            counted.sort { "\($0.key)" < "\($1.key)" }
            return .map(keys: counted.map(\.key), values: counted.map { .int64($0.count) })
        case .percentile:
            let ordered = numbers.sorted()
            guard !ordered.isEmpty, case .double(let percentage)? = call.constants.first else { return .null }
            let position = Double(ordered.count - 1) * percentage
            let (low, high) = (ordered[Int(position.rounded(.down))], ordered[Int(position.rounded(.up))])
            return .double(low == high ? low : (position.rounded(.up) - position) * low + (position - position.rounded(.down)) * high)
        default: return .null
        }
    }

    private var zero: Scalar {
        switch call.type.kind {
        case .double, .float: .double(0)
        case .decimal: .decimal(0)
        default: .int64(0)
        }
    }

    private func sorted(_ rows: [[Scalar]]) -> [[Scalar]] {
        guard let key = call.order.first else { return rows }
        let place = call.arguments.count
        return rows.enumerated().sorted { left, right in
            let (first, second) = (left.element[place], right.element[place])
            if first == second { return left.offset < right.offset }
            if first == .null || second == .null { return (first == .null) == key.nullsFirst }
            return isBefore(first, second) != key.isDescending
        }.map(\.element)
    }

    private func isBefore(_ left: Scalar, _ right: Scalar) -> Bool {
        switch (left, right) {
        case (.bytes(let first), .bytes(let second)): return first.lexicographicallyPrecedes(second)
        case (.boolean(let first), .boolean(let second)): return !first && second
        case (.double(let first), .double(let second)): return first < second || (second.isNaN && !first.isNaN)
        default: return integer(left) < integer(right)
        }
    }

    private func integer(_ value: Scalar) -> Int128 {
        switch value {
        case .int64(let number): Int128(number)
        case .decimal(let number): number
        default: 0
        }
    }

    private func number(_ value: Scalar) -> Double {
        if case .double(let number) = value { return number }
        guard case .decimal(_, let scale) = input[call.arguments[0]].kind else { return Double(integer(value)) }
        return Double(integer(value)) / (0..<scale).reduce(1.0) { unit, _ in unit * 10 }
    }

    /// The numbers of the tests are such that their finite sums are exact.
    private func sum(_ numbers: [Double]) -> Double { numbers.reduce(0, +) }

    private func whole(_ value: Int128) -> Scalar {
        switch call.type.kind {
        case .tinyInt: .int64(Int64(Int8(truncatingIfNeeded: value)))
        case .smallInt: .int64(Int64(Int16(truncatingIfNeeded: value)))
        case .int: .int64(Int64(Int32(truncatingIfNeeded: value)))
        case .bigInt: .int64(Int64(truncatingIfNeeded: value))
        default: .decimal(value)
        }
    }

    private func variance(_ function: AggregateFunction.BuiltIn, _ numbers: [Double]) -> Scalar {
        let isSample = function == .varSamp || function == .stddevSamp
        guard numbers.count > (isSample ? 1 : 0) else { return .null }
        if numbers.contains(where: { !$0.isFinite }) { return .double(.nan) }
        let mean = numbers.reduce(0, +) / Double(numbers.count)
        let variance = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(isSample ? numbers.count - 1 : numbers.count)
        return .double(function == .stddevPop || function == .stddevSamp ? variance.squareRoot() : variance)
    }

    /// A value as the tests compare it: the order of a multiset means nothing, and numbers of floating point are the same where ten digits are.
    static func text(_ value: Scalar) -> String {
        switch value {
        case .double(let number): number.magnitude < 1e-9 ? "0" : rounded(number)
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .list(let elements): "[" + elements.map(text).joined(separator: ", ") + "]"
        case .map(let keys, let values): "{" + zip(keys, values).map { "\(text($0))=\(text($1))" }.sorted().joined(separator: ", ") + "}"
        default: "\(value)"
        }
    }
}

/// The first digits of a number: 36 bits of them.
private func rounded(_ number: Double) -> String {
    guard number.isFinite else { return number.isNaN ? "NaN" : number < 0 ? "-inf" : "inf" }
    let significand = (number.significand * 0x1p36 + 0.3).rounded(.down)
    return "\(number < 0 ? "-" : "")\(significand)e\(number.exponent)"
}

/// A table that changes at random: rows come, and rows that are there go.
struct RandomTable {
    static let schema = Schema([
        Field("k", .bigInt), Field("t", .tinyInt), Field("i", .int), Field("l", .bigInt), Field("d", .double),
        Field("m", DataType(.decimal(precision: 10, scale: 2))),
        Field("s", .string), Field("b", .boolean),
    ])
    private var random: Dataflow.SeededRandom
    private(set) var rows: [[Scalar]] = []
    let keyCount: Int
    let retracts: Bool
    let hasSpecials: Bool

    init(seed: Int, keyCount: Int, retracts: Bool, hasSpecials: Bool = true) {
        random = Dataflow.SeededRandom(seed: UInt64(seed))
        self.keyCount = keyCount
        self.retracts = retracts
        self.hasSpecials = hasSpecials
    }

    mutating func draw(_ end: Int) -> Int { Int(random.next() % UInt64(end)) }

    private mutating func orNull(_ value: Scalar) -> Scalar { draw(5) == 0 ? .null : value }

    mutating func row() -> [Scalar] {
        let texts = ["", "a", "ab", "b", "a long text that is not inline", "a long text that is not in line", "é", "zz"]
        var number = Double(draw(64) - 32) / 4
        if hasSpecials, draw(12) == 0 { number = [Double.nan, .infinity, -.infinity][draw(3)] }
        return [
            orNull(.int64(Int64(draw(keyCount)))), orNull(.int64(Int64(draw(256) - 128))),
            orNull(.int64(Int64(draw(7)) - 3 + (draw(9) == 0 ? 2_147_483_640 : 0))),
            orNull(.int64(Int64(draw(5)) - (draw(9) == 0 ? Int64.max : 0))), orNull(.double(number)), orNull(.decimal(Int128(draw(200) - 100))),
            orNull(.string(texts[draw(texts.count)])), orNull(.boolean(draw(2) == 0)),
        ]
    }

    /// Some changes; each is of a row that is not there before, or of one that is.
    mutating func changes(_ count: Int) -> [(kind: RowKind, row: [Scalar])] {
        var result: [(RowKind, [Scalar])] = []
        while result.count < count {
            if retracts, !rows.isEmpty, draw(5) < 2 {
                let gone = rows.remove(at: draw(rows.count))
                result.append((draw(2) == 0 ? .delete : .updateBefore, gone))
            } else {
                let made = row()
                rows.append(made)
                result.append((retracts && draw(2) == 0 ? .updateAfter : .insert, made))
            }
        }
        return result
    }

    static func batch(_ changes: [(kind: RowKind, row: [Scalar])]) throws -> Batch {
        let columns = try schema.fields.indices.map { place in try Rows.column(schema.fields[place].type, changes.map { $0.row[place] }) }
        var batch = try Rows.batch(schema, columns)
        if changes.contains(where: { $0.kind != .insert }) {
            batch.rowKinds = try Rows.column(.tinyInt, changes.map { .int64(Int64($0.kind.rawValue)) })
        }
        return batch
    }
}
