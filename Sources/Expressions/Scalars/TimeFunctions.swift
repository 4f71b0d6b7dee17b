import Columnar
import Plan

/// Points in time: EXTRACT, FLOOR and CEIL, TIMESTAMPADD and TIMESTAMPDIFF, OVERLAPS, formats and the present.
enum TimeFunctions {
    static func prepare(_ request: KernelRequest) throws(MillstreamError) -> Kernel? {
        switch request.function {
        case .extract: return try TimeExtract.prepare(request)
        case .floorTo: return try TimeRounding.prepare(request, isCeil: false)
        case .ceilTo: return try TimeRounding.prepare(request, isCeil: true)
        case .timestampAdd: return try TimeArithmetic.prepareAdd(request)
        case .timestampDiff: return try TimeArithmetic.prepareDiff(request)
        case .overlaps: return try TimeArithmetic.prepareOverlaps(request)
        case .dateFormat: return try TimeFormatting.prepareDateFormat(request)
        case .fromUnixtime: return try TimeFormatting.prepareFromUnixtime(request)
        case .convertTz: return try TimeFormatting.prepareConvertTz(request)
        case .toDate: return try TimeParsing.prepareToDate(request)
        case .toTimestamp: return try TimeParsing.prepareToTimestamp(request)
        case .toTimestampLTZ: return try TimeParsing.prepareToTimestampLTZ(request)
        case .unixTimestamp: return try TimeParsing.prepareUnixTimestamp(request)
        case .currentDate, .currentTime, .localTime, .localTimestamp, .currentTimestamp, .currentRowTimestamp, .processingTime, .currentWatermark:
            return present(request)
        case .sourceWatermark:
            return { (_, _, _) throws(MillstreamError) in
                throw MillstreamError(
                    .plan, "SOURCE_WATERMARK() has no value: it says in a WATERMARK clause that the source makes the watermarks", hint: "CURRENT_WATERMARK(rowtime) is the current one.")
            }
        default: return nil
        }
    }

    /// One value for all rows of a batch, in the layout of the call's type.
    private static func present(_ request: KernelRequest) -> Kernel {
        let type = request.type
        let steps = type.stepsPerSecond ?? 1
        let function = request.function
        return { (_, _, context) throws(MillstreamError) in
            if function == .currentWatermark {
                guard let watermark = context.watermark else { return .null(type) }
                return try .constant(.int64(watermark.rescaled(from: 1000, to: steps)), type)
            }
            var milliseconds = context.now
            let isLocal = function != .currentTimestamp && function != .currentRowTimestamp && function != .processingTime
            if isLocal {
                let zone = try Zone.named(context.timeZone)
                milliseconds = milliseconds.addingSaturating(zone.offset(at: CivilDate.quotient(milliseconds, 1000)) &* 1000)
            }
            switch function {
            case .currentDate: return try .constant(.int64(CivilDate.quotient(milliseconds, 86_400_000)), type)
            case .currentTime, .localTime: return try .constant(.int64(CivilDate.remainder(milliseconds, 86_400_000).rescaled(from: 1000, to: steps)), type)
            default: return try .constant(.int64(milliseconds.rescaled(from: 1000, to: steps)), type)
            }
        }
    }
}

extension Operand {
    /// Instants as local time of the session's zone, in the same unit. `isLegacy`: as `java.util.TimeZone` has it, which knows nothing before 1900.
    func local(_ count: Int, _ steps: Int64, _ zone: Zone, isLegacy: Bool) -> Operand {
        var cursor = ZoneCursor(zone)
        var legacy = LegacyZone(zone)
        return TimeLoop.map(self, count, .bigInt) { value in
            let second = CivilDate.quotient(value, steps)
            return value.addingSaturating((isLegacy ? legacy.offset(at: second) : cursor.offset(at: second)) &* steps)
        }
    }
}
