import Columnar
import Plan

/// Functions of points in time and intervals.
enum TimeDefinitions {
    static let all: [FunctionDefinition] =
        present + parts + text + [
            FunctionDefinition("TIMESTAMPADD", signatures: [FunctionSignature(.unit, .bigInt, .pointInTime)]) { (call) throws(MillstreamError) in
                let time = call.arguments[2]
                let kind = try sum(call, time.type)
                let point = ScalarBinder.cast(time, to: DataType(kind))
                return BoundScalar(
                    .call(
                        .timestampAdd, [call.arguments[0].expression, call.arguments[1].expression, point.expression],
                        DataType(kind, isNullable: call.anyNullable)),
                    timeAttribute: time.timeAttribute)
            },
            FunctionDefinition("TIMESTAMPDIFF", signatures: [FunctionSignature(.unit, .pointInTime, .pointInTime)]) {
                (call) throws(MillstreamError) in
                let types = [call.arguments[1].type, call.arguments[2].type]
                guard let common = CommonTypes.pointsInTime(types[0], types[1]) else {
                    throw call.mismatch("\(call.name) takes two points of one kind, these are \(types[0].kind) and \(types[1].kind)")
                }
                let points = call.arguments[1...].map { ScalarBinder.cast($0, to: common).expression }
                let kind: DataType.Kind = call.arguments[0].constantText == "NANOSECOND" ? .bigInt : .int
                return BoundScalar(.call(.timestampDiff, [call.arguments[0].expression] + points, DataType(kind, isNullable: call.anyNullable)))
            },
            FunctionDefinition(
                "CONVERT_TZ", function: .convertTz, [FunctionSignature(.text, .text, .text)], returns: .fixed(.string), nullability: .always),
            FunctionDefinition("CURRENT_WATERMARK", signatures: [FunctionSignature(.timestamp)]) { (call) throws(MillstreamError) in
                let time = call.arguments[0]
                guard time.timeAttribute == .rowtime else {
                    throw call.error(
                        "CURRENT_WATERMARK takes a rowtime column, this is none", argument: 0,
                        hint: "WATERMARK FOR in CREATE TABLE makes a column one.")
                }
                return call.result(.currentWatermark, time.type.nullable)
            },
            FunctionDefinition(
                "SOURCE_WATERMARK", function: .sourceWatermark, [FunctionSignature()], returns: .fixed(DataType(.timestampLTZ(3))),
                nullability: .always),
        ]

    /// The present time.
    private static let present: [FunctionDefinition] = [
        FunctionDefinition("CURRENT_DATE", function: .currentDate, [FunctionSignature()], returns: .fixed(.date)),
        FunctionDefinition("CURRENT_TIME", function: .currentTime, [FunctionSignature()], returns: .fixed(DataType(.time(0)))),
        FunctionDefinition("LOCALTIME", function: .localTime, [FunctionSignature()], returns: .fixed(DataType(.time(0)))),
        FunctionDefinition(
            "CURRENT_TIMESTAMP", "NOW", function: .currentTimestamp, [FunctionSignature()], returns: .fixed(DataType(.timestampLTZ(3)))),
        FunctionDefinition("LOCALTIMESTAMP", function: .localTimestamp, [FunctionSignature()], returns: .fixed(DataType(.timestamp(3)))),
        FunctionDefinition(
            "CURRENT_ROW_TIMESTAMP", function: .currentRowTimestamp, [FunctionSignature()], returns: .fixed(DataType(.timestampLTZ(3)))),
        FunctionDefinition("PROCTIME", signatures: [FunctionSignature()]) { (call) throws(MillstreamError) in
            call.result(.processingTime, DataType(.timestampLTZ(3), isNullable: false), timeAttribute: .proctime)
        },
    ]

    /// EXTRACT, and a function for each of the usual units.
    private static let parts: [FunctionDefinition] =
        [
            FunctionDefinition("EXTRACT", signatures: [FunctionSignature(.unit, .oneOf([.pointInTime, .interval]))]) {
                (call) throws(MillstreamError) in
                try part(call.arguments[0].constantText ?? "", call.arguments[1], call)
            }
        ]
        + [
            ("YEAR", "YEAR"), ("QUARTER", "QUARTER"), ("MONTH", "MONTH"), ("WEEK", "WEEK"), ("DAYOFYEAR", "DOY"), ("DAYOFMONTH", "DAY"),
            ("DAYOFWEEK", "DOW"), ("HOUR", "HOUR"),
            ("MINUTE", "MINUTE"), ("SECOND", "SECOND"),
        ].map { (name, unit) in
            FunctionDefinition(name, signatures: [FunctionSignature(.oneOf([.pointInTime, .interval]))]) { (call) throws(MillstreamError) in
                try part(unit, call.arguments[0], call)
            }
        }

