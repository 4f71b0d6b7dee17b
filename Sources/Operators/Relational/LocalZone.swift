import Columnar
import Expressions

/// The time zone in which windows over TIMESTAMP_LTZ begin and end. Milliseconds since the epoch are instants, or local times as if they were of UTC.
struct LocalZone {
    /// nil: local times are instants.
    private let zone: Zone?

    /// The zone of TIMESTAMP columns, whose values are local times themselves.
    static let utc = LocalZone(zone: nil)

    private init(zone: Zone?) { self.zone = zone }

    /// Throws for a zone that is not known.
    init(_ name: String) throws(MillstreamError) { zone = name == "UTC" ? nil : try Zone.named(name) }

    func local(_ instant: Int64) -> Int64 {
        guard let zone else { return instant }
        return instant.addingSaturating(zone.offset(at: seconds(instant)) &* 1_000)
    }

    func instant(_ local: Int64) -> Int64 {
        guard let zone else { return local }
        return local.subtractingSaturating(zone.offset(ofLocal: seconds(local)) &* 1_000)
    }

    /// Instants as local times, in place.
    func makeLocal(_ instants: inout [Int64]) {
        guard let zone else { return }
        var cursor = ZoneCursor(zone)
        for row in instants.indices { instants[row] = instants[row].addingSaturating(cursor.offset(at: seconds(instants[row])) &* 1_000) }
    }

    private func seconds(_ milliseconds: Int64) -> Int64 { milliseconds / 1_000 &- (milliseconds % 1_000 < 0 ? 1 : 0) }

    /// Local times as a column of TIMESTAMP(p), or of TIMESTAMP_LTZ(p), in which they are instants.
    func column(_ locals: [Int64], type: DataType) -> Column {
        switch type.kind {
        case .timestampLTZ(let precision): Column.times(locals.map { instant($0) }, type: type, precision: precision)
        case .timestamp(let precision): Column.times(locals, type: type, precision: precision)
        default: Column.int64s(locals).retyped(type.notNull)
        }
    }
}

extension Column {
    /// Milliseconds as values of a time type of some precision.
    fileprivate static func times(_ milliseconds: [Int64], type: DataType, precision: Int) -> Column {
        let perSecond = TimeUnit(precision: precision).perSecond
        let values =
            perSecond >= 1_000
            ? milliseconds.map { $0.multipliedReportingOverflow(by: perSecond / 1_000).partialValue }
            : milliseconds.map { ($0 - ($0 % 1_000 + 1_000) % 1_000) / 1_000 }
        return Column(type: type.notNull, count: values.count, values: Buffer.copying(values))
    }

    /// The values of a column of TIMESTAMP or TIMESTAMP_LTZ as milliseconds. Undefined where null.
    func milliseconds(_ count: Int) throws(MillstreamError) -> [Int64] {
        let perSecond: Int64
        switch type.kind {
        case .timestamp(let precision), .timestampLTZ(let precision): perSecond = TimeUnit(precision: precision).perSecond
        case .bigInt: perSecond = 1_000
        default: throw MillstreamError(.plan, "a column of type \(type) is no time")
        }
        let values = UnsafeBufferPointer(start: UnsafePointer(pointer(as: Int64.self)), count: count)
        if perSecond == 1_000 { return Array(values) }
        if perSecond < 1_000 { return values.map { $0.multipliedReportingOverflow(by: 1_000).partialValue } }
        let unit = perSecond / 1_000
        return values.map { value in
            let rest = value % unit
            return (value &- rest) / unit &- (rest < 0 ? 1 : 0)
        }
    }
}
