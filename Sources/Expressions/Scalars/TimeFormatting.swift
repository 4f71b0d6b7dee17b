import Columnar
import Plan

/// DATE_FORMAT, FROM_UNIXTIME and CONVERT_TZ.
enum TimeFormatting {
    /// A timestamp by a pattern of `DateTimeFormatter`; text, which is read as `yyyy-MM-dd HH:mm:ss`, by one of `SimpleDateFormat`.
    static func prepareDateFormat(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        guard request.arguments.count == 2 else { throw .internal("DATE_FORMAT takes a value and a pattern") }
        let source = request.arguments[0]
        let type = request.type
        if source.kind == .null || request.arguments[1].kind == .null { return { (_, _, _) in .null(type) } }
        if source.isText {
            let patterns = Compiled<LegacyPattern>(request.text(1)) { text throws(MillstreamError) in try LegacyPattern(text) }
            return { (arguments, count, context) throws(MillstreamError) in
                // Text is of no zone: it is read and written as UTC.
                let zone = Zone.utc
                var reader = LegacyPatternParser(.timestamp, zone, now: context.now)
                return try rows(arguments, count, type, patterns) { pattern, row, builder throws(MillstreamError) in
                    guard let milliseconds = reader.parse(arguments[0].bytes(row)) else { return try builder.appendNull() }
                    try pattern.write(milliseconds, zone, &builder)
                }
            }
        }
        guard source.kind == .date || source.stepsPerSecond != nil else {
            throw MillstreamError(.plan, "DATE_FORMAT cannot write a value of type \(source)", hint: "It takes a TIMESTAMP or text of the form yyyy-MM-dd HH:mm:ss.")
        }
        let patterns = Compiled<TimePattern>(request.text(1)) { text throws(MillstreamError) in try TimePattern(text) }
        let steps = source.stepsPerSecond
        let isInstant = source.isTimestampLTZ
        return { (arguments, count, context) throws(MillstreamError) in
            var cursor = ZoneCursor(isInstant ? try Zone.named(context.timeZone) : .utc)
            let values = TimeLoop.widened(arguments[0])
            let numbers = Values<Int64>(values)
            let result = try rows(arguments, count, type, patterns) { pattern, row, builder throws(MillstreamError) in
                let value = numbers[row]
                var days = value
                var nanoOfDay: Int64 = 0
                if let steps {
                    let second = CivilDate.quotient(value, steps)
                    let local = second.addingSaturating(cursor.offset(at: second))
                    days = CivilDate.quotient(local, 86_400)
                    nanoOfDay = CivilDate.remainder(local, 86_400) &* 1_000_000_000 &+ CivilDate.remainder(value, steps) &* (1_000_000_000 / steps)
                }
                try builder.append(try pattern.writer.write(LocalParts(days: days, nanoOfDay: nanoOfDay)))
            }
            withExtendedLifetime(values.column) {}
            return result
        }
    }

    /// Seconds since 1970 as text of the session's zone, by a pattern of `SimpleDateFormat`.
    static func prepareFromUnixtime(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        guard let source = request.arguments.first, request.arguments.count <= 2 else { throw .internal("FROM_UNIXTIME takes a number and a pattern") }
        if request.arguments.contains(where: { $0.kind == .null }) { return { (_, _, _) in .null(type) } }
        guard case .fixed(let width) = source.layout, width <= 8 else { throw MillstreamError(.plan, "FROM_UNIXTIME takes a BIGINT, not \(source)") }
        let isStandard = request.arguments.count == 1
        let patterns = Compiled<LegacyPattern>(isStandard ? "yyyy-MM-dd HH:mm:ss" : request.text(1)) { text throws(MillstreamError) in try LegacyPattern(text) }
        return { (arguments, count, context) throws(MillstreamError) in
            let zone = try Zone.named(context.timeZone)
            let values = TimeLoop.widened(arguments[0])
            let numbers = Values<Int64>(values)
            let result = try rows(arguments, count, type, patterns) { pattern, row, builder throws(MillstreamError) in
                try pattern.write(numbers[row] &* 1000, zone, &builder)
            }
            withExtendedLifetime(values.column) {}
            return result
        }
    }