    private static func part(_ unit: String, _ value: BoundScalar, _ call: FunctionCall) throws(MillstreamError) -> BoundScalar {
        let ofTime: Set<String> = ["HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND", "NANOSECOND"]
        let isThere: Bool
        switch value.type.kind {
        case .time: isThere = ofTime.contains(unit)
        case .intervalYearMonth: isThere = ["YEAR", "QUARTER", "MONTH", "DECADE", "CENTURY", "MILLENNIUM"].contains(unit)
        case .intervalDayTime: isThere = unit == "DAY" || ofTime.contains(unit)
        default: isThere = true
        }
        guard isThere else { throw call.error("\(value.type.kind) has no \(unit)") }
        let name = call.binder.constant(.string(unit), .string)
        return BoundScalar(.call(.extract, [name.expression, value.expression], DataType(.bigInt, isNullable: value.type.isNullable)))
    }

    /// What a time becomes when so many units are added.
    private static func sum(_ call: FunctionCall, _ type: DataType) throws(MillstreamError) -> DataType.Kind {
        let unit = call.arguments[0].constantText ?? ""
        switch unit {
        case "YEAR", "QUARTER", "MONTH", "WEEK", "DAY": return type.kind
        case "HOUR", "MINUTE", "SECOND": return type.kind == .date ? .timestamp(6) : type.kind
        case "MILLISECOND":
            switch type.kind {
            case .timestamp(let precision): return .timestamp(max(3, precision))
            case .timestampLTZ(let precision): return .timestampLTZ(max(3, precision))
            default: throw call.error("\(call.name) adds no MILLISECONDs to \(type.kind)", argument: 0, hint: "CAST it to TIMESTAMP(3).")
            }
        // What Flink types and then cannot compute.
        case "MICROSECOND", "NANOSECOND": throw call.error("\(call.name) adds no \(unit)S", argument: 0, hint: "MILLISECOND is the finest unit.")
        default: throw call.error("\(call.name) has no unit \(unit)", argument: 0)
        }
    }

    // MARK: Text

    private static let text: [FunctionDefinition] = [
        FunctionDefinition(
            "DATE_FORMAT", function: .dateFormat, [FunctionSignature(.timestamp, .text), FunctionSignature(.text, .text)], returns: .fixed(.string),
            nullability: .always),
        FunctionDefinition(
            "TO_DATE", function: .toDate, [FunctionSignature(.text, .text, optional: 1)], returns: .fixed(.date), nullability: .always),
        FunctionDefinition(
            "TO_TIMESTAMP", function: .toTimestamp, [FunctionSignature(.text, .text, optional: 1)], returns: .fixed(DataType(.timestamp(3))),
            nullability: .always),
        FunctionDefinition(
            "FROM_UNIXTIME", function: .fromUnixtime, [FunctionSignature(.bigInt, .text, optional: 1)], returns: .fixed(.string), nullability: .always
        ),
        FunctionDefinition(
            "UNIX_TIMESTAMP", function: .unixTimestamp, [FunctionSignature(), FunctionSignature(.text, .text, optional: 1)], returns: .fixed(.bigInt)),
        FunctionDefinition(
            "TO_TIMESTAMP_LTZ",
            signatures: [
                FunctionSignature(.bigInt, .int, optional: 1), FunctionSignature(.number, .int, optional: 1),
                FunctionSignature(.text, .text, .text, optional: 2),
            ],
            takesNull: true
        ) { (call) throws(MillstreamError) in
            var made = call
            // The fraction of a DOUBLE counts, that of a DECIMAL does not, as in Flink.
            if call.signature == 1 {
                made.arguments[0] = ScalarBinder.cast(call.arguments[0], to: call.arguments[0].type.isDecimal ? .bigInt : .double)
            }
            return made.result(.toTimestampLTZ, try instant(call).nullable)
        },
    ]

    /// At least milliseconds; more where the number's unit is finer, or the pattern has more digits.
    private static func instant(_ call: FunctionCall) throws(MillstreamError) -> DataType {
        guard call.arguments.count > 1 else { return DataType(.timestampLTZ(3)) }
        if call.signature < 2 {
            guard case .int64(let precision)? = call.arguments[1].constant else { return DataType(.timestampLTZ(3)) }
            guard precision >= 0, precision <= 9 else {
                throw call.error("the precision of TO_TIMESTAMP_LTZ is between 0 and 9, not \(precision)", argument: 1)
            }
            return DataType(.timestampLTZ(max(3, Int(precision))))
        }
        guard let pattern = call.arguments[1].constantText else { return DataType(.timestampLTZ(3)) }
        var (digits, isQuoted) = (0, false)
        for scalar in pattern.unicodeScalars {
            if scalar == "'" { isQuoted.toggle() }
            if isQuoted { continue }
            if scalar == "S" { digits += 1 }
            if scalar.properties.isAlphabetic, scalar.isASCII, !patternLetters.contains(scalar) {
                throw call.error(
                    "the pattern '\(pattern)' has the letter \(scalar), which means nothing", argument: 1,
                    hint: "A text within a pattern stands in quotes: 'yyyy-MM-dd''T''HH:mm'.")
            }
        }
        return DataType(.timestampLTZ(max(3, min(9, digits))))
    }

    private static let patternLetters = Set("GuyDMLdQqYwWEecFaBhKkHmsSAnNVvzOXxZp".unicodeScalars)
}
