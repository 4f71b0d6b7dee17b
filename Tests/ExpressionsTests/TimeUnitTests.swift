import Columnar
import Expressions
import Foundation
import Plan
import TestRows
import Testing

/// FLOOR, CEIL, EXTRACT, TIMESTAMPADD, TIMESTAMPDIFF and TO_TIMESTAMP_LTZ of literals, with the answers of Flink (time_units.txt).
@Suite struct TimeUnitTests {
    /// `TIMESTAMP '...'`, `DATE '...'`, `TIME '...'` or an interval, as a constant.
    private func literal(_ text: String) throws -> ScalarExpression {
        let parts = text.split(separator: "'", maxSplits: 2).map(String.init)
        let kind = parts[0].trimmingCharacters(in: .whitespaces)
        let value = parts[1]
        let digits = value.split(separator: ".").count == 2 ? value.split(separator: ".")[1].count : 0
        switch kind {
        case "TIMESTAMP":
            let (days, nano) = try #require(TimeFormatTests.local(value.replacingOccurrences(of: " ", with: "T")))
            let steps = TimeUnit(precision: digits).perSecond
            return .constant(.int64(days * 86_400 * steps + nano / (1_000_000_000 / steps)), DataType(.timestamp(digits), isNullable: false))
        case "DATE": return .constant(.int64(try #require(TimeFormatTests.local(value)).days), DataType.date.notNull)
        case "TIME":
            let nano = try #require(TimeFormatTests.local("1970-01-01T" + value)).nano
            return .constant(.int64(nano / (1_000_000_000 / TimeUnit(precision: digits).perSecond)), DataType(.time(digits), isNullable: false))
        default:
            if value == "3-7" { return .constant(.int64(43), DataType(.intervalYearMonth, isNullable: false)) }
            // -3 04:05:06.789
            return .constant(.int64(-((3 * 86_400 + 4 * 3_600 + 5 * 60 + 6) * 1_000 + 789)), DataType(.intervalDayTime(3), isNullable: false))
        }
    }

    /// The value of a result's text.
    private func value(_ text: String, _ type: DataType) -> Scalar? {
        if text == "NULL" { return .null }
        if let number = Int64(text) { return .int64(number) }
        guard let (days, nano) = TimeFormatTests.local(text.contains(":") && !text.contains("-") ? "1970-01-01T" + text : text.replacingOccurrences(of: " ", with: "T")) else { return nil }
        switch type.kind {
        case .date: return .int64(days)
        case .time(let precision): return .int64(nano / (1_000_000_000 / TimeUnit(precision: precision).perSecond))
        case .timestamp(let precision), .timestampLTZ(let precision):
            let steps = TimeUnit(precision: precision).perSecond
            return .int64(days &* 86_400 &* steps &+ nano / (1_000_000_000 / steps))
        default: return nil
        }
    }

    private func call(_ text: String) throws -> (ScalarFunction, [ScalarExpression], DataType)? {
        guard let open = text.firstIndex(of: "(") else { return nil }
        let name = String(text[..<open])
        let inner = String(text[text.index(after: open)...].dropLast())
        switch name {
        case "FLOOR", "CEIL":
            let parts = inner.components(separatedBy: " TO ")
            let argument = try literal(parts[0])
            return (name == "FLOOR" ? .floorTo : .ceilTo, [TimeCalls.text(parts[1]), argument], argument.type)
        case "EXTRACT":
            let parts = inner.components(separatedBy: " FROM ")
            return (.extract, [TimeCalls.text(parts[0]), try literal(parts[1])], .bigInt)
        case "TIMESTAMPADD":
            let parts = inner.components(separatedBy: ", ")
            let argument = try literal(parts[2])
            let isDay = !["HOUR", "MINUTE", "SECOND"].contains(parts[0])
            return (.timestampAdd, [TimeCalls.text(parts[0]), .constant(.int64(Int64(parts[1]) ?? 0), DataType.int.notNull), argument], isDay || argument.type.kind != .date ? argument.type : DataType(.timestamp(6)))
        case "TIMESTAMPDIFF":
            let parts = inner.components(separatedBy: ", ")
            return (.timestampDiff, [TimeCalls.text(parts[0]), try literal(parts[1]), try literal(parts[2])], parts[0] == "NANOSECOND" ? .bigInt : .int)
        case "TO_TIMESTAMP_LTZ":
            let parts = inner.components(separatedBy: ", ")
            let precision = Int64(parts[1]) ?? 0
            let type = DataType(.timestampLTZ(max(3, Int(precision))))
            let number: ScalarExpression
            if parts[0].contains("TINYINT") {
                number = .constant(.int64(12), DataType.tinyInt.notNull)
            } else if parts[0].contains("FLOAT") {
                number = .constant(.double(1.5), DataType.float.notNull)
            } else if parts[0].contains("NaN") {
                number = .constant(.double(.nan), DataType.double.notNull)
            } else if parts[0].contains("e") {
                number = .constant(.double(Double(parts[0]) ?? 0), DataType.double.notNull)
            } else if let integer = Int64(parts[0]) {
                number = .constant(.int64(integer), DataType.bigInt.notNull)
            } else {
                number = .constant(.decimal(Int128(parts[0].replacingOccurrences(of: ".", with: "")) ?? 0), DataType(.decimal(precision: 10, scale: 1), isNullable: false))
            }
            return (.toTimestampLTZ, [number, .constant(.int64(precision), DataType.int.notNull)], type)
        default: return nil
        }
    }

    @Test func asFlinkHasIt() throws {
        var checked = 0
        for line in try String(contentsOf: TimeFormatTests.golden.appendingPathComponent("time_units.txt"), encoding: .utf8).split(separator: "\n") {
            let fields = line.components(separatedBy: "\t")
            let (function, arguments, type) = try #require(try call(fields[0]), "\(line)")
            do {
                let found = try TimeCalls.value(function, arguments, type)
                let wanted = try #require(value(fields[1], type), "\(line)")
                if found != wanted { Issue.record("\(line): found \(found), not \(wanted)") }
            } catch { Issue.record("\(line): \(error)") }
            checked += 1
        }
        #expect(checked > 280)
    }

    /// The same in a column as by itself: nulls, slices and selections, dense and constant arguments.
    @Test func columnsAsConstants() throws {
        let types: [DataType] = [DataType(.timestamp(0)), DataType(.timestamp(3)), DataType(.timestampLTZ(6)), DataType(.timestamp(9)), .date, DataType(.time(3))]
        var generator = SeededGenerator(5)
        let context = EvaluationContext(timeZone: "America/New_York", now: TimeFormatTests.now)
        for type in types {
            let limit: Int64 = type.kind == .date ? 40_000 : type.layout == .fixed(byteWidth: 4) ? 86_399_999 : 2_000_000_000 * TimeUnit(precision: precision(type)).perSecond
            let values = (0..<70).map { $0 % 9 == 4 ? Scalar.null : .int64(Int64.random(in: (type.layout == .fixed(byteWidth: 4) ? 0 : -limit)...limit, using: &generator)) }
            let schema = Schema([Field("t", type), Field("n", .int)])
            let numbers = (0..<70).map { $0 % 11 == 3 ? Scalar.null : .int64(Int64.random(in: -5_000...5_000, using: &generator)) }
            let batch = try Rows.batch(schema, [try Rows.column(type, values), try Rows.column(.int, numbers)])
            let column = ScalarExpression.column(0, type)
            var expressions: [(ScalarFunction, [ScalarExpression], DataType)] = []
            let units = type.kind == .date || precision(type) == 3 && type.layout == .fixed(byteWidth: 4) ? ["HOUR", "SECOND"] : ["YEAR", "DOW", "HOUR", "MILLISECOND", "WEEK", "EPOCH"]
            for unit in units { expressions.append((.extract, [TimeCalls.text(unit), column], .bigInt)) }
            for unit in ["YEAR", "MONTH", "WEEK", "DAY", "HOUR", "SECOND"] {
                expressions.append((.floorTo, [TimeCalls.text(unit), column], type))
                expressions.append((.ceilTo, [TimeCalls.text(unit), column], type))
                if type.kind == .date, unit == "HOUR" || unit == "SECOND" { continue }
                expressions.append((.timestampAdd, [TimeCalls.text(unit), .column(1, .int), column], type))
                expressions.append((.timestampAdd, [TimeCalls.text(unit), .constant(.int64(7), DataType.int.notNull), column], type))
                expressions.append((.timestampDiff, [TimeCalls.text(unit), column, .constant(.int64(1_000), type.notNull)], .int))
            }
            if type.layout == .fixed(byteWidth: 8) {
                expressions.append((.dateFormat, [column, TimeCalls.text("yyyy-MM-dd HH:mm:ss.SSSSSS EEE")], .string))
                expressions.append((.overlaps, [column, .constant(.int64(86_400_000), DataType(.intervalDayTime(3))), .constant(.int64(0), type), .constant(.int64(50_000_000), type)], .boolean))
            }
            let program = try ScalarProgram(expressions.map { .call($0.0, $0.1, $0.2) })
            for disguise in try Rows.disguises(batch) {
                let columns = try program.columns(of: disguise, context)
                for (index, expression) in expressions.enumerated() {
                    #expect(columns[index].count == 70)
                    for row in 0..<70 {
                        let constants = expression.1.map { argument -> ScalarExpression in
                            guard case .column(let position) = argument.kind else { return argument }
                            return .constant(position == 0 ? values[row] : numbers[row], argument.type)
                        }
                        let alone = try TimeCalls.value(expression.0, constants, expression.2, context)
                        if columns[index].scalar(at: row) != alone { Issue.record("\(expression.0) of \(type) row \(row): \(columns[index].scalar(at: row)), alone \(alone)") }
                    }
                }
            }
        }
    }

    private func precision(_ type: DataType) -> Int {
        switch type.kind {
        case .timestamp(let precision), .timestampLTZ(let precision), .time(let precision): precision
        default: 0
        }
    }

    /// The ends of every type: bounds, NULL or an error, but no trap.
    @Test func endsOfTypes() throws {
        let extremes: [Int64] = [.min, .min + 1, -1 << 53, -1, 0, 1, 1 << 53, .max - 1, .max]
        for type in [DataType(.timestamp(0)), DataType(.timestamp(3)), DataType(.timestamp(6)), DataType(.timestampLTZ(9)), DataType(.timestampLTZ(0))] {
            let column = try Rows.column(type, extremes.map { .int64($0) })
            let batch = try Rows.batch(Schema([Field("t", type), Field("n", .bigInt)]), [column, try Rows.bigInts(extremes.reversed())])
            let argument = ScalarExpression.column(0, type)
            var expressions: [ScalarExpression] = []
            for unit in ["MILLENNIUM", "CENTURY", "DECADE", "YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND"] {
                expressions.append(.call(.floorTo, [TimeCalls.text(unit), argument], type))
                expressions.append(.call(.ceilTo, [TimeCalls.text(unit), argument], type))
                expressions.append(.call(.extract, [TimeCalls.text(unit), argument], .bigInt))
                expressions.append(.call(.timestampAdd, [TimeCalls.text(unit), .column(1, .bigInt), argument], type))
                expressions.append(.call(.timestampDiff, [TimeCalls.text(unit), argument, .constant(.int64(0), type.notNull)], .int))
            }
            expressions.append(.call(.dateFormat, [argument, TimeCalls.text("yyyy-MM-dd HH:mm:ss YYYY-ww W e D g A n N B")], .string))
            expressions.append(.call(.fromUnixtime, [.column(1, .bigInt), TimeCalls.text("yyyy-MM-dd HH:mm:ss YYYY-ww W D u z")], .string))
            expressions.append(.call(.toTimestampLTZ, [.column(1, .bigInt), .constant(.int64(9), .int)], DataType(.timestampLTZ(9))))
            expressions.append(.call(.overlaps, [argument, argument, .constant(.int64(0), type), .constant(.int64(.max), DataType(.intervalDayTime(0)))], .boolean))
            for zone in ["UTC", "Europe/Berlin"] {
                for expression in expressions { _ = try ScalarProgram([expression]).columns(of: batch, EvaluationContext(timeZone: zone)) }
            }
        }
    }

    /// The present is the context's.
    @Test func present() throws {
        let context = EvaluationContext(timeZone: "Asia/Tokyo", now: 1_709_214_356_789, watermark: 1_000)
        #expect(try TimeCalls.value(.currentTimestamp, [], DataType(.timestampLTZ(3)), context) == .int64(1_709_214_356_789))
        #expect(try TimeCalls.value(.processingTime, [], DataType(.timestampLTZ(3)), context) == .int64(1_709_214_356_789))
        #expect(try TimeCalls.value(.localTimestamp, [], DataType(.timestamp(3)), context) == .int64(1_709_214_356_789 + 9 * 3_600_000))
        #expect(try TimeCalls.value(.currentDate, [], .date, context) == .int64(19_782))
        #expect(try TimeCalls.value(.localTime, [], DataType(.time(0)), context) == .int64(22 * 3600 + 45 * 60 + 56))
        #expect(try TimeCalls.value(.unixTimestamp, [], .bigInt, context) == .int64(1_709_214_356))
        #expect(try TimeCalls.value(.currentWatermark, [.constant(.null, DataType(.timestampLTZ(3)))], DataType(.timestampLTZ(3)), context) == .int64(1_000))
        #expect(try TimeCalls.value(.currentWatermark, [], DataType(.timestampLTZ(3)), EvaluationContext()) == .null)
    }
}
