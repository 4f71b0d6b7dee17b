import Columnar
import Expressions
import Foundation
import Plan
import Testing

/// TimeCalls by hand, as the binder makes them.
enum TimeCalls {
    static func text(_ value: String) -> ScalarExpression { .constant(.string(value), DataType.string.notNull) }

    static func value(_ function: ScalarFunction, _ arguments: [ScalarExpression], _ type: DataType, _ context: EvaluationContext = EvaluationContext()) throws -> Scalar {
        try ScalarProgram.constant(.call(function, arguments, type), context)
    }
}

@Suite struct TimeFormatTests {
    static let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")
    /// When the answers were recorded: two digits of a year are understood from there.
    static let now: Int64 = 1_795_330_000_000

    /// `+1705471-09-27`, `2024-02-29T13:45:56.789` and the like, as days and nanoseconds of the day.
    static func local(_ text: String) -> (days: Int64, nano: Int64)? {
        let parts = text.split(separator: "T")
        let isNegative = parts[0].hasPrefix("-")
        let numbers = parts[0].split(separator: "-").compactMap { Int64($0.hasPrefix("+") ? $0.dropFirst() : $0) }
        guard numbers.count == 3 else { return nil }
        let days = CivilDate.days(year: isNegative ? -numbers[0] : numbers[0], month: numbers[1], day: numbers[2])
        guard parts.count == 2 else { return (days, 0) }
        let clock = parts[1].split(separator: ":")
        var nano = (Int64(clock[0]) ?? 0) * 3_600_000_000_000 + (Int64(clock[1]) ?? 0) * 60_000_000_000
        if clock.count == 3 {
            let second = clock[2].split(separator: ".")
            nano += (Int64(second[0]) ?? 0) * 1_000_000_000
            if second.count == 2 { nano += Int64(second[1].padding(toLength: 9, withPad: "0", startingAt: 0)) ?? 0 }
        }
        return (days, nano)
    }

    /// What Java's formatters and Flink's functions around them gave for 1,397 patterns, texts and zones (time_formats.txt).
    @Test func asJavaHasIt() throws {
        var checked = 0
        for line in try String(contentsOf: Self.golden.appendingPathComponent("time_formats.txt"), encoding: .utf8).split(separator: "\n") {
            let fields = line.components(separatedBy: "\t")
            guard let mark = fields.lastIndex(of: "=>"), mark + 1 < fields.count else { continue }
            let expected = fields[mark + 1]
            let context = EvaluationContext(timeZone: fields[1], now: Self.now)
            func call(_ function: ScalarFunction, _ arguments: [ScalarExpression], _ type: DataType) -> Result<Scalar, any Error> {
                Result { try TimeCalls.value(function, arguments, type, context) }
            }
            let text = TimeCalls.text(fields[2])
            let second = fields.count > 5 ? TimeCalls.text(fields[3]) : text
            let found: Result<Scalar, any Error>
            var wanted: Scalar? = expected == "null" ? .null : .string(expected)
            switch fields[0] {
            case "DF":
                guard let (days, nano) = Self.local(fields[2]) else { continue }
                // Nanoseconds reach from 1677 to 2262 only.
                let isFine = days > 0 && days < 100_000
                let value = isFine ? days * 86_400_000_000_000 + nano : days * 86_400_000 + nano / 1_000_000
                found = call(.dateFormat, [.constant(.int64(value), DataType(.timestamp(isFine ? 9 : 3), isNullable: false)), second], .string)
            case "FU": found = call(.fromUnixtime, [.constant(.int64(Int64(fields[2]) ?? 0), DataType.bigInt.notNull), second], .string)
            case "DS": found = call(.dateFormat, [text, second], .string)
            case "UT":
                found = call(.unixTimestamp, [text, second], .bigInt)
                wanted = Int64(expected).map { .int64($0) }
            case "TD", "T1":
                found = call(.toDate, fields[0] == "T1" ? [text] : [text, second], .date)
                // A year of more than 32 bits is an exception in Flink; here it is no date.
                wanted = expected == "null" || (fields[0] == "T1" && expected.hasPrefix("ERR")) ? .null : Self.local(expected).map { .int64($0.days) }
            case "TT", "TS":
                found = call(.toTimestamp, fields[0] == "TS" ? [text] : [text, second], DataType(.timestamp(3)))
                // The SQL function turns Java's exceptions into NULL.
                wanted = expected == "null" || expected.hasPrefix("ERR") ? .null : Self.local(expected).map { .int64($0.days * 86_400_000 + $0.nano / 1_000_000) }
            case "CT": found = call(.convertTz, [text, second, TimeCalls.text(fields[4])], .string)
            default: continue
            }
            checked += 1
            if !["TT", "TS", "T1"].contains(fields[0]), expected.hasPrefix("ERR") {
                if case .success(let value) = found { Issue.record("\(line): \(describe(value)) where an error is due") }
                continue
            }
            switch found {
            case .failure(let error): Issue.record("\(line): \(error)")
            case .success(let value): if value != wanted { Issue.record("\(line): found \(describe(value))") }
            }
        }
        #expect(checked > 1_390)
    }

    private func describe(_ value: Scalar) -> String {
        if case .bytes(let bytes) = value { return String(decoding: bytes, as: UTF8.self) }
        return "\(value)"
    }
}
