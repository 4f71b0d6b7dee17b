import Columnar
import Plan

/// GROUP BY TUMBLE(t, INTERVAL '1' HOUR), HOP(...) or SESSION(...): the older way to say windows.
struct LegacyWindow {
    enum Part: Hashable { case start, end, rowtime, proctime }
    /// Sessions are of the keys that are grouped by, which are not known yet.
    static let byGroup = [-1]

    /// TUMBLE, HOP or SESSION.
    var name: String
    /// As they are written: TUMBLE_START must have the same.
    var arguments: [String]
    /// The columns of the windows' bounds, which are keys.
    var columns: [Part: BoundScalar]

    var keys: [BoundScalar] {
        var keys: [BoundScalar] = []
        for part in [Part.start, .end, .rowtime, .proctime] { if let column = columns[part], !keys.contains(column) { keys.append(column) } }
        return keys
    }

    /// What TUMBLE_START and the like are of.
    static func auxiliary(_ name: String) -> (shape: String, part: Part)? {
        let name = name.uppercased()
        for shape in ["TUMBLE", "HOP", "SESSION"] where name.hasPrefix(shape + "_") {
            switch name.dropFirst(shape.count + 1) {
            case "START": return (shape, .start)
            case "END": return (shape, .end)
            case "ROWTIME": return (shape, .rowtime)
            case "PROCTIME": return (shape, .proctime)
            default: return nil
            }
        }
        return nil
    }
}

extension SelectBinder {
    /// The window that an expression of GROUP BY is: its rows get the columns of their windows. Nil for other expressions.
    func legacyWindow(_ expression: ExpressionSyntax) throws(MillstreamError) -> LegacyWindow? {
        guard case .call(let call) = expression.kind, ["TUMBLE", "HOP", "SESSION"].contains(call.name.text.uppercased()) else { return nil }
        let name = call.name.text.uppercased()
        let values = call.values
        guard values.count == (name == "HOP" ? 3 : 2) else {
            throw source.error("\(name) in GROUP BY takes a time and \(name == "HOP" ? "two intervals: slide and size" : "an interval")", at: expression.range)
        }
        let time = try scalar(values[0])
        guard let attribute = time.timeAttribute ?? query.batchTime(time.type), case .column(let column) = time.expression.kind else {
            throw source.error("\(name) needs a time attribute, not a value of type \(time.type)", at: values[0].range, hint: "WATERMARK FOR makes a column one, PROCTIME() is one.")
        }
        var durations: [Int64] = []
        for value in values.dropFirst() { durations.append(try query.milliseconds(value, scope)) }
        let shape: WindowTable.Shape =
            switch name {
            case "TUMBLE": .tumble(size: durations[0])
            case "HOP": .hop(slide: durations[0], size: durations[1])
            default: .session(gap: durations[0], partitionBy: LegacyWindow.byGroup)
            }
        let table = WindowTable(shape, timeColumn: column, isProcessingTime: attribute == .proctime, timeZone: query.options.timeZone)
        try query.check(table, values.last?.range ?? expression.range)
        let count = current.columns.count
        current = current.windowed(table, isLegacy: true, isStreaming: query.options.isStreaming)
        func bound(_ index: Int) -> BoundScalar { BoundScalar(current.column(count + index), timeAttribute: current.columns[count + index].time) }
        let timePart: LegacyWindow.Part = attribute == .proctime ? .proctime : .rowtime
        return LegacyWindow(
            name: name, arguments: values.map { source.string($0.range) }, columns: [.start: bound(0), .end: bound(1), timePart: bound(2)])
    }
}

extension Relation {
    /// Each row in its windows.
    func windowed(_ table: WindowTable, isLegacy: Bool = false, isStreaming: Bool) -> Relation {
        let time = columns[table.timeColumn]
        let isLocal: Bool = if case .timestampLTZ = time.type.kind { true } else { false }
        let plain = DataType(.timestamp(3), isNullable: false)
        let attribute = DataType(isLocal ? .timestampLTZ(3) : .timestamp(3), isNullable: isLegacy && !table.isProcessingTime ? time.type.isNullable : false)
        return Relation(
            .windowTable(table), [self],
            columns + [
                RelationColumn("window_start", plain), RelationColumn("window_end", plain),
                RelationColumn("window_time", attribute, time: table.isProcessingTime ? .proctime : isStreaming ? .rowtime : nil),
            ])
    }
}

extension QueryBinder {
    /// Refuses windows that cannot be.
    func check(_ table: WindowTable, _ range: SourceRange) throws(MillstreamError) {
        func positive(_ value: Int64, _ what: String) throws(MillstreamError) {
            guard value > 0 else { throw source.error("the \(what) of a window must be more than nothing", at: range) }
        }
        switch table.shape {
        case .tumble(let size): try positive(size, "size")
        case .hop(let slide, let size):
            try positive(slide, "slide")
            try positive(size, "size")
            guard size % slide == 0 else { throw source.error("the size of HOP windows must be a multiple of their slide", at: range) }
        case .cumulate(let step, let size):
            try positive(step, "step")
            try positive(size, "size")
            guard size % step == 0 else { throw source.error("the size of CUMULATE windows must be a multiple of their step", at: range) }
        case .session(let gap, _): try positive(gap, "gap")
        case .attached: break
        }
    }
}