    /// `yyyy-MM-dd HH:mm:ss` of one zone as that of another; NULL where the text is no such time.
    static func prepareConvertTz(_ request: KernelRequest) throws(MillstreamError) -> Kernel {
        let type = request.type
        guard request.arguments.count == 3 else { throw .internal("CONVERT_TZ takes a time and two zones") }
        if request.arguments.contains(where: { $0.kind == .null }) { return { (_, _, _) in .null(type) } }
        return { (arguments, count, context) throws(MillstreamError) in
            let isConstant = arguments.allSatisfy(\.isConstant)
            let count = isConstant ? 1 : count
            var builder = ViewBuilder()
            var names: [[UInt8]] = [[], []]
            var reader = LegacyPatternParser(.timestamp, .utc, now: context.now)
            var writer = LegacyPatternWriter(.timestamp, .utc)
            for row in 0..<count {
                if arguments.contains(where: { $0.isNull(row) }) {
                    try builder.appendNull()
                    continue
                }
                for side in 0...1 {
                    let name = arguments[side + 1].bytes(row)
                    if row > 0, names[side].elementsEqual(name) { continue }
                    names[side] = Array(name)
                    let zone = try Zone.lenient(String(decoding: name, as: UTF8.self))
                    if side == 0 { reader = LegacyPatternParser(.timestamp, zone, now: context.now) } else { writer = LegacyPatternWriter(.timestamp, zone) }
                }
                if let milliseconds = reader.parse(arguments[0].bytes(row)) { try builder.append(writer.write(milliseconds)) } else { try builder.appendNull() }
            }
            return Operand(builder.finish(type: type), isConstant: isConstant)
        }
    }

    /// A row of text for each row in which no argument is NULL, by the row's pattern (the last argument, or one for all).
    private static func rows<Pattern>(
        _ arguments: [Operand], _ count: Int, _ type: DataType, _ patterns: Compiled<Pattern>,
        _ body: (Compiled<Pattern>.Ready, Int, inout ViewBuilder) throws(MillstreamError) -> Void
    ) throws(MillstreamError) -> Operand {
        if arguments.contains(where: \.isNullConstant) { return .null(type) }
        let isConstant = arguments.allSatisfy(\.isConstant)
        let count = isConstant ? 1 : count
        var builder = ViewBuilder()
        try builder.reserve(count)
        var ready: Compiled<Pattern>.Ready?
        for row in 0..<count {
            var isNull = false
            for argument in arguments where argument.isNull(row) { isNull = true }
            if isNull {
                try builder.appendNull()
                continue
            }
            let pattern = try patterns.ready(arguments.count > 1 ? arguments[arguments.count - 1] : nil, row, ready)
            ready = pattern
            try body(pattern, row, &builder)
        }
        return Operand(builder.finish(type: type), isConstant: isConstant)
    }
}

/// A pattern argument: made ready once where it is a constant, and where it is not, whenever the text is another than the row's before.
struct Compiled<Pattern> {
    /// A pattern with what is kept from row to row.
    final class Ready {
        let pattern: Pattern
        let text: [UInt8]

        init(_ pattern: Pattern, _ text: [UInt8]) {
            self.pattern = pattern
            self.text = text
        }

        fileprivate var timeWriter: PatternWriterBox?
        fileprivate var legacyWriter: LegacyWriterBox?
    }

    /// The constant pattern, or why it is none; nil where the argument is no constant.
    let constant: Result<Pattern, MillstreamError>?
    private let constantText: [UInt8]
    private let make: (String) throws(MillstreamError) -> Pattern

    init(_ text: String?, _ make: @escaping (String) throws(MillstreamError) -> Pattern) {
        self.make = make
        constantText = Array((text ?? "").utf8)
        guard let text else {
            constant = nil
            return
        }
        do throws(MillstreamError) { constant = .success(try make(text)) } catch { constant = .failure(error) }
    }

    /// The pattern of a row. A wrong one is an error only for rows that have a value.
    func ready(_ operand: Operand?, _ row: Int, _ last: Ready?) throws(MillstreamError) -> Ready {
        if let constant {
            if let last { return last }
            return Ready(try constant.get(), constantText)
        }
        guard let operand else { throw .internal("a call has no pattern") }
        let text = operand.bytes(row)
        if let last, last.text.elementsEqual(text) { return last }
        return Ready(try make(String(decoding: text, as: UTF8.self)), Array(text))
    }
}

/// Holds the writer, which cannot be copied.
final class PatternWriterBox {
    private var writer: TimePatternWriter

    init(_ pattern: TimePattern) { writer = TimePatternWriter(pattern) }

    func write(_ parts: LocalParts) throws(MillstreamError) -> UnsafeRawBufferPointer { try writer.write(parts) }
}

final class LegacyWriterBox {
    private var writer: LegacyPatternWriter

    init(_ pattern: LegacyPattern, _ zone: Zone) { writer = LegacyPatternWriter(pattern, zone) }

    func write(_ milliseconds: Int64) -> UnsafeRawBufferPointer { writer.write(milliseconds) }
}

extension Compiled<TimePattern>.Ready {
    var writer: PatternWriterBox {
        if let timeWriter { return timeWriter }
        let writer = PatternWriterBox(pattern)
        timeWriter = writer
        return writer
    }
}

extension Compiled<LegacyPattern>.Ready {
    /// Appends an instant's text; all rows of a batch have one zone.
    func write(_ milliseconds: Int64, _ zone: Zone, _ builder: inout ViewBuilder) throws(MillstreamError) {
        let writer = legacyWriter ?? LegacyWriterBox(pattern, zone)
        legacyWriter = writer
        try builder.append(writer.write(milliseconds))
    }
}
